//! The cache folder: what is fetched and built once for all checkouts of a machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The library's name carries its version; from 1.28 on networks with PReLU are several times slower.
pub(crate) const ONNX_RUNTIME: &str = "ort/libonnxruntime.so.1.26.0";
pub(crate) const NATS_SERVER: &str = "nats/nats-server";

/// Where everything lies.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `$SIGHTLINE_CACHE`, else `$XDG_CACHE_HOME/sightline`, else `~/.cache/sightline`; made if it is missing.
    pub(crate) fn locate() -> Result<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("SIGHTLINE_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("sightline")))
            .or_else(|| set("HOME").map(|folder| folder.join(".cache/sightline")))
            .context("set SIGHTLINE_CACHE to a folder: there is no HOME")?;
        Self::at(&std::path::absolute(folder)?)
    }

    /// At this folder.
    pub(crate) fn at(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn clips(&self) -> PathBuf {
        self.path("clips")
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.path("models")
    }

    /// Where cargo builds: outside the checkout, so that FAISS and the other native parts are built once a machine.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), PathBuf::from)
    }

    /// A binary of ours.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target().join("release").join(name)
    }

    /// What builds, tests and our binaries need to know.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("SIGHTLINE_CACHE", self.folder.clone()),
            ("CARGO_TARGET_DIR", self.target()),
            ("ORT_DYLIB_PATH", self.path(ONNX_RUNTIME)),
            ("SIGHTLINE_NATS_SERVER", self.path(NATS_SERVER)),
        ]
    }
}

/// The checkout. Asked for when running: this program too may have been built for another one.
pub(crate) fn workspace() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let folder = package.as_deref().and_then(Path::parent).and_then(Path::parent);
    folder.map_or_else(|| PathBuf::from("."), Path::to_owned)
}
