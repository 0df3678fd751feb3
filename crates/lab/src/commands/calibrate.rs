//! `sightline-lab calibrate`: the thresholds of the open-set decision from the user's own people.

mod faces;
mod fragment;
mod page;
mod tables;
mod visits;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::Serialize;
use sightline_infer::Thresholds;

use super::{ModelArguments, OutputArguments, output};
use crate::dataset::Dataset;
use crate::metrics::MetricError;
use crate::metrics::calibration::{Calibration, Options, STRANGERS, Template, Warning, calibrate, template_warnings};
use crate::metrics::rate::allowance;
use crate::metrics::statistics::Proportion;
use crate::progress::Progress;
use crate::report::Run;

pub use faces::Pictures;
pub use visits::Made;

/// Warnings that the terminal shows, the gravest first.
const TOLD: usize = 30;

/// `sightline-lab calibrate --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Arguments {
    /// A folder a person: DATA/name/name_0001.jpg
    pub data: PathBuf,
    /// Share of strangers' visits that may be named, of known people's that may get another's name
    #[arg(long, default_value_t = 0.001)]
    pub false_accept_rate: f64,
    /// Share of strangers' visits that may be called ambiguous instead of unknown
    #[arg(long, default_value_t = 0.05)]
    pub ambiguous_rate: f64,
    /// Pictures that make a visit; the pipeline fuses the few best of one, at most `track.max_embeds`
    #[arg(long, default_value_t = 3, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100))]
    pub pictures: usize,
    /// Smallest face that counts, pixels: `identify.min_face`
    #[arg(long, default_value_t = 40)]
    pub least_face: u32,
    /// Of the drawing of visits
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the thresholds as a piece of configuration
    #[arg(long, value_name = "FILE.yaml")]
    pub write: Option<PathBuf>,
    /// The models
    #[command(flatten)]
    pub models: ModelArguments,
    /// Where results go
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArguments,
}

/// The thresholds, and what they rest on.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where the pictures are.
    pub data: PathBuf,
    /// The embedder.
    pub embedder: String,
    /// The detector.
    pub detector: String,
    /// The smallest face that counts, pixels.
    pub least_face: u32,
    /// People with a picture that counts.
    pub people: usize,
    /// What became of the pictures.
    pub pictures: Pictures,
    /// Pictures that make a visit, where there are enough.
    pub pictures_a_visit: usize,
    /// The visits.
    pub made: Made,
    /// The thresholds and what they do.
    pub calibration: Calibration,
    /// Visits that would join another one of the same person at `cluster`.
    pub true_joins: Proportion,
    /// Templates that do not fit their person.
    pub templates: Vec<Warning>,
}

impl Results {
    /// Everything to look at, the gravest first.
    fn warnings(&self) -> Vec<&Warning> {
        let mut warnings: Vec<&Warning> = self.calibration.warnings.iter().chain(&self.templates).collect();
        warnings.sort_by_key(|warning| match warning {
            Warning::AcceptImplausible { .. } => 0,
            Warning::LookAlikes { .. } => 1,
            Warning::Template { .. } => 2,
            Warning::HardlyRecognised { .. } => 3,
        });
        warnings
    }
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data or the models, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let run = Run::start("calibrate", env!("CARGO_PKG_VERSION")).seeded(arguments.seed).settings(arguments)?;
    let dataset = Dataset::open(&arguments.data)?;
    for skipped in dataset.skipped() {
        output::note(&skipped.to_string());
    }
    note_single(&dataset);
    let counts = dataset.counts();
    enough(&counts, arguments).with_context(|| dataset.root().display().to_string())?;
    let (options, stranger) = stated(arguments)?;
    let faces::Found { faces, pictures, mut run } = faces::find(arguments, run, &dataset)?;
    let mut counts = vec![0; counts.len()];
    for face in &faces {
        counts[face.person] += 1;
    }
    enough(&counts, arguments).with_context(|| format!("{}, pictures that count", dataset.root().display()))?;
    let people = dataset.classes();
    let groups = visits::draw(people.len(), &faces, arguments.pictures, arguments.seed);
    let scored = scored(people.len(), &faces, &groups);
    let calibration = calibrate(people, &scored.visits, &options)?;
    let templates: Vec<Template<'_>> =
        faces.iter().map(|face| Template { person: face.person, label: &face.file, vector: &face.vector }).collect();
    let accept = calibration.thresholds.accept;
    let results = Results {
        data: arguments.data.clone(),
        embedder: arguments.models.embedder.clone(),
        detector: arguments.models.detector.clone(),
        least_face: arguments.least_face,
        people: counts.iter().filter(|count| **count > 0).count(),
        pictures,
        pictures_a_visit: arguments.pictures,
        made: visits::made(people.len(), &faces, &groups, arguments.pictures),
        true_joins: joined(&scored.same, calibration.thresholds.cluster),
        calibration,
        templates: template_warnings(people, &templates, accept, stranger)?,
    };
    run.finish();
    let tables = [tables::thresholds(&results), tables::shown(&results), tables::data(&results)];
    output::print(&tables)?;
    let warnings = results.warnings();
    for warning in warnings.iter().take(TOLD) {
        output::note(&format!("warning: {warning}"));
    }
    if warnings.len() > TOLD {
        output::note(&format!("{} more warnings are in --json and --html", warnings.len() - TOLD));
    }
    let seen = page::Seen { people, root: dataset.root(), faces: &faces, scored: &scored };
    output::write(&arguments.output, &run, &results, || page::page(&run, &tables, &results, &seen))?;
    match &arguments.write {
        Some(file) => fragment::write(file, &run, &results),
        None => Ok(()),
    }
}

