//! Detectors compared without a truth: how far they agree, and the faces on which they do not.
//!
//! Boxes agree when their intersection over union is 0.5 or more. Agreement says nothing about who is right: the
//! disagreements are sorted so that they can be looked at on a contact sheet.

use std::collections::HashSet;

use serde::Serialize;
use thiserror::Error;

use crate::{
    rectangle::{Rectangle, SAME_FACE},
    wider::{Detection, ResultImage},
};

/// What one detector found.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorResults {
    /// The detector.
    pub detector: String,
    /// The pictures it looked at, those without a detection included.
    pub images: Vec<ResultImage>,
}

impl DetectorResults {
    fn files(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(|image| image.file.as_str())
    }
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
    /// One of them looked at other pictures than the first.
    #[error("{detector} did not look at the same pictures as {first}")]
    OtherImages {
        /// The one.
        detector: String,
        /// The first.
        first: String,
    },
}

/// Compares detectors on the pictures that all of them looked at, in the same order.
///
/// # Errors
/// When there are fewer than two, or they did not look at the same pictures.
pub fn agree(detectors: &[DetectorResults]) -> Result<Agreement, AgreementError> {
    let images = images(detectors)?;
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

fn images(detectors: &[DetectorResults]) -> Result<Vec<Image<'_>>, AgreementError> {
    let [first, others @ ..] = detectors else { return Err(AgreementError::TooFew(0)) };
    if others.is_empty() {
        return Err(AgreementError::TooFew(1));
    }
    if let Some(other) = others.iter().find(|other| !other.files().eq(first.files())) {
        let (detector, first) = (other.detector.clone(), first.detector.clone());
        return Err(AgreementError::OtherImages { detector, first });
    }
    let found = |nth: usize| detectors.iter().map(|one| one.images[nth].detections.as_slice()).collect();
    Ok(first.files().enumerate().map(|(nth, file)| Image { file, detections: found(nth) }).collect())
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
