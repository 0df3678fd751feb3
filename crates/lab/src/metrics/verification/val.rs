//! Validation rate at a false accept rate, as `calculate_val` of davidsandberg/facenet computes it: the threshold comes
//! from the other folds, between two steps of a grid, and both rates are measured on the fold.

use serde::Serialize;

use super::{Pair, Pairs, Scale, Sides, below};
use crate::metrics::error::MetricError;
use crate::metrics::rate::{Evidence, allowance};
use crate::metrics::statistics::Spread;

/// Squared distances 0, 0.001, … 3.999.
const GRID_STEPS: u32 = 4000;
const GRID_STEP: f64 = 0.001;

/// Rates of one fold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FoldVal {
    /// The fold.
    pub fold: usize,
    /// A squared distance; strictly below it a pair is accepted.
    pub threshold: f64,
    /// Share of the fold's same pairs that is accepted.
    pub val: f64,
    /// Share of the fold's different pairs that is accepted.
    pub far: f64,
}

/// Validation rate over all folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Val {
    /// The false accept rate asked for.
    pub asked: f64,
    /// What it rests on: the different pairs of the other folds.
    pub evidence: Evidence,
    /// One a fold, ascending.
    pub folds: Vec<FoldVal>,
    /// Validation rate over the folds (standard deviation over all, as numpy's).
    pub val: Spread,
    /// False accept rate that came out, over the folds.
    pub far: Spread,
}

/// The pairs of some folds.
struct Part {
    distances: Sides,
    same: usize,
    different: usize,
}

impl Part {
    fn of(pairs: &[Pair], scale: Scale, keep: impl Fn(usize) -> bool) -> Result<Self, MetricError> {
        let kept = || pairs.iter().filter(|pair| keep(pair.fold));
        let same = kept().filter(|pair| pair.same).count();
        let different = kept().count() - same;
        if same == 0 {
            return Err(MetricError::Nothing("pair of the same person in one of the folds"));
        }
        if different == 0 {
            return Err(MetricError::Nothing("pair of different people in one of the folds"));
        }
        Ok(Self { distances: Sides::of(kept(), |score| scale.squared_distance(score)), same, different })
    }

    fn val(&self, threshold: f64) -> f64 {
        below(&self.distances.same, threshold) as f64 / self.same as f64
    }

    /// Missed different pairs are accepted at every threshold.
    fn far(&self, threshold: f64) -> f64 {
        let missed = self.different - self.distances.different.len();
        (below(&self.distances.different, threshold) + missed) as f64 / self.different as f64
    }

    /// Between the last step of the grid that does not exceed `asked` and the next, on a straight line: what scipy's
    /// `slinear` makes of a staircase, of whose equal steps the last counts. 0, which accepts nobody, when no step
    /// reaches `asked`.
    fn threshold(&self, asked: f64) -> f64 {
        let grid: Vec<(f64, f64)> =
            (0..GRID_STEPS).map(|step| f64::from(step) * GRID_STEP).map(|t| (t, self.far(t))).collect();
        let next = grid.partition_point(|(_, far)| *far <= asked);
        let last = next.checked_sub(1).and_then(|last| grid.get(last));
        match (last, grid.get(next)) {
            (Some((from, low)), Some((to, high))) => from + (asked - low) / (high - low) * (to - from),
            (Some((from, low)), None) if *low >= asked => *from,
            _ => 0.0,
        }
    }
}

impl Pairs {
    /// The validation rate at the false accept rate `asked` (LFW: 0.001).
    ///
    /// # Errors
    /// [`MetricError::RateTooSmall`] when the different pairs of the other folds cannot show it;
    /// [`MetricError::Nothing`] for a fold without same or different pairs; [`MetricError::TooFew`] with one fold only.
    pub fn val_at_far(&self, asked: f64, scale: Scale) -> Result<Val, MetricError> {
        let mut folds = Vec::new();
        let mut evidence = Evidence::Sound;
        for fold in self.folds()? {
            let others = Part::of(self.tried(fold), scale, |other| other != fold)?;
            if allowance(asked, others.different, "different pairs in the other folds")?.evidence == Evidence::Weak {
                evidence = Evidence::Weak;
            }
            let threshold = others.threshold(asked);
            let own = Part::of(self.tried(fold), scale, |own| own == fold)?;
            folds.push(FoldVal { fold, threshold, val: own.val(threshold), far: own.far(threshold) });
        }
        let spread = |rate: fn(&FoldVal) -> f64| {
            let rates: Vec<f64> = folds.iter().map(rate).collect();
            Spread::of_all(&rates).ok_or(MetricError::Nothing("fold"))
        };
        let (val, far) = (spread(|fold| fold.val)?, spread(|fold| fold.far)?);
        Ok(Val { asked, evidence, folds, val, far })
    }
}
