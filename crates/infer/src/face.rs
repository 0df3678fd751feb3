//! What the stages need of a model, and what they do with its faces: shared by live frames (detect), crops (embed)
//! and stills (analyse).
//!
//! The two traits are the seam at which tests put a fake model in place of a network.

use sightline_vision::{FaceCut, FaceOrigin, Picture, Quality, QualityGates, QualityReason, assess, cut_face};

use crate::{Detection, Detector, Embedder, FaceCrop, InferError, ItemError};

/// Most faces taken from one picture, the best scores first: bounds the memory that a picture of noise or of a
/// stadium can cost.
pub const MAX_FACES: usize = 256;

/// Finds faces.
pub trait FaceDetector: Send + 'static {
    /// The faces of `picture`, boxes and landmarks in its pixels.
    ///
    /// # Errors
    /// [`InferError`] when the model is broken; a picture without faces is no error.
    fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<Detection>, InferError>;

    /// `<manifest id>@<first 12 hex digits of the weights' sha256>`.
    fn model_id(&self) -> &str;
}

/// Turns faces into vectors.
pub trait FaceEmbedder: Send + 'static {
    /// One unit vector, or the reason why there is none, for each crop in its place.
    ///
    /// # Errors
    /// [`InferError`] when the model is broken.
    fn embed(&mut self, crops: &[FaceCrop<'_>]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError>;

    /// `<manifest id>@<first 12 hex digits of the weights' sha256>`.
    fn model_id(&self) -> &str;
}

impl FaceDetector for Detector {
    fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<Detection>, InferError> {
        Self::detect(self, picture)
    }

    fn model_id(&self) -> &str {
        Self::model_id(self).as_str()
    }
}

impl FaceEmbedder for Embedder {
    fn embed(&mut self, crops: &[FaceCrop<'_>]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError> {
        self.embed_crops(crops)
    }

    fn model_id(&self) -> &str {
        Self::model_id(self).as_str()
    }
}

/// A detection with its generic crop and what that is worth.
#[derive(Clone, Debug)]
pub struct AssessedFace {
    /// Box, landmarks and score, in the picture's pixels.
    pub detection: Detection,
    /// The generic crop.
    pub cut: FaceCut,
    /// How good it is.
    pub quality: Quality,
    /// The first gate that it fails.
    pub flaw: Option<QualityReason>,
}

/// Cuts and assesses the faces of `picture`, in the order of `detections`. Left out: what has numbers that are not
/// finite, shows nothing of the picture, or comes after the [`MAX_FACES`] best scores.
#[must_use]
pub fn assess_faces(picture: Picture<'_>, mut detections: Vec<Detection>, gates: &QualityGates) -> Vec<AssessedFace> {
    detections.retain(is_sound);
    if detections.len() > MAX_FACES {
        let mut scores: Vec<f32> = detections.iter().map(|detection| detection.score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let least = scores[MAX_FACES - 1];
        detections.retain(|detection| detection.score >= least);
        detections.truncate(MAX_FACES);
    }
    let assessed = |detection: Detection| {
        let cut = cut_face(picture, &detection.bbox, &detection.landmarks).ok()?;
        let origin = FaceOrigin {
            bbox: detection.bbox,
            landmarks: detection.landmarks,
            frame: picture.size(),
            score: detection.score,
        };
        let (quality, flaw) = assess(&cut, &origin, gates);
        Some(AssessedFace { detection, cut, quality, flaw })
    };
    detections.into_iter().filter_map(assessed).collect()
}

fn is_sound(detection: &Detection) -> bool {
    let points_finite = detection.landmarks.iter().all(|point| point.x.is_finite() && point.y.is_finite());
    detection.bbox.is_valid() && detection.score.is_finite() && points_finite
}

#[cfg(test)]
mod tests {
    use sightline_vision::{Picture, Point, QualityGates, Rect, RgbImage};

    use super::{MAX_FACES, assess_faces};
    use crate::Detection;

    fn detection(x: f32, score: f32) -> Detection {
        let landmarks = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
            .map(|(dx, dy)| Point { x: x + 40.0 * dx, y: 40.0 + 50.0 * dy });
        Detection { bbox: Rect::new(x, 40.0, x + 40.0, 90.0), score, landmarks }
    }

    #[test]
    fn what_is_not_finite_or_not_in_the_picture_is_left_out() {
        let image = RgbImage::filled(200, 200, [90; 3]);
        let mut nan_box = detection(50.0, 0.9);
        nan_box.bbox.x1 = f32::NAN;
        let mut nan_point = detection(50.0, 0.9);
        nan_point.landmarks[2].y = f32::INFINITY;
        let far = detection(5000.0, 0.9);
        let faces = vec![nan_box, detection(50.0, f32::NAN), nan_point, far, detection(60.0, 0.8)];
        let faces = assess_faces(Picture::Rgb(&image), faces, &QualityGates::default());
        assert_eq!(faces.len(), 1);
        assert_eq!(faces[0].detection.score, 0.8);
        assert_eq!((faces[0].cut.image.width(), faces[0].cut.image.height()), (100, 100));
    }

    #[test]
    fn the_best_are_kept_in_their_order() {
        let image = RgbImage::filled(64, 64, [90; 3]);
        let many = |n: u16| (0..n).map(|i| detection(10.0, 0.5 + f32::from(i % 300) / 1000.0)).collect::<Vec<_>>();
        let faces = assess_faces(Picture::Rgb(&image), many(300), &QualityGates::default());
        assert_eq!(faces.len(), MAX_FACES);
        let scores: Vec<f32> = faces.iter().map(|face| face.detection.score).collect();
        assert!(scores.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(scores[0], 0.5 + 44.0 / 1000.0);
    }
}
