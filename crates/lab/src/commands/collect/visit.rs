//! A visit under way: the pictures of it that are to be saved, and the faces that say whose it is.

use serde::Serialize;
use sightline_infer::FaceCrop;
use sightline_vision::{Subsampling, encode_rgb};
use sightline_wire::{ClockSource, Crop, Utc, VisitId};

use super::watch::Seen;

/// JPEG quality of crops: nothing is seen of it.
const CROP_QUALITY: u8 = 95;
/// Of whole frames.
const FRAME_QUALITY: u8 = 90;

/// Faces of a visit that are embedded: as many as the pipeline takes unless told otherwise.
const EMBEDDED: usize = 6;

/// What is known of a picture; with the names of its files it is a line of `faces.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    /// When it was taken, by the camera's clock or this machine's; of a file nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Utc>,
    /// Since the stream or file began.
    seconds: f64,
    camera: String,
    visit: VisitId,
    /// Width and height of the frame: box and landmarks are in its pixels.
    size: [u32; 2],
    #[serde(rename = "box")]
    bbox: [f32; 4],
    /// Left eye, right eye, nose, left and right mouth corner, as seen in the picture.
    landmarks: [[f32; 2]; 5],
    score: f32,
    pub(super) quality: f32,
    sharpness: f32,
    frontality: f32,
    detector: String,
    /// The cosine of the visit with what else there was of the person, where it was found by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) likeness: Option<f64>,
}

/// A picture that is ready to be saved.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    pub(super) record: Record,
    pub(super) crop: Vec<u8>,
    pub(super) frame: Option<Vec<u8>>,
}

impl Shot {
    /// Makes the files. None for a face whose landmarks are nowhere.
    ///
    /// # Errors
    /// When a picture cannot be encoded.
    fn of(seen: &Seen, camera: &str) -> anyhow::Result<Option<Self>> {
        let Some(aligned) = seen.surroundings.aligned() else { return Ok(None) };
        let frame = seen.frame.as_ref().map(|frame| encode_rgb(frame, FRAME_QUALITY, Subsampling::Half)).transpose()?;
        let crop = &seen.crop;
        let record = Record {
            time: (crop.stamp.clock != ClockSource::File).then_some(crop.stamp.capture),
            seconds: crop.stamp.pts_ns as f64 / 1e9,
            camera: camera.to_owned(),
            visit: crop.head.visit.clone(),
            size: [crop.size.width, crop.size.height],
            bbox: crop.bbox.to_array(),
            landmarks: seen.landmarks.map(|point| [point.x, point.y]),
            score: crop.score,
            quality: crop.quality.score,
            sharpness: crop.quality.sharpness,
            frontality: crop.quality.frontality,
            detector: crop.detector.to_string(),
            likeness: None,
        };
        Ok(Some(Self { record, crop: encode_rgb(&aligned, CROP_QUALITY, Subsampling::Full)?, frame }))
    }
}

/// A visit under way.
#[derive(Debug, Default)]
pub(super) struct Visit {
    /// To be saved.
    pub(super) shots: Vec<Shot>,
    /// Saved already.
    pub(super) saved: usize,
    /// The best faces, best first.
    faces: Vec<Crop>,
    /// The best quality of a picture so far.
    pub(super) best: f32,
}

impl Visit {
    /// One more picture; where not `all` are to be saved, only the best one is kept.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(super) fn add(&mut self, seen: Seen, camera: &str, all: bool) -> anyhow::Result<()> {
        let quality = seen.crop.quality.score;
        let is_best = self.shots.is_empty() || quality > self.best;
        if (all || is_best)
            && let Some(shot) = Shot::of(&seen, camera)?
        {
            if !all {
                self.shots.clear();
            }
            self.shots.push(shot);
            self.best = self.best.max(quality);
        }
        let at = self.faces.partition_point(|face| face.quality.score >= quality);
        self.faces.insert(at, seen.crop);
        self.faces.truncate(EMBEDDED);
        Ok(())
    }

    /// What is to be embedded, with the quality of each.
    pub(super) fn faces(&self) -> impl Iterator<Item = (f32, FaceCrop<'_>)> {
        self.faces.iter().map(|face| {
            let picture = &face.picture;
            let crop = FaceCrop {
                image: &picture.image,
                face: picture.face,
                landmarks: picture.landmarks,
                detector: &face.detector,
            };
            (face.quality.score, crop)
        })
    }
}
