//! Detectors compared with each other: how far they agree, and the faces on which they do not.
//!
//! Boxes are matched as WIDER FACE's evaluation matches them ([`crate::detection`]), what the earlier of two detectors found taking the
//! place of the truth: with the truth itself as the first of the detectors, the figures are those of the evaluation. Agreement says nothing
//! about who is right: the disagreements are sorted so that they can be looked at on a contact sheet.

use std::collections::HashSet;

use serde::Serialize;
use thiserror::Error;

use crate::{
    rectangle::Rectangle,
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
    /// Faces of the first that the second found as well.
    pub both: usize,
    /// Faces that only the first found.
    pub only_first: usize,
    /// Boxes of the second that are of no face of the first, or of one that another box is of.
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

/// How many boxes of the first have a box of the second that overlaps them most.
fn count_matches(first: &[Detection], second: &[Detection]) -> usize {
    let first = sorted(first);
    let face_of = |one: &Detection| one.area.same_face(first.iter().map(|face| &face.area));
    second.iter().filter_map(face_of).collect::<HashSet<usize>>().len()
}

/// Boxes of different detectors that show the same face.
struct Group {
    area: Rectangle,
    /// The detectors by position, rising.
    detectors: Vec<usize>,
}

/// Puts the boxes of a picture together, detector by detector: each box joins the face that an earlier detector was the first to find, the
/// first such detector before the others, if no surer box of its own detector is in it; otherwise it begins a face.
fn groups_of(detections: &[&[Detection]]) -> Vec<Group> {
    // By the detector that was the first.
    let mut begun: Vec<Vec<Group>> = Vec::new();
    for (detector, found) in detections.iter().enumerate() {
        let mut own = Vec::new();
        for one in sorted(found) {
            let joined = begun.iter_mut().find_map(|groups| {
                let nth = one.area.same_face(groups.iter().map(|group| &group.area))?;
                Some(&mut groups[nth].detectors).filter(|detectors| !detectors.contains(&detector))
            });
            match joined {
                Some(detectors) => detectors.push(detector),
                None => own.push(Group { area: one.area, detectors: vec![detector] }),
            }
        }
        begun.push(own);
    }
    begun.into_iter().flatten().collect()
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
