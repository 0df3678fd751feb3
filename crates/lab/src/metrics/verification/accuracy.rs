//! Pair accuracy: the threshold is chosen on the other folds and applied to the one.

use serde::Serialize;

use super::{Pair, Pairs, Scale, Sides, below};
use crate::metrics::error::MetricError;
use crate::metrics::statistics::{Proportion, Spread};

/// Steps of LFW's grid as davidsandberg/facenet walks it: squared distances 0, 0.01, … 3.99.
const GRID_STEPS: u32 = 400;
const GRID_STEP: f64 = 0.01;

/// Where thresholds come from. Of several that are equally good the lowest is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdPolicy {
    /// The scores of the other folds themselves. Thresholds are scores; from the threshold on a pair is the same.
    Scores,
    /// LFW's grid of squared distances from 0 to 4 in steps of 0.01. Thresholds are squared distances; strictly below a
    /// pair is the same.
    LfwGrid(Scale),
}

/// Accuracy of one fold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FoldAccuracy {
    /// The fold.
    pub fold: usize,
    /// Chosen on the other folds; its unit is the policy's.
    pub threshold: f64,
    /// Right answers of the fold's pairs.
    pub correct: Proportion,
}

/// Accuracy over all folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Where the thresholds come from.
    pub policy: ThresholdPolicy,
    /// One a fold, ascending.
    pub folds: Vec<FoldAccuracy>,
    /// Over the folds: mean, standard deviation (over all, as numpy's) and that divided by the root of their number.
    pub spread: Spread,
}

/// The best that one threshold does on all pairs: flattering, since it was chosen on what it is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BestAccuracy {
    /// Its unit is the policy's.
    pub threshold: f64,
    /// Right answers of all pairs.
    pub correct: Proportion,
}

impl ThresholdPolicy {
    /// The values that the thresholds of this policy are compared with.
    fn sides(self, pairs: &[Pair], keep: impl Fn(usize) -> bool) -> Sides {
        let kept = pairs.iter().filter(|pair| keep(pair.fold));
        Sides::of(kept, |score| match self {
            Self::Scores => score + 0.0,
            Self::LfwGrid(scale) => scale.squared_distance(score),
        })
    }

    fn candidates(self, sides: &Sides) -> Vec<f64> {
        match self {
            Self::Scores => sides.values(),
            Self::LfwGrid(_) => (0..GRID_STEPS).map(|step| f64::from(step) * GRID_STEP).collect(),
        }
    }

    /// Right answers at a threshold; pairs without a score are not among `sides` and so never right.
    fn correct(self, sides: &Sides, threshold: f64) -> usize {
        let (same, different) = (below(&sides.same, threshold), below(&sides.different, threshold));
        match self {
            Self::Scores => sides.same.len() - same + different,
            Self::LfwGrid(_) => same + sides.different.len() - different,
        }
    }

    fn best(self, sides: &Sides) -> Result<f64, MetricError> {
        let mut best: Option<(usize, f64)> = None;
        for threshold in self.candidates(sides) {
            let correct = self.correct(sides, threshold);
            if best.is_none_or(|(most, _)| correct > most) {
                best = Some((correct, threshold));
            }
        }
        best.map(|(_, threshold)| threshold)
            .ok_or(MetricError::Nothing("score in the other folds to choose a threshold on"))
    }
}

impl Pairs {
    /// Accuracy by folds: for each fold the threshold that is best on all others.
    ///
    /// # Errors
    /// [`MetricError::TooFew`] with one fold only; [`MetricError::Nothing`] when all other folds are without a score.
    pub fn accuracy(&self, policy: ThresholdPolicy) -> Result<Accuracy, MetricError> {
        let mut folds = Vec::new();
        for fold in self.folds()? {
            let pairs = self.tried(fold);
            let threshold = policy.best(&policy.sides(pairs, |other| other != fold))?;
            let correct = policy.correct(&policy.sides(pairs, |own| own == fold), threshold);
            let size = pairs.iter().filter(|pair| pair.fold == fold).count();
            folds.push(FoldAccuracy { fold, threshold, correct: Proportion::of(correct, size) });
        }
        let rates: Vec<f64> = folds.iter().map(|fold| fold.correct.rate).collect();
        let spread = Spread::of_all(&rates).ok_or(MetricError::Nothing("fold"))?;
        Ok(Accuracy { policy, folds, spread })
    }

    /// The best accuracy of one threshold on all pairs.
    ///
    /// # Errors
    /// None that [`Pairs::new`] lets through.
    pub fn best_accuracy(&self, policy: ThresholdPolicy) -> Result<BestAccuracy, MetricError> {
        let sides = policy.sides(&self.pairs, |_| true);
        let threshold = policy.best(&sides)?;
        let correct = Proportion::of(policy.correct(&sides, threshold), self.pairs.len());
        Ok(BestAccuracy { threshold, correct })
    }
}
