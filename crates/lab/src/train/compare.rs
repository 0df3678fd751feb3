//! The comparison: a trained head, principal components, a random projection and all numbers, on people that none has seen.
//!
//! For every seed the people are split in two. Of the first part, the training people, some judge when the head stops; from the others
//! it learns, and on these others alone the principal components and the mean that everything is centred by are fitted as well: a
//! method that is given more people would win by them. On the other part, the test people, all pairs of two images are scored by cosine, each pair once and all alike: those of one person, and those of
//! two different people. The embedder's vectors are there twice, centred like the others and untouched as they are in use without a head.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::metrics::statistics::Spread;
use crate::train::baseline::{centred, identity, pca, random_projection};
use crate::train::embedding::EmbeddingConfig;
use crate::train::error::TrainError;
use crate::train::features::FeatureSet;
use crate::train::head::Head;
use crate::train::metric::Embedded;
use crate::train::trainer::{Outcome, StepReport, Trainer};

/// What is compared and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompareConfig {
    /// One run each. A seed decides the split, the training and the projection.
    pub seeds: Vec<u64>,
    /// Share of the people that test.
    pub test: f64,
    /// Rate of false acceptance at which true acceptance is read.
    pub false_accept_rate: f64,
    /// How the head is trained; its seed is the run's.
    pub training: EmbeddingConfig,
}

impl Default for CompareConfig {
    fn default() -> Self {
        Self { seeds: vec![1, 2, 3, 4, 5], test: 0.5, false_accept_rate: 0.01, training: EmbeddingConfig::default() }
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The trained head.
    Trained,
    /// As many principal components.
    Pca,
    /// A random projection onto as many numbers.
    Random,
    /// All numbers, less the mean of the people learned from, as the three above.
    AllCentred,
    /// All numbers as the embedder gives them.
    All,
}

impl Method {
    /// In the order of a table.
    pub const EVERY: [Self; 5] = [Self::Trained, Self::Pca, Self::Random, Self::AllCentred, Self::All];

    /// What it makes of vectors: the head that was trained, or one that needs only the people it learned from.
    ///
    /// # Errors
    /// Where these people are too few for so many principal components.
    pub fn head(self, trained: &Head, learned: &FeatureSet, config: &EmbeddingConfig) -> Result<Head, TrainError> {
        match self {
            Self::Trained => Ok(trained.clone()),
            Self::Pca => pca(learned, config.dimension),
            Self::Random => random_projection(learned, config.dimension, config.seed),
            Self::AllCentred => centred(learned),
            Self::All => Ok(identity(learned.dimension())),
        }
    }
}

/// A seed's split and figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// People and images of the training part, the head's judges among them.
    pub training: (usize, usize),
    /// Those of them that the head learned from, and that everything else was fitted on.
    pub learned: (usize, usize),
    /// People and images of the test part.
    pub test: (usize, usize),
    /// Test pairs of one person.
    pub same_pairs: usize,
    /// Test pairs of two people.
    pub different_pairs: usize,
    /// Epochs trained.
    pub epochs: u32,
    /// The epoch whose head was taken; 0 is the start.
    pub best_epoch: u32,
    /// True acceptance of every method.
    pub true_accept: Vec<(Method, f64)>,
}

/// Several runs of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method.
    pub method: Method,
    /// Mean of true acceptance over the runs.
    pub mean: f64,
    /// Its standard deviation (n - 1); zero for one run.
    pub deviation: f64,
    /// The lowest and the highest.
    pub range: (f64, f64),
    /// Mean and standard deviation of the trained head's lead over this method, run by run: the runs differ by their people more
    /// than the methods by their figures.
    pub lead: (f64, f64),
}

/// The whole comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What was compared and how.
    pub config: CompareConfig,
    /// One a method; none without a run.
    pub summaries: Vec<Summary>,
    /// One a seed, or fewer where it was interrupted.
    pub runs: Vec<Run>,
}

impl Comparison {
    /// Whether every seed has its run.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.runs.len() == self.config.seeds.len()
    }
}

/// Runs the comparison with the people who have two images or more; `progress` is told of every training step, with its seed. Where it
/// breaks, the finished runs are what there is.
///
/// # Errors
/// [`TrainError`] naming what the settings or the data lack.
pub fn compare(
    set: &FeatureSet,
    config: &CompareConfig,
    mut progress: impl FnMut(u64, &StepReport) -> ControlFlow<()>,
) -> Result<Comparison, TrainError> {
    if config.seeds.is_empty() {
        return Err(TrainError::setting("seeds", "names none"));
    }
    let (usable, _) = set.with_images(2);
    let mut runs = Vec::new();
    for seed in &config.seeds {
        match run(&usable, config, *seed, |report| progress(*seed, report))? {
            Some(run) => runs.push(run),
            None => break,
        }
    }
    let summarised = Method::EVERY.into_iter().filter(|_| !runs.is_empty());
    let summaries = summarised.map(|method| summary(method, &runs)).collect();
    Ok(Comparison { config: config.clone(), summaries, runs })
}

