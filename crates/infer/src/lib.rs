//! ONNX Runtime sessions, model manifests, detectors and embedders; the only crate that knows ort.
//!
//! Start with a [`ModelStore`] (which models there are and where their files lie) and a [`Runtime`] (the library and the
//! device), then open a [`Detector`] and an [`Embedder`], one of each for a compute thread. Opening reads the manifest,
//! compares the files' hashes and tensors with it and runs the network once, so that what is ready is also warm.

pub mod bench_support;
mod detector;
mod embedder;
mod error;
mod face;
#[cfg(test)]
mod golden;
mod manifest;
mod session;
mod store;

pub use detector::mtcnn::{ExtractedFace, Mtcnn, MtcnnParams, SelectionMethod};
pub use detector::{Detection, Detector, DetectorConfig};
pub use embedder::{Embedder, FaceCrop};
pub use error::{InferError, ItemError};
pub use face::{AssessedFace, FaceDetector, FaceEmbedder, MAX_FACES, assess_faces};
pub use manifest::{
    Alignment, ColorOrder, DetectorSection, EmbedderSection, InputContract, License, Manifest, ModelFile, ModelKind,
    Registry, Source, TensorContract, TensorLayout, Thresholds,
};
pub use session::{Device, Runtime};
pub use store::{ModelId, ModelStore, default_cache_dir};
