//! What can be wrong with a configuration file, said so that it can be mended.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Nearer than this (normalised Damerau-Levenshtein distance, 1 is equal) a key counts as misspelt.
const ALIKE: f64 = 0.4;

/// A configuration that cannot be used. Ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{file}: {source}", file = file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{file} is no YAML: {reason}", file = file.display())]
    Syntax { file: PathBuf, reason: String },
    #[error("{file}: {key}: {reason}", file = file.display())]
    Value { file: PathBuf, key: String, reason: String },
    #[error("{file}: {error}", file = file.display())]
    Reference { file: PathBuf, error: String },
    /// Found when the values meet the models.
    #[error("{0}")]
    Unusable(String),
}

impl ConfigError {
    pub(super) fn syntax(file: &Path, error: &dyn Display) -> Self {
        Self::Syntax { file: file.to_owned(), reason: error.to_string() }
    }

    /// From serde's message, with the path of the key and, for an unknown one, the nearest that is known.
    pub(super) fn value(file: &Path, error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let message = error.inner().to_string();
        let mut key = error.path().to_string();
        let mut reason = message.clone();
        if let Some((unknown, known)) = unknown_key(&message) {
            let nearest = nearest(&unknown, &known);
            reason = match nearest {
                Some(nearest) => format!("there is no such key; did you mean `{nearest}`?"),
                None => format!("there is no such key; known here: {}", known.join(", ")),
            };
            if !key.ends_with(&unknown) {
                key = if key == "." { unknown } else { format!("{key}.{unknown}") };
            }
        }
        Self::Value { file: file.to_owned(), key, reason }
    }
}

/// The key and its known siblings in serde's "unknown field `a`, expected one of `b`, `c`".
fn unknown_key(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((unknown.to_owned(), known))
}

fn nearest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a str> {
    let rated = known.iter().map(|key| (strsim::normalized_damerau_levenshtein(unknown, key), key.as_str()));
    rated.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key)
}
