//! The comparison: a trained head, principal components, a random projection and all numbers, on people that none has seen.
//!
//! For every seed the people are split in two. From the first part, the training people, the head learns (it splits off its own
//! judges for early stopping), and on them the principal components and the mean that everything is centred by are fitted. On the other
//! part, the test people, all pairs of two images are scored by cosine, each pair once and all alike: those of one person, and those of
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
    /// All numbers, less the training people's mean as the three above.
    AllCentred,
    /// All numbers as the embedder gives them.
    All,
}

impl Method {
    /// In the order of a table.
    pub const EVERY: [Self; 5] = [Self::Trained, Self::Pca, Self::Random, Self::AllCentred, Self::All];

    /// What it makes of vectors: the head that was trained, or one that needs only the people it was trained on.
    ///
    /// # Errors
    /// Where these people are too few for so many principal components.
    pub fn head(self, trained: &Head, training: &FeatureSet, config: &EmbeddingConfig) -> Result<Head, TrainError> {
        match self {
            Self::Trained => Ok(trained.clone()),
            Self::Pca => pca(training, config.dimension),
            Self::Random => random_projection(training, config.dimension, config.seed),
            Self::AllCentred => centred(training),
            Self::All => Ok(identity(training.dimension())),
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
    /// One a method.
    pub summaries: Vec<Summary>,
    /// One a seed.
    pub runs: Vec<Run>,
}

/// Runs the comparison with the people who have two images or more; `progress` is told of every training step, with its seed. None where it broke.
///
/// # Errors
/// [`TrainError`] naming what the settings or the data lack.
pub fn compare(
    set: &FeatureSet,
    config: &CompareConfig,
    mut progress: impl FnMut(u64, &StepReport) -> ControlFlow<()>,
) -> Result<Option<Comparison>, TrainError> {
    if config.seeds.is_empty() {
        return Err(TrainError::setting("seeds", "names none"));
    }
    let (usable, _) = set.with_images(2);
    let mut runs = Vec::new();
    for seed in &config.seeds {
        match run(&usable, config, *seed, |report| progress(*seed, report))? {
            Some(run) => runs.push(run),
            None => return Ok(None),
        }
    }
    let summaries = Method::EVERY.into_iter().map(|method| summary(method, &runs)).collect();
    Ok(Some(Comparison { config: config.clone(), summaries, runs }))
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
    let (mut true_accept, mut pairs) = (Vec::new(), (0, 0));
    for method in Method::EVERY {
        let head = method.head(trainer.head(), &training, &recipe)?;
        let rows = head.apply(test.rows())?;
        let mut scores = Embedded { rows: &rows, dimension: head.outputs(), labels: test.labels() }.pair_scores();
        pairs = (scores.same.len(), scores.different.len());
        true_accept.push((method, scores.at_false_accept(config.false_accept_rate)?.true_accept));
    }
    Ok(Some(Run {
        seed,
        training: (training.names().len(), training.len()),
        test: (test.names().len(), test.len()),
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
        let comparison = compare(&set, &quick(), |_, _| ControlFlow::Continue(())).unwrap().unwrap();
        assert_eq!(comparison.runs.len(), 2);
        for run in &comparison.runs {
            assert_eq!((run.training, run.test), ((20, 60), (20, 60)));
            // 20 people of 3 images: 3 pairs each; 60 · 59 / 2 pairs in all.
            assert_eq!((run.same_pairs, run.different_pairs), (60, 1710));
            assert_eq!(run.true_accept.iter().map(|(method, _)| *method).collect::<Vec<_>>(), Method::EVERY);
        }
        let all = &comparison.summaries[4];
        let by_hand: Vec<f64> = comparison.runs.iter().map(|run| run.true_accept[4].1).collect();
        assert!((all.mean - (by_hand[0] + by_hand[1]) / 2.0).abs() < 1e-12);
        assert!((comparison.summaries[0].mean - all.mean - all.lead.0).abs() < 1e-12);
        let again = compare(&set, &quick(), |_, _| ControlFlow::Continue(())).unwrap().unwrap();
        assert_eq!(again, comparison);
    }

    #[test]
    fn it_can_be_interrupted_and_refuses_what_cannot_be_compared() {
        let set = people(40, 3, 12, 6);
        let mut steps = 0;
        let broken = compare(&set, &quick(), |seed, _| {
            steps += 1;
            if seed == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(broken.unwrap().is_none() && steps > 1);
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
