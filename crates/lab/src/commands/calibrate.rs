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
use crate::metrics::calibration::{
    Calibration, Options, Own, STRANGERS, Template, Warning, calibrate, template_warnings,
};
use crate::metrics::rate::allowance;
use crate::metrics::statistics::Proportion;
use crate::progress::Progress;
use crate::report::Run;

use visits::Material;

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
    /// Pictures that make a visit, the best of one that faces.jsonl tells of; the pipeline fuses at most `track.max_embeds`
    #[arg(long, default_value_t = 3, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100))]
    pub pictures: usize,
    /// Smallest face that counts, pixels: `identify.min_face`
    #[arg(long, default_value_t = 40)]
    pub least_face: u32,
    /// Of the drawing of visits from pictures of which no visit is known
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the thresholds as a piece of configuration; replaces no file but one that this made
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
            Warning::AcceptImplausible { .. } | Warning::ClusterCapped { .. } => 0,
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
    if let Some(file) = &arguments.write {
        fragment::check(file)?;
    }
    let dataset = Dataset::open(&arguments.data)?;
    for skipped in dataset.skipped() {
        output::note(&skipped.to_string());
    }
    let people = dataset.classes();
    let known = dataset.visits().with_context(|| dataset.root().join("faces.jsonl").display().to_string())?;
    let all =
        Material::of(people.len(), dataset.samples().iter().map(|sample| sample.class).zip(known.iter().copied()));
    if let Some(note) = single(people, &all) {
        output::note(&note);
    }
    enough(&all, arguments).with_context(|| dataset.root().display().to_string())?;
    let (options, stranger) = stated(arguments)?;
    let faces::Found { faces, pictures, mut run } = faces::find(arguments, run, &dataset, &known)?;
    let counts = Material::of(people.len(), faces.iter().map(|face| (face.person, face.visit)));
    enough(&counts, arguments).with_context(|| format!("{}, pictures that count", dataset.root().display()))?;
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
        people: counts.iter().filter(|one| **one != Material::default()).count(),
        pictures,
        pictures_a_visit: arguments.pictures,
        made: visits::made(people.len(), &faces, &groups, arguments.pictures),
        true_joins: joined(&scored.same, calibration.thresholds.cluster),
        calibration,
        templates: template_warnings(people, &templates, accept, stranger)?,
    };
    run.finish();
    let tables = [tables::thresholds(&results), tables::shown(&results), tables::data(&results)];
    let fragment = arguments.write.as_ref().map_or(Ok(()), |file| fragment::write(file, &run, &results));
    let seen = page::Seen { people, root: dataset.root(), faces: &faces, scored: &scored };
    let page = || page::page(&run, &tables, &results, &seen);
    let finished = output::finish(&arguments.output, (&run, &results), &tables, page);
    let warnings = results.warnings();
    for warning in warnings.iter().take(TOLD) {
        output::note(&format!("warning: {warning}"));
    }
    if warnings.len() > TOLD {
        output::note(&format!("{} more warnings are in --json and --html", warnings.len() - TOLD));
    }
    output::together([fragment, finished])
}

/// Whom a single picture or visit shows is known, so it counts as a stranger's and as somebody to be taken for.
fn single(people: &[String], all: &[Material]) -> Option<String> {
    let of =
        |which: Material| people.iter().zip(all).filter(move |(_, one)| **one == which).map(|(name, _)| name.as_str());
    let (picture, visit) = (Material { visits: 0, pictures: 1 }, Material { visits: 1, pictures: 0 });
    let told = [("picture", of(picture).collect()), ("visit", of(visit).collect())];
    let told: Vec<String> = told
        .into_iter()
        .filter_map(|(what, who): (_, Vec<&str>)| match who[..] {
            [] => None,
            [only] => Some(format!("{only} has one {what}")),
            [first, ..] => Some(format!("{} people, the first: {first}, have one {what}", who.len())),
        })
        .collect();
    let what = "counts as a stranger's visit and as somebody to be taken for, but does not show whether its person is recognised";
    (!told.is_empty()).then(|| format!("{}: that {what}", told.join(" and ")))
}

/// Whether people of whom there is so much can show the rate. Asked before the pictures are looked at, and after.
fn enough(all: &[Material], arguments: &Arguments) -> anyhow::Result<()> {
    let people = all.iter().filter(|one| **one != Material::default()).count();
    if people < 2 {
        bail!(
            "pictures of {people} person: thresholds need two or more, for nobody else can be taken for the only one"
        );
    }
    let are_known = all.iter().any(|one| one.visits > 0);
    if all.iter().all(|one| one.possible(arguments.pictures) < 2) {
        let of = if are_known { " that are not of one visit" } else { "" };
        bail!("nobody has two pictures{of}: one is needed as a template and one to be compared with it");
    }
    let visits = all.iter().map(|one| one.possible(arguments.pictures)).sum();
    if let Err(error) = allowance(arguments.false_accept_rate, visits, STRANGERS) {
        match error {
            MetricError::RateTooSmall { .. } if are_known => {
                bail!("--false-accept-rate: {error}; or give more people or visits")
            }
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
        own: Some(Own { accept: decimals(*accept), cluster: decimals(*cluster) }),
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
