//! What can go wrong between a model's name and its result.

use std::path::PathBuf;

/// An error of this crate. Everything but [`InferError::Inference`] and [`InferError::Output`] happens at start.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// No manifest has this id.
    #[error("no model `{id}`; known {kind}s: {known}")]
    UnknownModel {
        /// What was asked for.
        id: String,
        /// `detector`, `embedder` or `model`.
        kind: &'static str,
        /// The ids there are, separated by commas.
        known: String,
    },
    /// A manifest cannot be used.
    #[error("model manifest {file}: {reason}")]
    Manifest {
        /// The manifest's file.
        file: String,
        /// What is wrong, with the key.
        reason: String,
    },
    /// A file of the model is not in the models folder.
    #[error("model `{id}`: {path} is missing: {hint}", path = path.display())]
    MissingFile {
        /// The model.
        id: String,
        /// Where it was looked for.
        path: PathBuf,
        /// How to get it.
        hint: String,
    },
    /// A file of the model is not the one the manifest describes.
    #[error("model `{id}`: {path} has sha256 {found}, the manifest says {expected}: {hint}", path = path.display())]
    WrongHash {
        /// The model.
        id: String,
        /// The file.
        path: PathBuf,
        /// The manifest's hash.
        expected: String,
        /// The file's hash.
        found: String,
        /// The way out.
        hint: String,
    },
    /// The tensors of a file differ from the manifest.
    #[error("model `{id}`, {file}: {reason}")]
    WrongTensors {
        /// The model.
        id: String,
        /// The file.
        file: String,
        /// Which tensor, and what it is instead.
        reason: String,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// ONNX Runtime could not be loaded.
    #[error("ONNX Runtime is not usable: {0}")]
    Runtime(String),
    /// The device was not compiled in or is not there.
    #[error("device `{device}`: {reason}")]
    Device {
        /// What was asked for.
        device: &'static str,
        /// Why it is not possible.
        reason: String,
    },
    /// A setting is outside what the model takes.
    #[error("{key}: {reason}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// ONNX Runtime failed on a tensor.
    #[error("model `{model}` failed: {reason}")]
    Inference {
        /// The model.
        model: String,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// The network's output has an unexpected shape.
    #[error("model `{model}` gave an unexpected output: {reason}")]
    Output {
        /// The model.
        model: String,
        /// What was expected.
        reason: String,
    },
}

impl InferError {
    /// Whether a setting or a manifest is to be mended, rather than a file, the library or a picture.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::UnknownModel { .. } | Self::Manifest { .. } | Self::Device { .. } | Self::Setting { .. })
    }
}

/// Why one item of a batch has no vector; the others do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ItemError {
    /// An aligned input of another size than the network's.
    #[error("the picture is {width}x{height}, the network takes {net_width}x{net_height}")]
    InputSize {
        /// Width given.
        width: u32,
        /// Height given.
        height: u32,
        /// Width wanted.
        net_width: u32,
        /// Height wanted.
        net_height: u32,
    },
    /// Box or landmarks are not usable for alignment.
    #[error("the face cannot be aligned: {0}")]
    Alignment(&'static str),
    /// The vector has NaN, infinite or only zero components.
    #[error("the vector is {0}")]
    Vector(&'static str),
}
