//! Vectors and messages for this crate's tests.

use std::sync::Arc;

use sightline_vision::{Quality, QualityReason, Rect};
use sightline_wire::{
    CameraChange, CameraState, ClockSource, CropId, EndReason, FaceVector, FrameSize, IdentifyInput, RejectedCrop,
    Stamp, Utc, VisitHead, VisitId, VisitNote,
};

/// When the tests' recordings begin.
pub(crate) const START: Utc = Utc::from_unix_ns(1_764_000_000_000_000_000);

/// The embedder of the tests.
pub(crate) const EMBEDDER: &str = "facenet@000000000000";

/// A unit vector; different seeds give different, nearly orthogonal directions.
pub(crate) fn unit(seed: u64, dimension: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    normalised((0..dimension).map(|_| next()).collect())
}

pub(crate) fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|v| *v /= length);
    vector
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A unit vector with exactly this cosine to `base`; different seeds give different ones.
pub(crate) fn at_cosine(base: &[f32], cosine_wanted: f32, seed: u64) -> Vec<f32> {
    let other = unit(seed.wrapping_add(0xbeef), base.len());
    let along = cosine(base, &other);
    let across = normalised(other.iter().zip(base).map(|(o, b)| o - along * b).collect());
    let sine = (1.0 - cosine_wanted * cosine_wanted).sqrt();
    normalised(base.iter().zip(&across).map(|(b, a)| cosine_wanted * b + sine * a).collect())
}

pub(crate) fn visit_id(camera: &str, number: u32) -> VisitId {
    format!("{camera}-1-{number}-0").parse().unwrap()
}

pub(crate) fn head(camera: &str, number: u32) -> VisitHead {
    VisitHead {
        visit: visit_id(camera, number),
        camera: camera.parse().unwrap(),
        first_seen: START,
        tracker: Arc::from("tracker-1"),
    }
}

pub(crate) fn stamp(ms: i64) -> Stamp {
    Stamp { capture: START.plus_ns(ms * 1_000_000), clock: ClockSource::Arrival, pts_ns: ms * 1_000_000 }
}

const SIZE: FrameSize = FrameSize { width: 1280, height: 720 };

/// The vector of crop `index` of visit `number` at `camera`, from a face 80 pixels wide.
pub(crate) fn vector(camera: &str, number: u32, index: u32, vector: Vec<f32>) -> FaceVector {
    FaceVector {
        id: CropId { visit: visit_id(camera, number), index },
        head: head(camera, number),
        stamp: stamp(i64::from(index) * 200),
        size: SIZE,
        bbox: Rect::new(100.0, 100.0, 180.0, 200.0),
        score: 0.9,
        quality: Quality { score: 0.8, sharpness: 100.0, frontality: 0.9 },
        detector: Arc::from("centerface@000000000000"),
        embedder: Arc::from(EMBEDDER),
        vector,
    }
}

pub(crate) fn input(vector: FaceVector) -> IdentifyInput {
    IdentifyInput::Vector(Box::new(vector))
}

pub(crate) fn rejected(camera: &str, number: u32, index: u32) -> IdentifyInput {
    let id = CropId { visit: visit_id(camera, number), index };
    IdentifyInput::Rejected(RejectedCrop { id, head: head(camera, number), reason: "broken crop".to_owned() })
}

/// A note; `end` closes the visit.
pub(crate) fn note(camera: &str, number: u32, count: u32, crops_sent: u32, end: Option<EndReason>) -> IdentifyInput {
    IdentifyInput::Note(Box::new(VisitNote {
        head: head(camera, number),
        note: count,
        last_seen: stamp(5_000 + i64::from(count) * 10_000),
        crops_sent,
        size: SIZE,
        best_box: Rect::new(100.0, 100.0, 120.0, 125.0),
        best_score: 0.6,
        best_quality: Quality { score: 0.1, sharpness: 1.0, frontality: 0.5 },
        flaw: (crops_sent == 0).then_some(QualityReason::Small),
        detector: Arc::from("centerface@000000000000"),
        end,
    }))
}

pub(crate) fn camera(name: &str, epoch: u64, state: CameraState) -> IdentifyInput {
    IdentifyInput::Camera(CameraChange {
        camera: name.parse().unwrap(),
        epoch,
        state,
        at: START,
        detail: "why".to_owned(),
    })
}
