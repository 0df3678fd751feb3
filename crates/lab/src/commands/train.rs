//! `sightline-lab train`: a head over a frozen embedder, learned from pictures of people, written as a model that the pipeline loads.

mod arguments;
mod classifier;
mod compared;
mod data;
mod deploy;
mod learn;
mod page;
mod people;
mod roc;
mod thresholds;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use serde_json::json;

pub use arguments::{Arguments, ClassifierArguments, HeadArguments, JudgingArguments, TrainingArguments};
pub use classifier::Recognition;
pub use deploy::Written;
pub use people::People;
pub use roc::Roc;
pub use thresholds::Chosen;

use super::{embed, output};
use crate::dataset::Dataset;
use crate::faces::Models;
use crate::interrupt::Interrupt;
use crate::report::{Run, Table};
use crate::train::{Comparison, EpochReport, Outcome, Trainer};
use data::{Data, Pictures};
use deploy::{About, Place};

/// What a training gives.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Whether it is a classifier instead of an embedding head.
    pub classifier: bool,
    /// The people.
    pub people: People,
    /// Why it ended.
    pub outcome: Outcome,
    /// The epoch whose head was taken; 0 is the start.
    pub best_epoch: u32,
    /// All of them.
    pub epochs: Vec<EpochReport>,
    /// The model, unless training was interrupted.
    pub model: Option<Written>,
    /// For an embedding head: the thresholds of its manifest.
    pub thresholds: Option<Chosen>,
    /// For an embedding head: against what needs no training. None where it was not asked for, else what it is or why it is not.
    #[serde(serialize_with = "compared::or_refused")]
    pub comparison: Option<Result<Comparison, String>>,
    /// For an embedding head: this very head and the others, on the people who test.
    pub roc: Vec<Roc>,
    /// For an embedding head: the share of the variance of the people who test that as many principal components keep.
    pub components_keep: Option<f64>,
    /// For a classifier: how many of the held-out pictures it names rightly.
    pub recognition: Option<Recognition>,
    /// What all this says.
    pub verdict: Vec<String>,
}

/// What all kinds of head need: where the models are, and where the result goes.
struct Workplace {
    models: Models,
    place: Place,
    checkpoint: PathBuf,
    interrupt: Interrupt,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data, the models or the settings, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.check()?;
    let settings = json!({ "arguments": arguments, "training": arguments.training_settings() });
    let run = Run::start("train", env!("CARGO_PKG_VERSION")).seeded(arguments.training.seed).settings(&settings)?;
    let models = arguments.models.open()?;
    let place = Place::new(arguments, &models)?;
    let checkpoint = checkpoint(arguments, &place)?;
    let dataset = Dataset::open(&arguments.data)?;
    if let Some(folder) = &arguments.judging.write_test {
        people::prepare(folder, dataset.root(), arguments.force)?;
    }
    for skipped in dataset.skipped() {
        output::note(&skipped.to_string());
    }
    let files: Vec<String> = dataset.samples().iter().map(|sample| sample.file.clone()).collect();
    let (outcomes, run) = embed(&arguments.models, run, (dataset.root(), &files))?;
    let pictures = Pictures::new(&dataset, &outcomes);
    let work = Workplace { models, place, checkpoint, interrupt: Interrupt::watch()? };
    if arguments.classifier.classifier {
        classifier::run(arguments, &work, &pictures, run)
    } else {
        embedding(arguments, &work, &pictures, run)
    }
}

/// Where training stands is kept, and whether that may be.
fn checkpoint(arguments: &Arguments, place: &Place) -> anyhow::Result<PathBuf> {
    let file = arguments.checkpoint.clone().unwrap_or_else(|| place.beside("checkpoint"));
    let shown = file.display();
    match (arguments.resume, file.is_file()) {
        (true, false) => bail!("there is no checkpoint {shown} to go on from: leave --resume away to begin"),
        (false, true) if !arguments.force => {
            bail!("there is a checkpoint {shown} already: go on from it with --resume, or begin anew with --force")
        }
        _ => Ok(file),
    }
}

