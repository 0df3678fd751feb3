//! The detect stage: frames in, faces with generic crops out.
//!
//! Stateless: any detector may take any frame. It says exactly one [`FrameFaces`] for each frame, also when there is
//! nobody, because the tracker counts on the numbers. A frame carries no clock that a stage could ask, so it never
//! judges whether a frame is too old: the queue of live frames does (`stale`).

mod metrics;

use std::collections::HashMap;
use std::sync::Arc;

use sightline_infer::{AssessedFace, FaceDetector, assess_faces};
use sightline_stage::{Fault, Outbox, Stage};
use sightline_vision::{Picture, QualityGates};
use sightline_wire::{CameraId, CropPicture, Face, Frame, FrameFaces, FrameSize};

use crate::metrics::CameraMetrics;

/// Settings of the stage. Threshold and width belong to the model's session.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectConfig {
    /// Shorter side of the smallest face reported, in source pixels.
    pub min_face: f32,
    /// What a face must reach to be worth embedding; `min_size` is `identify.min_face`.
    pub gates: QualityGates,
}

/// Finds the faces of frames.
#[derive(Debug)]
pub struct Detect<D> {
    detector: D,
    model: Arc<str>,
    config: DetectConfig,
    metrics: HashMap<CameraId, CameraMetrics>,
}

impl<D: FaceDetector> Detect<D> {
    /// A stage with this detector.
    pub fn new(detector: D, config: DetectConfig) -> Self {
        let model = detector.model_id().into();
        Self { detector, model, config, metrics: HashMap::new() }
    }

    fn faces(&mut self, frame: &Frame) -> Result<Vec<Face>, Fault> {
        let picture = Picture::Planes(&frame.planes);
        let found = self.detector.detect(picture);
        let mut found = found.map_err(|error| Fault::from_error(&error))?;
        found.retain(|face| face.bbox.width().min(face.bbox.height()) >= self.config.min_face);
        Ok(assess_faces(picture, found, &self.config.gates).into_iter().map(face).collect())
    }
}

impl<D: FaceDetector> Stage for Detect<D> {
    const NAME: &'static str = "detect";
    type In = Frame;
    type Out = FrameFaces;

    fn process(&mut self, batch: &[Frame], out: &mut Outbox<FrameFaces>) -> Result<(), Fault> {
        for frame in batch {
            let faces = self.faces(frame)?;
            let camera = &frame.id.camera;
            let metrics = self.metrics.entry(camera.clone());
            let metrics = metrics.or_insert_with(|| CameraMetrics::new(camera, &self.model));
            metrics.faces.increment(faces.len() as u64);
            out.emit(FrameFaces {
                frame: frame.id.clone(),
                stamp: frame.stamp,
                mode: frame.mode,
                size: FrameSize { width: frame.planes.width(), height: frame.planes.height() },
                detector: self.model.clone(),
                faces,
            });
        }
        Ok(())
    }
}

fn face(assessed: AssessedFace) -> Face {
    let AssessedFace { detection, cut, quality, flaw } = assessed;
    Face {
        bbox: detection.bbox,
        landmarks: detection.landmarks,
        score: detection.score,
        quality,
        flaw,
        crop: CropPicture { image: Arc::new(cut.image), face: cut.face, landmarks: cut.landmarks },
    }
}

#[cfg(test)]
mod tests;
