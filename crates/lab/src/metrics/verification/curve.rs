//! Error rates over all thresholds: ROC, DET, the area under the ROC and the equal error rate.

use serde::Serialize;

use super::{Pairs, below};

/// One threshold of the ROC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RocPoint {
    /// From this score on a pair is accepted; `None` above all scores.
    pub threshold: Option<f64>,
    /// Share of different pairs accepted.
    pub far: f64,
    /// Share of same pairs accepted.
    pub tar: f64,
}

/// One threshold of the DET curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DetPoint {
    /// From this score on a pair is accepted; `None` above all scores.
    pub threshold: Option<f64>,
    /// Share of different pairs accepted.
    pub far: f64,
    /// Share of same pairs rejected.
    pub frr: f64,
}

/// Where as many same pairs are rejected as different pairs are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EqualError {
    /// The rate, on the straight line between the two thresholds that it lies between.
    pub rate: f64,
    /// The higher false accept rate's threshold of the two; `None` when missed faces alone make it 1.
    pub threshold: Option<f64>,
}

impl Pairs {
    /// The ROC from the strictest threshold to the laxest, one point a score. With missed faces it ends below 1 and
    /// begins beyond 0.
    #[must_use]
    pub fn roc(&self) -> Vec<RocPoint> {
        let missed = self.missed().different;
        let (same, different) = (&self.sorted.same, &self.sorted.different);
        let point = |threshold, accepted_different: usize, accepted_same: usize| RocPoint {
            threshold,
            far: (accepted_different + missed) as f64 / self.total.different as f64,
            tar: accepted_same as f64 / self.total.same as f64,
        };
        let mut points = vec![point(None, 0, 0)];
        for value in self.sorted.values().into_iter().rev() {
            points.push(point(Some(value), different.len() - below(different, value), same.len() - below(same, value)));
        }
        points
    }

    /// The DET curve: the same thresholds by their two errors.
    #[must_use]
    pub fn det(&self) -> Vec<DetPoint> {
        let points = self.roc().into_iter();
        points.map(|RocPoint { threshold, far, tar }| DetPoint { threshold, far, frr: 1.0 - tar }).collect()
    }

    /// The area under the ROC: how often a same pair scores above a different one, ties counted half (Hanley and
    /// McNeil, Radiology 143, 1982). A missed pair loses every comparison.
    #[must_use]
    pub fn auc(&self) -> f64 {
        let different = &self.sorted.different;
        // Counted in halves, so that the sum is exact.
        let halves: u64 = self
            .sorted
            .same
            .iter()
            .map(|score| {
                let lower = below(different, *score);
                let not_higher = different.partition_point(|other| other <= score);
                (lower + not_higher) as u64
            })
            .sum();
        halves as f64 / 2.0 / (self.total.same as f64 * self.total.different as f64)
    }

    /// The equal error rate.
    #[must_use]
    pub fn equal_error(&self) -> EqualError {
        let mut before = (0.0, 1.0);
        for RocPoint { threshold, far, tar } in self.roc() {
            let frr = 1.0 - tar;
            if far >= frr {
                let (gap_before, gap): (f64, f64) = (before.1 - before.0, frr - far);
                let part = if gap_before > gap { gap_before / (gap_before - gap) } else { 1.0 };
                return EqualError { rate: before.0 + part * (far - before.0), threshold };
            }
            before = (far, frr);
        }
        // The laxest threshold accepts every different pair, so the loop has returned.
        EqualError { rate: 1.0, threshold: None }
    }
}
