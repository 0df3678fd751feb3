//! Which face of a frame is which known one: C-BIoU, cascaded matching by buffered overlap.
//!
//! Both boxes of a pair grow by the same fraction of their own size before their overlap is measured, first by a
//! little, then, for what is left over, by more. Two boxes of width `w` still touch at a distance of `w * (1 + 2 *
//! buffer)`.

use sightline_vision::Rect;
use sightline_wire::Face;

use crate::assign::assign;
use crate::look::Look;

/// Buffer of the first round: the paper's.
const SMALL_BUFFER: f32 = 0.3;
/// Buffer of the second round for a face with a known speed: 1.8 widths from where it is expected. The paper has 0.5
/// at 20 to 25 frames a second; here every step is judged against the expected place, and a wider one links strangers
/// after a cut.
const WIDE_BUFFER: f32 = 0.4;
/// Buffer of the second round for a face that was seen once, so that nothing is known of its speed: 2.5 widths, a
/// quick walk at five frames a second.
const NEW_BUFFER: f32 = 0.75;
/// The step in seconds that the buffers are meant for; they shrink and grow with the time since the face was seen.
const REFERENCE_STEP: f32 = 0.2;
/// How far they shrink (25 frames a second) and grow (half a second and more).
const STEP_RANGE: (f32, f32) = (0.5, 2.0);
/// A face is at most so many times larger or smaller (square root of the area) than when it was last seen.
const SIZE_RATIO: f32 = 1.8;
/// Less overlap than this of the grown boxes is none.
const LEAST_OVERLAP: f32 = 0.01;
/// Two sights of one face are at least so much alike; [`crate::look`] says how this was chosen.
const LEAST_LIKENESS: f32 = 0.55;
/// The same for a face that was not found for more than [`GAP`] seconds: whoever hid it is the first to be seen in
/// its place.
const LEAST_LIKENESS_AFTER_GAP: f32 = 0.65;
/// See [`LEAST_LIKENESS_AFTER_GAP`].
const GAP: f32 = 0.3;

/// A known face, as the next frame should show it.
#[derive(Clone, Debug)]
pub(crate) struct Expected<'a> {
    /// Where.
    pub(crate) bbox: Rect,
    /// Seconds since it was seen.
    pub(crate) seconds: f32,
    /// It was not found in the frame before.
    pub(crate) missed: bool,
    /// It was seen more than once.
    pub(crate) speed_known: bool,
    /// What it looked like.
    pub(crate) look: &'a Look,
}

/// A face of the frame.
#[derive(Clone, Debug)]
pub(crate) struct Sight<'a> {
    /// Its number in the message; part of ids.
    pub(crate) index: usize,
    /// The face.
    pub(crate) face: &'a Face,
    /// What it looks like.
    pub(crate) look: Look,
}

impl Expected<'_> {
    /// How well `sight` fits: the overlap of the grown boxes times the likeness, 0 when it cannot be the same.
    fn fit(&self, sight: &Sight<'_>, buffer: f32) -> f32 {
        let ratio = (self.bbox.area() / sight.face.bbox.area()).sqrt();
        if !(1.0 / SIZE_RATIO..=SIZE_RATIO).contains(&ratio) {
            return 0.0;
        }
        let buffer = buffer * (self.seconds / REFERENCE_STEP).clamp(STEP_RANGE.0, STEP_RANGE.1);
        let overlap = self.bbox.grown(buffer).iou(&sight.face.bbox.grown(buffer));
        if overlap < LEAST_OVERLAP || overlap.is_nan() {
            return 0.0;
        }
        let likeness = self.look.likeness(&sight.look);
        let hidden = self.missed && self.seconds > GAP;
        let least = if hidden { LEAST_LIKENESS_AFTER_GAP } else { LEAST_LIKENESS };
        if likeness >= least { overlap * likeness } else { 0.0 }
    }
}

