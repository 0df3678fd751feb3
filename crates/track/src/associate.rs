//! Which face of a frame is which known one: C-BIoU, cascaded matching by buffered overlap.
//!
//! Both boxes of a pair grow by the same fraction of their own size before their overlap is measured, first by a little, then, for what is
//! left over, by more. Two boxes of width `w` still touch at a distance of `w * (1 + 2 * buffer)`.

use sightline_vision::Rect;

use crate::assign::assign;

/// Buffer of the first round: the paper's.
const SMALL_BUFFER: f32 = 0.3;
/// Buffer of the second round for a face with a known speed: 1.8 widths from where it is expected. The paper has 0.5 at 20 to 25 frames a
/// second; here every step is judged against the expected place, and a wider one links strangers after a cut.
const WIDE_BUFFER: f32 = 0.4;
/// Buffer of the second round for a face that was seen once, so that nothing is known of its speed: 2.5 widths, a quick walk at
/// five frames a second.
const NEW_BUFFER: f32 = 0.75;
/// The step in seconds that the buffers are meant for; they shrink and grow with the time since the face was seen.
const REFERENCE_STEP: f32 = 0.2;
/// How far they shrink (25 frames a second) and grow (half a second and more).
const STEP_RANGE: (f32, f32) = (0.5, 2.0);
/// A face is at most so many times larger or smaller (square root of the area) than when it was last seen.
const SIZE_RATIO: f32 = 1.8;
/// Less overlap than this of the grown boxes is none.
const LEAST_OVERLAP: f32 = 0.01;

/// A known face, as the next frame should show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Where.
    pub(crate) bbox: Rect,
    /// Seconds since it was seen.
    pub(crate) seconds: f32,
    /// It was seen more than once.
    pub(crate) speed_known: bool,
}

impl Expected {
    fn overlap(&self, face: &Rect, buffer: f32) -> f32 {
        let ratio = (self.bbox.area() / face.area()).sqrt();
        if !(1.0 / SIZE_RATIO..=SIZE_RATIO).contains(&ratio) {
            return 0.0;
        }
        let buffer = buffer * (self.seconds / REFERENCE_STEP).clamp(STEP_RANGE.0, STEP_RANGE.1);
        let overlap = self.bbox.grown(buffer).iou(&face.grown(buffer));
        if overlap >= LEAST_OVERLAP { overlap } else { 0.0 }
    }
}

/// The face that belongs to each known one. No face is given twice.
pub(crate) fn associate(known: &[Expected], faces: &[Rect]) -> Vec<Option<usize>> {
    let mut face_of = vec![None; known.len()];
    let mut free = vec![true; faces.len()];
    let wide = |k: &Expected| if k.speed_known { WIDE_BUFFER } else { NEW_BUFFER };
    let rounds: [&dyn Fn(&Expected) -> f32; 2] = [&|_| SMALL_BUFFER, &wide];
    for buffer in rounds {
        let rows: Vec<usize> = (0..known.len()).filter(|&k| face_of[k].is_none()).collect();
        let columns: Vec<usize> = (0..faces.len()).filter(|&f| free[f]).collect();
        let mut weights = Vec::with_capacity(rows.len() * columns.len());
        for &row in &rows {
            let buffer = buffer(&known[row]);
            weights.extend(columns.iter().map(|&column| known[row].overlap(&faces[column], buffer)));
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

    use super::{Expected, associate};

    fn at(x: f32) -> Rect {
        Rect::new(x - 20.0, 100.0, x + 20.0, 150.0)
    }

    fn known(x: f32, speed_known: bool) -> Expected {
        Expected { bbox: at(x), seconds: 0.2, speed_known }
    }

    #[test]
    fn a_new_face_is_found_two_widths_away_and_an_old_one_is_not() {
        let faces = [at(180.0)];
        assert_eq!(associate(&[known(100.0, false)], &faces), [Some(0)]);
        assert_eq!(associate(&[known(100.0, true)], &faces), [None]);
        assert_eq!(associate(&[known(100.0, true)], &[at(165.0)]), [Some(0)]);
    }

    #[test]
    fn the_near_one_wins_before_the_wide_round() {
        // 0 would also reach the face of 1, but 1 sits on it.
        assert_eq!(associate(&[known(100.0, false), known(160.0, false)], &[at(162.0)]), [None, Some(0)]);
    }

    #[test]
    fn another_size_is_another_face() {
        let large = Rect::new(60.0, 60.0, 140.0, 170.0);
        assert_eq!(associate(&[known(100.0, true)], &[large]), [None]);
    }

    #[test]
    fn neighbours_keep_their_places() {
        let known = [known(100.0, true), known(150.0, true), known(200.0, true)];
        let faces = [at(205.0), at(104.0), at(153.0)];
        assert_eq!(associate(&known, &faces), [Some(1), Some(2), Some(0)]);
    }
}
