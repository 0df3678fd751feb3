//! What the decision makes of the visits.

use serde::Serialize;

use super::{Thresholds, View};
use crate::metrics::statistics::Proportion;

/// The decision's answers, as the pipeline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Named,
    Ambiguous,
    Unknown,
}

impl Thresholds {
    /// The pipeline's rule.
    pub(super) fn decide(self, best: f64, runner_up: Option<f64>) -> Outcome {
        let ahead = runner_up.is_none_or(|other| best - other >= self.margin);
        match best {
            best if best < self.unknown => Outcome::Unknown,
            best if best >= self.accept && ahead => Outcome::Named,
            _ => Outcome::Ambiguous,
        }
    }
}

/// Visits of enrolled people: the four add to all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KnownOutcomes {
    /// Named rightly.
    pub right: Proportion,
    /// Named as somebody else.
    pub wrong: Proportion,
    /// Ambiguous.
    pub ambiguous: Proportion,
    /// Taken for a stranger.
    pub unknown: Proportion,
}

/// Visits of strangers, and of enrolled people with their own templates left out: the three add to all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StrangerOutcomes {
    /// Named: a false alarm.
    pub named: Proportion,
    /// Ambiguous.
    pub ambiguous: Proportion,
    /// Called a stranger.
    pub unknown: Proportion,
}

impl View {
    /// The decision with the own person enrolled, and whether that person is first; a tie goes to the other.
    pub(super) fn as_known(&self, thresholds: Thresholds) -> Option<(Outcome, bool)> {
        let own = self.own?;
        Some(match (self.other, self.second) {
            (Some((_, other)), second) if other >= own => {
                (thresholds.decide(other, Some(second.map_or(own, |second| second.max(own)))), false)
            }
            (other, _) => (thresholds.decide(own, other.map(|(_, score)| score)), true),
        })
    }

    fn as_stranger(&self, thresholds: Thresholds) -> Option<Outcome> {
        let (_, best) = self.other?;
        Some(thresholds.decide(best, self.second))
    }
}

impl KnownOutcomes {
    pub(super) fn of(views: &[View], thresholds: Thresholds) -> Self {
        let found: Vec<(Outcome, bool)> = views.iter().filter_map(|view| view.as_known(thresholds)).collect();
        let share = |which: &dyn Fn(&(Outcome, bool)) -> bool| {
            Proportion::of(found.iter().filter(|one| which(one)).count(), found.len())
        };
        Self {
            right: share(&|one| *one == (Outcome::Named, true)),
            wrong: share(&|one| *one == (Outcome::Named, false)),
            ambiguous: share(&|one| one.0 == Outcome::Ambiguous),
            unknown: share(&|one| one.0 == Outcome::Unknown),
        }
    }
}

impl StrangerOutcomes {
    pub(super) fn of(views: &[View], thresholds: Thresholds) -> Self {
        let found: Vec<Outcome> = views.iter().filter_map(|view| view.as_stranger(thresholds)).collect();
        let share = |which: Outcome| Proportion::of(found.iter().filter(|one| **one == which).count(), found.len());
        Self { named: share(Outcome::Named), ambiguous: share(Outcome::Ambiguous), unknown: share(Outcome::Unknown) }
    }
}
