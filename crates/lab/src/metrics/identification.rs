//! One to many, open set: is a probe one of the people enrolled, and which? FNIR over FPIR as NIST's FRTE 1:N and
//! ISO/IEC 19795-1 define them, DIR at FPIR, and the closed-set ranks beside it.
//!
//! A *mated* probe shows somebody who is enrolled, a *non-mated* one somebody who is not; the latter's identities are
//! not in the gallery.
//! - FPIR(T): share of non-mated probes with any candidate that passes T.
//! - FNIR(N, R = 1, T): share of mated probes whose own person is not first, or does not pass T. DIR = 1 - FNIR.
//! - Rank k: share of mated probes whose own person is among the first k, whatever the score.
//!
//! A person's score is the best of their templates. A tie with another person counts against the probe. A mated probe
//! without a face is an error at every threshold and rank; a non-mated one cannot raise a false alarm, but stays among
//! the probes: that is how NIST counts a failure to make a template, and both are reported.

mod splits;
mod summary;

use std::collections::BTreeMap;

use serde::Serialize;

pub use splits::{Sample, Split, SplitRule, always_strangers, splits};
pub use summary::{AtFpir, Ends, Measured, Summary, summarise};

use super::error::{MetricError, finite};
use super::rate::{Allowance, Evidence, allowance};
use super::statistics::Proportion;

/// FPIRs that are reported unless others are asked for.
pub const FPIRS: [f64; 4] = [0.001, 0.003, 0.01, 0.1];

/// A person found for a probe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The person's number.
    pub person: usize,
    /// Higher = more alike.
    pub score: f64,
}

/// What the gallery answered to one probe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    /// Who the probe shows, when they are enrolled.
    pub mate: Option<usize>,
    /// The people found, in any order, templates of one person may repeat; `None` when no face was found in the probe.
    pub candidates: Option<Vec<Candidate>>,
}

/// The searches of one split, ready to be counted.
#[derive(Clone, Debug)]
pub struct Searches {
    /// People enrolled.
    gallery: usize,
    /// Rank of the own person of each mated probe, counted from 1; `None` when not found.
    ranks: Vec<Option<usize>>,
    /// Scores of the mated probes whose own person is first, ascending.
    right: Vec<f64>,
    /// Best score of each non-mated probe with a face and a candidate, ascending.
    alarms: Vec<f64>,
    non_mated: usize,
    /// Probes without a face: mated, non-mated.
    missed: (usize, usize),
    /// Candidates in the shortest list of a mated probe.
    shortest: usize,
}

/// What one threshold does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OpenSetPoint {
    /// The FPIR asked for.
    pub asked: f64,
    /// What it rests on: the non-mated probes.
    pub evidence: Evidence,
    /// Strictly above this score a candidate passes; `None` when so few non-mated probes have a candidate that all may
    /// pass.
    pub threshold: Option<f64>,
    /// Detection and identification rate, 1 - FNIR, with the 95 % interval.
    pub dir: Proportion,
    /// Non-mated probes with a candidate that passes, with the 95 % interval.
    pub fpir: Proportion,
}

/// One threshold of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FnirPoint {
    /// From this score on a candidate passes; `None` above all scores.
    pub threshold: Option<f64>,
    /// Share of non-mated probes with a candidate that passes.
    pub fpir: f64,
    /// Share of mated probes whose own person is not first or does not pass.
    pub fnir: f64,
}

/// How many of these ascending values are at least `limit`.
fn from(ascending: &[f64], limit: f64) -> usize {
    ascending.len() - ascending.partition_point(|value| *value < limit)
}

/// The best score of each person.
fn best_of_each(candidates: &[Candidate], index: usize) -> Result<BTreeMap<usize, f64>, MetricError> {
    let mut best = BTreeMap::new();
    for candidate in candidates {
        // Minus zero and zero are one score.
        let score = finite(candidate.score, "search", index)? + 0.0;
        best.entry(candidate.person).and_modify(|other: &mut f64| *other = other.max(score)).or_insert(score);
    }
    Ok(best)
}

