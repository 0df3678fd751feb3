//! From the configuration to what the stages take: `auto` replaced by what the profile and the manifests say.

use std::time::Duration;

use sightline_index::Thresholds;
use sightline_infer::{Detector, DetectorConfig, Device, Embedder, InferError, ModelStore, Runtime, default_cache_dir};
use sightline_track::TrackConfig;
use sightline_vision::QualityGates;

use super::{Config, ConfigError, Profile};

/// What the configuration means for models and stages.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) store: ModelStore,
    pub(crate) detector: DetectorConfig,
    pub(crate) embedder: String,
    pub(crate) dimension: usize,
    pub(crate) thresholds: Thresholds,
    pub(crate) gates: QualityGates,
    pub(crate) track: TrackConfig,
    pub(crate) auto: AutoValues,
}

/// What the word `auto` stands for, whether or not it is written; `None` where the detector has no such setting.
#[derive(Clone, Debug)]
pub(crate) struct AutoValues {
    pub(crate) width: Option<u32>,
    pub(crate) threshold: Option<f32>,
    pub(crate) thresholds: Thresholds,
}

impl Profile {
    const fn detector(self) -> &'static str {
        match self {
            Self::Default | Self::Fast => "centerface",
            Self::Classic => "mtcnn",
        }
    }

    const fn embedder(self) -> &'static str {
        match self {
            Self::Default | Self::Classic => "facenet",
            Self::Fast => "dlib",
        }
    }

    const fn width(self) -> Option<u32> {
        match self {
            Self::Default | Self::Classic => None,
            Self::Fast => Some(320),
        }
    }
}

impl Resolved {
    /// Reads the manifests, not the models.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let unusable = |error: InferError| ConfigError::Unusable(error.to_string());
        let models = &config.models;
        let dir = models.dir.clone().unwrap_or_else(|| default_cache_dir().join("models"));
        let store = ModelStore::new(&dir, models.manifests.as_deref()).map_err(unusable)?;
        let detector = models.detector.as_deref().unwrap_or(models.profile.detector());
        let embedder = models.embedder.as_deref().unwrap_or(models.profile.embedder());
        let own = store.detector(detector).map_err(unusable)?;
        let (width, threshold) = own.detector.as_ref().map_or((None, None), |d| (d.width, d.threshold));
        // A detector whose manifest has no width takes none, whatever the profile says.
        let width = width.map(|width| models.profile.width().unwrap_or(width));
        let manifest = store.embedder(embedder).map_err(unusable)?;
        let (Some(section), Some(stated)) = (&manifest.embedder, &manifest.thresholds) else {
            return Err(ConfigError::Unusable(format!("the manifest of `{embedder}` has no thresholds")));
        };
        let stated_thresholds = Thresholds {
            accept: stated.accept,
            unknown: stated.unknown,
            margin: stated.margin,
            cluster: stated.cluster,
        };
        let auto = AutoValues { width, threshold, thresholds: stated_thresholds };
        let set = &config.identify;
        let thresholds = Thresholds {
            accept: set.accept.or(stated.accept),
            unknown: set.unknown.or(stated.unknown),
            margin: set.margin.or(stated.margin),
            cluster: set.cluster.or(stated.cluster),
        };
        let thresholds =
            thresholds.checked(stated.plausible).map_err(|error| ConfigError::Unusable(error.to_string()))?;
        let track = track(config)?;
        let detector = DetectorConfig {
            threshold: config.detect.threshold.set().or(threshold),
            width: config.detect.width.set().or(width),
            min_face: config.detect.min_face,
            ..DetectorConfig::new(detector)
        };
        detector.check(&store).map_err(unusable)?;
        models.device.check().map_err(|error| ConfigError::Unusable(format!("models.device: {error}")))?;
        let (embedder, dimension) = (embedder.to_owned(), section.dimension);
        let gates = QualityGates { min_size: set.min_face as f32, ..QualityGates::default() };
        Ok(Self { detector, embedder, dimension, thresholds, gates, track, auto, store })
    }

    /// ONNX Runtime with the configured device.
    pub(crate) fn runtime(config: &Config) -> Result<Runtime, InferError> {
        let models = &config.models;
        let device: Device = models.device;
        Runtime::load(models.onnxruntime.as_deref(), device, models.threads)
    }

    pub(crate) fn open_detector(&self, runtime: &Runtime) -> Result<Detector, InferError> {
        Detector::open(runtime, &self.store, &self.detector)
    }

    pub(crate) fn open_embedder(&self, runtime: &Runtime) -> Result<Embedder, InferError> {
        Embedder::open(runtime, &self.store, &self.embedder)
    }
}

fn track(config: &Config) -> Result<TrackConfig, ConfigError> {
    let track = TrackConfig {
        max_embeds: config.track.max_embeds,
        view_every: None,
        lost_after: config.track.lost_after,
        min_face: config.identify.min_face as f32,
        reorder_frames: 8,
        reorder_wait: Duration::from_secs(1),
    };
    track.check().map_err(|error| ConfigError::Unusable(error.to_string()))?;
    Ok(track)
}
