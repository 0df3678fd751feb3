//! A rectangle in a picture, and how overlaps are counted: by the convention of WIDER FACE.
//!
//! Not [`sightline_vision::Rect`], because evaluations compare to the last bit: WIDER FACE's files write a corner, a width and a height, which
//! are kept as they are written, and its protocol counts in double precision, where an overlap of exactly one half and the first of equal
//! overlaps decide.

use serde::{Deserialize, Serialize};

/// The intersection over union from which two boxes show the same face.
const SAME_FACE: f64 = 0.5;

/// A rectangle in pixels of the picture: left top corner, width and height.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rectangle {
    /// The left edge, x in pixels.
    pub left: f64,
    /// The upper edge, y in pixels.
    pub top: f64,
    /// The width in pixels.
    pub width: f64,
    /// The height in pixels.
    pub height: f64,
}

impl Rectangle {
    /// The rectangle with this left top corner, width and height, in pixels.
    #[must_use]
    pub fn new(left: f64, top: f64, width: f64, height: f64) -> Self {
        Self { left, top, width, height }
    }

    /// Intersection over union by the WIDER FACE convention: the far corner is `left + width`, `top + height`, and
    /// every extent from corner to corner counts one pixel more, as if corners were pixels that belong to the box.
    #[must_use]
    pub fn overlap_plus_one(&self, other: &Self) -> f64 {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let (other_right, other_bottom) = (other.left + other.width, other.top + other.height);
        let width = right.min(other_right) - self.left.max(other.left) + 1.0;
        let height = bottom.min(other_bottom) - self.top.max(other.top) + 1.0;
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let shared = width * height;
        let own = (right - self.left + 1.0) * (bottom - self.top + 1.0);
        let others = (other_right - other.left + 1.0) * (other_bottom - other.top + 1.0);
        shared / (own + others - shared)
    }

    /// Which of `others` shows the same face by the WIDER FACE convention: the one that overlaps most, the first of equals, if it overlaps
    /// enough.
    #[must_use]
    pub fn same_face<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> Option<usize> {
        let mut most = (None, 0.0);
        for (index, other) in others.into_iter().enumerate() {
            let overlap = self.overlap_plus_one(other);
            if overlap > most.1 {
                most = (Some(index), overlap);
            }
        }
        most.0.filter(|_| most.1 >= SAME_FACE)
    }

    /// Whether every number is finite and neither side is negative.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        [self.left, self.top, self.width, self.height].iter().all(|value| value.is_finite())
            && self.width >= 0.0
            && self.height >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_of_hand_computed_boxes() {
        let square = Rectangle::new(0.0, 0.0, 10.0, 10.0);
        let half = Rectangle::new(5.0, 0.0, 10.0, 10.0);
        // Eleven by eleven each; they share six by eleven.
        assert!((square.overlap_plus_one(&half) - 66.0 / (121.0 + 121.0 - 66.0)).abs() < 1e-15);
        assert_eq!(square.overlap_plus_one(&square), 1.0);
    }

    #[test]
    fn touching_and_distant_boxes() {
        let square = Rectangle::new(0.0, 0.0, 10.0, 10.0);
        let touching = Rectangle::new(10.0, 0.0, 10.0, 10.0);
        assert!((square.overlap_plus_one(&touching) - 11.0 / (242.0 - 11.0)).abs() < 1e-15);
        assert_eq!(square.overlap_plus_one(&Rectangle::new(11.0, 0.0, 5.0, 5.0)), 0.0);
    }

    #[test]
    fn a_point_is_a_pixel() {
        let point = Rectangle::new(3.0, 3.0, 0.0, 0.0);
        assert_eq!(point.overlap_plus_one(&point), 1.0);
    }

    #[test]
    fn valid_rectangles() {
        assert!(Rectangle::new(-3.0, 2.0, 0.0, 1.0).is_valid());
        assert!(!Rectangle::new(0.0, 0.0, -1.0, 1.0).is_valid());
        assert!(!Rectangle::new(f64::NAN, 0.0, 1.0, 1.0).is_valid());
        assert!(!Rectangle::new(0.0, 0.0, f64::INFINITY, 1.0).is_valid());
    }
}
