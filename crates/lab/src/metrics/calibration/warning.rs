//! What a person should look at before the thresholds are used.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::outcome::Outcome;
use super::{Options, Thresholds, View, Visit};

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum Warning {
    /// `accept` lies above what the embedder's manifest allows: at this rate the data call for a threshold that few
    /// reach.
    AcceptImplausible {
        /// The value chosen.
        accept: f64,
        /// The manifest's range.
        plausible: [f64; 2],
    },
    /// `cluster` would have to lie above what the embedder's manifest allows: more visits join than were asked for.
    ClusterCapped {
        /// The value chosen, the highest.
        cluster: f64,
        /// Visits that would join a visit of somebody else at it.
        joins: usize,
        /// Of so many.
        visits: usize,
    },
    /// Visits of one of the two come near the other: they reach `accept` there, or the own score is not ahead by
    /// `margin`.
    LookAlikes {
        /// One person.
        a: String,
        /// The other.
        b: String,
        /// Visits of either that come near the other.
        visits: usize,
        /// The highest score of a visit of one with the other.
        highest: f64,
    },
    /// Fewer than half of a person's visits are named.
    HardlyRecognised {
        /// Who.
        person: String,
        /// Visits.
        visits: usize,
        /// Visits that get the right name.
        named: usize,
    },
    /// A template that does not fit its person: nearer to somebody else's, or far from most of their own.
    Template {
        /// Whose it is said to be.
        person: String,
        /// Which.
        template: String,
        /// Middle cosine with the person's other templates; `None` when it is the only one.
        own: Option<f64>,
        /// Whose templates are nearer; `None` when it is only far from its own.
        nearer_to: Option<String>,
        /// The middle cosine with the templates of the nearest other person.
        other: Option<f64>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcceptImplausible { accept, plausible: [low, high] } => {
                write!(
                    f,
                    "accept = {accept:.3} is outside the {low} to {high} of this embedder: ask for a larger rate, or "
                )?;
                write!(f, "look at the look-alikes")
            }
            Self::ClusterCapped { cluster, joins, visits } => {
                write!(
                    f,
                    "cluster = {cluster:.3} is the highest that this embedder takes, and at it {joins} of {visits} visits "
                )?;
                write!(f, "still join one of somebody else, more than asked for: look at the look-alikes")
            }
            Self::LookAlikes { a, b, visits, highest } => {
                let visits = if *visits == 1 { "a visit".to_owned() } else { format!("{visits} visits") };
                write!(f, "{a} and {b} look alike: in {visits} one is near the other, up to {highest:.3}")
            }
            Self::HardlyRecognised { person, visits, named } => {
                write!(f, "{person} is named in {named} of {visits} visits only: enroll more or better pictures")
            }
            Self::Template { person, template, own, nearer_to, other } => {
                let own = own.map_or("there are none".to_owned(), |own| format!("{own:.3}"));
                let other = other.unwrap_or_default();
                match nearer_to {
                    Some(name) => {
                        write!(f, "{template} is nearer to {name} ({other:.3}) than to {person}'s others ({own})")
                    }
                    None => write!(f, "{template} is far from {person}'s others ({own})"),
                }
            }
        }
    }
}

pub(super) fn of_visits(
    people: &[String],
    visits: &[Visit],
    thresholds: Thresholds,
    options: &Options,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if thresholds.accept > options.plausible[1] {
        warnings.push(Warning::AcceptImplausible { accept: thresholds.accept, plausible: options.plausible });
    }
    warnings.extend(look_alikes(people, visits, thresholds));
    warnings.extend(hardly_recognised(people, visits, thresholds));
    warnings
}

/// Pairs of people, the most alike first.
fn look_alikes(people: &[String], visits: &[Visit], thresholds: Thresholds) -> Vec<Warning> {
    let mut pairs: BTreeMap<(usize, usize), (usize, f64)> = BTreeMap::new();
    for visit in visits {
        let Some(person) = visit.person else { continue };
        let own = visit.scores.get(person).copied().flatten();
        let others = visit.scores.iter().enumerate().filter(|(other, _)| *other != person);
        for (other, score) in others.filter_map(|(other, score)| Some((other, (*score)?))) {
            let held_up = own.is_some_and(|own| own >= thresholds.accept && own - score < thresholds.margin);
            if score >= thresholds.accept || held_up {
                let pair = pairs.entry((person.min(other), person.max(other))).or_insert((0, score));
                *pair = (pair.0 + 1, pair.1.max(score));
            }
        }
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by(|(_, a), (_, b)| b.1.total_cmp(&a.1));
    let named = pairs.into_iter().map(|((a, b), (visits, highest))| Warning::LookAlikes {
        a: people[a].clone(),
        b: people[b].clone(),
        visits,
        highest,
    });
    named.collect()
}

fn hardly_recognised(people: &[String], visits: &[Visit], thresholds: Thresholds) -> Vec<Warning> {
    let mut counts = vec![(0_usize, 0_usize); people.len()];
    for view in visits.iter().map(View::of) {
        if let (Some(person), Some(outcome)) = (view.person, view.as_known(thresholds)) {
            counts[person].0 += 1;
            counts[person].1 += usize::from(outcome == (Outcome::Named, true));
        }
    }
    let few = people.iter().zip(counts).filter(|(_, (visits, named))| 2 * named < *visits);
    few.map(|(person, (visits, named))| Warning::HardlyRecognised { person: person.clone(), visits, named }).collect()
}
