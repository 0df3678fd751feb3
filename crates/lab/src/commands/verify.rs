//! `sightline-lab verify`: are two pictures of the same person? LFW's protocol over a list of pairs.

mod measure;
mod page;
mod scores;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::methods::{embed_each, methods};
use super::{ModelArguments, OutputArguments, output};
use crate::dataset::{Dataset, LocatedPairs, MissingPicture, Pairs as PairsFile};
use crate::metrics::verification::Pairs;
use crate::report::Run;

pub use measure::{Measured, Tar, measure};
use scores::Line;

/// Missing pictures that are printed one by one; the JSON has all.
const LISTED: usize = 20;

/// `sightline-lab verify --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(
    mut_arg("detector", |argument| argument.help("Finds the faces: centerface, mtcnn, yunet; several, separated by commas, are put side by side")),
    mut_arg("embedder", |argument| argument.help("Turns faces into vectors: facenet, dlib, or a manifest's id in the folder that SIGHTLINE_MODELS names; several, separated by commas, are put side by side")),
)]
pub struct Arguments {
    /// A folder a person: DATA/name/name_0001.jpg
    pub data: PathBuf,
    /// LFW's list of pairs
    #[arg(long)]
    pub pairs: PathBuf,
    /// Look at each face in a mirror too, and compare the sums of both vectors
    #[arg(long)]
    pub flip: bool,
    /// Before two vectors are compared, subtract the mean of all vectors in the folds that the threshold comes from
    #[arg(long)]
    pub subtract_mean: bool,
    /// The models
    #[command(flatten)]
    pub models: ModelArguments,
    /// Where results go
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArguments,
}

/// Everything that the pairs show.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What the list is: no person of it was trained on by us, other data was.
    pub protocol: &'static str,
    /// Whether vectors are the sums of those of a face and of its mirror image.
    pub flip: bool,
    /// Whether the mean of the other folds' vectors was subtracted.
    pub subtract_mean: bool,
    /// Folds with pairs that were compared.
    pub folds: usize,
    /// Pairs of the same person that were compared.
    pub same: usize,
    /// Pairs of different people that were compared.
    pub different: usize,
    /// Pairs that were not, because the data set lacks a picture of theirs. They count nowhere: no method ever saw them.
    pub left_out: usize,
    /// The pictures that it lacks.
    pub missing: Vec<MissingPicture>,
    /// The figures of each method.
    pub methods: Vec<Measured>,
    /// Methods without figures, and why.
    pub failed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data or the models, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let run = Run::start("verify", env!("CARGO_PKG_VERSION")).settings(arguments)?;
    let data = &arguments.data;
    let (located, left_out) = read(data, &arguments.pairs)?;
    let folds = located.folds.iter().filter(|fold| !fold.is_empty()).count();
    if arguments.subtract_mean && folds < 2 {
        bail!("--subtract-mean takes the mean from the other folds, and {} has one only", arguments.pairs.display());
    }
    let folded = located.folds.iter().enumerate();
    let lines: Vec<Line<'_>> = folded.flat_map(|(fold, pairs)| pairs.iter().map(move |pair| (fold, pair))).collect();
    let models = ModelArguments { flip: arguments.flip, ..arguments.models.clone() };
    let files = scores::files(&lines);
    let mut embedded = embed_each(&methods(&models)?, run, (data, &files))?;
    let measured: Vec<(Measured, Pairs)> = embedded.measured(|method, outcomes| {
        let pairs = scores::score(&lines, (&files, outcomes), arguments.subtract_mean)?;
        Ok((measure(&method.name, &pairs)?, pairs))
    })?;
    let mut run = embedded.run;
    run.finish();
    let (methods, pairs): (Vec<Measured>, Vec<Pairs>) = measured.into_iter().unzip();
    let results = Results {
        protocol: "unrestricted, labeled outside data",
        flip: arguments.flip,
        subtract_mean: arguments.subtract_mean,
        folds,
        same: lines.iter().filter(|(_, pair)| pair.same).count(),
        different: lines.iter().filter(|(_, pair)| !pair.same).count(),
        left_out,
        missing: located.missing.clone(),
        methods,
        failed: embedded.failed,
    };
    let tables = tables::all(&results);
    let page = || page::page(&run, &tables, &results, (data, &lines, &pairs));
    let finished = output::finish(&arguments.output, (&run, &results), &tables, page);
    for refusal in tables::refusals(&results) {
        output::note(&refusal);
    }
    finished
}

/// The pairs whose pictures are there, and how many others the list has. Which pictures are missing is said.
fn read(data: &Path, list: &Path) -> anyhow::Result<(LocatedPairs, usize)> {
    let name = list.display();
    let text = std::fs::read_to_string(list).with_context(|| format!("the list of pairs {name}"))?;
    let parsed = PairsFile::parse(&text).with_context(|| {
        format!("{name} is no list of pairs as LFW's pairs.txt is one (`folds pairs`, then `name number number` or `name number name number`)")
    })?;
    let located = parsed.locate(data);
    let total: usize = parsed.folds.iter().map(Vec::len).sum();
    let found: usize = located.folds.iter().map(Vec::len).sum();
    if found == 0 {
        // What is wrong with the folder itself, if that is it.
        Dataset::open(data)?;
        let first = located.missing.first().map(|missing| format!("{}.jpg", missing.stem)).unwrap_or_default();
        bail!("no pair of {name} has both its pictures in {}, the first one lacking {first}", data.display());
    }
    for missing in located.missing.iter().take(LISTED) {
        output::note(&format!("{name}: {missing}"));
    }
    if located.missing.len() > LISTED {
        output::note(&format!("{name}: {} more pictures are missing", located.missing.len() - LISTED));
    }
    for (same, kind) in [(true, "the same person"), (false, "different people")] {
        if !located.folds.iter().flatten().any(|pair| pair.same == same) {
            bail!("no pair of {kind} in {name} has both its pictures in {}: it takes both kinds", data.display());
        }
    }
    Ok((located, total - found))
}
