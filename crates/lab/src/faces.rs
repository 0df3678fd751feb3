//! From pictures to vectors: the detector, crop and embedder of the pipeline, on every core that is asked for.
//!
//! What was computed is kept in a file, a line a picture, so that an interrupted run goes on where it was and a second one begins with the
//! vectors. The file's name carries the models and the settings; a picture that has changed since is looked at again.

mod memory;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use sightline_infer::{Detection, Detector, DetectorConfig, Embedder, FaceCrop, InferError, ModelStore, Runtime};
use sightline_vision::{FaceCut, Picture, cut_face, decode_still};
use thiserror::Error;

use crate::progress::Progress;
use memory::Memory;

/// Pictures that a thread takes at a time, and so most faces of one inference: FaceNet gains a quarter up to 8, and nothing beyond.
const BATCH: usize = 8;

/// Most pixels of a picture; checked before it is decoded.
const PIXEL_LIMIT: u64 = 100_000_000;

/// How far from the picture's middle the face of [`Choice::Central`] may be, sum of both axes, in shares of the mean side: the 100 of 250
/// pixels with which the reference figures of LFW were made.
const CENTRAL_WITHIN: f32 = 0.4;

/// Whose face a picture shows, when it shows several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The one nearest to the middle: LFW is centred on its people, and others stand around them.
    Central,
    /// The largest.
    Largest,
}

/// With what pictures are turned into vectors.
#[derive(Clone, Debug)]
pub struct Models {
    /// Loads the networks.
    pub runtime: Runtime,
    /// Where the models are.
    pub store: ModelStore,
    /// The detector.
    pub detector: DetectorConfig,
    /// The embedder's id.
    pub embedder: String,
    /// Which face.
    pub choice: Choice,
}

/// What a picture gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The unit vector of its face.
    Vector(Vec<f32>),
    /// No face was found.
    NoFace,
    /// It cannot be used, and why.
    Unusable(String),
}

impl Outcome {
    /// The vector, if there is one.
    #[must_use]
    pub fn vector(&self) -> Option<&[f32]> {
        match self {
            Self::Vector(vector) => Some(vector),
            Self::NoFace | Self::Unusable(_) => None,
        }
    }
}

/// Why no pictures can be embedded.
#[derive(Debug, Error)]
pub enum FacesError {
    /// A model cannot be used.
    #[error(transparent)]
    Model(#[from] InferError),
    /// What was computed cannot be kept; what is in the file stays good.
    #[error("the vectors cannot be kept in {}: {source}", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The cosine of two unit vectors.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// What each of `files`, relative to `root`, gives. `threads` networks work side by side; `kept` is the folder where results are kept
/// between runs, None keeps nothing. `progress` is made for so many pictures, of which so many are done already.
///
/// # Errors
/// [`FacesError`]. A picture that cannot be used is an [`Outcome`], not an error.
pub fn embed(
    models: &Models,
    (root, files): (&Path, &[String]),
    threads: usize,
    kept: Option<&Path>,
    progress: impl FnOnce(u64, u64) -> Progress,
) -> Result<Vec<Outcome>, FacesError> {
    let mut memory = Memory::open(kept, &key(models)?)?;
    let mut outcomes: Vec<Option<Outcome>> = files.iter().map(|file| memory.recall(root, file)).collect();
    let missing: Vec<usize> = (0..files.len()).filter(|index| outcomes[*index].is_none()).collect();
    let progress = progress(files.len() as u64, (files.len() - missing.len()) as u64);
    let next = AtomicUsize::new(0);
    let batches: Vec<&[usize]> = missing.chunks(BATCH).collect();
    let threads = threads.clamp(1, batches.len().max(1));
    let (found, receiver) = mpsc::sync_channel::<(&[usize], Vec<Outcome>)>(threads);
    let work = |found: mpsc::SyncSender<_>| -> Result<(), InferError> {
        let mut worker = Worker::open(models)?;
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let paths: Vec<PathBuf> = batch.iter().map(|index| root.join(&files[*index])).collect();
            // Nobody hears it when the keeper has failed: then this is over.
            if found.send((*batch, worker.embed(&paths)?)).is_err() {
                break;
            }
        }
        Ok(())
    };
    let mut keep = |receiver: mpsc::Receiver<(&[usize], Vec<Outcome>)>| {
        for (batch, results) in receiver {
            for (index, outcome) in batch.iter().zip(results) {
                memory.keep(root, &files[*index], &outcome)?;
                outcomes[*index] = Some(outcome);
            }
            progress.advance(batch.len() as u64);
        }
        Ok::<(), FacesError>(())
    };
    std::thread::scope(|scope| {
        let start = |_| {
            let (found, work) = (found.clone(), &work);
            scope.spawn(move || work(found))
        };
        let workers: Vec<_> = (0..threads).map(start).collect();
        // The workers have senders of their own: the last one that ends, ends the keeping.
        drop(found);
        let kept = keep(receiver);
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        kept
    })?;
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::NoFace)).collect())
}

