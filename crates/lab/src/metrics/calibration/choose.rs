//! One threshold after the other.

use super::{Basis, Options, Own, STRANGERS, View};
use crate::metrics::error::MetricError;
use crate::metrics::rate::allowance;

/// Thresholds are written in thousandths.
const STEPS: f64 = 1000.0;

/// The pipeline compares single precision: a threshold so near above a score might round to it.
const TOO_NEAR: f64 = 1e-6;

/// A threshold and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) value: f64,
    pub(super) basis: Basis,
}

impl Choice {
    fn given(value: f64) -> Self {
        Self { value, basis: Basis::Given }
    }
}

/// The least thousandth that `score` does not reach.
fn just_above(score: f64) -> f64 {
    let step = (score * STEPS).floor() + 1.0;
    let near = step / STEPS - score < TOO_NEAR;
    (if near { step + 1.0 } else { step }) / STEPS
}

/// The least thousandth that no more than `passing` of the scores reach; `None` when all may.
fn least(scores: impl IntoIterator<Item = f64>, passing: usize) -> Option<f64> {
    let mut scores: Vec<f64> = scores.into_iter().collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.get(passing).map(|score| just_above(*score))
}

fn measured(value: f64, low: f64, high: f64) -> Choice {
    let bounded = value.max(low).min(high);
    Choice { value: bounded, basis: if bounded == value { Basis::Measured } else { Basis::Bounded } }
}

/// From the strangers' best scores, unless that is below the `own` that stays. It may lie above the plausible range: capping
/// it would break the rate.
pub(super) fn accept(strangers: &[f64], own: Option<Own>, options: &Options) -> Result<Choice, MetricError> {
    let allowed = allowance(options.false_accept_rate, strangers.len(), STRANGERS)?;
    let value = least(strangers.iter().copied(), allowed.errors).ok_or(MetricError::Nothing(STRANGERS))?;
    let given = own.map(|own| own.accept).filter(|own| value < *own);
    Ok(given.map_or_else(|| measured(value, options.plausible[0], f64::INFINITY), Choice::given))
}

/// From the strangers' best scores, between the bottom of the plausible range and `accept`.
pub(super) fn unknown(strangers: &[f64], accept: f64, options: &Options) -> Result<Choice, MetricError> {
    let errors = match allowance(options.ambiguous_rate, strangers.len(), STRANGERS) {
        Ok(allowed) => allowed.errors,
        // So few that none may be ambiguous: the two thresholds fall together.
        Err(MetricError::RateTooSmall { .. }) => 0,
        Err(error) => return Err(error),
    };
    let value = least(strangers.iter().copied(), errors).ok_or(MetricError::Nothing(STRANGERS))?;
    Ok(measured(value, options.plausible[0], accept))
}

/// From the visits of enrolled people in which somebody else is first and would be accepted.
pub(super) fn margin(views: &[View], accept: f64, options: &Options) -> Choice {
    let leads = views.iter().filter_map(|view| {
        let (own, (_, other)) = view.own.zip(view.other)?;
        (other >= accept && other >= own).then_some(other - own)
    });
    let visits = views.iter().filter(|view| view.own.is_some()).count();
    let passing = allowance(options.false_accept_rate, visits, "visits").map_or(0, |allowed| allowed.errors);
    let [low, high] = options.plausible;
    least(leads, passing)
        .filter(|value| *value > options.least_margin)
        .map_or(Choice::given(options.least_margin), |value| measured(value, options.least_margin, high - low))
}

/// From the best score of each visit with a visit of somebody else, at least `accept` and the `own` that stays.
pub(super) fn cluster(
    nearest: &[f64],
    accept: f64,
    own: Option<Own>,
    options: &Options,
) -> Result<Choice, MetricError> {
    let what = "visits to compare with somebody else's";
    let allowed = allowance(options.false_accept_rate, nearest.len(), what)?;
    let value = least(nearest.iter().copied(), allowed.errors).ok_or(MetricError::Nothing(what))?;
    let given = own.map(|own| own.cluster).filter(|own| value.max(accept) < *own);
    Ok(given.map_or_else(|| measured(value, accept, options.plausible[1].max(accept)), Choice::given))
}

#[cfg(test)]
mod tests {
    use super::{just_above, least};

    #[test]
    fn thresholds_are_thousandths_that_the_score_does_not_reach() {
        assert_eq!(just_above(0.5), 0.501);
        assert_eq!(just_above(0.500_4), 0.501);
        assert_eq!(just_above(0.500_999_9), 0.502);
        assert_eq!(just_above(-0.25), -0.249);
        for score in [0.1_f32, 0.612, 0.611_999_9, 0.3, 0.457, -0.2] {
            assert!((just_above(f64::from(score)) as f32) > score);
        }
        assert_eq!(least([0.1, 0.3, 0.2], 1), Some(0.201));
        assert_eq!(least([0.1], 1), None);
    }
}
