//! The stage's metrics, one set for each camera.
#![expect(clippy::disallowed_macros, reason = "the one place of this crate where metrics are declared")]

use metrics::Counter;
use sightline_wire::CameraId;

/// Handles of one camera.
pub(crate) struct CameraMetrics {
    /// `sightline_detector_faces_total{camera,model}`: faces found.
    pub(crate) faces: Counter,
}

impl CameraMetrics {
    /// Handles with the camera and the detector's model as their labels.
    pub(crate) fn new(camera: &CameraId, model: &str) -> Self {
        let (camera, model) = (camera.as_str().to_owned(), model.to_owned());
        Self { faces: metrics::counter!("sightline_detector_faces_total", "camera" => camera, "model" => model) }
    }
}

impl std::fmt::Debug for CameraMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CameraMetrics")
    }
}