/// Whom single pictures show is known, so they count as strangers and as somebody to be taken for.
fn note_single(dataset: &Dataset) {
    let single: Vec<&String> =
        dataset.classes().iter().zip(dataset.counts()).filter(|(_, count)| *count == 1).map(|(name, _)| name).collect();
    if let Some(first) = single.first() {
        let (who, verb) = match single.len() {
            1 => ((*first).clone(), "has"),
            more => (format!("{more} people, the first: {first},"), "have"),
        };
        output::note(&format!(
            "{who} {verb} one picture: it counts as a stranger's visit and as somebody to be taken for, but does not show \
             whether its person is recognised"
        ));
    }
}

/// Whether people with so many pictures can show the rate. Asked before the pictures are looked at, and after.
fn enough(counts: &[usize], arguments: &Arguments) -> anyhow::Result<()> {
    let people = counts.iter().filter(|count| **count > 0).count();
    if people < 2 {
        bail!(
            "pictures of {people} person: thresholds need two or more, for nobody else can be taken for the only one"
        );
    }
    if counts.iter().all(|count| *count < 2) {
        bail!("nobody has two pictures: one is needed as a template and one to be compared with it");
    }
    let visits = visits::possible(counts, arguments.pictures);
    if let Err(error) = allowance(arguments.false_accept_rate, visits, STRANGERS) {
        match error {
            MetricError::RateTooSmall { .. } if arguments.pictures > 1 => bail!(
                "--false-accept-rate: {error}; or give more people or pictures, or make visits of fewer (--pictures 1)"
            ),
            MetricError::RateTooSmall { .. } => bail!("--false-accept-rate: {error}; or give more people or pictures"),
            error => bail!("--false-accept-rate: {error}"),
        }
    }
    Ok(())
}

/// What is asked for, with what the embedder's manifest says, and the manifest's `unknown`: that is about single pictures.
fn stated(arguments: &Arguments) -> anyhow::Result<(Options, f64)> {
    if !(arguments.ambiguous_rate > 0.0 && arguments.ambiguous_rate < 1.0) {
        bail!("--ambiguous-rate: {}", MetricError::NotARate(arguments.ambiguous_rate));
    }
    let models = arguments.models.open()?;
    let embedder = models.store.embedder(&models.embedder)?;
    let Some(Thresholds { accept, unknown, margin, cluster, plausible, .. }) = &embedder.thresholds else {
        bail!("the manifest of `{}` has no [thresholds], which say where its thresholds may lie", models.embedder);
    };
    // The manifest's decimals, which single precision only comes near.
    let decimals = |value: f32| (f64::from(value) * 1e6).round() / 1e6;
    let options = Options {
        false_accept_rate: arguments.false_accept_rate,
        ambiguous_rate: arguments.ambiguous_rate,
        plausible: plausible.map(decimals),
        least_margin: decimals(*margin),
        cluster_lead: decimals(cluster - accept),
    };
    Ok((options, decimals(*unknown)))
}

fn joined(scores: &[f64], cluster: f64) -> Proportion {
    Proportion::of(scores.iter().filter(|score| **score >= cluster).count(), scores.len())
}

fn scored(people: usize, faces: &[visits::Face], groups: &[visits::Group]) -> visits::Scored {
    let progress = Progress::new("visits", groups.len() as u64);
    visits::score(people, faces, groups, &progress)
}

#[cfg(test)]
mod tests;
