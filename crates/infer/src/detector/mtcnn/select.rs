//! Which of several faces is taken.

use crate::detector::Detection;
use crate::detector::mtcnn::SelectionMethod;

/// Least probability for [`SelectionMethod::LargestOverThreshold`] and weight of the distance for
/// [`SelectionMethod::CenterWeightedSize`]: facenet-pytorch's defaults.
const OVER_THRESHOLD: f32 = 0.9;
const CENTER_WEIGHT: f32 = 2.0;

pub(super) fn area(face: &Detection) -> f32 {
    face.bbox.width() * face.bbox.height()
}

/// The face that `method` takes, if there is one. (facenet-pytorch's `largest_over_threshold` can return the probability and
/// landmarks of another face than the box's; here they belong together.)
pub(super) fn select(faces: &[Detection], method: SelectionMethod, picture: (u32, u32)) -> Option<Detection> {
    let center = (picture.0 as f32 / 2.0, picture.1 as f32 / 2.0);
    let rank = |face: &&Detection| match method {
        SelectionMethod::Largest | SelectionMethod::LargestOverThreshold => area(face),
        SelectionMethod::Probability => face.score,
        SelectionMethod::CenterWeightedSize => {
            let c = face.bbox.center();
            let (dx, dy) = (c.x - center.0, c.y - center.1);
            area(face) - CENTER_WEIGHT * (dx * dx + dy * dy)
        }
    };
    let eligible = |face: &&Detection| method != SelectionMethod::LargestOverThreshold || face.score > OVER_THRESHOLD;
    faces.iter().filter(eligible).max_by(|a, b| rank(a).total_cmp(&rank(b))).copied()
}
