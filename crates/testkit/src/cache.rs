//! What `cargo xtask setup` has put into the cache folder.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// `$SIGHTLINE_CACHE`, else `$XDG_CACHE_HOME/sightline`, else `~/.cache/sightline`.
#[must_use]
pub fn cache_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("SIGHTLINE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("sightline")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/sightline")))
        .unwrap_or_else(|| PathBuf::from(".cache/sightline"))
}

/// The ONNX Runtime library.
///
/// # Errors
/// When it is not there.
pub fn onnxruntime() -> Result<PathBuf> {
    match std::env::var_os("ORT_DYLIB_PATH") {
        Some(path) => Ok(path.into()),
        None => cached("ort/libonnxruntime.so.1.26.0"),
    }
}

/// A demo clip by its name: `cap12_edit`, `cap13_edit2` (the same man), `franck` (another).
///
/// # Errors
/// When it is not there.
pub fn clip(name: &str) -> Result<PathBuf> {
    cached(&format!("clips/{name}.mp4"))
}

/// A file of the cache.
///
/// # Errors
/// When it is not there.
pub fn cached(name: &str) -> Result<PathBuf> {
    let path = cache_dir().join(name);
    ensure!(path.is_file(), "{} does not exist: run `cargo xtask setup`", path.display());
    Ok(path)
}
