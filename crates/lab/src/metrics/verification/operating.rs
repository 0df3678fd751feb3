//! True accept rate at a false accept rate.

use serde::Serialize;

use super::{Pairs, above};
use crate::metrics::error::MetricError;
use crate::metrics::rate::{Allowance, Evidence, allowance};
use crate::metrics::statistics::Proportion;

/// What one threshold does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OperatingPoint {
    /// False accepts that were allowed.
    pub allowed: usize,
    /// Strictly above this score a pair is accepted; `None` when more different pairs were missed than false accepts
    /// are allowed, so that no threshold is strict enough.
    pub threshold: Option<f64>,
    /// Same pairs accepted, with the 95 % interval.
    pub tar: Proportion,
    /// Different pairs accepted, with the 95 % interval.
    pub far: Proportion,
}

/// [`OperatingPoint`] at a false accept rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TarAtFar {
    /// The false accept rate asked for.
    pub asked: f64,
    /// What it rests on.
    pub evidence: Evidence,
    /// What came out.
    #[serde(flatten)]
    pub point: OperatingPoint,
}

impl Pairs {
    /// TAR where no more than `asked` of the n different pairs pass: the threshold is the (floor(asked * n) + 1)-th
    /// highest score of a different pair.
    ///
    /// # Errors
    /// [`MetricError::RateTooSmall`] below 1/n of the different pairs, which names the smallest that these data can show;
    /// [`MetricError::NotARate`] outside (0, 1).
    pub fn tar_at_far(&self, asked: f64) -> Result<TarAtFar, MetricError> {
        let Allowance { errors, evidence } = allowance(asked, self.total.different, "different pairs")?;
        Ok(TarAtFar { asked, evidence, point: self.tar_at_false_accepts(errors) })
    }

    /// TAR where at most `allowed` different pairs pass (all but one, if it is more). It claims no rate, so it is never
    /// refused.
    #[must_use]
    pub fn tar_at_false_accepts(&self, allowed: usize) -> OperatingPoint {
        let (same, different) = (&self.sorted.same, &self.sorted.different);
        let missed = self.missed().different;
        let allowed = allowed.min(self.total.different - 1);
        let threshold = allowed
            .checked_sub(missed)
            .and_then(|passing| different.len().checked_sub(passing + 1))
            .and_then(|place| different.get(place).copied());
        let (accepted, false_accepts) =
            threshold.map_or((0, 0), |threshold| (above(same, threshold), above(different, threshold)));
        OperatingPoint {
            allowed,
            threshold,
            tar: Proportion::of(accepted, self.total.same),
            far: Proportion::of(false_accepts + missed, self.total.different),
        }
    }
}
