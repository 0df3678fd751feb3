//! What can go wrong between a model file and a detector that is ready.

use std::path::PathBuf;

/// An error of a traditional detector.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// The model file could not be read.
    #[error("cannot read the detector's model {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no such file.
    #[error("{path} is missing: {way_out}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// How to get it.
        way_out: &'static str,
    },
    /// The file is no cascade that is understood here.
    #[error("{path} is no usable cascade: {reason}", path = path.display())]
    Cascade {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the element.
        reason: String,
    },
    /// The file is another one.
    #[error("{path} has sha256 {found} instead of {expected}: {way_out}", path = path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// The hash it must have.
        expected: &'static str,
        /// The hash it has.
        found: String,
        /// How to get the right one.
        way_out: &'static str,
    },
    /// A setting is outside what the detector takes.
    #[error("{key}: {reason}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
