//! What a detector of the laboratory finds.

use sightline_vision::Rect;

/// A face, in pixels of the picture it was found in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoundFace {
    /// Box; may reach outside the picture.
    pub bbox: Rect,
    /// How sure the detector is: larger is surer, comparable within one detector only.
    pub score: f32,
}

/// Best first; equal scores from top to bottom and left to right, so that the order never depends on the search.
pub(super) fn sort(faces: &mut [FoundFace]) {
    faces.sort_by(|a, b| {
        let place = |face: &FoundFace| (face.bbox.y1, face.bbox.x1, face.bbox.width());
        let ((ay, ax, aw), (by, bx, bw)) = (place(a), place(b));
        b.score.total_cmp(&a.score).then(ay.total_cmp(&by)).then(ax.total_cmp(&bx)).then(aw.total_cmp(&bw))
    });
}

#[cfg(test)]
mod tests {
    use sightline_vision::Rect;

    use super::{FoundFace, sort};

    #[test]
    fn the_order_is_by_score_then_by_place() {
        let face = |x: f32, y: f32, score| FoundFace { bbox: Rect::new(x, y, x + 9.0, y + 9.0), score };
        let mut faces = [face(5.0, 5.0, 1.0), face(9.0, 2.0, 1.0), face(0.0, 9.0, 3.0), face(1.0, 2.0, 1.0)];
        sort(&mut faces);
        let places: Vec<(f32, f32)> = faces.iter().map(|face| (face.bbox.x1, face.bbox.y1)).collect();
        assert_eq!(places, [(0.0, 9.0), (1.0, 2.0), (9.0, 2.0), (5.0, 5.0)]);
    }
}
