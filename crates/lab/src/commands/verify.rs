//! `sightline-lab verify`: are two pictures of the same person? LFW's protocol over a list of pairs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use super::{ModelArguments, OutputArguments, embed, output};
use crate::dataset::{LocatedPair, Pairs as PairsFile};
use crate::faces::{Outcome, cosine};
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::{Proportion, Spread};
use crate::metrics::verification::{
    Accuracy, BestAccuracy, EqualError, Missed, OperatingPoint, Pair, Pairs, Scale, TarAtFar, ThresholdPolicy, Val,
};
use crate::report::{Column, Curve, Mistake, Page, Picture, Run, Table, plot};

/// False accept rates that are asked for.
const FARS: [f64; 5] = [0.1, 0.01, 0.001, 0.0001, 0.000_01];

/// The false accept rate at which the validation rate is given.
const VAL_FAR: f64 = 0.001;

/// Worst pairs of each kind that the page shows.
const MISTAKES: usize = 12;

/// `sightline-lab verify --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Arguments {
    /// A folder a person: DATA/name/name_0001.jpg
    pub data: PathBuf,
    /// LFW's list of pairs
    #[arg(long)]
    pub pairs: PathBuf,
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
    /// Options of others' evaluations that are not used here.
    pub flip: bool,
    /// The same.
    pub subtract_mean: bool,
    /// Pairs of the same person and of different people.
    pub pairs: (usize, usize),
    /// Pairs in which a face was missed: they count as errors.
    pub missed: Missed,
    /// Thresholds from the scores of the other folds.
    pub accuracy: Option<Accuracy>,
    /// Thresholds from LFW's grid on the other folds.
    pub accuracy_on_grid: Option<Accuracy>,
    /// With the threshold chosen on all pairs: flattering.
    pub best: BestAccuracy,
    /// Validation rate, or why there is none.
    pub val: Result<Val, String>,
    /// True accept rates, or why there is none.
    pub tar: Vec<(f64, Result<TarAtFar, String>)>,
    /// No false accept at all.
    pub without_false_accept: OperatingPoint,
    /// Area under the ROC curve.
    pub auc: f64,
    /// Equal error rate.
    pub equal_error: EqualError,
    /// Scores of the same person.
    pub same: Option<Spread>,
    /// Scores of different people.
    pub different: Option<Spread>,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data or the models, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut run = Run::start("verify", env!("CARGO_PKG_VERSION")).settings(arguments)?;
    let list = arguments.pairs.display();
    let text = std::fs::read_to_string(&arguments.pairs).with_context(|| list.to_string())?;
    let located = PairsFile::parse(&text).with_context(|| list.to_string())?.locate(&arguments.data);
    for missing in &located.missing {
        output::note(&format!("{list}: {missing}"));
    }
    let lines: Vec<(usize, &LocatedPair)> =
        located.folds.iter().enumerate().flat_map(|(fold, pairs)| pairs.iter().map(move |pair| (fold, pair))).collect();
    let mut files: Vec<String> = lines.iter().flat_map(|(_, pair)| [pair.first.clone(), pair.second.clone()]).collect();
    files.sort();
    files.dedup();
    let (outcomes, noted) = embed(&arguments.models, run, (&arguments.data, &files))?;
    run = noted;
    let vectors: BTreeMap<&str, &[f32]> = files
        .iter()
        .zip(&outcomes)
        .filter_map(|(file, outcome)| Some((file.as_str(), Outcome::vector(outcome)?)))
        .collect();
    let score =
        |pair: &LocatedPair| Some(cosine(vectors.get(pair.first.as_str())?, vectors.get(pair.second.as_str())?));
    let scored = lines.iter().map(|(fold, pair)| Pair { same: pair.same, fold: *fold, score: score(pair) }).collect();
    let pairs = Pairs::new(scored)?;
    let results = measure(&pairs)?;
    run.finish();
    let tables = [summary(&results), rates(&results)];
    for table in &tables {
        table.print()?;
    }
    output::write(&arguments.output, &run, &results, || page(&run, &tables, &pairs, (arguments, &lines)))
}

/// All figures of the pairs.
///
/// # Errors
/// When the pairs show nothing at all.
pub fn measure(pairs: &Pairs) -> anyhow::Result<Results> {
    let refused = |error: crate::metrics::MetricError| error.to_string();
    let tar = |far: &f64| (*far, pairs.tar_at_far(*far).map_err(refused));
    Ok(Results {
        protocol: "unrestricted, labeled outside data",
        flip: false,
        subtract_mean: false,
        pairs: (pairs.same(), pairs.different()),
        missed: pairs.missed(),
        // One fold has no others to take a threshold from.
        accuracy: pairs.accuracy(ThresholdPolicy::Scores).ok(),
        accuracy_on_grid: pairs.accuracy(ThresholdPolicy::LfwGrid(Scale::Cosine)).ok(),
        best: pairs.best_accuracy(ThresholdPolicy::Scores)?,
        val: pairs.val_at_far(VAL_FAR, Scale::Cosine).map_err(refused),
        tar: FARS.iter().map(tar).collect(),
        without_false_accept: pairs.tar_at_false_accepts(0),
        auc: pairs.auc(),
        equal_error: pairs.equal_error(),
        same: pairs.scores(true),
        different: pairs.scores(false),
    })
}

