//! Face detectors behind one type: the networks of the pipeline and the traditional ones of the laboratory, by name.

use std::path::PathBuf;

use sightline_infer::{Detector, DetectorConfig, Device, InferError, ModelStore, MtcnnParams, Runtime};
use sightline_vision::Picture;
use thiserror::Error;

use crate::rectangle::Rectangle;
use crate::traditional::{DetectorError, FoundFace, HaarConfig, HaarDetector, SEETA_MODEL, SeetaConfig, SeetaDetector};
use crate::wider::Detection;

/// Viola-Jones, among the detectors that can be opened.
pub const HAAR: &str = "haar";

/// SeetaFace, among the detectors that can be opened.
pub const SEETAFACE: &str = "seetaface";

/// Least score of a network with one threshold, when it is opened for a curve. Lower, and its suppression is given thousands of boxes
/// that change nothing in the part of the curve that anybody would use.
pub(crate) const CURVE_THRESHOLD: f32 = 0.02;

/// What a detector is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// As it is used: faces from its own least score on.
    Use,
    /// For a precision-recall curve: faces down to scores that nobody would accept. Of these, the ones from [`Finders::least_score`] on are those that it finds in
    /// use. MTCNN's first two networks keep their thresholds: the curve is that of the score it gives, its last network's.
    Curve,
}

/// How detectors are used; each takes what is its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinderConfig {
    /// What the networks compute on.
    pub device: Device,
    /// Least score of networks with one threshold; None takes the manifest's.
    pub threshold: Option<f32>,
    /// Width to which pictures are scaled for networks of free size, smaller ones as well; None takes the manifest's, for larger ones.
    pub width: Option<u32>,
    /// MTCNN's own parameters; None takes the manifest's.
    pub mtcnn: Option<MtcnnParams>,
    /// Viola-Jones.
    pub haar: HaarConfig,
    /// Its cascade; None takes Debian's.
    pub cascade: Option<PathBuf>,
    /// SeetaFace.
    pub seeta: SeetaConfig,
    /// Its model; None takes that in the models folder.
    pub seeta_model: Option<PathBuf>,
}

/// Why a detector cannot be opened, or failed.
#[derive(Debug, Error)]
pub enum FinderError {
    /// There is none of this name.
    #[error("no detector `{name}`; known are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A network.
    #[error(transparent)]
    Network(#[from] InferError),
    /// A traditional one.
    #[error(transparent)]
    Traditional(#[from] DetectorError),
}

impl FinderError {
    /// Whether something was typed wrongly, rather than missing on this machine.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::Traditional(DetectorError::Setting { .. }) => true,
            Self::Network(error) => error.is_configuration(),
            Self::Traditional(_) => false,
        }
    }
}

/// Opens detectors by name.
#[derive(Clone, Debug)]
pub struct Finders {
    store: ModelStore,
    config: FinderConfig,
}

impl Finders {
    /// With these models and settings. Nothing is loaded yet.
    #[must_use]
    pub const fn new(store: ModelStore, config: FinderConfig) -> Self {
        Self { store, config }
    }

    /// Loads and checks a detector, and runs a network once. One for a thread.
    ///
    /// # Errors
    /// [`FinderError`], with the way out.
    pub fn open(&self, name: &str, purpose: Purpose) -> Result<Finder, FinderError> {
        let opened = match name {
            HAAR => Opened::Haar(HaarDetector::open(self.config.cascade.as_deref(), self.haar(purpose))?),
            SEETAFACE => {
                let usual = || self.store.models_dir().join(SEETA_MODEL.name);
                let path = self.config.seeta_model.clone().unwrap_or_else(usual);
                Opened::Seeta(SeetaDetector::open(&path, self.seeta(purpose))?)
            }
            _ => {
                let config = self.network(name, purpose)?;
                config.check(&self.store)?;
                let runtime = Runtime::load(None, self.config.device, 1)?;
                Opened::Network(Box::new(Detector::open(&runtime, &self.store, &config)?))
            }
        };
        Ok(Finder { opened })
    }

    /// The least score of a face that the detector finds in use, as scores are written here.
    ///
    /// # Errors
    /// When there is none of this name, or its manifest is wrong.
    pub fn least_score(&self, name: &str) -> Result<f64, FinderError> {
        match name {
            // More windows than this have to agree.
            HAAR => return Ok(f64::from(self.config.haar.min_neighbors) + 1.0),
            SEETAFACE => return Ok(self.config.seeta.threshold),
            _ => {}
        }
        let config = self.network(name, Purpose::Use)?;
        let manifest = self.store.detector(name)?;
        let own = manifest.detector.as_ref().and_then(|section| section.threshold);
        let threshold = match &config.mtcnn {
            Some(params) => Some(params.thresholds[2]),
            None => config.threshold.or(own),
        };
        let strict = manifest.family != "yunet";
        let least = threshold.map(|threshold| if strict { threshold.next_up() } else { threshold });
        Ok(f64::from(least.unwrap_or(0.0)))
    }