/// An embedding head, from the vectors to the report.
fn embedding(arguments: &Arguments, work: &Workplace, pictures: &Pictures, run: Run) -> anyhow::Result<()> {
    let data = Data::new(pictures.samples())?;
    data::note_alone(&data.alone, "their pictures are strangers to the test, and teach nothing");
    let config = arguments.embedding_config();
    let share = arguments.judging.test;
    data.divided(share, config.held_out)?;
    let (training, test) = data.usable.split_people(share, config.seed)?;
    let mut trainer = if arguments.resume {
        Trainer::resume_embedding(&training, config.clone(), &work.checkpoint)
    } else {
        Trainer::embedding(&training, config.clone())
    }
    .map_err(arguments::in_options)
    .with_context(|| learn::way_out(&config))?;
    let people = People::new(&trainer, &test, &data);
    let outcome = learn::learn(&mut trainer, work, &learn::TRIPLETS)?;
    let mut results = Results::new(false, people, (outcome, &trainer));
    if outcome == Outcome::Interrupted {
        return interrupted(arguments, run, &results, &work.checkpoint);
    }
    let base = work.models.store.embedder(&work.models.embedder)?;
    let strangers = data.strangers.as_ref();
    let chosen = thresholds::choose(trainer.head(), &test, (strangers, arguments.judging.threshold_rate), base)?;
    let source = thresholds::source(&chosen, &test, &deploy::name_of(&arguments.data));
    let about = About { people: results.people.training, thresholds: chosen.for_manifest(source) };
    let written = deploy::embedder(work, trainer.head(), about)?;
    let written = deploy::checked(work, written, (trainer.head(), pictures))?;
    results.model = Some(listed(arguments, work, (&results.people, &trainer), (written, pictures))?);
    results.thresholds = Some(chosen);
    results.roc = roc::measure(trainer.head(), (trainer.training(), &test), &config)?;
    results.components_keep = roc::components_keep((trainer.training(), &test), config.dimension)?;
    results.comparison = compared::compare(arguments, &data.usable, work)?;
    results.verdict = words::verdict(&results, &config, training.dimension());
    finish(arguments, run, &results)
}

/// The model with the names of the people beside it, and with a data set of those whom nothing was learned from where one was asked for.
fn listed(
    arguments: &Arguments,
    work: &Workplace,
    (people, trainer): (&People, &Trainer),
    (written, pictures): (Written, &Pictures),
) -> anyhow::Result<Written> {
    let file = work.place.beside("people.json");
    people.list(&file, trainer)?;
    let test = arguments.judging.write_test.clone();
    if let Some(folder) = &test {
        people.link(folder, pictures.path())?;
    }
    Ok(Written { people: Some(file), test, ..written })
}

impl Results {
    fn new(classifier: bool, people: People, (outcome, trainer): (Outcome, &Trainer)) -> Self {
        Self {
            classifier,
            people,
            outcome,
            best_epoch: trainer.best().epoch,
            epochs: trainer.history().to_vec(),
            model: None,
            thresholds: None,
            comparison: None,
            roc: Vec::new(),
            components_keep: None,
            recognition: None,
            verdict: Vec::new(),
        }
    }
}

/// Prints and writes what there is, and how the model is used. The comparison may have been interrupted.
fn finish(arguments: &Arguments, mut run: Run, results: &Results) -> anyhow::Result<()> {
    let compared = results.comparison.as_ref().and_then(|comparison| comparison.as_ref().ok());
    let ended = match compared.filter(|comparison| !comparison.complete()) {
        None => {
            run.finish();
            Ok(())
        }
        Some(Comparison { runs, config, .. }) => {
            run.interrupt();
            Err(anyhow!(
                "interrupted after {} of {} trainings of the comparison; the model is whole: give the same command with --resume --force \
                 for the whole comparison, which does not train the model again",
                runs.len(),
                config.seeds.len()
            ))
        }
    };
    let tables = words::tables(results);
    let reported = report(arguments, &run, results, &tables);
    let usage = results.model.iter().flat_map(Written::usage);
    let mut sentences = std::iter::once(String::new()).chain(results.verdict.iter().cloned()).chain(usage);
    let said = sentences.try_for_each(|sentence| words::say(&sentence)).context("cannot print what was found");
    output::together([reported, said, ended])
}

/// Training that was stopped: reports of what there is, and how to go on.
fn interrupted(arguments: &Arguments, mut run: Run, results: &Results, checkpoint: &Path) -> anyhow::Result<()> {
    run.interrupt();
    let reported = report(arguments, &run, results, &words::tables(results));
    let epochs = results.epochs.len().saturating_sub(1);
    let how = anyhow!(
        "interrupted after {epochs} whole epochs; {} has where it stands: give the same command with --resume to go on",
        checkpoint.display()
    );
    output::together([reported, Err(how)])
}

fn report(arguments: &Arguments, run: &Run, results: &Results, tables: &[(&str, Table)]) -> anyhow::Result<()> {
    let shown = tables.iter().map(|(_, table)| table);
    output::finish(&arguments.output, (run, results), shown, || page::page(run, results, tables))
}
