//! Detectors compared without a truth: how far they agree, and the faces on which they do not.
//!
//! Boxes agree when their intersection over union is 0.5 or more. Agreement says nothing about who is right: the
//! disagreements are sorted so that they can be looked at on a contact sheet.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    rectangle::{Rectangle, SAME_FACE},
    wider::{Detection, ResultImage},
};

/// What one detector found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorResults {
    /// The detector.
    pub detector: String,
    /// The pictures it looked at, those without a detection included.
    pub images: Vec<ResultImage>,
}

/// How far two detectors agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairAgreement {
    /// The one detector.
    pub first: String,
    /// The other.
    pub second: String,
    /// Faces that both found, matched one to one, the greatest overlap first.
    pub both: usize,
    /// Faces that only the first found.
    pub only_first: usize,
    /// Faces that only the second found.
    pub only_second: usize,
}

impl PairAgreement {
    /// The share of all faces found by the two that both found; None when neither found any.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let all = self.both + self.only_first + self.only_second;
        (all > 0).then(|| self.both as f64 / all as f64)
    }
}

/// A face that some of the detectors found and some did not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// The picture.
    pub file: String,
    /// The box of the first detector that found the face.
    pub area: Rectangle,
    /// Who found it, in the order in which the detectors were given.
    pub found_by: Vec<String>,
    /// Who did not.
    pub missed_by: Vec<String>,
}

/// What detectors have in common and what not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Every pair of detectors, in the order in which they were given.
    pub pairs: Vec<PairAgreement>,
    /// How many faces all detectors found.
    pub agreed: usize,
    /// The faces on which they differ: found by the fewest first, then by who found them, by picture, and from top to
    /// bottom and left to right.
    pub disagreements: Vec<Disagreement>,
}

/// Why detectors cannot be compared.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AgreementError {
    /// Fewer than two.
    #[error("agreement needs two detectors, not {0}")]
    TooFew(usize),
    /// Two with the same name.
    #[error("the detector {0} is given twice")]
    TwiceGiven(String),
    /// One of them looked at other pictures than the first.
    #[error("{detector} has no result for {file}, {other} has: detectors are compared on the same pictures")]
    OtherImages {
        /// The detector without a result.
        detector: String,
        /// The picture.
        file: String,
        /// The detector with a result.
        other: String,
    },
    /// One has two results for a picture.
    #[error("{detector} has two results for {file}")]
    TwoResults {
        /// The detector.
        detector: String,
        /// The picture.
        file: String,
    },
    /// A box with a negative side or a number that is not finite.
    #[error("{detector} has a box in {file} that is none")]
    Box {
        /// The detector.
        detector: String,
        /// The picture.
        file: String,
    },
}

/// Compares detectors on the pictures that all of them looked at.
///
/// # Errors
/// When there are fewer than two, or they did not look at the same pictures.
pub fn agree(detectors: &[DetectorResults]) -> Result<Agreement, AgreementError> {
    let images = checked_images(detectors)?;
    let mut pairs = Vec::new();
    for (index, first) in detectors.iter().enumerate() {
        for (other, second) in detectors.iter().enumerate().skip(index + 1) {
            pairs.push(pair_agreement(&images, (index, &first.detector), (other, &second.detector)));
        }
    }
    let mut agreed = 0;
    let mut groups: Vec<(&str, Group)> = Vec::new();
    for image in &images {
        for group in groups_of(&image.detections) {
            if group.detectors.len() == detectors.len() {
                agreed += 1;
            } else {
                groups.push((image.file, group));
            }
        }
    }
    groups.sort_by(|(file, group), (other_file, other)| {
        let by_detectors =
            group.detectors.len().cmp(&other.detectors.len()).then(group.detectors.cmp(&other.detectors));
        by_detectors.then(file.cmp(other_file)).then(reading_order(&group.area, &other.area))
    });
    let disagreements = groups.into_iter().map(|(file, group)| disagreement(detectors, file, &group)).collect();
    Ok(Agreement { pairs, agreed, disagreements })
}

/// A picture with what each detector found in it.
struct Image<'a> {
    file: &'a str,
    detections: Vec<&'a [Detection]>,
}

