//! Detection against the truth: the WIDER FACE evaluation to the letter, and simple figures beside it.
//!
//! The WIDER FACE protocol (Yang et al., CVPR 2016, and its published evaluation program), as it is computed here:
//! 1. Scores are brought to 0..1 by the smallest and the largest score of the whole result set.
//! 2. In each picture, detections are taken by falling score. Each belongs to the face that it overlaps most (the
//!    first of equals), when that overlap is 0.5 or more by the `+1` pixel convention
//!    ([`Rectangle::overlap_plus_one`]).
//! 3. A detection of an ignored face is neither right nor wrong. A face that counts is found by the first detection
//!    that belongs to it; every further one is a false detection, as is one that belongs to no face.
//! 4. At the 1000 thresholds 0.999, 0.998, … 0, detections with a score at or above the threshold are proposals;
//!    precision is found faces over proposals that are not ignored, recall is found faces over all that count.
//! 5. The average precision is the area below the precision envelope, as in PASCAL VOC 2010.
//!
//! Pictures without a face in the truth, or without a detection, add no proposals in this protocol; the false
//! detections in pictures without faces are in [`figures`] only. A detector whose scores are all equal
//! is outside the protocol, which would divide by zero: its detections get the score 1 here.

mod cases;
mod judge;

use serde::Serialize;
use thiserror::Error;

pub(crate) use cases::name_of;
pub use cases::{Case, CaseFace, cases};
use judge::{Judged, Verdict, judge};

#[cfg(doc)]
use crate::rectangle::Rectangle;

/// How many thresholds the WIDER FACE protocol has.
pub const WIDER_THRESHOLDS: usize = 1000;

/// Why detections cannot be evaluated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DetectionError {
    /// Nothing to find.
    #[error("no face counts in this truth: recall and average precision are not defined")]
    NoFaces,
    /// A score that cannot be compared.
    #[error("{0} has a detection whose score is not a finite number")]
    Score(String),
    /// Results for a picture that is not in the truth.
    #[error("the results name {0}, which is not in the truth")]
    UnknownResult(String),
    /// A subset list names a picture that is not in the truth.
    #[error("the subset list names {0}, which is not in the truth")]
    UnknownSubset(String),
    /// Two pictures of the truth, the results or the subset list differ in their extension only.
    #[error("{0} comes twice")]
    Twice(String),
    /// No picture of the truth has a result.
    #[error("the results name no picture of the truth")]
    NothingInCommon,
    /// A subset list counts a face that the truth does not have.
    #[error("the subset list names face {number} of {file}, which has {faces}")]
    UnknownFace {
        /// The picture.
        file: String,
        /// The number in the list, counted from 1.
        number: usize,
        /// How many faces the picture has.
        faces: usize,
    },
}

/// One point of a precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Detections with this score or more are taken.
    pub threshold: f64,
    /// The share of the detections taken that are faces; 0 where none is taken.
    pub precision: f64,
    /// The share of the faces that are found.
    pub recall: f64,
}

/// The result of the WIDER FACE protocol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WiderEvaluation {
    /// How many faces count.
    pub faces: usize,
    /// The area below the precision envelope, 0 to 1.
    pub average_precision: f64,
    /// The 1000 points by falling threshold; thresholds are of normalised scores.
    pub curve: Vec<CurvePoint>,
}

/// What a detector does at one threshold of its own scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Detections with this score or more are taken.
    pub threshold: f64,
    /// How many pictures were looked at, those without faces included.
    pub images: usize,
    /// How many faces count.
    pub faces: usize,
    /// How many detections were taken, those of ignored faces not counted.
    pub detections: usize,
    /// How many faces were found.
    pub found: usize,
    /// How many faces were missed.
    pub missed: usize,
    /// How many detections are of no face, or of one that was found already.
    pub false_detections: usize,
    /// How many detections are of ignored faces.
    pub ignored: usize,
}

