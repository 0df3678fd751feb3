//! Detectors: one type for every family, which reads its network's outputs as the family's authors do.
//!
//! A new family is one file here and one arm of [`Detector`].

mod centerface;
mod input;
pub(crate) mod mtcnn;
mod yunet;

use sightline_vision::{Landmarks, Picture, Rect, RgbImage};

use crate::bench_support::Recorder;
use crate::error::InferError;
use crate::session::Runtime;
use crate::store::{ModelId, ModelStore};

use centerface::CenterFace;
use mtcnn::{Mtcnn, MtcnnParams};
use yunet::YuNet;

/// Which detector, and how it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorConfig {
    /// Id of the manifest.
    pub model: String,
    /// Least score of a face, 0 to 1; None takes the manifest's. MTCNN has three of its own instead.
    pub threshold: Option<f32>,
    /// Width in pixels to which larger pictures are scaled for the network, the height in proportion; 0 is full size, None the
    /// manifest's. Smaller pictures are not enlarged. MTCNN always searches the full size.
    pub width: Option<u32>,
    /// Smallest face reported, shorter side in source pixels. MTCNN does not even search below it, which saves time.
    pub min_face: f32,
    /// MTCNN's own parameters; None takes the manifest's.
    pub mtcnn: Option<MtcnnParams>,
}

impl DetectorConfig {
    /// The manifest's settings.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), threshold: None, width: None, min_face: 0.0, mtcnn: None }
    }
}

/// A face, in pixels of the picture it was found in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Box; may reach outside the picture.
    pub bbox: Rect,
    /// How sure the detector is, 0 to 1; comparable within one model only.
    pub score: f32,
    /// Left eye, right eye, nose, left and right mouth corner, as seen in the picture.
    pub landmarks: Landmarks,
}

/// A detector, loaded, checked and warm. One for a thread.
#[derive(Debug)]
pub struct Detector {
    network: Family,
    model_id: ModelId,
    min_face: f32,
}

#[derive(Debug)]
enum Family {
    CenterFace(CenterFace),
    Mtcnn(Mtcnn),
    YuNet(YuNet),
}

impl Detector {
    /// Loads the model, compares its files with the manifest and runs it once.
    ///
    /// # Errors
    /// [`InferError`] naming the model and what is wrong with its files, its manifest or a setting.
    pub fn open(runtime: &Runtime, store: &ModelStore, config: &DetectorConfig) -> Result<Self, InferError> {
        let manifest = store.detector(&config.model)?;
        check_settings(config)?;
        let model_id = store.verify(&manifest.id)?;
        let network = match manifest.family.as_str() {
            "centerface" => Family::CenterFace(CenterFace::open(runtime, store, manifest, config)?),
            "yunet" => Family::YuNet(YuNet::open(runtime, store, manifest, config)?),
            "mtcnn" => {
                let params = config.mtcnn.clone().map_or_else(|| MtcnnParams::of(manifest, config.min_face), Ok)?;
                Family::Mtcnn(Mtcnn::open(runtime, store, &manifest.id, params)?)
            }
            _ => return Err(manifest.missing("a family this version has code for: centerface, mtcnn, yunet")),
        };
        let mut detector = Self { network, model_id, min_face: config.min_face };
        detector.detect(Picture::Rgb(&RgbImage::filled(64, 64, [128; 3])))?;
        Ok(detector)
    }

    /// The faces of `picture`, best score first (MTCNN: largest first). Video goes into CenterFace and YuNet without a full-size RGB copy.
    ///
    /// # Errors
    /// [`InferError::Inference`] or [`InferError::Output`] when the model is broken.
    pub fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<Detection>, InferError> {
        let mut faces = match &mut self.network {
            Family::CenterFace(network) => network.detect(picture)?,
            Family::YuNet(network) => network.detect(picture)?,
            Family::Mtcnn(network) => match picture {
                Picture::Rgb(image) => network.detect(image)?,
                Picture::Planes(planes) => network.detect(&input::to_rgb(planes)?)?,
            },
        };
        faces.retain(|face| face.bbox.width().min(face.bbox.height()) >= self.min_face);
        Ok(faces)
    }

    /// Identity of the weights.
    #[must_use]
    pub const fn model_id(&self) -> &ModelId {
        &self.model_id
    }

    /// From now on copies every input tensor into `recorder`; for benchmarks.
    pub fn record(&mut self, recorder: Option<Recorder>) {
        match &mut self.network {
            Family::CenterFace(network) => network.record(recorder),
            Family::YuNet(network) => network.record(recorder),
            Family::Mtcnn(network) => network.record(recorder.as_ref()),
        }
    }
}

fn check_settings(config: &DetectorConfig) -> Result<(), InferError> {
    let refuse = |key, reason: String| Err(InferError::Setting { key, reason });
    if let Some(threshold) = config.threshold
        && !(0.0..=1.0).contains(&threshold)
    {
        return refuse("detect.threshold", format!("{threshold} is not from 0 to 1"));
    }
    if !config.min_face.is_finite() || config.min_face < 0.0 {
        return refuse("detect.min_face", format!("{} is no number of pixels", config.min_face));
    }
    match config.width {
        Some(width @ 1..=63) => refuse("detect.width", format!("{width} is too small: 0 (full size) or from 64")),
        Some(width) if width > sightline_vision::Planes::MAX_SIDE => {
            refuse("detect.width", format!("{width} is more than {}", sightline_vision::Planes::MAX_SIDE))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{DetectorConfig, check_settings};

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        let with = |change: fn(&mut DetectorConfig)| {
            let mut config = DetectorConfig::new("centerface");
            change(&mut config);
            check_settings(&config).map_err(|error| error.to_string())
        };
        assert!(with(|_| ()).is_ok());
        assert!(with(|c| c.width = Some(0)).is_ok());
        assert!(with(|c| c.threshold = Some(1.5)).unwrap_err().contains("detect.threshold"));
        assert!(with(|c| c.threshold = Some(f32::NAN)).unwrap_err().contains("detect.threshold"));
        assert!(with(|c| c.min_face = -1.0).unwrap_err().contains("detect.min_face"));
        assert!(with(|c| c.width = Some(32)).unwrap_err().contains("detect.width"));
        assert!(with(|c| c.width = Some(1 << 20)).unwrap_err().contains("detect.width"));
    }
}
