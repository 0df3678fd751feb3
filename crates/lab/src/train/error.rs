//! What can go wrong while a head is trained, compared or written.

use std::io;
use std::path::{Path, PathBuf};

use crate::metrics::MetricError;
use crate::whole::WriteError;

/// Why there is no head, no comparison or no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The vectors or their people are not usable.
    #[error("the features cannot be used: {0}")]
    Features(String),
    /// A setting is outside its range or contradicts another.
    #[error("`{key}` {reason}")]
    Setting {
        /// Its name.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A rate cannot be measured with these pairs.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A checkpoint cannot be continued from.
    #[error("checkpoint {}: {reason}", file.display())]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An ONNX file cannot take a head.
    #[error("the ONNX model cannot be used: {0}")]
    Model(String),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file cannot be read.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The loss or the weights left the numbers: training cannot go on.
    #[error("step {step}: the loss is no longer a number; a smaller learning rate may help")]
    Diverged {
        /// The step that showed it.
        step: u64,
    },
    /// The tensor crate refuses an operation.
    #[error("tensors: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl TrainError {
    /// A share or rate that lies strictly between 0 and 1.
    pub(crate) fn between(key: &'static str, value: f64) -> Result<(), Self> {
        if value > 0.0 && value < 1.0 {
            return Ok(());
        }
        Err(Self::setting(key, format!("is {value}, not between 0 and 1")))
    }

    pub(crate) fn setting(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting { key, reason: reason.into() }
    }

    pub(crate) fn file(file: &Path, source: io::Error) -> Self {
        Self::File { file: file.to_owned(), source }
    }
}
