//! SeetaFace: boosted local features, then small networks over SURF features; run by the `rustface` crate.

use std::path::Path;

use rustface::{FaceInfo, ImageData, Model};
use sightline_vision::{Picture, Rect};

use crate::traditional::error::DetectorError;
use crate::traditional::found::{FoundFace, sort};
use crate::traditional::gray::GrayImage;
use crate::traditional::model::ModelFile;

/// The one model there is, as the package of the `rustface` crate has it; set-up puts it among the models.
pub const SEETA_MODEL: ModelFile = ModelFile {
    name: "seeta_fd_frontal_v1.0.bin",
    sha256: "c4619d066ed35e84d9a8e842860b0dff567aba0cbb139881075538761db3ff5d",
    way_out: "`cargo xtask setup` takes it out of the package rustface 0.1.7; --seeta-model names a copy elsewhere",
};

/// Side in pixels of the window that the model was trained on. The crate looks for no smaller faces, whatever size it is
/// told, so the picture is resized until the smallest face wanted has this size.
const WINDOW: u32 = 40;

/// Smallest face that can be asked for, pixels.
const SMALLEST_FACE: u32 = 20;

/// SeetaFace's own steps from size to size and from window to window.
const SIZE_STEP: f32 = 0.8;
const WINDOW_STEP: u32 = 4;

/// How SeetaFace is used.
#[derive(Clone, Debug, PartialEq)]
pub struct SeetaConfig {
    /// Least score, above 0. Scores have no unit and no upper end; SeetaFace's authors name .95, 2.8 and 4.5 as typical
    /// thresholds and use 2 in their example.
    pub threshold: f64,
    /// Smallest face in pixels, at least 20.
    pub min_face: u32,
}

impl Default for SeetaConfig {
    fn default() -> Self {
        Self { threshold: 2.0, min_face: WINDOW }
    }
}

impl SeetaConfig {
    /// The default with every face that the model itself does not reject.
    #[must_use]
    pub fn for_curve() -> Self {
        Self { threshold: f64::MIN_POSITIVE, ..Self::default() }
    }

    /// Whether a detector would take these parameters.
    ///
    /// # Errors
    /// [`DetectorError::Setting`].
    pub fn check(&self) -> Result<(), DetectorError> {
        let refuse = |key, reason| Err(DetectorError::Setting { key, reason });
        if !self.threshold.is_finite() || self.threshold <= 0.0 {
            return refuse("seeta.threshold", format!("{} is not above 0", self.threshold));
        }
        if self.min_face < SMALLEST_FACE {
            return refuse("seeta.min_face", format!("{} is below {SMALLEST_FACE} pixels", self.min_face));
        }
        Ok(())
    }
}

/// The model, loaded and checked. One for a thread.
pub struct SeetaDetector {
    model: Model,
    config: SeetaConfig,
    sha256: String,
}

impl SeetaDetector {
    /// Reads the model, if it is [`SEETA_MODEL`]: the crate trusts what it reads.
    ///
    /// # Errors
    /// [`DetectorError`] naming the file and what is wrong with it, or the parameter.
    pub fn open(path: &Path, config: SeetaConfig) -> Result<Self, DetectorError> {
        config.check()?;
        let (bytes, sha256) = ModelFile::read(path, Some(&SEETA_MODEL))?;
        let model = rustface::read_model(bytes.as_slice())
            .map_err(|source| DetectorError::Read { path: path.to_owned(), source })?;
        Ok(Self { model, config, sha256 })
    }

    /// The faces of a picture, best score first.
    #[must_use]
    pub fn detect(&self, picture: Picture<'_>) -> Vec<FoundFace> {
        self.detect_gray(&GrayImage::of(picture))
    }

    /// The same for a gray picture.
    #[must_use]
    pub fn detect_gray(&self, image: &GrayImage) -> Vec<FoundFace> {
        let scale = WINDOW as f32 / self.config.min_face as f32;
        let scaled = |pixels: usize| (pixels as f32 * scale).round().max(1.0) as usize;
        let resized = image.resized(scaled(image.width()), scaled(image.height()));
        // The crate's detector cannot be sent to another thread, its model can.
        let mut detector = rustface::create_detector_with_model(self.model.clone());
        detector.set_score_thresh(self.config.threshold);
        detector.set_pyramid_scale_factor(SIZE_STEP);
        detector.set_slide_window_step(WINDOW_STEP, WINDOW_STEP);
        let found = detector.detect(&ImageData::new(resized.data(), resized.width() as u32, resized.height() as u32));
        let mut faces: Vec<FoundFace> = found.iter().map(|face| found_face(face, scale)).collect();
        sort(&mut faces);
        faces
    }

    /// The sha256 of its file, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// In pixels of the picture before it was resized.
fn found_face(face: &FaceInfo, scale: f32) -> FoundFace {
    let bbox = face.bbox();
    let (x, y) = (bbox.x() as f32, bbox.y() as f32);
    let (right, bottom) = (x + bbox.width() as f32, y + bbox.height() as f32);
    let bbox = Rect::new(x / scale, y / scale, right / scale, bottom / scale);
    FoundFace { bbox, score: face.score() as f32 }
}

impl std::fmt::Debug for SeetaDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeetaDetector").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{SeetaConfig, SeetaDetector};

    #[test]
    fn parameters_and_files_are_checked() {
        let with = |change: fn(&mut SeetaConfig)| {
            let mut config = SeetaConfig::default();
            change(&mut config);
            config.check().map_err(|error| error.to_string())
        };
        assert!(with(|_| ()).is_ok());
        assert!(SeetaConfig::for_curve().check().is_ok());
        assert!(with(|c| c.threshold = 0.0).unwrap_err().contains("seeta.threshold: 0"));
        assert!(with(|c| c.threshold = f64::NAN).unwrap_err().contains("seeta.threshold"));
        assert!(with(|c| c.min_face = 19).unwrap_err().contains("seeta.min_face: 19"));
        let not_it = SeetaDetector::open("Cargo.toml".as_ref(), SeetaConfig::default()).unwrap_err().to_string();
        assert!(not_it.contains("Cargo.toml has sha256") && not_it.contains("cargo xtask setup"), "{not_it}");
    }
}
