//! The result as a model: the frozen embedder with the head behind it in one ONNX file, and the manifest that says how to use it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sightline_infer::{Manifest, ModelFile, ModelStore, Registry, Source, TensorContract, Thresholds};

use super::data::Pictures;
use super::{Arguments, Workplace};
use crate::faces::{self, Models};
use crate::progress::Progress;
use crate::train::{Combined, Head, append, scaled};
use crate::whole;

/// Pictures with which the written model is tried.
const TRIED: usize = 8;

/// Most that a number of its vectors may differ from the head's, which the same networks compute in other batches.
const TOLERANCE: f64 = 1e-4;

/// Where the model goes and what it is called there.
pub(super) struct Place {
    /// Absolute.
    pub(super) folder: PathBuf,
    pub(super) id: String,
    file: PathBuf,
}

/// What a manifest says beside what the base's says.
pub(super) struct About {
    /// People and pictures that were learned from.
    pub(super) people: (usize, usize),
    pub(super) thresholds: Thresholds,
}

/// A model that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// Its name in the configuration; for a classifier, which no configuration takes, that of its file.
    pub id: String,
    /// The ONNX file.
    pub file: PathBuf,
    /// The manifest beside it; none for a classifier.
    pub manifest: Option<PathBuf>,
    /// The names of the people who were learned from, judged and tested; none for a classifier.
    pub people: Option<PathBuf>,
    /// Links to the folders of those whom nothing was learned from.
    pub test: Option<PathBuf>,
    /// For a classifier: the names of its logits.
    pub classes: Option<PathBuf>,
    /// Of the ONNX file.
    pub sha256: String,
    /// Its size.
    pub bytes: usize,
    /// Numbers that it gives.
    pub dimension: usize,
    /// Pictures with which it was tried, through the detector.
    pub tried: usize,
    /// Most that a number of what it gave differed from the head's; vectors have length 1.
    pub largest_difference: f64,
}

impl Place {
    /// Checks, before anything is computed, that the result can be written and found.
    pub(super) fn new(arguments: &Arguments, models: &Models) -> anyhow::Result<Self> {
        let file = std::path::absolute(&arguments.out)?;
        let shown = arguments.out.display();
        let (Some(folder), Some(stem), Some("onnx")) =
            (file.parent(), file.file_stem().and_then(|stem| stem.to_str()), file.extension().and_then(|e| e.to_str()))
        else {
            bail!("--out {shown}: give the model a name that ends in .onnx");
        };
        let id = arguments.id.clone().unwrap_or_else(|| stem.to_owned());
        let place = Self { folder: folder.to_owned(), id, file: file.clone() };
        let base = models.store.embedder(&models.embedder)?;
        Manifest { id: place.id.clone(), ..base.clone() }.to_text().context("give the model another name with --id")?;
        for there in std::iter::once(place.file.clone()).chain(place.all_beside()) {
            if there.is_file() && !arguments.force {
                bail!("{} is there already: give another name with --out, or replace it with --force", there.display());
            }
        }
        if !folder.is_dir() {
            std::fs::create_dir(folder).with_context(|| format!("--out {shown}: cannot make {}", folder.display()))?;
        }
        let own = ModelStore::new(models.store.models_dir(), Some(folder)).with_context(|| {
            format!("--out {shown}: its folder is read for manifests, so give the model a folder for models alone")
        })?;
        let replaced = arguments.force && id_in(&place.beside("toml")).as_deref() == Some(&place.id);
        if (own.get(&place.id).is_ok() || models.store.get(&place.id).is_ok()) && !replaced {
            bail!("there is a model `{}` already: give this one another name with --id", place.id);
        }
        Ok(place)
    }

    /// The files beside the model that may belong to it.
    fn all_beside(&self) -> [PathBuf; 3] {
        ["toml", "classes.json", "people.json"].map(|extension| self.beside(extension))
    }

    /// A file beside the model, with its name and this extension.
    pub(super) fn beside(&self, extension: &str) -> PathBuf {
        self.file.with_extension(extension)
    }
}

/// The id of a manifest, if it is one.
fn id_in(file: &Path) -> Option<String> {
    Manifest::parse("", &std::fs::read_to_string(file).ok()?).ok().map(|manifest| manifest.id)
}

