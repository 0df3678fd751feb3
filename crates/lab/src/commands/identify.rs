//! `sightline-lab identify`: is a face one of the people enrolled, and which? Open set, over several drawn splits.

mod page;
mod tables;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::methods::{embed_each, methods};
use super::{ModelArguments, OutputArguments, output};
use crate::dataset::Dataset;
use crate::faces::{Outcome, cosine};
use crate::metrics::MetricError;
use crate::metrics::identification::{
    Candidate, FPIRS, Sample, Search, Searches, Split, SplitRule, Summary, always_strangers, splits, summarise,
};
use crate::report::Run;

/// `sightline-lab identify --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(
    mut_arg("detector", |argument| argument.help("Finds the faces: centerface, mtcnn, yunet; several, separated by commas, are put side by side")),
    mut_arg("embedder", |argument| argument.help("Turns faces into vectors: facenet, dlib, or a manifest's id in the folder that SIGHTLINE_MODELS names; several, separated by commas, are put side by side")),
)]
pub struct Arguments {
    /// A folder a person: DATA/name/name_0001.jpg
    pub data: PathBuf,
    /// Templates a person
    #[arg(long, default_value_t = 1)]
    pub templates: usize,
    /// Share of the people with pictures enough that are strangers all the same, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    pub kept_out: f64,
    /// Draws of gallery and probes, at least 2
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
    /// Strangers' probes that all splits have: what these decide, the spread over the splits does not show.
    pub strangers_in_all: usize,
    /// The figures of each method.
    pub methods: Vec<Measured>,
    /// Methods without figures, and why.
    pub failed: Vec<String>,
    /// Who was enrolled with which picture.
    pub splits: Vec<Split>,
}

/// What the splits show of one method.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// The detector and the embedder.
    pub name: String,
    /// The figures.
    pub summary: Summary,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data or the models, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let run = Run::start("identify", env!("CARGO_PKG_VERSION")).seeded(arguments.seed).settings(arguments)?;
    let Arguments { templates, kept_out, splits: count, seed, .. } = *arguments;
    if count < 2 {
        bail!("--splits {count}: it takes 2 draws to see how far they differ");
    }
    if templates == 0 {
        bail!("--templates 0 enrolls nobody: it takes 1");
    }
    if !(0.0..=1.0).contains(&kept_out) {
        bail!("--kept-out {kept_out} is no share: it lies between 0 and 1");
    }
    let dataset = Dataset::open(&arguments.data)?;
    for skipped in dataset.skipped() {
        output::note(&skipped.to_string());
    }
    let drawn = splits(&dataset.counts(), SplitRule { templates, kept_out, seed }, count).with_context(|| {
        let single = dataset.counts().iter().filter(|count| **count == 1).count();
        let (people, data) = (dataset.classes().len(), arguments.data.display());
        format!(
            "{data} has {people} people, {single} of them with one picture: who is enrolled needs more pictures than --templates, \
             and somebody must be left as a stranger, by having fewer or by --kept-out 0.5"
        )
    })?;
    let files: Vec<String> = dataset.samples().iter().map(|sample| sample.file.clone()).collect();
    let mut embedded = embed_each(&methods(&arguments.models)?, run, (dataset.root(), &files))?;
    let measured: Vec<(Measured, Vec<Searches>)> = embedded.measured(|method, outcomes| {
        let faces = Faces::new(&dataset, outcomes);
        let searches = drawn.iter().map(|split| search(split, |sample| faces.vector(sample)));
        let searches = searches.collect::<Result<Vec<_>, _>>()?;
        Ok((Measured { name: method.name.clone(), summary: summarise(&searches, &FPIRS)? }, searches))
    })?;
    let faces: Vec<Faces<'_>> = embedded.done.iter().map(|(_, outcomes)| Faces::new(&dataset, outcomes)).collect();
    let mut run = embedded.run;
    run.finish();
    let (methods, searches): (Vec<Measured>, Vec<Vec<Searches>>) = measured.into_iter().unzip();
    let results = Results {
        people: dataset.classes().to_vec(),
        strangers_in_all: always_strangers(&drawn),
        methods,
        failed: embedded.failed,
        splits: drawn,
    };
    let tables = tables::all(&results);
    let page = || page::page(&run, &tables, &results, (&dataset, &faces, &searches));
    let finished = output::finish(&arguments.output, (&run, &results), &tables, page);
    tables::remarks(&results).iter().for_each(|remark| output::note(remark));
    finished
}

/// A picture's file, and its vector if it has one.
type Face<'a> = (&'a str, Option<&'a [f32]>);

/// The pictures of a data set by person, as the splits name them, with their vectors.
struct Faces<'a> {
    of_person: Vec<Vec<Face<'a>>>,
}

impl<'a> Faces<'a> {
    fn new(dataset: &'a Dataset, outcomes: &'a [Outcome]) -> Self {
        let mut of_person = vec![Vec::new(); dataset.classes().len()];
        for (sample, outcome) in dataset.samples().iter().zip(outcomes) {
            of_person[sample.class].push((sample.file.as_str(), outcome.vector()));
        }
        Self { of_person }
    }

    fn vector(&self, sample: &Sample) -> Option<&'a [f32]> {
        self.of_person[sample.person][sample.picture].1
    }

    fn file(&self, sample: &Sample) -> &'a str {
        self.of_person[sample.person][sample.picture].0
    }
}

/// Every probe against everybody enrolled.
///
/// # Errors
/// When a score is no number.
pub fn search<'a>(split: &Split, face: impl Fn(&Sample) -> Option<&'a [f32]>) -> Result<Searches, MetricError> {
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
    let people: BTreeSet<usize> = gallery.iter().map(|(person, _)| *person).collect();
    Searches::new(&searches, people.len())
}

#[cfg(test)]
mod tests {
    use super::search;
    use crate::metrics::identification::{Sample, Split};

    #[test]
    fn a_template_without_a_face_enrolls_nobody_and_leaves_the_others() {
        let sample = |person, picture| Sample { person, picture };
        let split = Split {
            seed: 1,
            gallery: vec![sample(0, 0), sample(1, 0), sample(2, 0)],
            mated: vec![sample(0, 1), sample(1, 1), sample(2, 1)],
            non_mated: vec![sample(3, 0)],
        };
        let vectors = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, 0.6]];
        let face = |sample: &Sample| (*sample != Sample { person: 1, picture: 0 }).then(|| &vectors[sample.person][..]);
        let searches = search(&split, face).unwrap();
        assert_eq!((searches.mated(), searches.non_mated(), searches.missed()), (3, 1, (0, 0)));
        // The second person cannot be found, at any rank.
        for rank in [1, 2, 5] {
            let found = searches.rank(rank).unwrap();
            assert_eq!((found.events, found.trials), (2, 3), "rank {rank}");
        }
    }
}
