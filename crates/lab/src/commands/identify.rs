//! `sightline-lab identify`: is a face one of the people enrolled, and which? Open set, over several drawn splits.

use std::path::PathBuf;

use serde::Serialize;

use super::{ModelArguments, OutputArguments, embed, output};
use crate::dataset::Dataset;
use crate::faces::cosine;
use crate::metrics::identification::{
    AtFpir, Candidate, FPIRS, Measured, Sample, Search, Searches, Split, SplitRule, Summary, splits, summarise,
};
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::Spread;
use crate::report::{Column, Curve, Page, Run, Table, plot};

/// `sightline-lab identify --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Arguments {
    /// A folder a person: DATA/name/name_0001.jpg
    pub data: PathBuf,
    /// Templates a person
    #[arg(long, default_value_t = 1)]
    pub templates: usize,
    /// Share of the people with pictures enough that are strangers all the same, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    pub kept_out: f64,
    /// Draws of gallery and probes
    #[arg(long, default_value_t = 10)]
    pub splits: usize,
    /// Of the first draw
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The models
    #[command(flatten)]
    pub models: ModelArguments,
    /// Where results go
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArguments,
}

/// What the command measures, with the draws that repeat it.
#[derive(Debug, Serialize)]
pub struct Results {
    /// People of the data set, in the order of their numbers.
    pub people: Vec<String>,
    /// The figures.
    pub summary: Summary,
    /// Who was enrolled with which picture.
    pub splits: Vec<Split>,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data or the models, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let run = Run::start("identify", env!("CARGO_PKG_VERSION")).seeded(arguments.seed).settings(arguments)?;
    let dataset = Dataset::open(&arguments.data)?;
    for skipped in dataset.skipped() {
        output::note(&skipped.to_string());
    }
    let mut pictures = vec![Vec::new(); dataset.classes().len()];
    for (index, sample) in dataset.samples().iter().enumerate() {
        pictures[sample.class].push(index);
    }
    let counts: Vec<usize> = pictures.iter().map(Vec::len).collect();
    let rule = SplitRule { templates: arguments.templates, kept_out: arguments.kept_out, seed: arguments.seed };
    let drawn = splits(&counts, rule, arguments.splits)?;
    let files: Vec<String> = dataset.samples().iter().map(|sample| sample.file.clone()).collect();
    let (outcomes, mut run) = embed(&arguments.models, run, (dataset.root(), &files))?;
    let face = |sample: &Sample| outcomes[pictures[sample.person][sample.picture]].vector();
    let searches = drawn.iter().map(|split| search(split, face)).collect::<anyhow::Result<Vec<Searches>>>()?;
    let summary = summarise(&searches, &FPIRS)?;
    run.finish();
    let tables = [overview(&summary), rates(&summary)];
    for table in &tables {
        table.print()?;
    }
    let results = Results { people: dataset.classes().to_vec(), summary, splits: drawn };
    output::write(&arguments.output, &run, &results, || page(&run, &tables, &searches, arguments))
}

/// Every probe against everybody enrolled.
///
/// # Errors
/// When nobody could be enrolled, or a score is no number.
pub fn search<'a>(split: &Split, face: impl Fn(&Sample) -> Option<&'a [f32]>) -> anyhow::Result<Searches> {
    // A template without a face enrolls nobody: their probes are errors then.
    let gallery: Vec<(usize, &[f32])> =
        split.gallery.iter().filter_map(|sample| Some((sample.person, face(sample)?))).collect();
    let one = |sample: &Sample, mate: Option<usize>| {
        let candidates = face(sample).map(|probe| {
            gallery
                .iter()
                .map(|(person, template)| Candidate { person: *person, score: cosine(probe, template) })
                .collect()
        });
        Search { mate, candidates }
    };
    let mated = split.mated.iter().map(|sample| one(sample, Some(sample.person)));
    let non_mated = split.non_mated.iter().map(|sample| one(sample, None));
    let searches: Vec<Search> = mated.chain(non_mated).collect();
    let mut people: Vec<usize> = split.gallery.iter().map(|sample| sample.person).collect();
    people.dedup();
    Ok(Searches::new(&searches, people.len())?)
}

fn percent(spread: &Spread) -> String {
    format!("{:.4} ± {:.4}", spread.mean, spread.sem)
}

fn overview(summary: &Summary) -> Table {
    let mut table = Table::new([Column::text("figure"), Column::text("value")]);
    let span = |values: &[usize]| match (values.iter().min(), values.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "0".to_owned(),
    };
    table.row(["splits", &summary.splits.to_string()]);
    table.row(["probes of enrolled people, a split", &span(&summary.mated)]);
    table.row(["probes of strangers, a split", &span(&summary.non_mated)]);
    let (mated, non_mated) = summary.missed;
    table.row(["probes without a face, all splits", &format!("{mated} and {non_mated}")]);
    table.row(["rank 1 (mean ± standard error)", &percent(&summary.rank_1)]);
    table.row(["rank 5", &percent(&summary.rank_5)]);
    table
}

fn rates(summary: &Summary) -> Table {
    let mut table = Table::new([
        Column::number("FPIR"),
        Column::text("DIR (mean ± standard error)"),
        Column::text("FNIR"),
        Column::text("threshold"),
        Column::text("rests on"),
    ]);
    for AtFpir { asked, measured } in &summary.dir {
        match measured {
            Measured::Shown { evidence, dir, threshold, .. } => {
                let rests = match evidence {
                    Evidence::Sound => "enough probes",
                    Evidence::Weak => "weak: fewer than ten false alarms",
                };
                let threshold =
                    threshold.as_ref().map_or_else(|| "none".to_owned(), |spread| format!("{:.4}", spread.mean));
                table.row([&asked.to_string(), &percent(dir), &format!("{:.4}", 1.0 - dir.mean), &threshold, rests]);
            }
            Measured::Refused { reason } => {
                table.row([&asked.to_string(), "refused", "", "", reason]);
            }
        }
    }
    table
}

fn page(run: &Run, tables: &[Table], searches: &[Searches], arguments: &Arguments) -> anyhow::Result<Page> {
    let name = format!("{} + {}", arguments.models.detector, arguments.models.embedder);
    let mut page = Page::new("Identification");
    page.section("Figures");
    for table in tables {
        page.table(table);
    }
    // A log scale has no zero.
    let curve = |(index, searches): (usize, &Searches)| {
        let points =
            searches.curve().into_iter().filter(|point| point.fpir > 0.0).map(|point| (point.fpir, 1.0 - point.fnir));
        Curve::new(&format!("{name}, split {}", index + 1), points.collect())
    };
    let curves: Vec<Curve> = searches.iter().take(1).enumerate().map(curve).collect();
    page.section("Curve").figure(
        &plot::roc(&curves, &[])?
            .titled("DIR over FPIR", "Found and rightly named, over strangers taken for somebody."),
    );
    page.section("Run").run(run);
    Ok(page)
}