fn spread(spread: &Spread) -> String {
    format!("{:.4} ± {:.4} (standard error {:.4})", spread.mean, spread.std, spread.sem)
}

fn interval(share: &Proportion) -> String {
    format!("{:.4} ({:.4} to {:.4})", share.rate, share.low, share.high)
}

fn summary(results: &Results) -> Table {
    let mut table = Table::new([Column::text("figure"), Column::text("value")]);
    let (same, different) = results.pairs;
    table.row(["pairs", &format!("{same} of the same person, {different} of different people")]);
    let missed = results.missed;
    table.row(["a face missed (errors)", &format!("{} of the same, {} of different", missed.same, missed.different)]);
    table.row(["flip, mean subtraction", "off, off"]);
    for (name, accuracy) in [("accuracy", &results.accuracy), ("accuracy on LFW's grid", &results.accuracy_on_grid)] {
        let value = accuracy.as_ref().map_or_else(
            || "needs two folds".to_owned(),
            |accuracy| format!("{} over {} folds", spread(&accuracy.spread), accuracy.folds.len()),
        );
        table.row([name, &value]);
    }
    let best = format!("{} at {:.4}", interval(&results.best.correct), results.best.threshold);
    table.row(["best accuracy (threshold chosen on all pairs)", &best]);
    table.row(["area under the ROC curve", &format!("{:.5}", results.auc)]);
    for (name, scores) in
        [("scores of the same person", &results.same), ("scores of different people", &results.different)]
    {
        if let Some(scores) = scores {
            table.row([name, &format!("{:.4} ± {:.4}", scores.mean, scores.std)]);
        }
    }
    table
}

fn rates(results: &Results) -> Table {
    let mut table = Table::new([
        Column::number("false accept rate"),
        Column::text("true accept rate (95 %)"),
        Column::number("threshold"),
        Column::text("rests on"),
    ]);
    let threshold = |threshold: Option<f64>| threshold.map_or_else(|| "none".to_owned(), |score| format!("{score:.4}"));
    for (far, tar) in &results.tar {
        match tar {
            Ok(TarAtFar { evidence, point, .. }) => {
                let rests = match evidence {
                    Evidence::Sound => "enough pairs",
                    Evidence::Weak => "weak: fewer than ten false accepts",
                };
                table.row([&far.to_string(), &interval(&point.tar), &threshold(point.threshold), rests]);
            }
            Err(reason) => {
                table.row([&far.to_string(), "refused", "", reason]);
            }
        }
    }
    let none = &results.without_false_accept;
    table.row(["no false accept", &interval(&none.tar), &threshold(none.threshold), "these pairs alone"]);
    match &results.val {
        Ok(val) => table.row([&format!("{VAL_FAR} (VAL)"), &spread(&val.val), "", "mean over the folds"]),
        Err(reason) => table.row([&format!("{VAL_FAR} (VAL)"), "refused", "", reason]),
    };
    table
}

fn page(
    run: &Run,
    tables: &[Table],
    pairs: &Pairs,
    (arguments, lines): (&Arguments, &[(usize, &LocatedPair)]),
) -> anyhow::Result<Page> {
    let name = format!("{} + {}", arguments.models.detector, arguments.models.embedder);
    let roc = pairs.roc().iter().map(|point| (point.far, point.tar)).collect();
    let det = pairs.roc().iter().map(|point| (point.far, 1.0 - point.tar)).collect();
    let of = |same| -> Vec<f64> {
        pairs.pairs().iter().filter(|pair| pair.same == same).filter_map(|pair| pair.score).collect()
    };
    let mut page = Page::new("Verification");
    page.section("Figures");
    for table in tables {
        page.table(table);
    }
    page.section("Curves").figure(&plot::roc(&[Curve::new(&name, roc)], &[])?);
    page.figure(&plot::det(&[Curve::new(&name, det)], &[])?);
    page.section("Scores").figure(&plot::scores(&of(true), &of(false), &[])?);
    for same in [true, false] {
        page.section(if same { "Same person, least alike" } else { "Different people, most alike" });
        page.mistakes(&worst(pairs, (arguments, lines), same));
    }
    page.section("Run").run(run);
    Ok(page)
}

/// The pairs whose score says least what they are.
fn worst(pairs: &Pairs, (arguments, lines): (&Arguments, &[(usize, &LocatedPair)]), same: bool) -> Vec<Mistake> {
    let of_kind = pairs.pairs().iter().zip(lines).filter(|(pair, _)| pair.same == same);
    let mut scored: Vec<(f64, &LocatedPair)> =
        of_kind.filter_map(|(pair, (_, line))| Some((pair.score?, *line))).collect();
    scored.sort_by(|a, b| if same { a.0.total_cmp(&b.0) } else { b.0.total_cmp(&a.0) });
    let picture = |file: &str| Some(Picture::new(std::fs::read(arguments.data.join(file)).ok()?, file));
    let mistake = |(score, pair): &(f64, &LocatedPair)| {
        let pictures = [&pair.first, &pair.second].into_iter().filter_map(|file| picture(file)).collect();
        Mistake::new(&format!("score {score:.3}"), pictures)
    };
    scored.iter().take(MISTAKES).map(mistake).collect()
}
