//! Packages of the registries: fetched by name and version, checked by hash, kept.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{python, stamp};
use crate::cache::Cache;
use crate::command::Step;

/// Where a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registry {
    Pypi,
    Npm,
    /// One that Cargo.lock has: cargo fetches it.
    Crates,
}

/// A package known when this was compiled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    pub(super) registry: Registry,
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) sha256: &'static str,
    /// Which of several builds, for pip.
    pub(super) platform: &'static [&'static str],
}

/// Any package.
#[derive(Clone, Debug)]
pub(crate) struct PackageRef {
    pub(crate) registry: Registry,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
    pub(crate) platform: &'static [&'static str],
}

impl From<Package> for PackageRef {
    fn from(package: Package) -> Self {
        Self {
            registry: package.registry,
            name: package.name.to_owned(),
            version: package.version.to_owned(),
            sha256: package.sha256.to_owned(),
            platform: package.platform,
        }
    }
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = match self.registry {
            Registry::Pypi => "PyPI",
            Registry::Npm => "npm",
            Registry::Crates => "cargo",
        };
        write!(f, "{registry} {} {}", self.name, self.version)
    }
}

impl PackageRef {
    /// The package's file; fetched if it is missing or broken.
    pub(super) fn fetch(&self, cache: &Cache) -> Result<PathBuf> {
        let downloads = cache.path("downloads");
        std::fs::create_dir_all(&downloads)?;
        let kept = downloads.join(format!("{}-{}", self.name, self.version));
        if kept.is_file() && stamp::sha256(&kept)? == self.sha256 {
            return Ok(kept);
        }
        // Fetched beside and renamed when it is right, so that a half-finished one is never taken for whole.
        let beside = downloads.join(format!("{}-{}.part", self.name, self.version));
        if beside.exists() {
            std::fs::remove_dir_all(&beside)?;
        }
        std::fs::create_dir_all(&beside)?;
        self.download(cache, &beside)?;
        let file = only_file(&beside)?;
        let found = stamp::sha256(&file)?;
        if found != self.sha256 {
            bail!("{self} has sha256 {found} instead of {}", self.sha256);
        }
        std::fs::rename(&file, &kept)?;
        std::fs::remove_dir_all(&beside)?;
        Ok(kept)
    }

    fn download(&self, cache: &Cache, folder: &Path) -> Result<()> {
        match self.registry {
            Registry::Pypi => {
                let python = python::with_converters(cache)?;
                let step =
                    python::pip(&python, "download").args(["--no-deps", "--no-build-isolation", "--dest"]).arg(folder);
                // pip takes platforms for built packages only.
                let step = if self.platform.is_empty() { step } else { step.arg("--only-binary=:all:") };
                step.args(self.platform).arg(format!("{}=={}", self.name, self.version)).output()?;
            }
            Registry::Npm => {
                let package = format!("{}@{}", self.name, self.version);
                Step::new("npm").args(["pack", "--silent", "--pack-destination"]).arg(folder).arg(package).output()?;
            }
            Registry::Crates => {
                let archive = self.fetched_by_cargo(cache)?;
                std::fs::copy(&archive, folder.join("crate")).with_context(|| archive.display().to_string())?;
            }
        }
        Ok(())
    }

    /// The archive that cargo keeps: `registry/cache/…/name-version.crate` beside the sources in `registry/src/…/name-version`.
    fn fetched_by_cargo(&self, cache: &Cache) -> Result<PathBuf> {
        let metadata = Step::cargo(cache).args(["metadata", "--locked", "--format-version", "1"]).output()?;
        let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ours = |package: &&serde_json::Value| package["name"] == *self.name && package["version"] == *self.version;
        let manifest = packages.iter().find(ours).and_then(|package| package["manifest_path"].as_str());
        let manifest = Path::new(manifest.with_context(|| format!("Cargo.lock does not have {self}"))?);
        let registry = manifest.ancestors().nth(2).context("a package without a registry")?;
        let home = registry.ancestors().nth(2).context("a registry without a home")?;
        let index = registry.file_name().unwrap_or_default();
        Ok(home.join("cache").join(index).join(format!("{}-{}.crate", self.name, self.version)))
    }
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    match files.as_slice() {
        [file] => Ok(file.clone()),
        _ => bail!("{} files came instead of one", files.len()),
    }
}

/// Takes one file out of a wheel or a tar archive.
pub(super) fn extract(cache: &Cache, archive: &Path, member: &str, target: &Path) -> Result<()> {
    const SCRIPT: &str = "import shutil, sys, tarfile, zipfile\n\
        archive, member, target = sys.argv[1:]\n\
        zipped = zipfile.is_zipfile(archive)\n\
        bundle = zipfile.ZipFile(archive) if zipped else tarfile.open(archive)\n\
        source = bundle.open(member) if zipped else bundle.extractfile(member)\n\
        with source, open(target, 'wb') as out:\n    shutil.copyfileobj(source, out)\n";
    let python = python::interpreter(cache)?;
    let step = Step::new(python).args(["-c", SCRIPT]).arg(archive).arg(member).arg(target);
    step.output().map(|_| ()).with_context(|| format!("no {member} in {}", archive.display()))
}