/// The pictures in the order of the first detector, after checking that all detectors have the same.
fn checked_images(detectors: &[DetectorResults]) -> Result<Vec<Image<'_>>, AgreementError> {
    let [first, others @ ..] = detectors else { return Err(AgreementError::TooFew(0)) };
    if others.is_empty() {
        return Err(AgreementError::TooFew(1));
    }
    let mut names = HashSet::new();
    if let Some(twice) = detectors.iter().find(|one| !names.insert(&one.detector)) {
        return Err(AgreementError::TwiceGiven(twice.detector.clone()));
    }
    let results = detectors.iter().map(results_by_file).collect::<Result<Vec<_>, _>>()?;
    let missing = |detector: &DetectorResults, file: &str, other: &DetectorResults| AgreementError::OtherImages {
        detector: detector.detector.clone(),
        file: file.to_owned(),
        other: other.detector.clone(),
    };
    for other in others {
        if let Some(image) = other.images.iter().find(|image| !results[0].contains_key(image.file.as_str())) {
            return Err(missing(first, &image.file, other));
        }
    }
    let mut images = Vec::with_capacity(first.images.len());
    for image in &first.images {
        let mut detections = Vec::with_capacity(detectors.len());
        for (detector, results) in detectors.iter().zip(&results) {
            let found = results.get(image.file.as_str()).copied();
            detections.push(found.ok_or_else(|| missing(detector, &image.file, first))?);
        }
        images.push(Image { file: &image.file, detections });
    }
    Ok(images)
}

fn results_by_file(results: &DetectorResults) -> Result<HashMap<&str, &[Detection]>, AgreementError> {
    let mut by_file = HashMap::new();
    for image in &results.images {
        let (detector, file) = (results.detector.clone(), image.file.clone());
        if image.detections.iter().any(|found| !found.area.is_valid()) {
            return Err(AgreementError::Box { detector, file });
        }
        if by_file.insert(image.file.as_str(), image.detections.as_slice()).is_some() {
            return Err(AgreementError::TwoResults { detector, file });
        }
    }
    Ok(by_file)
}

fn pair_agreement(images: &[Image], first: (usize, &str), second: (usize, &str)) -> PairAgreement {
    let (mut both, mut only_first, mut only_second) = (0, 0, 0);
    for image in images {
        let (a, b) = (image.detections[first.0], image.detections[second.0]);
        let matched = count_matches(a, b);
        both += matched;
        only_first += a.len() - matched;
        only_second += b.len() - matched;
    }
    PairAgreement { first: first.1.to_owned(), second: second.1.to_owned(), both, only_first, only_second }
}

/// How many boxes of the one belong to a box of the other, one to one, the greatest overlap first. Equal overlaps are
/// taken by place, so that the order of the boxes does not matter.
fn count_matches(first: &[Detection], second: &[Detection]) -> usize {
    let (first, second) = (sorted(first), sorted(second));
    let mut overlaps = Vec::new();
    for (a, one) in first.iter().enumerate() {
        for (b, other) in second.iter().enumerate() {
            let overlap = one.area.overlap(&other.area);
            if overlap >= SAME_FACE {
                overlaps.push((overlap, a, b));
            }
        }
    }
    overlaps.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut used_first, mut used_second) = (HashSet::new(), HashSet::new());
    let is_match = |&&(_, a, b): &&(f64, usize, usize)| {
        let free = !used_first.contains(&a) && !used_second.contains(&b);
        free && used_first.insert(a) && used_second.insert(b)
    };
    overlaps.iter().filter(is_match).count()
}

/// Boxes of different detectors that show the same face.
struct Group {
    area: Rectangle,
    /// The detectors by position, rising.
    detectors: Vec<usize>,
}

/// Puts the boxes of a picture together: detector by detector, each box joins the group whose first box it overlaps
/// most, if it overlaps it enough and no surer box of the same detector is in it; otherwise it begins a group.
fn groups_of(detections: &[&[Detection]]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (detector, found) in detections.iter().enumerate() {
        for one in sorted(found) {
            let is_open = |group: &&mut Group| !group.detectors.contains(&detector);
            let overlapping = groups
                .iter_mut()
                .filter(is_open)
                .map(|group| (group.area.overlap(&one.area), group))
                .filter(|(overlap, _)| *overlap >= SAME_FACE);
            match overlapping.max_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((_, group)) => group.detectors.push(detector),
                None => groups.push(Group { area: one.area, detectors: vec![detector] }),
            }
        }
    }
    groups
}

/// The detections by falling score, equal scores by place.
fn sorted(detections: &[Detection]) -> Vec<&Detection> {
    let mut sorted: Vec<&Detection> = detections.iter().collect();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| reading_order(&a.area, &b.area)));
    sorted
}

/// From top to bottom, then left to right, then the smaller first.
fn reading_order(one: &Rectangle, other: &Rectangle) -> std::cmp::Ordering {
    let key = |area: &Rectangle| [area.top, area.left, area.width, area.height];
    let compared = key(one).into_iter().zip(key(other)).map(|(a, b)| a.total_cmp(&b));
    compared.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

fn disagreement(detectors: &[DetectorResults], file: &str, group: &Group) -> Disagreement {
    let (found, missed): (Vec<_>, Vec<_>) =
        detectors.iter().enumerate().partition(|(index, _)| group.detectors.contains(index));
    let names = |part: Vec<(usize, &DetectorResults)>| part.into_iter().map(|(_, one)| one.detector.clone()).collect();
    Disagreement { file: file.to_owned(), area: group.area, found_by: names(found), missed_by: names(missed) }
}

#[cfg(test)]
mod tests;
