//! Detectors: one type for every family, which reads its network's outputs as the family's authors do.
//!
//! A new family is one file here and one arm of [`Detector`].

mod centerface;
mod input;
pub(crate) mod mtcnn;
mod yunet;

use sightline_vision::{Landmarks, Picture, Planes, Point, Rect, RgbImage};

use crate::bench_support::Recorder;
use crate::error::InferError;
use crate::manifest::Manifest;
use crate::session::Runtime;
use crate::store::{ModelId, ModelStore};

use centerface::CenterFace;
use mtcnn::{Mtcnn, MtcnnParams};
use yunet::YuNet;

/// Narrowest input of a single-shot network, pixels: below it there is nothing left to see.
const SMALLEST_INPUT: u32 = 64;

/// Which detector, and how it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorConfig {
    /// Id of the manifest.
    pub model: String,
    /// Least score of a face, 0 to 1; None takes the manifest's. MTCNN has three of its own instead.
    pub threshold: Option<f32>,
    /// Width in pixels to which larger pictures are scaled for the network, the height in proportion; 0 is full size, None the
    /// manifest's. MTCNN always searches the full size.
    pub width: Option<u32>,
    /// Whether smaller pictures are enlarged to `width` as well. That costs time and finds no more, except in small pictures
    /// of small faces.
    pub enlarge: bool,
    /// Smallest face reported, shorter side in source pixels. MTCNN does not even search below it, which saves time.
    pub min_face: f32,
    /// MTCNN's own parameters; None takes the manifest's.
    pub mtcnn: Option<MtcnnParams>,
}

impl DetectorConfig {
    /// The manifest's settings.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), threshold: None, width: None, enlarge: false, min_face: 0.0, mtcnn: None }
    }

    /// Whether [`Detector::open`] would take these settings, without loading anything.
    ///
    /// # Errors
    /// [`InferError::UnknownModel`], [`InferError::Setting`], or [`InferError::Manifest`] for a family there is no code for.
    pub fn check(&self, store: &ModelStore) -> Result<(), InferError> {
        let manifest = store.detector(&self.model)?;
        check_ranges(self)?;
        match manifest.family.as_str() {
            "centerface" | "yunet" => Ok(()),
            "mtcnn" => {
                refuse_for_mtcnn(self)?;
                self.mtcnn_params(manifest)?.check()
            }
            _ => Err(manifest.missing("a family this version has code for: centerface, mtcnn, yunet")),
        }
    }

    fn mtcnn_params(&self, manifest: &Manifest) -> Result<MtcnnParams, InferError> {
        self.mtcnn.clone().map_or_else(|| MtcnnParams::of(manifest, self.min_face), Ok)
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

impl Detection {
    /// The same face where a picture is so many times as wide and as high.
    #[must_use]
    pub fn scaled(&self, (x, y): (f32, f32)) -> Self {
        let b = self.bbox;
        Self {
            bbox: Rect::new(b.x1 * x, b.y1 * y, b.x2 * x, b.y2 * y),
            score: self.score,
            landmarks: self.landmarks.map(|point| Point { x: point.x * x, y: point.y * y }),
        }
    }
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
        config.check(store)?;
        let model_id = store.verify(&manifest.id)?;
        let network = match manifest.family.as_str() {
            "centerface" => Family::CenterFace(CenterFace::open(runtime, store, manifest, config)?),
            "yunet" => Family::YuNet(YuNet::open(runtime, store, manifest, config)?),
            "mtcnn" => Family::Mtcnn(Mtcnn::open(runtime, store, &manifest.id, config.mtcnn_params(manifest)?)?),
            _ => return Err(manifest.missing("a family this version has code for")),
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

fn check_ranges(config: &DetectorConfig) -> Result<(), InferError> {
    let refuse = |key, reason: String| Err(InferError::Setting { key, reason });
    if let Some(threshold) = config.threshold
        && !(0.0..=1.0).contains(&threshold)
    {
        return refuse("detect.threshold", format!("{threshold} is not from 0 to 1"));
    }
    if !config.min_face.is_finite() || config.min_face < 0.0 {
        return refuse("detect.min_face", format!("{} is no number of pixels, 0 or more", config.min_face));
    }
    match config.width {
        Some(width) if !is_input_width(width) => refuse(
            "detect.width",
            format!("{width} is neither 0 (full size) nor from {SMALLEST_INPUT} to {}", Planes::MAX_SIDE),
        ),
        _ => Ok(()),
    }
}

/// A setting that would silently do nothing is a mistake.
fn refuse_for_mtcnn(config: &DetectorConfig) -> Result<(), InferError> {
    let refuse = |key, value: String, instead| {
        let reason = format!("{value} is no parameter of `{}`, {instead}: leave it at auto", config.model);
        Err(InferError::Setting { key, reason })
    };
    if let Some(threshold) = config.threshold {
        return refuse(
            "detect.threshold",
            threshold.to_string(),
            "whose manifest has one for each of its three networks",
        );
    }
    if let Some(width) = config.width {
        return refuse("detect.width", width.to_string(), "which always searches the full size");
    }
    Ok(())
}

/// Whether a picture may be scaled to this width for a network of free size.
pub(crate) fn is_input_width(width: u32) -> bool {
    width == 0 || (SMALLEST_INPUT..=Planes::MAX_SIDE).contains(&width)
}

#[cfg(test)]
mod tests {
    use super::mtcnn::MtcnnParams;
    use super::{Detector, DetectorConfig};
    use crate::golden;

    fn with(model: &str, change: impl FnOnce(&mut DetectorConfig)) -> Result<(), String> {
        let (_, store) = golden::models();
        let mut config = DetectorConfig::new(model);
        change(&mut config);
        config.check(&store).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        let refused = |change: fn(&mut DetectorConfig)| with("centerface", change).unwrap_err();
        assert!(with("centerface", |_| ()).is_ok());
        assert!(with("centerface", |c| c.width = Some(0)).is_ok());
        assert!(refused(|c| c.threshold = Some(1.5)).contains("detect.threshold: 1.5"));
        assert!(refused(|c| c.threshold = Some(f32::NAN)).contains("detect.threshold"));
        assert!(refused(|c| c.min_face = -1.0).contains("detect.min_face: -1"));
        assert!(refused(|c| c.width = Some(32)).contains("detect.width: 32"));
        assert!(refused(|c| c.width = Some(1 << 20)).contains("detect.width"));
        assert!(with("nope", |_| ()).unwrap_err().contains("known detectors: centerface"));
    }

    #[test]
    fn settings_that_would_do_nothing_are_refused() {
        assert!(with("mtcnn", |c| c.min_face = 30.0).is_ok());
        assert!(
            with("mtcnn", |c| c.threshold = Some(0.5)).unwrap_err().contains("detect.threshold: 0.5 is no parameter")
        );
        assert!(with("mtcnn", |c| c.width = Some(640)).unwrap_err().contains("detect.width: 640 is no parameter"));
        let bad = MtcnnParams { thresholds: [2.0, 0.0, 0.0], ..MtcnnParams::default() };
        assert!(with("mtcnn", |c| c.mtcnn = Some(bad)).unwrap_err().contains("thresholds"));
        let (runtime, store) = golden::models();
        let config = DetectorConfig { width: Some(640), ..DetectorConfig::new("mtcnn") };
        assert!(Detector::open(&runtime, &store, &config).unwrap_err().to_string().contains("detect.width"));
    }
}
