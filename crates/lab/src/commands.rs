//! What `sightline-lab` does: a command a module. Each reads its data, measures, prints a table, and writes JSON and HTML on request.

pub mod collect;
pub mod detectors;
pub mod calibrate;
pub mod classify;
pub mod identify;
mod output;
pub mod train;
pub mod verify;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use sightline_infer::{DetectorConfig, Device, ModelStore, Runtime};

use crate::faces::{self, Choice, Models, Outcome};
use crate::progress::Progress;
use crate::report::Run;

/// With which models, and how.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct ModelArguments {
    /// Finds the faces: centerface, mtcnn, yunet
    #[arg(long, default_value = "centerface")]
    pub detector: String,
    /// Least score of a face; the model's own unless given
    #[arg(long)]
    pub threshold: Option<f32>,
    /// Width that pictures are scaled to for the detector, 0 for full size; the model's own unless given
    #[arg(long)]
    pub width: Option<u32>,
    /// Smallest face looked for, pixels
    #[arg(long, default_value_t = 0.0)]
    pub min_face: f32,
    /// Turns faces into vectors: facenet, dlib
    #[arg(long, default_value = "facenet")]
    pub embedder: String,
    /// Which face of a picture
    #[arg(long, value_enum, default_value = "central")]
    pub face: Choice,
    /// Threads; all cores unless given
    #[arg(long)]
    pub threads: Option<usize>,
    /// Keep the vectors nowhere and look at every picture anew
    #[arg(long)]
    pub no_cache: bool,
}

/// Where results go, beside the table.
#[derive(Clone, Debug, clap::Args)]
pub struct OutputArguments {
    /// Machine-readable results
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A page with plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl ModelArguments {
    fn open(&self) -> anyhow::Result<Models> {
        let runtime = Runtime::load(None, Device::Cpu, 1)?;
        let detector = DetectorConfig {
            threshold: self.threshold,
            width: self.width,
            min_face: self.min_face,
            ..DetectorConfig::new(&self.detector)
        };
        let models = Models {
            runtime,
            store: ModelStore::default_location()?,
            detector,
            embedder: self.embedder.clone(),
            choice: self.face,
        };
        models.detector.check(&models.store)?;
        models.store.embedder(&models.embedder)?;
        Ok(models)
    }

    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    fn kept(&self) -> anyhow::Result<Option<PathBuf>> {
        if self.no_cache {
            return Ok(None);
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("SIGHTLINE_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("sightline")))
            .or_else(|| set("HOME").map(|folder| folder.join(".cache/sightline")));
        Ok(Some(cache.context("set SIGHTLINE_CACHE to a folder, or give --no-cache: there is no HOME")?.join("lab")))
    }
}

/// The outcomes of these files, with the models noted in `run`. What cannot be used is said.
fn embed(arguments: &ModelArguments, run: Run, data: (&Path, &[String])) -> anyhow::Result<(Vec<Outcome>, Run)> {
    if data.1.is_empty() {
        bail!("there is no picture to look at");
    }
    let models = arguments.open()?;
    let mut run = run;
    for id in [&models.detector.model, &models.embedder] {
        run = run.model(id, models.store.verify(id)?.as_str());
    }
    let kept = arguments.kept()?;
    let progress = |pieces, done| Progress::resumed("pictures", pieces, done);
    let outcomes = faces::embed(&models, data, arguments.threads(), kept.as_deref(), progress)?;
    for (file, outcome) in data.1.iter().zip(&outcomes) {
        match outcome {
            Outcome::Vector(_) => {}
            Outcome::NoFace => output::note(&format!("{file}: no face")),
            Outcome::Unusable(reason) => output::note(&format!("{file}: {reason}")),
        }
    }
    if outcomes.iter().all(|outcome| outcome.vector().is_none()) {
        bail!("no face was found in any of {} pictures", outcomes.len());
    }
    Ok((outcomes, run))
}
