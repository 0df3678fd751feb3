//! What `sightline-lab` does: a command a module. Each reads its data, measures, prints a table, and writes JSON and HTML on request.

pub mod calibrate;
pub mod classify;
pub mod collect;
pub mod detectors;
pub mod identify;
mod methods;
mod output;
pub mod train;
pub mod verify;

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;
use sightline_infer::{DetectorConfig, Device, ModelStore, Runtime, default_cache_dir};

use crate::faces::{self, Choice, Models, Outcome};
use crate::progress::Progress;
use crate::report::Run;

pub use output::in_words;

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
    /// Turns faces into vectors: facenet, dlib, or the id of a manifest in the folder that SIGHTLINE_MODELS names
    #[arg(long, default_value = "facenet")]
    pub embedder: String,
    /// Which face of a picture
    #[arg(long, value_enum, default_value = "central")]
    pub face: Choice,
    /// Threads; all cores unless given
    #[arg(long)]
    pub threads: Option<usize>,
    /// Keep the vectors nowhere and look at every picture anew; what is kept already is forgotten by deleting its folder
    #[arg(long)]
    pub no_cache: bool,
    /// As [`Models::flip`]; for the commands that offer it, by an option of their own
    #[arg(skip)]
    #[serde(skip)]
    pub flip: bool,
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
            flip: self.flip,
        };
        models.detector.check(&models.store)?;
        models.store.embedder(&models.embedder)?;
        Ok(models)
    }

    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    fn kept(&self) -> Option<PathBuf> {
        (!self.no_cache).then(|| default_cache_dir().join("lab"))
    }
}

/// Notes what computes the networks, and these models with the hashes of their files.
fn noted(run: Run, models: &Models, ids: &[&str]) -> anyhow::Result<Run> {
    let mut run = run.with("onnxruntime", &library_version(models.runtime.library()));
    for id in ids {
        run = with_files(run, id, &models.store.sums(id)?);
    }
    Ok(run)
}

/// A model of one file is noted by its id, of several by the id and the file's name; once, however many methods use it.
fn with_files(run: Run, id: &str, files: &[(impl AsRef<str>, String)]) -> Run {
    files.iter().fold(run, |run, (file, sum)| {
        let name = if files.len() == 1 { id.to_owned() } else { format!("{id}/{}", file.as_ref()) };
        if run.models.iter().any(|model| model.name == name) { run } else { run.model(&name, sum) }
    })
}

/// The version of ONNX Runtime, which its file's name ends with.
fn library_version(library: &Path) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A name without a version may be a link to the file.
    let file = name(&library.canonicalize().unwrap_or_else(|_| library.to_owned()));
    file.strip_prefix("libonnxruntime.so.").map_or_else(|| name(library), str::to_owned)
}

/// The outcomes of these files, with the models noted in `run`. What cannot be used is said.
fn embed(arguments: &ModelArguments, run: Run, data: (&Path, &[String])) -> anyhow::Result<(Vec<Outcome>, Run)> {
    if data.1.is_empty() {
        bail!("there is no picture to look at");
    }
    let models = arguments.open()?;
    let mut run = noted(run, &models, &[&models.detector.model, &models.embedder])?;
    let kept = arguments.kept();
    let progress = |pieces, done| {
        run.recalled += done;
        Progress::resumed("pictures", pieces, done)
    };
    let outcomes = faces::embed(&models, data, arguments.threads(), kept.as_deref(), progress)?;
    for (file, outcome) in data.1.iter().zip(&outcomes) {
        match outcome {
            Outcome::Vector(..) => {}
            Outcome::NoFace => output::note(&format!("{file}: no face")),
            Outcome::Unusable(reason) => output::note(&format!("{file}: {reason}")),
        }
    }
    if outcomes.iter().all(|outcome| outcome.vector().is_none()) {
        bail!(
            "no face was found in any of {} pictures: another --detector, --width 0, a lower --threshold or --face largest may find some",
            outcomes.len()
        );
    }
    Ok((outcomes, run))
}

#[cfg(test)]
mod tests {
    use sightline_infer::{DetectorConfig, Device, ModelStore, Runtime};

    use super::{library_version, noted};
    use crate::faces::{Choice, Models};
    use crate::report::Run;

    #[test]
    fn a_run_notes_every_file_once_and_the_library() {
        let models = Models {
            runtime: Runtime::load(Some(&sightline_testkit::onnxruntime().unwrap()), Device::Cpu, 1).unwrap(),
            store: ModelStore::new(&sightline_testkit::cache_dir().join("models"), None).unwrap(),
            detector: DetectorConfig::new("mtcnn"),
            embedder: "dlib".to_owned(),
            choice: Choice::Central,
            flip: false,
        };
        let run = noted(Run::start("x", "1"), &models, &["mtcnn", "dlib", "mtcnn"]).unwrap();
        let names: Vec<&str> = run.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["mtcnn/mtcnn_pnet.onnx", "mtcnn/mtcnn_rnet.onnx", "mtcnn/mtcnn_onet.onnx", "dlib"]);
        assert!(run.models.iter().all(|model| model.sha256.len() == 64), "{:?}", run.models);
        assert_eq!(run.models[3].sha256, models.store.embedder("dlib").unwrap().files[0].sha256);
        assert!(run.versions["onnxruntime"].starts_with("1."), "{:?}", run.versions);
    }

    #[test]
    fn the_library_s_version_is_in_its_file_s_name() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("libonnxruntime.so.1.26.0"), folder.path().join("libonnxruntime.so"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!([library_version(&file), library_version(&link)], ["1.26.0", "1.26.0"]);
        assert_eq!(library_version("/nowhere/my-onnxruntime.so".as_ref()), "my-onnxruntime.so");
    }
}
