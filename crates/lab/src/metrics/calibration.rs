//! Thresholds of the open-set decision from the user's own people, at a chosen false accept rate.
//!
//! The unit is the visit, since that is what the pipeline decides on: the quality-weighted, renormalised mean of a
//! visit's vectors, scored against each person by the best of their templates. The scores must be made that way, and no
//! template may come from the visit it is scored with. The pipeline names the best person when `best >= accept` and
//! `best - runner_up >= margin`; below `unknown` it is a stranger; else ambiguous. Strangers are the same one from
//! `cluster` on, which is at least `accept`.
//!
//! **Every visit is also a stranger's**: with its own person left out of the gallery, its best score is what somebody
//! who looks like that and is not enrolled would get. Real strangers count as they are. These scores are what a false
//! accept rate is measured on; it holds for a gallery of about this size, and grows with it.
//!
//! **Visits of one person are not independent**: who looks like somebody else does so in every visit. The rate is one of
//! visits, but how far it can be trusted is counted in people, and people who are too few to show it do not lower the
//! embedder's own `accept` and `cluster`.
//!
//! - `accept`: the least value that no more than the chosen share of strangers reach. The margin is not counted on, so
//!   the rate in service is lower.
//! - `unknown`: the least value that no more than another, larger share of strangers reach, so that most strangers are
//!   called so instead of ambiguous; at most `accept`.
//! - `margin`: so much that no more than the chosen share of the visits of enrolled people are named as somebody else,
//!   and at least the embedder's own.
//! - `cluster`: the least value that no more than the chosen share of visits reach with a visit of somebody else, and
//!   at least `accept`.
//!
//! All are rounded up to thousandths.

mod choose;
mod outcome;
mod templates;
mod warning;

use std::collections::HashSet;

use serde::Serialize;

pub use outcome::{KnownOutcomes, StrangerOutcomes};
pub use templates::{Template, template_warnings};
pub use warning::Warning;

use super::error::{MetricError, finite};
use super::rate::Evidence;
use super::statistics::Proportion;

/// Different people with a false accept from which on the rate is sound.
const SOUND_PEOPLE: usize = 10;

/// What a false accept rate is measured on.
pub const STRANGERS: &str = "visits that can stand for a stranger's";

/// A visit's fused scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// Who it is; `None` for a stranger.
    pub person: Option<usize>,
    /// For each person the best cosine with their templates; `None` for who has none, or none but from this visit.
    pub scores: Vec<Option<f64>>,
    /// The best cosine with the fused vector of a visit of somebody else, where there is one.
    pub nearest_other_visit: Option<f64>,
}

/// What to calibrate for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Options {
    /// Share of strangers' visits that may be named, of enrolled people's that may get another's name, and of visits
    /// that may be joined with a visit of somebody else.
    pub false_accept_rate: f64,
    /// Share of strangers' visits that may end as ambiguous or worse: 0.05 is a good start.
    pub ambiguous_rate: f64,
    /// Where thresholds of this embedder lie, from its manifest.
    pub plausible: [f64; 2],
    /// The manifest's margin: the data seldom have a case that would show a smaller one to be enough.
    pub least_margin: f64,
    /// The embedder's own thresholds, which too few people do not lower; none for an embedder that has none yet.
    pub own: Option<Own>,
}

impl Options {
    /// How many different people it takes to show the rate: one in so many.
    #[must_use]
    pub fn people_needed(&self) -> usize {
        (1.0 / self.false_accept_rate - 1e-9).ceil() as usize
    }
}

/// Thresholds that were chosen on other people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Own {
    /// `accept`.
    pub accept: f64,
    /// `cluster`.
    pub cluster: f64,
}

/// The four thresholds, as cosines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// From here on a face may be named.
    pub accept: f64,
    /// Below this it is a stranger.
    pub unknown: f64,
    /// How far the best person must be ahead of the best other person.
    pub margin: f64,
    /// From here on two strangers are the same one.
    pub cluster: f64,
}

/// Where a threshold comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// From the scores.
    Measured,
    /// From the scores, then moved to keep a rule: the plausible range, or the order of the thresholds.
    Bounded,
    /// From the options: there are too few cases, or too few people, to show that another would do.
    Given,
}

/// Where each of the four comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bases {
    /// Of `accept`.
    pub accept: Basis,
    /// Of `unknown`.
    pub unknown: Basis,
    /// Of `margin`.
    pub margin: Basis,
    /// Of `cluster`.
    pub cluster: Basis,
}

/// The thresholds with what they do on the data they were chosen on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// What was asked for.
    pub options: Options,
    /// The four.
    pub thresholds: Thresholds,
    /// Where they come from.
    pub bases: Bases,
    /// What the false accept rate rests on: sound where ten different people or more have a false accept.
    pub evidence: Evidence,
    /// Visits that reach `accept` as a stranger's. The interval takes all visits as independent.
    pub false_accepts: Proportion,
    /// People with such a visit, of all who stand for strangers, with the 95 % interval that the data allow. A stranger
    /// without a number counts as a person.
    pub false_accept_people: Proportion,
    /// Visits of enrolled people whose own score reaches `accept`.
    pub true_accepts: Proportion,
    /// The decision on visits of enrolled people, margin included.
    pub known: KnownOutcomes,
    /// The decision on strangers, margin included.
    pub strangers: StrangerOutcomes,
    /// Visits that would join a visit of somebody else at `cluster`.
    pub false_joins: Proportion,
    /// What to look at.
    pub warnings: Vec<Warning>,
}

