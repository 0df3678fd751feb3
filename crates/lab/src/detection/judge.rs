//! What each detection of a picture is: a face, a false detection, or one that does not count.

use super::cases::Case;
use crate::wider::Detection;

/// What a detection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first to find a face that counts.
    Found,
    /// Of no face, or of a face that is found already.
    False,
    /// Of a face that does not count.
    Ignored,
}

/// A detection with its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    pub(super) score: f64,
    pub(super) verdict: Verdict,
}

/// Judges the detections of a picture by falling score. Among equal scores the order of the detections decides which
/// one finds the face, which changes no count as long as equal scores are taken together.
pub(super) fn judge(case: &Case) -> Vec<Judged> {
    let mut detections: Vec<&Detection> = case.detections.iter().collect();
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut is_found = vec![false; case.faces.len()];
    let mut verdict = |detection: &Detection| match case.face_of(detection) {
        None => Verdict::False,
        Some(face) if !case.faces[face].counts => Verdict::Ignored,
        Some(face) if std::mem::replace(&mut is_found[face], true) => Verdict::False,
        Some(_) => Verdict::Found,
    };
    detections.into_iter().map(|one| Judged { score: one.score, verdict: verdict(one) }).collect()
}