/// The face that belongs to each known one. No face is given twice.
pub(crate) fn associate(known: &[Expected<'_>], faces: &[Sight<'_>]) -> Vec<Option<usize>> {
    let mut face_of = vec![None; known.len()];
    let mut free = vec![true; faces.len()];
    let wide = |k: &Expected<'_>| if k.speed_known { WIDE_BUFFER } else { NEW_BUFFER };
    let rounds: [&dyn Fn(&Expected<'_>) -> f32; 2] = [&|_| SMALL_BUFFER, &wide];
    for buffer in rounds {
        let rows: Vec<usize> = (0..known.len()).filter(|&k| face_of[k].is_none()).collect();
        let columns: Vec<usize> = (0..faces.len()).filter(|&f| free[f]).collect();
        let mut weights = Vec::with_capacity(rows.len() * columns.len());
        for &row in &rows {
            let buffer = buffer(&known[row]);
            weights.extend(columns.iter().map(|&column| known[row].fit(&faces[column], buffer)));
        }
        for (row, column) in rows.iter().zip(assign(rows.len(), columns.len(), &weights)) {
            if let Some(column) = column {
                face_of[*row] = Some(columns[column]);
                free[columns[column]] = false;
            }
        }
    }
    face_of
}

#[cfg(test)]
mod tests {
    use sightline_vision::Rect;
    use sightline_wire::Face;

    use super::{Expected, Sight, associate};
    use crate::look::Look;
    use crate::synthetic::{face_at, face_looking_like};

    /// Known faces by place and whether their speed is known, and faces 40 pixels wide: who is who?
    fn links(known: &[(f32, bool)], faces: &[Face]) -> Vec<Option<usize>> {
        let look = Look::of(&face_at(0.0, 0.0, 40.0).crop);
        let known: Vec<_> = known
            .iter()
            .map(|&(x, speed_known)| Expected {
                bbox: at(x).bbox,
                seconds: 0.2,
                missed: false,
                speed_known,
                look: &look,
            })
            .collect();
        associate(&known, &sights(faces))
    }

    fn sights(faces: &[Face]) -> Vec<Sight<'_>> {
        let sight = |(index, face): (usize, _)| Sight { index, face, look: Look::of(&Face::clone(face).crop) };
        faces.iter().enumerate().map(sight).collect()
    }

    fn at(x: f32) -> Face {
        face_at(x, 100.0, 40.0)
    }

    #[test]
    fn a_new_face_is_found_two_widths_away_and_an_old_one_is_not() {
        assert_eq!(links(&[(100.0, false)], &[at(180.0)]), [Some(0)]);
        assert_eq!(links(&[(100.0, true)], &[at(180.0)]), [None]);
        assert_eq!(links(&[(100.0, true)], &[at(165.0)]), [Some(0)]);
    }

    #[test]
    fn the_near_one_wins_before_the_wide_round() {
        // The first would also reach the face of the second, but the second sits on it.
        assert_eq!(links(&[(100.0, false), (160.0, false)], &[at(162.0)]), [None, Some(0)]);
    }

    #[test]
    fn another_size_is_another_face() {
        let large = Face { bbox: Rect::new(60.0, 60.0, 140.0, 170.0), ..at(100.0) };
        assert_eq!(links(&[(100.0, true)], &[large]), [None]);
    }

    #[test]
    fn neighbours_keep_their_places() {
        let known = [(100.0, true), (150.0, true), (200.0, true)];
        assert_eq!(links(&known, &[at(205.0), at(104.0), at(153.0)]), [Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn another_head_in_the_same_place_is_another_face() {
        let (one, other) = (face_looking_like(1, at(100.0)), face_looking_like(2, at(100.0)));
        let look = Look::of(&one.crop);
        let known = [Expected { bbox: one.bbox, seconds: 0.2, missed: false, speed_known: true, look: &look }];
        assert_eq!(associate(&known, &sights(&[one])), [Some(0)]);
        assert_eq!(associate(&known, &sights(&[other])), [None]);
    }
}