    /// The files of a detector's weights and their sha256 in hex.
    ///
    /// # Errors
    /// When one of them is no longer what it was when the detector was opened.
    pub fn files(&self, finder: &Finder, name: &str) -> Result<Vec<(String, String)>, FinderError> {
        let own = |sum: &str| Ok(vec![(name.to_owned(), sum.to_owned())]);
        match &finder.opened {
            Opened::Network(_) => {
                Ok(self.store.sums(name)?.into_iter().map(|(file, sum)| (file.to_owned(), sum)).collect())
            }
            Opened::Haar(detector) => own(detector.sha256()),
            Opened::Seeta(detector) => own(detector.sha256()),
        }
    }

    /// Everything that what a detector finds depends on, aside from the pictures.
    ///
    /// # Errors
    /// As [`Finders::open`], for its settings.
    pub fn key(&self, finder: &Finder, name: &str, purpose: Purpose) -> Result<String, FinderError> {
        let settings = match name {
            HAAR => format!("{:?}", self.haar(purpose)),
            SEETAFACE => format!("{:?}", self.seeta(purpose)),
            _ => {
                let (config, manifest) = (self.network(name, purpose)?, self.store.detector(name)?);
                format!("{config:?} {} {manifest:?}", self.config.device)
            }
        };
        Ok(format!("{} {settings}", finder.model_id()))
    }

    fn haar(&self, purpose: Purpose) -> HaarConfig {
        let mut config = self.config.haar.clone();
        if purpose == Purpose::Curve {
            config.min_neighbors = config.min_neighbors.min(HaarConfig::for_curve().min_neighbors);
        }
        config
    }

    fn seeta(&self, purpose: Purpose) -> SeetaConfig {
        let mut config = self.config.seeta.clone();
        if purpose == Purpose::Curve {
            config.threshold = SeetaConfig::for_curve().threshold;
        }
        config
    }

    fn network(&self, name: &str, purpose: Purpose) -> Result<DetectorConfig, FinderError> {
        let manifest = self.store.detector(name).map_err(|_| self.unknown(name))?;
        let mut config = DetectorConfig::new(name);
        if manifest.family == "mtcnn" {
            let own = self.config.mtcnn.clone().map_or_else(|| MtcnnParams::of(manifest, 0.0), Ok)?;
            let mut params = MtcnnParams { device: self.config.device, ..own };
            if purpose == Purpose::Curve {
                params.thresholds[2] = 0.0;
            }
            config.mtcnn = Some(params);
            return Ok(config);
        }
        // A width that somebody asks for is meant as it is.
        (config.width, config.enlarge) = (self.config.width, self.config.width.is_some());
        config.threshold = self.config.threshold;
        if purpose == Purpose::Curve {
            config.threshold = Some(config.threshold.map_or(CURVE_THRESHOLD, |own| own.min(CURVE_THRESHOLD)));
        }
        Ok(config)
    }

    fn unknown(&self, name: &str) -> FinderError {
        let networks = self.store.list().filter(|manifest| manifest.detector.is_some());
        let known: Vec<&str> = networks.map(|manifest| manifest.id.as_str()).chain([HAAR, SEETAFACE]).collect();
        FinderError::Unknown { name: name.to_owned(), known: known.join(", ") }
    }
}

/// A detector, ready. One for a thread.
#[derive(Debug)]
pub struct Finder {
    opened: Opened,
}

#[derive(Debug)]
enum Opened {
    Network(Box<Detector>),
    Haar(HaarDetector),
    Seeta(SeetaDetector),
}

impl Finder {
    /// The faces of a picture, in the detector's own order.
    ///
    /// # Errors
    /// When the detector is broken.
    pub fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<FoundFace>, FinderError> {
        Ok(match &mut self.opened {
            Opened::Network(detector) => {
                let face = |face: &sightline_infer::Detection| FoundFace { bbox: face.bbox, score: face.score };
                detector.detect(picture)?.iter().map(face).collect()
            }
            Opened::Haar(detector) => detector.detect(picture),
            Opened::Seeta(detector) => detector.detect(picture),
        })
    }

    /// `<name>@<first 12 hex digits of the weights' sha256>`.
    #[must_use]
    pub fn model_id(&self) -> String {
        match &self.opened {
            Opened::Network(detector) => detector.model_id().as_str().to_owned(),
            Opened::Haar(detector) => format!("{HAAR}@{}", &detector.sha256()[..12]),
            Opened::Seeta(detector) => format!("{SEETAFACE}@{}", &detector.sha256()[..12]),
        }
    }
}

/// Faces as evaluations take them. What is no box, or has no score, is no detection.
#[must_use]
pub fn detections(faces: &[FoundFace]) -> Vec<Detection> {
    let one = |face: &FoundFace| {
        let [left, top, right, bottom] = face.bbox.to_array().map(f64::from);
        Detection { area: Rectangle::new(left, top, right - left, bottom - top), score: f64::from(face.score) }
    };
    faces.iter().map(one).filter(|found| found.area.is_valid() && found.score.is_finite()).collect()
}

#[cfg(test)]
mod tests;
