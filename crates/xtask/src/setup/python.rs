//! A Python of our own in the cache, for fetching packages and converting weights.

use std::path::PathBuf;

use anyhow::Result;

use crate::cache::{Cache, workspace};
use crate::command::Step;

/// The interpreter; its environment is made if it is missing or broken.
pub(super) fn interpreter(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.path("venv");
    let python = folder.join("bin/python3");
    if !Step::new(&python).args(["-m", "pip", "--version"]).succeeds() {
        Step::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).output()?;
    }
    Ok(python)
}

/// The same, with what the converters need.
pub(super) fn with_converters(cache: &Cache) -> Result<PathBuf> {
    let python = interpreter(cache)?;
    if !Step::new(&python).args(["-c", "import numpy, onnx, setuptools"]).succeeds() {
        let requirements = workspace().join("models/convert/requirements.txt");
        pip(&python, "install")
            .args(["--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement"])
            .arg(requirements)
            .output()?;
    }
    Ok(python)
}

/// `pip`, without its advice.
pub(super) fn pip(python: &PathBuf, command: &str) -> Step {
    Step::new(python).args(["-m", "pip", command, "--disable-pip-version-check", "--quiet", "--no-input"])
}