impl Searches {
    /// Checks and counts the answers of a gallery of so many people.
    ///
    /// # Errors
    /// [`MetricError::NotFinite`] with the search's place; [`MetricError::Nothing`] without a mated or without a
    /// non-mated probe.
    pub fn new(searches: &[Search], gallery: usize) -> Result<Self, MetricError> {
        let mut counted = Self {
            gallery,
            ranks: Vec::new(),
            right: Vec::new(),
            alarms: Vec::new(),
            non_mated: 0,
            missed: (0, 0),
            shortest: gallery,
        };
        for (index, search) in searches.iter().enumerate() {
            let people = search.candidates.as_deref().map(|list| best_of_each(list, index)).transpose()?;
            match search.mate {
                Some(mate) => counted.add_mated(mate, people),
                None => counted.add_non_mated(people),
            }
        }
        if counted.ranks.is_empty() {
            return Err(MetricError::Nothing("probe of somebody who is enrolled"));
        }
        if counted.non_mated == 0 {
            return Err(MetricError::Nothing("probe of somebody who is not enrolled"));
        }
        counted.right.sort_by(f64::total_cmp);
        counted.alarms.sort_by(f64::total_cmp);
        Ok(counted)
    }

    fn add_mated(&mut self, mate: usize, people: Option<BTreeMap<usize, f64>>) {
        let Some(people) = people else {
            self.missed.0 += 1;
            self.ranks.push(None);
            return;
        };
        self.shortest = self.shortest.min(people.len());
        let own = people.get(&mate).copied();
        let rank = own.map(|own| people.iter().filter(|(person, score)| **person == mate || **score >= own).count());
        self.ranks.push(rank);
        self.right.extend(own.filter(|_| rank == Some(1)));
    }

    fn add_non_mated(&mut self, people: Option<BTreeMap<usize, f64>>) {
        self.non_mated += 1;
        match people {
            Some(people) => self.alarms.extend(people.values().copied().max_by(f64::total_cmp)),
            None => self.missed.1 += 1,
        }
    }

    /// Mated probes.
    #[must_use]
    pub fn mated(&self) -> usize {
        self.ranks.len()
    }

    /// Non-mated probes.
    #[must_use]
    pub fn non_mated(&self) -> usize {
        self.non_mated
    }

    /// Probes without a face: mated and non-mated.
    #[must_use]
    pub fn missed(&self) -> (usize, usize) {
        self.missed
    }

    /// DIR where no more than `asked` of the n non-mated probes raise a false alarm: the threshold is the (floor(asked
    /// * n) + 1)-th highest of their best scores.
    ///
    /// # Errors
    /// [`MetricError::RateTooSmall`] below 1/n, which names the smallest that these data can show; [`MetricError::NotARate`]
    /// outside (0, 1).
    pub fn dir_at_fpir(&self, asked: f64) -> Result<OpenSetPoint, MetricError> {
        let Allowance { errors, evidence } = allowance(asked, self.non_mated, "non-mated probes")?;
        let threshold = self.alarms.iter().rev().nth(errors).copied();
        let passing = |scores: &[f64]| match threshold {
            Some(threshold) => scores.len() - scores.partition_point(|score| *score <= threshold),
            None => scores.len(),
        };
        let dir = Proportion::of(passing(&self.right), self.mated());
        let fpir = Proportion::of(passing(&self.alarms), self.non_mated);
        Ok(OpenSetPoint { asked, evidence, threshold, dir, fpir })
    }

    /// FNIR over FPIR from the strictest threshold to the laxest, one point a score that changes one of them.
    #[must_use]
    pub fn curve(&self) -> Vec<FnirPoint> {
        let mut thresholds = [self.right.as_slice(), self.alarms.as_slice()].concat();
        thresholds.sort_by(f64::total_cmp);
        thresholds.dedup();
        let point = |threshold, alarms: usize, right: usize| FnirPoint {
            threshold,
            fpir: alarms as f64 / self.non_mated as f64,
            fnir: (self.mated() - right) as f64 / self.mated() as f64,
        };
        let lower = thresholds.into_iter().rev();
        let lower = lower.map(|limit| point(Some(limit), from(&self.alarms, limit), from(&self.right, limit)));
        std::iter::once(point(None, 0, 0)).chain(lower).collect()
    }

    /// Closed set: mated probes whose own person is among the first `rank`. A rank beyond the gallery is the whole
    /// gallery.
    ///
    /// # Errors
    /// [`MetricError::ListTooShort`] when a list ends before that rank.
    pub fn rank(&self, rank: usize) -> Result<Proportion, MetricError> {
        let kept = self.shortest;
        if kept < rank.min(self.gallery) {
            return Err(MetricError::ListTooShort { rank, kept, gallery: self.gallery });
        }
        let found = self.ranks.iter().filter(|own| own.is_some_and(|own| own <= rank)).count();
        Ok(Proportion::of(found, self.mated()))
    }
}

#[cfg(test)]
mod tests;
