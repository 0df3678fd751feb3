//! Closed set: every probe shows one of the classes. Recognition rate, false recognition rate, precision and recall a
//! class.
//!
//! **Rates are of all probes.** Each probe is exactly one of: recognised (its own name), falsely recognised (another's
//! name) or missed (no face found, so nothing to recognise). The three rates add to 1. Rejecting the unsure lowers both
//! the recognition rate and the false recognition rate, so they are read together, as the curve over the threshold.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::{MetricError, finite};
use super::statistics::Proportion;

/// What a recogniser said of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is this class.
    Class(usize),
    /// No face was found.
    Missed,
}

/// The confusion matrix, with a column for missed probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Names, in order.
    pub classes: Vec<String>,
    /// `counts[i][j]`: probes of class i that were given the name j.
    pub counts: Vec<Vec<usize>>,
    /// Missed probes of each class.
    pub missed: Vec<usize>,
}

/// How one class fares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassResult {
    /// Its name.
    pub name: String,
    /// Probes of it.
    pub probes: usize,
    /// Probes of it that were given its name.
    pub correct: usize,
    /// Probes, of any class, that were given its name.
    pub named: usize,
    /// `correct / named`; `None` where nobody was given its name.
    pub precision: Option<f64>,
    /// `correct / probes`; `None` without a probe.
    pub recall: Option<f64>,
    /// Harmonic mean of the two; 0 where one is missing.
    pub f1: f64,
}

/// Means over the classes, each counting alike ("macro").
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Averages {
    /// Of the precisions; a name never given counts as 0, as in scikit-learn.
    pub precision: f64,
    /// Of the recalls.
    pub recall: f64,
    /// Of the F1 figures.
    pub f1: f64,
}

/// What a reject threshold does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RejectPoint {
    /// From this score of the best class on it is named.
    pub threshold: f64,
    /// Share of all probes given their own name.
    pub recognition: f64,
    /// Share of all probes given another's name.
    pub false_recognition: f64,
}

impl Confusion {
    /// Counts the answers: (true class, answer).
    ///
    /// # Errors
    /// [`MetricError::NoSuchNumber`] for a class that does not exist; [`MetricError::Nothing`] without a probe.
    pub fn new(classes: Vec<String>, answers: &[(usize, Answer)]) -> Result<Self, MetricError> {
        let count = classes.len();
        if answers.is_empty() {
            return Err(MetricError::Nothing("probe"));
        }
        let mut confusion = Self { classes, counts: vec![vec![0; count]; count], missed: vec![0; count] };
        for (index, (truth, answer)) in answers.iter().enumerate() {
            let named = if let Answer::Class(class) = answer { *class } else { 0 };
            if let Some(number) = [*truth, named].into_iter().find(|number| *number >= count) {
                return Err(MetricError::NoSuchNumber { what: "probe", index, number, count });
            }
            match answer {
                Answer::Class(class) => confusion.counts[*truth][*class] += 1,
                Answer::Missed => confusion.missed[*truth] += 1,
            }
        }
        Ok(confusion)
    }

    fn named(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    fn correct(&self) -> usize {
        self.counts.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// All probes.
    #[must_use]
    pub fn probes(&self) -> usize {
        self.named() + self.missed.iter().sum::<usize>()
    }

    /// Recognition rate: probes given their own name, of all.
    #[must_use]
    pub fn recognition(&self) -> Proportion {
        Proportion::of(self.correct(), self.probes())
    }

    /// False recognition rate: probes given another's name, of all.
    #[must_use]
    pub fn false_recognition(&self) -> Proportion {
        Proportion::of(self.named() - self.correct(), self.probes())
    }

    /// Missed probes, of all.
    #[must_use]
    pub fn missing(&self) -> Proportion {
        Proportion::of(self.missed.iter().sum(), self.probes())
    }

    /// Each class, in order.
    #[must_use]
    pub fn per_class(&self) -> Vec<ClassResult> {
        self.classes.iter().enumerate().map(|(class, name)| self.class(class, name)).collect()
    }

    fn class(&self, class: usize, name: &str) -> ClassResult {
        let row = &self.counts[class];
        let probes = row.iter().sum::<usize>() + self.missed[class];
        let correct = row[class];
        let named: usize = self.counts.iter().map(|row| row[class]).sum();
        let of = |all: usize| (all > 0).then(|| correct as f64 / all as f64);
        let f1 = if probes + named == 0 { 0.0 } else { 2.0 * correct as f64 / (probes + named) as f64 };
        ClassResult { name: name.to_owned(), probes, correct, named, precision: of(named), recall: of(probes), f1 }
    }

    /// Means over the classes that have a probe or were named.
    #[must_use]
    pub fn averages(&self) -> Averages {
        let classes: Vec<ClassResult> =
            self.per_class().into_iter().filter(|class| class.probes + class.named > 0).collect();
        let mean = |of: fn(&ClassResult) -> f64| classes.iter().map(of).sum::<f64>() / classes.len() as f64;
        Averages {
            precision: mean(|class| class.precision.unwrap_or(0.0)),
            recall: mean(|class| class.recall.unwrap_or(0.0)),
            f1: mean(|class| class.f1),
        }
    }
}

/// One probe of a recogniser with scores: the true class, and the best class with its score; `None` when no face was
/// found.
pub type ScoredProbe = (usize, Option<(usize, f64)>);

/// Recognition against false recognition for every reject threshold, strictest first: one point a score.
///
/// # Errors
/// [`MetricError::NotFinite`] with the probe's place; [`MetricError::Nothing`] without a probe.
pub fn reject_curve(probes: &[ScoredProbe]) -> Result<Vec<RejectPoint>, MetricError> {
    if probes.is_empty() {
        return Err(MetricError::Nothing("probe"));
    }
    let mut scored: Vec<(f64, bool)> = Vec::new();
    for (index, (truth, best)) in probes.iter().enumerate() {
        if let Some((class, score)) = best {
            scored.push((finite(*score, "probe", index)? + 0.0, class == truth));
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = probes.len() as f64;
    let (mut right, mut wrong) = (0_usize, 0_usize);
    let mut points = Vec::new();
    for same in scored.chunk_by(|a, b| a.0 == b.0) {
        right += same.iter().filter(|(_, correct)| *correct).count();
        wrong += same.iter().filter(|(_, correct)| !*correct).count();
        let [(threshold, _), ..] = same else { continue };
        let (recognition, false_recognition) = (right as f64 / all, wrong as f64 / all);
        points.push(RejectPoint { threshold: *threshold, recognition, false_recognition });
    }
    Ok(points)
}

/// Which wrong names were given most: (true class, name given, times), most first, then by class.
#[must_use]
pub fn confusions(confusion: &Confusion) -> Vec<(usize, usize, usize)> {
    let mut found: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (truth, row) in confusion.counts.iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|(named, count)| *named != truth && **count > 0);
        found.extend(wrong.map(|(named, count)| ((truth, named), *count)));
    }
    let mut found: Vec<_> = found.into_iter().map(|((truth, named), count)| (truth, named, count)).collect();
    found.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    found
}

#[cfg(test)]
mod tests;
