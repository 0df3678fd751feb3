//! What can be wrong with a configuration file, said so that it can be mended.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{place, words};

/// A configuration that cannot be used. Ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{file}: {reason}", file = file.display())]
    Read { file: PathBuf, reason: String },
    #[error("{file} is no YAML: {reason}", file = file.display())]
    Syntax { file: PathBuf, reason: String },
    /// The place is the file, with the line where that can be told.
    #[error("{place}: {key}: {reason}")]
    Value { place: String, key: String, reason: String },
    /// Found when the values meet the models, or the cameras their environment.
    #[error("{0}")]
    Unusable(String),
}

impl ConfigError {
    pub(super) fn read(file: &Path, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => format!("it cannot be read: {error}"),
        };
        Self::Read { file: file.to_owned(), reason }
    }

    pub(super) fn syntax(file: &Path, error: &dyn Display) -> Self {
        Self::Syntax { file: file.to_owned(), reason: error.to_string() }
    }

    /// Of one key; `text` is the file's content.
    pub(super) fn value(file: &Path, text: &str, key: &str, reason: String) -> Self {
        let place = match place::line_of(text, key) {
            Some(line) => format!("{}:{line}", file.display()),
            None => file.display().to_string(),
        };
        let key = if key == "." { "the whole file" } else { key }.to_owned();
        Self::Value { place, key, reason }
    }

    /// From serde's error about `value`, which is what `text` says.
    pub(super) fn serde(
        file: &Path,
        text: &str,
        value: &Value,
        error: &serde_path_to_error::Error<serde_json::Error>,
    ) -> Self {
        let (key, reason) = words::plain(&words::path(error.path()), &error.inner().to_string(), value);
        Self::value(file, text, &key, reason)
    }
}
