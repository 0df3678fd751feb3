//! What can go wrong while a head is trained, compared or written.

use std::io;
use std::path::{Path, PathBuf};

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
    /// A false accept rate that so few pairs cannot show.
    #[error("a false accept rate of {rate} needs at least {needed} pairs of different people, there are {pairs}")]
    TooFewPairs {
        /// The rate asked for.
        rate: f64,
        /// Pairs of different people that it takes.
        needed: usize,
        /// Those that there are.
        pairs: usize,
    },
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
    /// A file cannot be read or written.
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
    pub(crate) fn setting(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting { key, reason: reason.into() }
    }

    pub(crate) fn file(file: &Path, source: io::Error) -> Self {
        Self::File { file: file.to_owned(), source }
    }
}
