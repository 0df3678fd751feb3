//! The service `analyse.image`: the faces of one still picture, with their vectors on request.

use std::sync::{Arc, Mutex, PoisonError};

use sightline_infer::{AssessedFace, FaceCrop, FaceDetector, FaceEmbedder, InferError, assess_faces};
use sightline_vision::{ImageError, Picture, QualityGates, RgbImage, decode_still};
use sightline_wire::service::{AnalyseImage, AnalysedFace, Analysis, Failure, FailureKind};

use crate::MAX_BATCH;

/// Settings of the analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalystConfig {
    /// Most pixels of a picture; checked before it is decoded.
    pub pixel_limit: u64,
    /// What a face must reach to be enrolled; `min_size` is `identify.min_face`.
    pub gates: QualityGates,
}

/// Analyses stills with a detector of its own, and with the embedder of a stage, taking turns with it.
#[derive(Debug)]
pub struct Analyst<D, E> {
    detector: Arc<Mutex<D>>,
    embedder: Arc<Mutex<E>>,
    config: AnalystConfig,
    /// Held by whoever has a decoded picture.
    turn: Arc<Mutex<()>>,
}

impl<D, E> Clone for Analyst<D, E> {
    fn clone(&self) -> Self {
        Self {
            detector: self.detector.clone(),
            embedder: self.embedder.clone(),
            config: self.config.clone(),
            turn: self.turn.clone(),
        }
    }
}

impl<D: FaceDetector, E: FaceEmbedder> Analyst<D, E> {
    /// An analyst who uses these models. Its detector may be one of its own, with another width than that of the
    /// cameras.
    #[must_use]
    pub fn new(detector: Arc<Mutex<D>>, embedder: Arc<Mutex<E>>, config: AnalystConfig) -> Self {
        Self { detector, embedder, config, turn: Arc::default() }
    }

    /// The faces of `picture` (the bytes of a JPEG or PNG), largest first, small and flawed ones included. Blocks for
    /// the time of the inferences: call it on a thread that may.
    ///
    /// # Errors
    /// [`Failure`] of kind `TooLarge` or `Invalid` for the picture, `Internal` for a broken model.
    pub fn answer(&self, request: AnalyseImage, picture: &[u8]) -> Result<Analysis, Failure> {
        // One at a time: a small file may hold fifty megapixels, and a crowd of such must not fill the memory.
        let turn = self.turn.lock().map_err(broke_down)?;
        let image = decode_still(picture, self.config.pixel_limit).map_err(|error| refused(&error))?;
        let (faces, detector) = self.find(&image)?;
        let (width, height) = (image.width(), image.height());
        drop(image);
        drop(turn);
        let embedder = self.embedder.lock().map_err(broke_down)?.model_id().to_owned();
        let vectors = self.embed(if request.embed { &faces } else { &[] }, &detector)?;
        let vectors = vectors.into_iter().chain(std::iter::repeat(None));
        let faces = faces.iter().zip(vectors).map(|(face, vector)| analysed(face, vector)).collect();
        Ok(Analysis { width, height, faces, detector, embedder })
    }

    fn find(&self, image: &RgbImage) -> Result<(Vec<AssessedFace>, String), Failure> {
        let picture = Picture::Rgb(image);
        let (found, model) = {
            let mut detector = self.detector.lock().map_err(broke_down)?;
            (detector.detect(picture).map_err(|error| broken(&error))?, detector.model_id().to_owned())
        };
        let mut faces = assess_faces(picture, found, &self.config.gates);
        faces.sort_by(|a, b| b.detection.bbox.area().total_cmp(&a.detection.bbox.area()));
        Ok((faces, model))
    }

    /// A vector for each face that has one. The lock is free between two inferences, so that live crops do not wait
    /// for a whole crowd.
    fn embed(&self, faces: &[AssessedFace], detector: &str) -> Result<Vec<Option<Vec<f32>>>, Failure> {
        let mut vectors = Vec::with_capacity(faces.len());
        for faces in faces.chunks(MAX_BATCH) {
            let crops: Vec<FaceCrop<'_>> = faces.iter().map(|face| crop(face, detector)).collect();
            let answers = self.embedder.lock().map_err(broke_down)?.embed(&crops);
            let answers = answers.map_err(|error| broken(&error))?;
            if answers.len() != crops.len() {
                return Err(Failure::new(FailureKind::Internal, "the embedder lost a face"));
            }
            vectors.extend(answers.into_iter().map(Result::ok));
        }
        Ok(vectors)
    }
}

fn crop<'a>(face: &'a AssessedFace, detector: &'a str) -> FaceCrop<'a> {
    FaceCrop { image: &face.cut.image, face: face.cut.face, landmarks: face.cut.landmarks, detector }
}

fn analysed(face: &AssessedFace, vector: Option<Vec<f32>>) -> AnalysedFace {
    AnalysedFace {
        bbox: face.detection.bbox.to_array(),
        landmarks: face.detection.landmarks.map(|point| [point.x, point.y]),
        score: face.detection.score,
        quality: face.quality.score,
        flaw: face.flaw.map(|flaw| flaw.as_str().to_owned()),
        vector,
    }
}

fn refused(error: &ImageError) -> Failure {
    let kind = match error {
        ImageError::TooManyPixels { .. } | ImageError::Size { .. } => FailureKind::TooLarge,
        _ => FailureKind::Invalid,
    };
    Failure::new(kind, error.to_string())
}

fn broken(error: &InferError) -> Failure {
    tracing::error!(%error, "a picture could not be analysed");
    Failure::new(FailureKind::Internal, error.to_string())
}

fn broke_down<T>(_: PoisonError<T>) -> Failure {
    Failure::new(FailureKind::Internal, "the model broke down in the middle of a picture; restart the process")
}

#[cfg(test)]
mod tests;
