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
pub use split::Drawn;

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
    let (split, drawn) = split::find(arguments, &dataset)?;
    output::note(&drawn.to_string());
    if let Some(file) = &arguments.write_split {
        split.write(file)?;
    }
    let samples::Made { samples, crop, mut run } = samples::make(arguments, run, (&dataset, &split), &methods)?;
    let interrupt = Interrupt::watch()?;
    let measured = learn(&methods, &samples, &split.classes, &interrupt);
    let missing = interrupted(&methods[measured.len()..], arguments.models.no_cache);
    if measured.is_empty() {
        bail!("{}", missing.unwrap_or_default());
    }
    match missing {
        Some(_) => run.interrupt(),
        None => run.finish(),
    }
    let results = Results { crop, people: split.classes.clone(), split, drawn, methods: measured };
    let tables = tables::all(&results);
    let page = || page::page(&run, &tables, &results, &dataset);
    let finished = output::finish(&arguments.output, (&run, &results), tables.printed(), page);
    for note in results.refusals().into_iter().chain(results.notes()).chain(missing) {
        output::note(&note);
    }
    finished?;
    if results.methods.iter().all(|method| method.outcome.is_err()) {
        bail!("no method could learn these people: the reasons are above");
    }
    Ok(())
}

/// Has one method after the other learn and name, until an interruption. What it interrupts is left out.
fn learn(
    methods: &[method::Named],
    samples: &[samples::Sight],
    people: &[String],
    interrupt: &Interrupt,
) -> Vec<Measured> {
    let progress = Progress::new("methods", methods.len() as u64);
    let mut measured = Vec::new();
    for (method, sight) in methods.iter().zip(samples) {
        let one = measure::method(method, sight, people, |problem| alone::solve(problem, interrupt));
        if interrupt.asked() {
            break;
        }
        measured.push(one);
        progress.advance(1);
    }
    measured
}

/// Which methods an interruption left out, if any, and what of the work is there for the next run.
fn interrupted(missing: &[method::Named], nothing_kept: bool) -> Option<String> {
    let names: Vec<&str> = missing.iter().map(|method| method.name.as_str()).collect();
    let kept = if nothing_kept { "nothing is kept (--no-cache)" } else { "the vectors of embedders are kept" };
    (!names.is_empty()).then(|| format!("interrupted: without {}; {kept}", names.join(", ")))
}

/// The settings as they are: the embedder comes with each method.
fn shown(arguments: &Arguments) -> Arguments {
    let mut shown = arguments.clone();
    "the method's own".clone_into(&mut shown.models.embedder);
    shown
}

#[cfg(test)]
mod tests {
    use super::method::Named;
    use super::{Interrupt, interrupted, learn};

    #[test]
    fn an_interruption_names_the_methods_that_are_missing() {
        let methods = ["facenet", "eigenfaces", "lbph"].map(Named::new);
        let samples = methods.each_ref().map(|_| Err("nothing seen".to_owned()));
        let interrupt = Interrupt::default();
        assert_eq!(learn(&methods, &samples, &[], &interrupt).len(), 3);
        interrupt.ask();
        assert!(learn(&methods, &samples, &[], &interrupt).is_empty());
        assert_eq!(interrupted(&[], false), None);
        let told = interrupted(&methods[1..], false).unwrap();
        assert_eq!(told, "interrupted: without eigenfaces, lbph; the vectors of embedders are kept");
        let told = interrupted(&methods, true).unwrap();
        assert_eq!(told, "interrupted: without facenet, eigenfaces, lbph; nothing is kept (--no-cache)");
    }
}