/// A visit's scores, sorted out.
#[derive(Clone, Copy, Debug)]
struct View {
    person: Option<usize>,
    own: Option<f64>,
    /// The best person other than the own.
    other: Option<(usize, f64)>,
    /// The second best other person's score.
    second: Option<f64>,
}

impl View {
    fn of(visit: &Visit) -> Self {
        let mut others: Vec<(usize, f64)> = Vec::new();
        for (person, score) in visit.scores.iter().enumerate() {
            others.extend(score.filter(|_| visit.person != Some(person)).map(|score| (person, score)));
        }
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self {
            person: visit.person,
            own: visit.person.and_then(|person| visit.scores.get(person).copied().flatten()),
            other: others.first().copied(),
            second: others.get(1).map(|(_, score)| *score),
        }
    }
}

/// How many people have a visit that reaches `limit` as a stranger's.
fn strangers_above(views: &[View], limit: f64) -> usize {
    let passing = || views.iter().filter(|view| view.other.is_some_and(|(_, score)| score >= limit));
    let known: HashSet<usize> = passing().filter_map(|view| view.person).collect();
    known.len() + passing().filter(|view| view.person.is_none()).count()
}

fn check(people: &[String], visits: &[Visit]) -> Result<(), MetricError> {
    let count = people.len();
    for (index, visit) in visits.iter().enumerate() {
        if visit.scores.len() != count {
            let found = visit.scores.len();
            return Err(MetricError::Length { what: "visit", index, found, expected: count });
        }
        if let Some(number) = visit.person.filter(|person| *person >= count) {
            return Err(MetricError::NoSuchNumber { what: "visit", index, number, count });
        }
        for score in visit.scores.iter().chain([&visit.nearest_other_visit]).flatten() {
            finite(*score, "visit", index)?;
        }
    }
    Ok(())
}

/// Chooses the thresholds.
///
/// # Errors
/// [`MetricError::RateTooSmall`] when there are too few visits for the false accept rate, which names the smallest that
/// they can show; [`MetricError::Nothing`] without a visit that can stand for a stranger, without one of an enrolled
/// person, or without two of different people; [`MetricError::NotFinite`], [`MetricError::Length`] and [`MetricError::NoSuchNumber`] with the visit's
/// place; [`MetricError::NotARate`] for rates outside (0, 1).
pub fn calibrate(people: &[String], visits: &[Visit], options: &Options) -> Result<Calibration, MetricError> {
    check(people, visits)?;
    let views: Vec<View> = visits.iter().map(View::of).collect();
    let strangers: Vec<f64> = views.iter().filter_map(|view| view.other.map(|(_, score)| score)).collect();
    let own: Vec<f64> = views.iter().filter_map(|view| view.own).collect();
    if own.is_empty() {
        return Err(MetricError::Nothing("visit of an enrolled person to compare with their templates"));
    }
    let nearest: Vec<f64> = visits.iter().filter_map(|visit| visit.nearest_other_visit).collect();
    let standing = strangers_above(&views, f64::NEG_INFINITY);
    let own_stays = options.own.filter(|_| standing < options.people_needed());
    let accept = choose::accept(&strangers, own_stays, options)?;
    let unknown = choose::unknown(&strangers, accept.value, options)?;
    let margin = choose::margin(&views, accept.value, options);
    let cluster = choose::cluster(&nearest, accept.value, own_stays, options)?;
    let thresholds =
        Thresholds { accept: accept.value, unknown: unknown.value, margin: margin.value, cluster: cluster.value };
    let passing = strangers_above(&views, thresholds.accept);
    let reach = |scores: &[f64], limit: f64| {
        Proportion::of(scores.iter().filter(|score| **score >= limit).count(), scores.len())
    };
    let false_joins = reach(&nearest, thresholds.cluster);
    let mut warnings = warning::of_visits(people, visits, thresholds, options);
    if false_joins.rate > options.false_accept_rate {
        let Proportion { events: joins, trials: visits, .. } = false_joins;
        warnings.insert(0, Warning::ClusterCapped { cluster: cluster.value, joins, visits });
    }
    Ok(Calibration {
        options: *options,
        thresholds,
        bases: Bases { accept: accept.basis, unknown: unknown.basis, margin: margin.basis, cluster: cluster.basis },
        evidence: if passing < SOUND_PEOPLE { Evidence::Weak } else { Evidence::Sound },
        false_accepts: reach(&strangers, thresholds.accept),
        false_accept_people: Proportion::of(passing, standing),
        true_accepts: reach(&own, thresholds.accept),
        known: KnownOutcomes::of(&views, thresholds),
        strangers: StrangerOutcomes::of(&views, thresholds),
        false_joins,
        warnings,
    })
}

#[cfg(test)]
mod tests;
