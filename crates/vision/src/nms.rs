//! Non-maximum suppression: of boxes that cover the same thing, keep the one with the best score.

use crate::geometry::Rect;

/// What the common area of two boxes is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// The area of both together: intersection over union.
    Union,
    /// The smaller of the two areas, so that a box inside another is suppressed.
    Min,
}

/// How to suppress.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nms {
    /// Overlap above which the box with the lower score goes.
    pub threshold: f32,
    /// What overlap means.
    pub overlap: Overlap,
    /// Whether `x2` and `y2` are the last pixel instead of the one behind it, so that a side has length `x2 - x1 + 1`
    /// (MTCNN's last stage counts this way).
    pub inclusive: bool,
}

impl Nms {
    /// Intersection over union of ordinary boxes.
    #[must_use]
    pub const fn union(threshold: f32) -> Self {
        Self { threshold, overlap: Overlap::Union, inclusive: false }
    }

    /// Indexes of the boxes that stay, best score first; equal scores in their order. Boxes beyond the shorter of the two
    /// slices are ignored.
    #[must_use]
    pub fn keep(&self, boxes: &[Rect], scores: &[f32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..boxes.len().min(scores.len())).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut kept: Vec<usize> = Vec::new();
        for candidate in order {
            let rect = &boxes[candidate];
            if kept.iter().all(|&better| !self.suppresses(&boxes[better], rect)) {
                kept.push(candidate);
            }
        }
        kept
    }

    fn suppresses(&self, better: &Rect, other: &Rect) -> bool {
        let one = if self.inclusive { 1.0 } else { 0.0 };
        let width = better.x2.min(other.x2) - better.x1.max(other.x1) + one;
        let height = better.y2.min(other.y2) - better.y1.max(other.y1) + one;
        if width <= 0.0 || height <= 0.0 {
            return false;
        }
        let area = |r: &Rect| (r.x2 - r.x1 + one) * (r.y2 - r.y1 + one);
        let common = width * height;
        let whole = match self.overlap {
            Overlap::Union => area(better) + area(other) - common,
            Overlap::Min => area(better).min(area(other)),
        };
        common / whole > self.threshold
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Nms, Overlap};
    use crate::geometry::Rect;

    #[test]
    fn the_better_of_two_stays() {
        let boxes = [Rect::new(0.0, 0.0, 10.0, 10.0), Rect::new(1.0, 0.0, 11.0, 10.0), Rect::new(50.0, 0.0, 60.0, 9.0)];
        assert_eq!(Nms::union(0.5).keep(&boxes, &[0.8, 0.9, 0.7]), [1, 2]);
        assert_eq!(Nms::union(0.9).keep(&boxes, &[0.8, 0.9, 0.7]), [1, 0, 2]);
    }

    #[test]
    fn min_suppresses_a_box_inside_another() {
        let boxes = [Rect::new(0.0, 0.0, 100.0, 100.0), Rect::new(10.0, 10.0, 20.0, 20.0)];
        let scores = [0.9, 0.8];
        assert_eq!(Nms::union(0.5).keep(&boxes, &scores).len(), 2);
        let min = Nms { threshold: 0.7, overlap: Overlap::Min, inclusive: true };
        assert_eq!(min.keep(&boxes, &scores), [0]);
    }

    #[test]
    fn inclusive_boxes_are_one_pixel_wider() {
        // 0..=1 and 1..=2 share one of three columns; as exclusive boxes they only touch.
        let boxes = [Rect::new(0.0, 0.0, 1.0, 0.0), Rect::new(1.0, 0.0, 2.0, 0.0)];
        let inclusive = Nms { threshold: 0.3, overlap: Overlap::Union, inclusive: true };
        assert_eq!(inclusive.keep(&boxes, &[0.9, 0.8]), [0]);
        assert_eq!(Nms::union(0.3).keep(&boxes, &[0.9, 0.8]), [0, 1]);
    }

    fn any_box() -> impl Strategy<Value = Rect> {
        (0.0f32..100.0, 0.0f32..100.0, 0.1f32..50.0, 0.1f32..50.0)
            .prop_map(|(x, y, w, h)| Rect::new(x, y, x + w, y + h))
    }

    proptest! {
        #[test]
        fn kept_boxes_do_not_overlap_and_dropped_ones_do(
            items in proptest::collection::vec((any_box(), 0.0f32..1.0), 0..40),
            threshold in 0.1f32..0.9,
        ) {
            let (boxes, scores): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            let kept = Nms::union(threshold).keep(&boxes, &scores);
            for (i, &a) in kept.iter().enumerate() {
                for &b in &kept[..i] {
                    prop_assert!(boxes[a].iou(&boxes[b]) <= threshold + 1e-5);
                    prop_assert!(scores[a] <= scores[b]);
                }
            }
            for dropped in (0..boxes.len()).filter(|i| !kept.contains(i)) {
                let covered = kept.iter().any(|&k| boxes[k].iou(&boxes[dropped]) > threshold - 1e-5
                    && scores[k] >= scores[dropped]);
                prop_assert!(covered);
            }
        }

        #[test]
        fn nan_and_infinity_never_panic(values in proptest::collection::vec(any::<(f32, f32, f32, f32, f32)>(), 0..20)) {
            let boxes: Vec<_> = values.iter().map(|v| Rect::new(v.0, v.1, v.2, v.3)).collect();
            let scores: Vec<_> = values.iter().map(|v| v.4).collect();
            prop_assert!(Nms::union(0.5).keep(&boxes, &scores).len() <= boxes.len());
        }
    }
}