impl Figures {
    /// The share of the detections that are faces; None without detections.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.found, self.detections)
    }

    /// The share of the faces that are found; None without faces.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found, self.faces)
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The WIDER FACE evaluation of a result set.
///
/// # Errors
/// When no face counts or a score is not finite.
pub fn evaluate_wider(cases: &[Case]) -> Result<WiderEvaluation, DetectionError> {
    let faces = checked_faces(cases)?;
    let scores = || cases.iter().flat_map(|case| &case.detections).map(|detection| detection.score);
    let lowest = scores().fold(f64::INFINITY, f64::min);
    let range = scores().fold(f64::NEG_INFINITY, f64::max) - lowest;
    let normalised = |score: f64| if range > 0.0 { (score - lowest) / range } else { 1.0 };
    let mut proposals = vec![0_usize; WIDER_THRESHOLDS];
    let mut found = vec![0_usize; WIDER_THRESHOLDS];
    for case in cases.iter().filter(|case| !case.faces.is_empty()) {
        let running = running_counts(&judge(case));
        let scores: Vec<f64> = running.iter().map(|count| normalised(count.score)).collect();
        for index in 0..WIDER_THRESHOLDS {
            let taken = scores.partition_point(|&score| score >= wider_threshold(index));
            if let Some(last) = taken.checked_sub(1) {
                proposals[index] += running[last].proposals;
                found[index] += running[last].found;
            }
        }
    }
    let point = |index: usize| CurvePoint {
        threshold: wider_threshold(index),
        precision: ratio(found[index], proposals[index]).unwrap_or(0.0),
        recall: found[index] as f64 / faces as f64,
    };
    let curve: Vec<CurvePoint> = (0..WIDER_THRESHOLDS).map(point).collect();
    Ok(WiderEvaluation { faces, average_precision: average_precision(&curve), curve })
}

/// The threshold of this index, 0.999 for the first and 0 for the last.
fn wider_threshold(index: usize) -> f64 {
    1.0 - (index + 1) as f64 / WIDER_THRESHOLDS as f64
}

/// How many faces count, after checking that there is one and that every score can be compared.
fn checked_faces(cases: &[Case]) -> Result<usize, DetectionError> {
    if let Some(case) = cases.iter().find(|case| case.detections.iter().any(|found| !found.score.is_finite())) {
        return Err(DetectionError::Score(case.file.clone()));
    }
    match cases.iter().map(Case::counted).sum() {
        0 => Err(DetectionError::NoFaces),
        faces => Ok(faces),
    }
}

/// How many proposals and found faces there are down to a detection.
struct Running {
    score: f64,
    proposals: usize,
    found: usize,
}

/// The counts down to each detection, by falling score.
fn running_counts(judged: &[Judged]) -> Vec<Running> {
    let (mut proposals, mut found) = (0, 0);
    let count = |one: &Judged| {
        proposals += usize::from(one.verdict != Verdict::Ignored);
        found += usize::from(one.verdict == Verdict::Found);
        Running { score: one.score, proposals, found }
    };
    judged.iter().map(count).collect()
}

/// The area below the precision envelope of a curve by falling threshold (PASCAL VOC 2010): at every recall, the best
/// precision that is reached with that recall or more.
#[must_use]
pub fn average_precision(curve: &[CurvePoint]) -> f64 {
    let mut best = 0.0_f64;
    let mut area = 0.0;
    for (index, point) in curve.iter().enumerate().rev() {
        best = best.max(point.precision);
        let recall_before = index.checked_sub(1).map_or(0.0, |before| curve[before].recall);
        area += (point.recall - recall_before) * best;
    }
    area
}

/// Counts at one threshold of the detector's own scores, by the matching of the WIDER FACE protocol but over all
/// pictures, those without faces included.
#[must_use]
pub fn figures(cases: &[Case], threshold: f64) -> Figures {
    let mut count = [0_usize; 3];
    for one in cases.iter().flat_map(judge).filter(|one| one.score >= threshold) {
        match one.verdict {
            Verdict::Found => count[0] += 1,
            Verdict::False => count[1] += 1,
            Verdict::Ignored => count[2] += 1,
        }
    }
    let [found, false_detections, ignored] = count;
    let faces: usize = cases.iter().map(Case::counted).sum();
    Figures {
        threshold,
        images: cases.len(),
        faces,
        detections: found + false_detections,
        found,
        missed: faces - found,
        false_detections,
        ignored,
    }
}

#[cfg(test)]
mod tests;
