//! `sightline-lab classify`: who of these people is it? Closed set, several recognisers on one written-out split.

mod alone;
mod gray;
mod measure;
mod memory;
mod method;
mod page;
mod problem;
mod samples;
mod split;
mod tables;

use std::path::PathBuf;

use anyhow::bail;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use sightline_infer::ModelStore;

use super::{ModelArguments, OutputArguments, output};
use crate::dataset::Dataset;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::Run;

pub use alone::{One, one};
pub use gray::Crop;
pub use measure::{Answered, Measured, Memory, Milliseconds, Outcome, Results};

/// `sightline-lab classify --help`.
///
/// The embedder comes with a method's name, so `--embedder` is not shown and takes nothing else than its default.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(mut_arg("embedder", |argument| argument.hide(true).value_parser(method::no_embedder)))]
pub struct Arguments {
    /// A folder a person: DATA/name/name_0001.jpg
    pub data: PathBuf,
    /// Recognisers: eigenfaces, eigenfaces-svm, lbph; an embedder's name (nearest mean by cosine), or with -svm behind it
    #[arg(long, value_delimiter = ',', default_value = "facenet,facenet-svm,dlib,eigenfaces,eigenfaces-svm,lbph")]
    pub methods: Vec<String>,
    /// Share of each person's pictures to learn from, above 0 and below 1
    #[arg(long, default_value_t = 0.7, conflicts_with = "split")]
    pub train_share: f64,
    /// Leave out people with fewer pictures, 2 or more: one is learned, one tested
    #[arg(long, default_value_t = 2, conflicts_with = "split", value_parser = RangedU64ValueParser::<usize>::new().range(2..))]
    pub least: usize,
    /// Of the drawing of the split
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Learn and test on this split instead of a drawn one
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,
    /// Write the split that is used
    #[arg(long, value_name = "FILE")]
    pub write_split: Option<PathBuf>,
    /// What eigenfaces and LBPH see of a picture; lfw where all pictures are of LFW's 250x250 pixels, else face
    #[arg(long, value_enum)]
    pub crop: Option<Crop>,
    /// The models
    #[command(flatten)]
    pub models: ModelArguments,
    /// Where results go
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArguments,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data, the split or the models, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let methods = method::parse(&arguments.methods)?;
    method::check(&methods, &ModelStore::default_location()?)?;
    let mut run = Run::start("classify", env!("CARGO_PKG_VERSION")).settings(&shown(arguments))?;
    if arguments.split.is_none() {
        run = run.seeded(arguments.seed);
    }
    let dataset = Dataset::open(&arguments.data)?;
    for skipped in dataset.skipped() {
        output::note(&skipped.to_string());
    }
    let split = split::find(arguments, &dataset)?;
    if let Some(file) = &arguments.write_split {
        split.write(file)?;
    }
    let samples::Made { samples, crop, mut run } = samples::make(arguments, run, (&dataset, &split), &methods)?;
    let interrupt = Interrupt::watch()?;
    let progress = Progress::new("methods", methods.len() as u64);
    let mut measured = Vec::new();
    for (method, samples) in methods.iter().zip(&samples) {
        let one = measure::method(method, samples, &split.classes, |problem| alone::solve(problem, &interrupt));
        if interrupt.asked() {
            break;
        }
        measured.push(one);
        progress.advance(1);
    }
    drop(progress);
    if measured.len() == methods.len() {
        run.finish()
    } else {
        run.interrupt()
    }
    let results = Results { crop, people: split.classes.clone(), split, methods: measured };
    let tables = tables::all(&results);
    output::print(&tables.printed())?;
    for refusal in results.refusals() {
        output::note(&refusal);
    }
    output::write(&arguments.output, &run, &results, || page::page(&run, &tables, &results, &dataset))?;
    match results.methods.iter().any(|method| method.outcome.is_ok()) {
        true => Ok(()),
        false if interrupt.asked() => bail!("interrupted before a method had learned; the vectors are kept"),
        false => bail!("no method could learn these people: the reasons are above"),
    }
}

/// The settings as they are: the embedder comes with each method.
fn shown(arguments: &Arguments) -> Arguments {
    let mut shown = arguments.clone();
    "the method's own".clone_into(&mut shown.models.embedder);
    shown
}
