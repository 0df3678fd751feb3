//! What every detector of the laboratory does, with landmarks or without.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use sightline_vision::{Landmarks, Picture, Rect};

use crate::traditional::error::DetectorError;

/// A face, in pixels of the picture it was found in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoundFace {
    /// Box; may reach outside the picture.
    pub bbox: Rect,
    /// How sure the detector is: larger is surer, comparable within one detector only.
    pub score: f32,
    /// None for a detector that has no landmarks.
    pub landmarks: Option<Landmarks>,
}

/// Finds faces: `FaceDetector` of the pipeline without the promise of landmarks.
pub trait BoxDetector: Send {
    /// The faces of `picture`, best score first.
    ///
    /// # Errors
    /// [`DetectorError`] when the detector is broken: the two here never are once they are open, networks may be. A
    /// picture without faces is no error.
    fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<FoundFace>, DetectorError>;

    /// `<name>@<first 12 hex digits of the model file's sha256>`.
    fn model_id(&self) -> &str;
}

/// Best first; equal scores from top to bottom and left to right, so that the order never depends on the search.
pub(crate) fn sort(faces: &mut [FoundFace]) {
    faces.sort_by(|a, b| {
        let place = |face: &FoundFace| (face.bbox.y1, face.bbox.x1, face.bbox.width());
        let ((ay, ax, aw), (by, bx, bw)) = (place(a), place(b));
        b.score.total_cmp(&a.score).then(ay.total_cmp(&by)).then(ax.total_cmp(&bx)).then(aw.total_cmp(&bw))
    });
}

/// A model file and its sha256 in hex.
pub(crate) fn read_model(path: &Path) -> Result<(Vec<u8>, String), DetectorError> {
    let bytes = std::fs::read(path).map_err(|source| DetectorError::Read { path: path.to_owned(), source })?;
    let mut hash = String::with_capacity(64);
    for byte in Sha256::digest(&bytes) {
        // Writing to a string cannot fail.
        let _written = write!(hash, "{byte:02x}");
    }
    Ok((bytes, hash))
}

#[cfg(test)]
mod tests {
    use sightline_vision::Rect;

    use super::{FoundFace, read_model, sort};

    #[test]
    fn the_order_is_by_score_then_by_place() {
        let face =
            |x: f32, y: f32, score| FoundFace { bbox: Rect::new(x, y, x + 9.0, y + 9.0), score, landmarks: None };
        let mut faces = [face(5.0, 5.0, 1.0), face(9.0, 2.0, 1.0), face(0.0, 9.0, 3.0), face(1.0, 2.0, 1.0)];
        sort(&mut faces);
        let places: Vec<(f32, f32)> = faces.iter().map(|face| (face.bbox.x1, face.bbox.y1)).collect();
        assert_eq!(places, [(0.0, 9.0), (1.0, 2.0), (9.0, 2.0), (5.0, 5.0)]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_model("nowhere/cascade.xml".as_ref()).unwrap_err().to_string();
        assert!(error.contains("nowhere/cascade.xml"), "{error}");
    }
}
