//! One to one: are two pictures of the same person? The protocol of LFW, View 2 (Huang et al., 2007; reported as
//! "unrestricted, labeled outside data"), and error rates at a threshold as ISO/IEC 19795-1 has them.
//!
//! **Missed faces are errors.** A pair without a score, because no face was found in one of its pictures, is wrong at
//! every threshold, whichever answer would be right: a same pair is never accepted, a different pair counts as
//! accepted. So a detector that finds fewer faces can never look better, and a false accept rate has a floor, the
//! missed different pairs.
//!
//! **What accepts.** Accuracy takes `score >= threshold`, on LFW's grid `squared distance < threshold` (strictly, as
//! davidsandberg/facenet does). TAR at FAR puts the threshold on the highest score of a different pair that must not
//! pass and takes what is strictly above it.

mod accuracy;
mod curve;
mod operating;
mod val;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use accuracy::{Accuracy, BestAccuracy, FoldAccuracy, ThresholdPolicy};
pub use curve::{DetPoint, EqualError, RocPoint};
pub use operating::{OperatingPoint, TarAtFar};
pub use val::{FoldVal, Val};

use super::error::{MetricError, finite};
use super::statistics::Spread;

/// One line of a pairs file with its result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Both pictures show the same person.
    pub same: bool,
    /// The fold it belongs to.
    pub fold: usize,
    /// Higher = more alike; `None` when a face was missed, or what was found of one has no direction.
    pub score: Option<f64>,
}

/// What a score measures; needed for LFW's grid, whose steps are squared distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The cosine of two vectors; of unit vectors the squared distance is 2 - 2 cos.
    Cosine,
    /// Minus the Euclidean distance.
    MinusDistance,
}

impl Scale {
    /// The squared Euclidean distance that a score stands for.
    #[must_use]
    pub fn squared_distance(self, score: f64) -> f64 {
        match self {
            Self::Cosine => 2.0 - 2.0 * score,
            Self::MinusDistance => score * score,
        }
    }
}

/// Pairs without a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Of the same person.
    pub same: usize,
    /// Of different people.
    pub different: usize,
}

/// All pairs of a comparison: same and different ones, with scores that are numbers.
#[derive(Clone, Debug)]
pub struct Pairs {
    pairs: Vec<Pair>,
    /// The pairs as they are scored when a fold is tried, where that depends on the fold; empty where it does not.
    tried: BTreeMap<usize, Vec<Pair>>,
    /// Scores, ascending.
    sorted: Sides,
    /// All pairs of each kind, with and without scores.
    total: Missed,
}

/// The values of same and of different pairs, each ascending.
#[derive(Clone, Debug, Default)]
struct Sides {
    same: Vec<f64>,
    different: Vec<f64>,
}

impl Sides {
    /// Of the pairs with a score, `value` of it.
    fn of<'a>(pairs: impl Iterator<Item = &'a Pair>, value: impl Fn(f64) -> f64) -> Self {
        let mut sides = Self::default();
        for pair in pairs {
            if let Some(score) = pair.score {
                let side = if pair.same { &mut sides.same } else { &mut sides.different };
                side.push(value(score));
            }
        }
        sides.same.sort_by(f64::total_cmp);
        sides.different.sort_by(f64::total_cmp);
        sides
    }

    /// Every value once, ascending.
    fn values(&self) -> Vec<f64> {
        let mut values = [self.same.as_slice(), self.different.as_slice()].concat();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    }
}

fn check(pairs: &[Pair]) -> Result<(), MetricError> {
    for (index, pair) in pairs.iter().enumerate() {
        pair.score.map_or(Ok(0.0), |score| finite(score, "pair", index))?;
    }
    Ok(())
}

/// How many of these ascending values lie below `limit`.
fn below(ascending: &[f64], limit: f64) -> usize {
    ascending.partition_point(|value| *value < limit)
}

/// How many of these ascending values lie above `limit`.
fn above(ascending: &[f64], limit: f64) -> usize {
    ascending.len() - ascending.partition_point(|value| *value <= limit)
}

impl Pairs {
    /// Checks the pairs.
    ///
    /// # Errors
    /// [`MetricError::NotFinite`] with the pair's place; [`MetricError::Nothing`] without same or without different
    /// pairs, or when a face was missed in every pair.
    pub fn new(pairs: Vec<Pair>) -> Result<Self, MetricError> {
        check(&pairs)?;
        let same = pairs.iter().filter(|pair| pair.same).count();
        let total = Missed { same, different: pairs.len() - same };
        if total.same == 0 {
            return Err(MetricError::Nothing("pair of the same person"));
        }
        if total.different == 0 {
            return Err(MetricError::Nothing("pair of different people"));
        }
        if pairs.iter().all(|pair| pair.score.is_none()) {
            return Err(MetricError::Nothing("pair with a face found in both pictures"));
        }
        // Minus zero and zero are one score.
        let sorted = Sides::of(pairs.iter(), |score| score + 0.0);
        Ok(Self { pairs, tried: BTreeMap::new(), sorted, total })
    }

    /// Pairs whose score depends on the fold that is tried, because something was learned from the other folds:
    /// `score` gives it for a pair by its place and a fold. What is counted over all pairs together takes of each pair
    /// the score of its own fold.
    ///
    /// # Errors
    /// As [`Pairs::new`].
    pub fn fitted(mut pairs: Vec<Pair>, score: impl Fn(usize, usize) -> Option<f64>) -> Result<Self, MetricError> {
        let folds: BTreeSet<usize> = pairs.iter().map(|pair| pair.fold).collect();
        let mut tried = BTreeMap::new();
        for fold in folds {
            let scored = pairs.iter().enumerate().map(|(index, pair)| Pair { score: score(index, fold), ..*pair });
            let scored: Vec<Pair> = scored.collect();
            check(&scored)?;
            tried.insert(fold, scored);
        }
        for (index, pair) in pairs.iter_mut().enumerate() {
            pair.score = score(index, pair.fold);
        }
        Ok(Self { tried, ..Self::new(pairs)? })
    }

    /// The pairs as they are scored when this fold is tried.
    fn tried(&self, fold: usize) -> &[Pair] {
        self.tried.get(&fold).unwrap_or(&self.pairs)
    }

    /// The pairs, as given.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Pairs of the same person.
    #[must_use]
    pub fn same(&self) -> usize {
        self.total.same
    }

    /// Pairs of different people.
    #[must_use]
    pub fn different(&self) -> usize {
        self.total.different
    }

    /// Pairs that a face was missed in.
    #[must_use]
    pub fn missed(&self) -> Missed {
        let Missed { same, different } = self.total;
        Missed { same: same - self.sorted.same.len(), different: different - self.sorted.different.len() }
    }

    /// Mean and standard deviation (over all, as numpy's) of the scores of same or of different pairs; `None` when none
    /// has a score.
    #[must_use]
    pub fn scores(&self, same: bool) -> Option<Spread> {
        Spread::of_all(if same { &self.sorted.same } else { &self.sorted.different })
    }

    /// The folds, ascending: at least two, so that a threshold can come from the others.
    fn folds(&self) -> Result<Vec<usize>, MetricError> {
        let folds: BTreeSet<usize> = self.pairs.iter().map(|pair| pair.fold).collect();
        if folds.len() < 2 {
            return Err(MetricError::TooFew { what: "folds", found: folds.len(), needed: 2 });
        }
        Ok(folds.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