/// What a folder is called, without where it lies.
pub(super) fn name_of(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.file_name().map_or_else(|| "the data".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Writes the embedder with this head, and its manifest.
///
/// # Errors
/// When the base's file takes no head, or a file cannot be written.
pub(super) fn embedder(work: &Workplace, head: &Head, about: About) -> anyhow::Result<Written> {
    let (combined, written) = model(work, head)?;
    let manifest = manifest(work, &combined, &written, about)?;
    let text = manifest.to_text()?;
    let head = "# Written by `sightline-lab train`: a frozen embedder with a trained head behind it, in one file.\n";
    let path = work.place.beside("toml");
    whole::write(&path, |out| write!(out, "{head}{text}"))?;
    Ok(Written { manifest: Some(path), ..written })
}

/// Writes the embedder with this head alone.
pub(super) fn model(work: &Workplace, head: &Head) -> anyhow::Result<(Combined, Written)> {
    let store = &work.models.store;
    let base = store.embedder(&work.models.embedder)?;
    let [file] = base.files.as_slice() else { bail!("`{}` has {} files, a head needs one", base.id, base.files.len()) };
    let path = store.path(file);
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let combined = append(&bytes, head).with_context(|| path.display().to_string())?;
    let sha256: String = Sha256::digest(&combined.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    whole::write(&work.place.file, |out| out.write_all(&combined.bytes))?;
    // What belonged to a model that was replaced does not belong to this one.
    for old in work.place.all_beside().iter().filter(|old| old.is_file()) {
        std::fs::remove_file(old).with_context(|| old.display().to_string())?;
    }
    let written = Written {
        id: work.place.id.clone(),
        file: work.place.file.clone(),
        manifest: None,
        people: None,
        test: None,
        classes: None,
        sha256,
        bytes: combined.bytes.len(),
        dimension: combined.dimension,
        tried: 0,
        largest_difference: 0.0,
    };
    Ok((combined, written))
}

/// That of the base with what the head changes: what goes in is as before, what comes out is not.
fn manifest(work: &Workplace, combined: &Combined, written: &Written, about: About) -> anyhow::Result<Manifest> {
    let store = &work.models.store;
    let base = store.embedder(&work.models.embedder)?;
    let identity = store.identity(&base.id)?;
    let mut manifest = base.clone();
    let (people, pictures) = about.people;
    manifest.id.clone_from(&work.place.id);
    manifest.description =
        format!("{identity} with a head trained on {pictures} pictures of {people} people, {}-d", combined.dimension);
    let note = manifest.license.note.take().unwrap_or_default();
    let note = format!(
        "Embedder: {note} The head was trained on pictures of the user's own; what their licence says holds too."
    );
    manifest.license.note = Some(note);
    manifest.source =
        Source { registry: Registry::None, package: None, version: None, sha256: None, convert: None, project: None };
    for file in &mut manifest.files {
        let count = file.outputs.first().and_then(|output| output.shape.first()).cloned();
        let shape = vec![count.unwrap_or_else(|| "n".to_owned()), combined.dimension.to_string()];
        let name = work.place.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        *file = ModelFile {
            name,
            from: None,
            from_sha256: None,
            sha256: written.sha256.clone(),
            inputs: std::mem::take(&mut file.inputs),
            outputs: vec![TensorContract { name: combined.output.clone(), shape }],
            beside: None,
        };
    }
    if let Some(embedder) = &mut manifest.embedder {
        embedder.dimension = combined.dimension;
    }
    manifest.thresholds = Some(about.thresholds);
    Ok(manifest)
}

/// Loads what was written as the pipeline would, and holds its vectors against the head on the embedder's.
///
/// # Errors
/// When the model cannot be loaded, or gives other vectors.
pub(super) fn checked(work: &Workplace, written: Written, by: (&Head, &Pictures)) -> anyhow::Result<Written> {
    in_folder(work, written, &work.place.folder, by)
}

/// As [`checked`], for a model without a manifest: the same code loads it, through a manifest that is not kept.
pub(super) fn checked_unlisted(
    work: &Workplace,
    (combined, written): (&Combined, Written),
    by: (&Head, &Pictures),
) -> anyhow::Result<Written> {
    let folder = tempfile::tempdir()?;
    let thresholds = Thresholds {
        accept: 1.0,
        unknown: 1.0,
        margin: 0.0,
        cluster: 1.0,
        false_accept_rate: 0.5,
        data: String::new(),
        plausible: [0.0, 1.0],
    };
    let manifest = manifest(work, combined, &written, About { people: (0, 0), thresholds })?;
    std::fs::write(folder.path().join("model.toml"), manifest.to_text()?)?;
    std::os::unix::fs::symlink(&written.file, folder.path().join(written.file.file_name().unwrap_or_default()))?;
    in_folder(work, written, folder.path(), by)
}

fn in_folder(work: &Workplace, written: Written, folder: &Path, by: (&Head, &Pictures)) -> anyhow::Result<Written> {
    let store = ModelStore::new(work.models.store.models_dir(), Some(folder))?;
    let models = Models { store, embedder: work.place.id.clone(), ..work.models.clone() };
    let (tried, largest_difference) = difference(&models, by)?;
    if largest_difference > TOLERANCE {
        bail!(
            "{} gives other vectors than the trained head: they differ by up to {largest_difference:.1e}",
            written.file.display()
        );
    }
    Ok(Written { tried, largest_difference, ..written })
}

/// How many pictures were compared, and the largest difference.
fn difference(models: &Models, (head, pictures): (&Head, &Pictures)) -> anyhow::Result<(usize, f64)> {
    let samples = pictures.some(TRIED);
    let files: Vec<String> = samples.iter().map(|sample| sample.image.clone()).collect();
    let outcomes = faces::embed(models, (pictures.path(), &files), 1, None, |_, _| Progress::hidden())?;
    let mut largest: f64 = 0.0;
    for (sample, outcome) in samples.iter().zip(&outcomes) {
        // As the pipeline scales what a network gives.
        let wanted = scaled(&head.apply(&sample.vector)?);
        let Some(found) = outcome.vector().filter(|found| found.len() == wanted.len()) else {
            bail!("the written model gives no vector of {} numbers for {}", wanted.len(), sample.image);
        };
        let differences = found.iter().zip(&wanted).map(|(a, b)| f64::from((a - b).abs()));
        largest = differences.fold(largest, f64::max);
    }
    Ok((samples.len(), largest))
}

impl Written {
    /// What to do with it.
    pub(super) fn usage(&self) -> Vec<String> {
        let megabytes = self.bytes as f64 / 1e6;
        let mut lines = vec![format!(
            "{} ({megabytes:.1} MB) gives {} numbers a face; tried with {} pictures, it differs from the head by {:.1e} at most.",
            self.file.display(),
            self.dimension,
            self.tried,
            self.largest_difference
        )];
        let folder = self.file.parent().unwrap_or(Path::new(".")).display();
        if self.manifest.is_some() {
            lines.push(format!(
                "In the pipeline's configuration:  models: {{manifests: \"{folder}\", embedder: {}}}",
                self.id
            ));
            let test = self.test.as_deref().map_or_else(|| "DIR".to_owned(), |test| format!("\"{}\"", test.display()));
            let usage = format!("SIGHTLINE_MODELS=\"{folder}\" sightline-lab identify {test} --embedder {}", self.id);
            lines.push(format!("In the laboratory, on people whom it has not seen:  {usage}"));
        }
        if let Some(people) = &self.people {
            let names = format!("Who was learned from, judged and tests: {}.", people.display());
            let way = "The same command with --resume --force --write-test DIR makes a data set of those who were not \
                       learned from, and trains nothing anew.";
            lines.push(if self.test.is_some() { names } else { format!("{names} {way}") });
        }
        if self.manifest.is_some() {
            lines.push("Vectors of this model compare with no others: people are to be enrolled anew.".to_owned());
        }
        if let Some(classes) = &self.classes {
            lines.push(format!(
                "{} has the names of its logits. It knows these people alone and no strangers, so no gallery takes it.",
                classes.display()
            ));
        }
        lines
    }
}
