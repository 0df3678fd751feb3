//! Made-up faces and frames for the tests.

use std::sync::Arc;
use std::time::Duration;

use sightline_stage::{Monotonic, Outbox, Stage};
use sightline_vision::{Point, Quality, Rect, RgbImage};
use sightline_wire::{
    CameraId, CaptureMode, ClockSource, Crop, CropPicture, Face, FrameFaces, FrameId, FrameSize, Stamp, Utc, VisitNote,
};

use crate::{TrackConfig, TrackOutput, Tracker};

/// Five frames a second.
pub(crate) const FRAME_NS: i64 = 200_000_000;
const START_NS: i64 = 1_764_000_000_000_000_000;

pub(crate) fn camera() -> CameraId {
    "lobby".parse().unwrap()
}

/// A good face of this width (4:5) around a centre.
pub(crate) fn face_at(x: f32, y: f32, width: f32) -> Face {
    let height = width * 1.25;
    let bbox = Rect::new(x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0);
    let picture =
        CropPicture { image: Arc::new(RgbImage::filled(1, 1, [0; 3])), face: bbox, landmarks: [Point { x, y }; 5] };
    Face {
        bbox,
        landmarks: [Point { x, y }; 5],
        score: 0.9,
        quality: Quality { score: 0.7, sharpness: 100.0, frontality: 0.9 },
        flaw: None,
        crop: picture,
    }
}

/// `face` with the picture of head number `head`: heads of different numbers do not look alike.
pub(crate) fn face_looking_like(head: u64, face: Face) -> Face {
    let mut state = head.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let cells: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(64)
    .collect();
    let data = (0..64 * 64).flat_map(|at| [cells[at / 64 / 8 * 8 + at % 64 / 8]; 3]).collect();
    let image = Arc::new(RgbImage::new(64, 64, data).unwrap());
    let crop = CropPicture { image, face: Rect::new(11.0, 11.0, 53.0, 53.0), landmarks: face.crop.landmarks };
    Face { crop, ..face }
}

/// A frame five to the second, without faces.
pub(crate) fn empty_frame(epoch: u64, seq: u64) -> FrameFaces {
    let pts_ns = i64::try_from(seq % 1_000_000).unwrap() * FRAME_NS;
    FrameFaces {
        frame: FrameId { camera: camera(), epoch, seq },
        stamp: Stamp { capture: Utc::from_unix_ns(START_NS + pts_ns), clock: ClockSource::Arrival, pts_ns },
        mode: CaptureMode::Live,
        size: FrameSize { width: 1280, height: 720 },
        detector: "fake@000000000000".into(),
        faces: Vec::new(),
    }
}

/// A frame of epoch 1 with these faces.
pub(crate) fn frame(seq: u64, faces: Vec<Face>) -> FrameFaces {
    FrameFaces { faces, ..empty_frame(1, seq) }
}

/// A tracker with what came out of it.
pub(crate) struct Bench {
    tracker: Tracker,
    out: Outbox<TrackOutput>,
    pub(crate) crops: Vec<Crop>,
    pub(crate) notes: Vec<VisitNote>,
}

impl Bench {
    pub(crate) fn new(config: TrackConfig) -> Self {
        let tracker = Tracker::new(config, "tracker-1".into()).unwrap();
        Self { tracker, out: Outbox::default(), crops: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn frame(&mut self, frame: &FrameFaces) {
        self.tracker.process(std::slice::from_ref(frame), &mut self.out).unwrap();
        self.collect();
    }

    pub(crate) fn tick(&mut self, ms: u64) {
        self.tracker.tick(Monotonic::from_start(Duration::from_millis(ms)), &mut self.out).unwrap();
        self.collect();
    }

    pub(crate) fn finish(&mut self) {
        self.tracker.finish(&mut self.out).unwrap();
        self.collect();
    }

    /// Runs `frames` frames with the faces that `scene` gives for each, then shuts down.
    pub(crate) fn run(frames: u64, scene: impl Fn(u64) -> Vec<Face>) -> Self {
        let mut bench = Self::new(TrackConfig::default());
        for seq in 0..frames {
            bench.tick(seq * 200);
            bench.frame(&frame(seq, scene(seq)));
        }
        bench.finish();
        bench
    }

    fn collect(&mut self) {
        let (outputs, rejections) = self.out.take();
        assert!(rejections.is_empty());
        for output in outputs {
            match output {
                TrackOutput::Crop(crop) => self.crops.push(*crop),
                TrackOutput::Note(note) => self.notes.push(*note),
            }
        }
    }

    /// The ends of visits in the order in which they came.
    pub(crate) fn ends(&self) -> Vec<&VisitNote> {
        self.notes.iter().filter(|note| note.end.is_some()).collect()
    }
}