fn run(
    set: &FeatureSet,
    config: &CompareConfig,
    seed: u64,
    progress: impl FnMut(&StepReport) -> ControlFlow<()>,
) -> Result<Option<Run>, TrainError> {
    // The trainer splits the training people by the same seed; being other people, they are split independently.
    let (training, test) = set.split_people(config.test, seed)?;
    let recipe = EmbeddingConfig { seed, ..config.training.clone() };
    let mut trainer = Trainer::embedding(&training, recipe.clone())?;
    if trainer.run(progress)? == Outcome::Interrupted {
        return Ok(None);
    }
    let size = |set: &FeatureSet| (set.names().len(), set.len());
    let (mut true_accept, mut pairs) = (Vec::new(), (0, 0));
    for method in Method::EVERY {
        let head = method.head(trainer.head(), trainer.training(), &recipe)?;
        let rows = head.apply(test.rows())?;
        let mut scores = Embedded { rows: &rows, dimension: head.outputs(), labels: test.labels() }.pair_scores();
        pairs = (scores.same.len(), scores.different.len());
        true_accept.push((method, scores.at_false_accept(config.false_accept_rate)?.true_accept));
    }
    Ok(Some(Run {
        seed,
        training: size(&training),
        learned: size(trainer.training()),
        test: size(&test),
        same_pairs: pairs.0,
        different_pairs: pairs.1,
        epochs: trainer.history().len() as u32 - 1,
        best_epoch: trainer.best().epoch,
        true_accept,
    }))
}

fn summary(method: Method, runs: &[Run]) -> Summary {
    let of = |run: &Run, wanted: Method| {
        run.true_accept.iter().find(|(method, _)| *method == wanted).map_or(f64::NAN, |(_, value)| *value)
    };
    let values: Vec<f64> = runs.iter().map(|run| of(run, method)).collect();
    let leads: Vec<f64> = runs.iter().map(|run| of(run, Method::Trained) - of(run, method)).collect();
    let (mean, deviation) = spread(&values);
    let range = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    Summary { method, mean, deviation, range, lead: spread(&leads) }
}

/// Mean and standard deviation (n - 1); zero for one value.
fn spread(values: &[f64]) -> (f64, f64) {
    match Spread::of_sample(values) {
        Some(spread) => (spread.mean, spread.std),
        None => (values.first().copied().unwrap_or(f64::NAN), 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::testing::people;

    fn quick() -> CompareConfig {
        let training = EmbeddingConfig { dimension: 4, epochs: 2, learning_rate: 1e-3, ..EmbeddingConfig::default() };
        CompareConfig { seeds: vec![1, 2], false_accept_rate: 0.05, training, ..CompareConfig::default() }
    }

    #[test]
    fn mean_and_spread() {
        assert_eq!(spread(&[1.0, 2.0, 3.0]), (2.0, 1.0));
        assert_eq!(spread(&[5.0]), (5.0, 0.0));
    }

    #[test]
    fn every_method_is_measured_on_the_same_unseen_pairs() {
        let set = people(40, 3, 12, 6);
        let comparison = compare(&set, &quick(), |_, _| ControlFlow::Continue(())).unwrap();
        assert!(comparison.complete());
        assert_eq!(comparison.runs.len(), 2);
        for run in &comparison.runs {
            assert_eq!((run.training, run.learned, run.test), ((20, 60), (16, 48), (20, 60)));
            // 20 people of 3 images: 3 pairs each; 60 · 59 / 2 pairs in all.
            assert_eq!((run.same_pairs, run.different_pairs), (60, 1710));
            assert_eq!(run.true_accept.iter().map(|(method, _)| *method).collect::<Vec<_>>(), Method::EVERY);
        }
        let all = &comparison.summaries[4];
        let by_hand: Vec<f64> = comparison.runs.iter().map(|run| run.true_accept[4].1).collect();
        assert!((all.mean - (by_hand[0] + by_hand[1]) / 2.0).abs() < 1e-12);
        assert!((comparison.summaries[0].mean - all.mean - all.lead.0).abs() < 1e-12);
        let again = compare(&set, &quick(), |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(again, comparison);
    }

    #[test]
    fn where_no_epoch_beats_the_start_the_head_is_level_with_the_principal_components() {
        let mut config = quick();
        // Steps so small that no weight moves.
        (config.training.learning_rate, config.seeds) = (1e-30, vec![1, 2, 3]);
        let comparison = compare(&people(40, 3, 12, 6), &config, |_, _| ControlFlow::Continue(())).unwrap();
        for run in &comparison.runs {
            assert_eq!(run.best_epoch, 0);
            assert_eq!(run.true_accept[0].1, run.true_accept[1].1, "{run:?}");
        }
    }

    #[test]
    fn an_interruption_leaves_the_finished_runs() {
        let set = people(40, 3, 12, 6);
        let broken = |at: u64| {
            let progress =
                |seed, _: &StepReport| if seed == at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            compare(&set, &quick(), progress).unwrap()
        };
        let (first, none) = (broken(2), broken(1));
        assert!(!first.complete() && !none.complete());
        assert_eq!((first.runs.len(), first.summaries.len(), first.runs[0].seed), (1, 5, 1));
        assert!(none.runs.is_empty() && none.summaries.is_empty());
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let set = people(40, 3, 12, 6);
        let refused = |set: &FeatureSet, config: &CompareConfig| {
            compare(set, config, |_, _| ControlFlow::Continue(())).unwrap_err().to_string()
        };
        assert!(refused(&set, &CompareConfig { seeds: Vec::new(), ..quick() }).contains("seeds"));
        assert!(
            refused(&set, &CompareConfig { false_accept_rate: 1e-5, ..quick() })
                .contains("1710 pairs of different people")
        );
        assert!(refused(&people(40, 1, 12, 6), &quick()).contains("0 people"));
        assert!(refused(&people(1, 40, 12, 6), &quick()).contains("1 people"));
    }
}
