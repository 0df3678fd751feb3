//! Seeded splits of a data set into gallery, mated and non-mated probes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::metrics::error::MetricError;

/// A picture of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sample {
    /// The person's number.
    pub person: usize,
    /// The picture's number among the person's.
    pub picture: usize,
}

/// Who goes where. People of the gallery and people of the non-mated probes are different people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// What it was drawn with: the same rule and seed draw it again.
    pub seed: u64,
    /// Templates.
    pub gallery: Vec<Sample>,
    /// The other pictures of the people in the gallery.
    pub mated: Vec<Sample>,
    /// All pictures of everybody else.
    pub non_mated: Vec<Sample>,
}

/// How splits are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitRule {
    /// Templates a person, drawn from their pictures; who has not one picture more is never enrolled.
    pub templates: usize,
    /// Share (0 to 1) of the people with pictures enough that are kept out all the same, drawn anew for each split. 0
    /// is the usual way on LFW, where those with one picture are the strangers.
    pub kept_out: f64,
    /// The first split's seed; the others follow from it.
    pub seed: u64,
}

/// Draws `count` splits of people with so many pictures each.
///
/// # Errors
/// [`MetricError::Nothing`] when nobody can be enrolled, or nobody is left as a stranger; [`MetricError::NotARate`] for
/// a share outside 0 to 1.
pub fn splits(pictures: &[usize], rule: SplitRule, count: usize) -> Result<Vec<Split>, MetricError> {
    if !(0.0..=1.0).contains(&rule.kept_out) {
        return Err(MetricError::NotARate(rule.kept_out));
    }
    if rule.templates == 0 {
        return Err(MetricError::TooFew { what: "templates a person", found: 0, needed: 1 });
    }
    // Seeds that follow each other make unrelated sequences: fastrand mixes them.
    (0..count as u64).map(|step| split(pictures, rule, rule.seed.wrapping_add(step))).collect()
}

/// Pictures of strangers that every one of the splits has: what one of these strangers decides is the same in all.
#[must_use]
pub fn always_strangers(splits: &[Split]) -> usize {
    let of = |split: &Split| -> BTreeSet<Sample> { split.non_mated.iter().copied().collect() };
    splits.iter().map(of).reduce(|all, one| &all & &one).map_or(0, |all| all.len())
}

fn split(pictures: &[usize], rule: SplitRule, seed: u64) -> Result<Split, MetricError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut enrolled: Vec<usize> = (0..pictures.len()).filter(|person| pictures[*person] > rule.templates).collect();
    random.shuffle(&mut enrolled);
    let kept_out = (rule.kept_out * enrolled.len() as f64).round() as usize;
    enrolled.truncate(enrolled.len() - kept_out.min(enrolled.len()));
    enrolled.sort_unstable();
    let mut split = Split { seed, gallery: Vec::new(), mated: Vec::new(), non_mated: Vec::new() };
    for (person, count) in pictures.iter().enumerate() {
        let mut samples: Vec<Sample> = (0..*count).map(|picture| Sample { person, picture }).collect();
        if enrolled.binary_search(&person).is_ok() {
            random.shuffle(&mut samples);
            let mut probes = samples.split_off(rule.templates);
            probes.sort_unstable();
            samples.sort_unstable();
            split.gallery.extend(samples);
            split.mated.extend(probes);
        } else {
            split.non_mated.extend(samples);
        }
    }
    if split.gallery.is_empty() {
        return Err(MetricError::Nothing("person with more pictures than templates who could be enrolled"));
    }
    if split.non_mated.is_empty() {
        return Err(MetricError::Nothing("person left over as a stranger"));
    }
    Ok(split)
}