/// Everything that the vectors depend on, aside from the pictures.
fn key(models: &Models) -> Result<String, InferError> {
    let (detector, embedder) = (models.store.verify(&models.detector.model)?, models.store.verify(&models.embedder)?);
    Ok(format!("{detector} {embedder} {:?} {:?}", models.detector, models.choice))
}

/// The networks of one thread.
struct Worker {
    detector: Detector,
    embedder: Embedder,
    choice: Choice,
}

impl Worker {
    fn open(models: &Models) -> Result<Self, InferError> {
        Ok(Self {
            detector: Detector::open(&models.runtime, &models.store, &models.detector)?,
            embedder: Embedder::open(&models.runtime, &models.store, &models.embedder)?,
            choice: models.choice,
        })
    }

    /// As the stages do it: from the picture to a generic crop, from the crops to vectors.
    fn embed(&mut self, paths: &[PathBuf]) -> Result<Vec<Outcome>, InferError> {
        let detector = self.detector.model_id().as_str().to_owned();
        let mut cuts: Vec<Result<FaceCut, Outcome>> = Vec::new();
        for path in paths {
            cuts.push(self.cut(path)?);
        }
        let crops: Vec<FaceCrop<'_>> = cuts
            .iter()
            .flatten()
            .map(|cut| FaceCrop { image: &cut.image, face: cut.face, landmarks: cut.landmarks, detector: &detector })
            .collect();
        let mut vectors = self.embedder.embed_crops(&crops)?.into_iter();
        let outcome = |cut: Result<FaceCut, Outcome>| match cut {
            Err(outcome) => outcome,
            Ok(_) => match vectors.next() {
                Some(Ok(vector)) => Outcome::Vector(vector),
                Some(Err(error)) => Outcome::Unusable(error.to_string()),
                None => Outcome::NoFace,
            },
        };
        Ok(cuts.into_iter().map(outcome).collect())
    }

    fn cut(&mut self, path: &Path) -> Result<Result<FaceCut, Outcome>, InferError> {
        let read = std::fs::read(path).map_err(|error| error.to_string());
        let image = match read.and_then(|bytes| decode_still(&bytes, PIXEL_LIMIT).map_err(|error| error.to_string())) {
            Ok(image) => image,
            Err(reason) => return Ok(Err(Outcome::Unusable(reason))),
        };
        let found = self.detector.detect(Picture::Rgb(&image))?;
        let Some(face) = choose(self.choice, &found, (image.width() as f32, image.height() as f32)) else {
            return Ok(Err(Outcome::NoFace));
        };
        let cut = cut_face(Picture::Rgb(&image), &face.bbox, &face.landmarks);
        Ok(cut.map_err(|error| Outcome::Unusable(error.to_string())))
    }
}

/// The face that a picture is about.
fn choose(choice: Choice, found: &[Detection], (width, height): (f32, f32)) -> Option<Detection> {
    let distance = |face: &Detection| {
        let center = face.bbox.center();
        (center.x - width / 2.0).abs() + (center.y - height / 2.0).abs()
    };
    match choice {
        Choice::Central => {
            let nearest = found.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
            (distance(nearest) <= CENTRAL_WITHIN * (width + height) / 2.0).then_some(*nearest)
        }
        Choice::Largest => found.iter().max_by(|a, b| a.bbox.area().total_cmp(&b.bbox.area())).copied(),
    }
}

#[cfg(test)]
mod tests {
    use sightline_infer::Detection;
    use sightline_vision::{Point, Rect};

    use super::{Choice, choose, cosine};

    fn face(x1: f32, y1: f32, x2: f32, y2: f32) -> Detection {
        Detection { bbox: Rect::new(x1, y1, x2, y2), score: 0.9, landmarks: [Point { x: x1, y: y1 }; 5] }
    }

    #[test]
    fn the_face_in_the_middle_or_the_largest() {
        let faces = [face(0.0, 0.0, 120.0, 120.0), face(100.0, 100.0, 150.0, 150.0), face(200.0, 100.0, 240.0, 140.0)];
        assert_eq!(choose(Choice::Central, &faces, (250.0, 250.0)), Some(faces[1]));
        assert_eq!(choose(Choice::Largest, &faces, (250.0, 250.0)), Some(faces[0]));
        // 100 pixels of 250 away and no more.
        assert_eq!(
            choose(Choice::Central, &[face(175.0, 125.0, 175.0, 175.0)], (250.0, 250.0)).map(|f| f.score),
            Some(0.9)
        );
        assert_eq!(choose(Choice::Central, &[face(200.0, 125.0, 200.0, 177.0)], (250.0, 250.0)), None);
        assert_eq!(choose(Choice::Largest, &[], (250.0, 250.0)), None);
    }

    #[test]
    fn cosines_of_unit_vectors() {
        assert!((cosine(&[0.6, 0.8], &[0.8, 0.6]) - 0.96).abs() < 1e-7);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), 0.0);
    }
}
