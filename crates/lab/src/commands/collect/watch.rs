//! From pictures to visits: the detector and the tracker of the pipeline, in one thread.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sightline_infer::{AssessedFace, Detector, assess_faces};
use sightline_stage::{Monotonic, Outbox, Stage as _};
use sightline_track::{TrackConfig, TrackOutput, Tracker};
use sightline_vision::{Landmarks, Picture, Planes, QualityGates, QualityReason, RgbImage, to_rgb};
use sightline_wire::{
    CameraId, CaptureMode, Crop, CropPicture, Face, FrameFaces, FrameId, FrameSize, Stamp, Utc, VisitNote,
};

use super::align::Surroundings;

/// Most pictures of a visit.
pub(super) const MOST: u32 = 100;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Shorter side of the smallest face that is saved, pixels.
    pub(super) min_face: f32,
    /// A further picture of a visit after so long.
    pub(super) every: Option<Duration>,
    /// Whether frames are kept beside faces.
    pub(super) frames: bool,
    /// Drop or wait.
    pub(super) mode: CaptureMode,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A visit has a picture that is worth something.
    Seen(Box<Seen>),
    /// A visit is over.
    Left(Box<VisitNote>),
}

/// A picture of a visit, with all that the tracker does not carry along.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) crop: Crop,
    /// In the frame's pixels.
    pub(super) landmarks: Landmarks,
    pub(super) surroundings: Surroundings,
    pub(super) frame: Option<Arc<RgbImage>>,
}

/// The part of [`Seen`] that waits beside the tracker for as long as that has the face's pixels.
struct Beside {
    pixels: Weak<RgbImage>,
    landmarks: Landmarks,
    surroundings: Surroundings,
    frame: Option<Arc<RgbImage>>,
}

/// Watches one stream.
pub(super) struct Watch {
    detector: Detector,
    model: Arc<str>,
    tracker: Tracker,
    wanted: Wanted,
    camera: CameraId,
    epoch: u64,
    begun: Instant,
    beside: Vec<Beside>,
    /// Frames looked at.
    pub(super) frames: u64,
    /// Faces found in them.
    pub(super) faces: u64,
}

impl Watch {
    /// With this detector.
    ///
    /// # Errors
    /// When what is wanted cannot be.
    pub(super) fn new(detector: Detector, wanted: Wanted) -> anyhow::Result<Self> {
        let config = TrackConfig {
            max_embeds: MOST,
            view_every: wanted.every,
            min_face: wanted.min_face,
            // One detector: no frame overtakes another.
            reorder_frames: 0,
            ..TrackConfig::default()
        };
        let epoch = u64::try_from(Utc::now().unix_ns() / 1_000_000).unwrap_or_default();
        Ok(Self {
            model: detector.model_id().as_str().into(),
            tracker: Tracker::new(config, "lab".into())?,
            detector,
            wanted,
            camera: "lab".parse()?,
            epoch,
            begun: Instant::now(),
            beside: Vec::new(),
            frames: 0,
            faces: 0,
        })
    }

    /// The next frame.
    ///
    /// # Errors
    /// When the detector is broken.
    pub(super) fn look(&mut self, planes: &Planes, stamp: Stamp) -> anyhow::Result<Vec<Event>> {
        let picture = Picture::Planes(planes);
        let gates = QualityGates { min_size: self.wanted.min_face, ..QualityGates::default() };
        let found = assess_faces(picture, self.detector.detect(picture)?, &gates);
        let id = FrameId { camera: self.camera.clone(), epoch: self.epoch, seq: self.frames };
        self.frames += 1;
        self.faces += found.len() as u64;
        let is_good = found.iter().any(|face| face.flaw.is_none());
        let whole = (self.wanted.frames && is_good).then(|| to_rgb(planes)).transpose()?.map(Arc::new);
        let faces = found.into_iter().map(|face| self.face(picture, face, whole.as_ref())).collect();
        let frame = FrameFaces {
            frame: id,
            stamp,
            mode: self.wanted.mode,
            size: FrameSize { width: planes.width(), height: planes.height() },
            detector: self.model.clone(),
            faces,
        };
        let mut out = Outbox::default();
        self.tracker.tick(Monotonic::from_start(self.begun.elapsed()), &mut out)?;
        self.tracker.process(std::slice::from_ref(&frame), &mut out)?;
        drop(frame);
        self.events(out)
    }

    /// There are no more: every visit ends.
    ///
    /// # Errors
    /// When the tracker is broken.
    pub(super) fn finish(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut out = Outbox::default();
        self.tracker.finish(&mut out)?;
        self.events(out)
    }

    fn face(&mut self, picture: Picture<'_>, assessed: AssessedFace, frame: Option<&Arc<RgbImage>>) -> Face {
        let AssessedFace { detection, cut, quality, flaw } = assessed;
        let image = Arc::new(cut.image);
        // What has a flaw is followed, and never saved.
        let surroundings =
            flaw.is_none().then(|| Surroundings::cut(picture, &detection.bbox, &detection.landmarks).ok()).flatten();
        let flaw = flaw.or(surroundings.is_none().then_some(QualityReason::Truncated));
        self.beside.extend(surroundings.map(|surroundings| Beside {
            pixels: Arc::downgrade(&image),
            landmarks: detection.landmarks,
            surroundings,
            frame: frame.cloned(),
        }));
        Face {
            bbox: detection.bbox,
            landmarks: detection.landmarks,
            score: detection.score,
            quality,
            flaw,
            crop: CropPicture { image, face: cut.face, landmarks: cut.landmarks },
        }
    }

    fn events(&mut self, mut out: Outbox<TrackOutput>) -> anyhow::Result<Vec<Event>> {
        let mut events = Vec::new();
        for output in out.take().0 {
            match output {
                TrackOutput::Crop(crop) => events.push(Event::Seen(Box::new(self.seen(*crop)?))),
                TrackOutput::Note(note) if note.end.is_some() => events.push(Event::Left(note)),
                TrackOutput::Note(_) => {}
            }
        }
        // The tracker holds on to the best picture of each visit, and to no other.
        self.beside.retain(|beside| beside.pixels.strong_count() > 0);
        Ok(events)
    }

    fn seen(&mut self, crop: Crop) -> anyhow::Result<Seen> {
        let is_it = |beside: &Beside| std::ptr::eq(beside.pixels.as_ptr(), Arc::as_ptr(&crop.picture.image));
        let at = self.beside.iter().position(is_it).context("the tracker sent a face that it was not given")?;
        let Beside { landmarks, surroundings, frame, .. } = self.beside.swap_remove(at);
        Ok(Seen { crop, landmarks, surroundings, frame })
    }
}
