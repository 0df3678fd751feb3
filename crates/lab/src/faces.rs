//! From pictures to vectors: the detector, crop and embedder of the pipeline, on every core that is asked for.
//!
//! What was computed is kept, so that an interrupted run goes on where it was: see [`crate::kept`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_infer::{
    AssessedFace, Detection, DetectorConfig, Embedder, FaceCrop, InferError, ItemError, ModelStore, Runtime,
};
use sightline_vision::{QualityGates, QualityReason, RgbImage, fuse};
use thiserror::Error;

use crate::crops::{self, Finder, Missing};
use crate::kept::{KeepError, Kept};
use crate::parallel;
use crate::progress::Progress;

/// Pictures that a thread takes at a time, and so most faces of one inference: FaceNet gains a quarter up to 8, and nothing beyond.
pub const BATCH: usize = 8;

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

impl Choice {
    /// The face that a picture of this size is about.
    pub(crate) fn of(self, found: &[Detection], (width, height): (u32, u32)) -> Option<Detection> {
        let (width, height) = (width as f32, height as f32);
        let distance = |face: &Detection| {
            let center = face.bbox.center();
            (center.x - width / 2.0).abs() + (center.y - height / 2.0).abs()
        };
        match self {
            Self::Central => {
                let nearest = found.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
                (distance(nearest) <= CENTRAL_WITHIN * (width + height) / 2.0).then_some(*nearest)
            }
            Self::Largest => found.iter().max_by(|a, b| a.bbox.area().total_cmp(&b.bbox.area())).copied(),
        }
    }
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
    /// Whether the network's input is looked at a second time in a mirror, and the two vectors summed and brought back to length 1, as
    /// insightface evaluates. davidsandberg's facenet puts the two side by side instead: then the cosine of two pictures is the mean of
    /// that of the straight ones and that of the mirrored ones. The sum keeps the embedder's dimension, so such a vector is a template
    /// like any other. Off in the pipeline.
    pub flip: bool,
}

/// What the pipeline makes of a face, aside from its vector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Its quality, 0 to 1.
    pub quality: f32,
    /// The shorter side of its box, pixels.
    pub size: f32,
    /// The first of the pipeline's gates that it fails; that for the size is left to whoever asks.
    pub flaw: Option<String>,
}

impl Worth {
    fn of(face: &AssessedFace) -> Self {
        let bbox = face.detection.bbox;
        let flaw = face.flaw.map(|flaw| flaw.as_str().to_owned());
        Self { quality: face.quality.score, size: bbox.width().min(bbox.height()), flaw }
    }

    /// Why the pipeline would not use the face, where faces count from `least` pixels on.
    #[must_use]
    pub fn flaw(&self, least: f32) -> Option<&str> {
        if self.size < least { Some(QualityReason::Small.as_str()) } else { self.flaw.as_deref() }
    }
}

/// Without the one for the size, which is a setting of the pipeline.
fn gates() -> QualityGates {
    QualityGates { min_size: 0.0, ..QualityGates::default() }
}

/// What a picture gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The unit vector of its face, and what the face is worth.
    Vector(Vec<f32>, Worth),
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
            Self::Vector(vector, _) => Some(vector),
            Self::NoFace | Self::Unusable(_) => None,
        }
    }
}

impl From<Missing> for Outcome {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::NoFace => Self::NoFace,
            Missing::Unusable(reason) => Self::Unusable(reason),
        }
    }
}

/// Why no pictures can be embedded.
#[derive(Debug, Error)]
pub enum FacesError {
    /// A model cannot be used.
    #[error(transparent)]
    Model(#[from] InferError),
    /// What was computed cannot be kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
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
    let kept = Kept::open(kept, "faces", &key(models)?)?;
    let mut outcomes: Vec<Option<Outcome>> =
        files.iter().map(|file| kept.recall(&root.join(file), "").cloned()).collect();
    let missing: Vec<usize> = (0..files.len()).filter(|index| outcomes[*index].is_none()).collect();
    let progress = progress(files.len() as u64, (files.len() - missing.len()) as u64);
    let work = |worker: &mut Worker, batch: &[usize]| -> Result<Vec<(usize, Outcome)>, InferError> {
        let paths: Vec<PathBuf> = batch.iter().map(|index| root.join(&files[*index])).collect();
        Ok(batch.iter().copied().zip(worker.embed(&paths)?).collect())
    };
    let keep = |batch: Vec<(usize, Outcome)>| -> Result<(), FacesError> {
        let pictures = batch.len() as u64;
        for (index, outcome) in batch {
            // Why a picture cannot be used may be mended without the picture being changed.
            if !matches!(outcome, Outcome::Unusable(_)) {
                kept.keep(&root.join(&files[index]), "", &outcome)?;
            }
            outcomes[index] = Some(outcome);
        }
        progress.advance(pictures);
        Ok(())
    };
    parallel::each(missing.chunks(BATCH), threads, || Worker::open(models), work, keep)?;
    Ok(outcomes.into_iter().flatten().collect())
}

/// Everything that the outcomes depend on, aside from the pictures: weights, manifests, gates, and what was asked for.
fn key(models: &Models) -> Result<String, InferError> {
    let flip = if models.flip { "flip" } else { "" };
    let mut key = format!("{:?} {:?} {:?} {flip}", models.detector, models.choice, gates());
    for id in [&models.detector.model, &models.embedder] {
        key += &format!(" {} {:?}", models.store.verify(id)?, models.store.get(id)?);
    }
    Ok(key)
}

/// The networks of one thread.
struct Worker {
    finder: Finder,
    embedder: Embedder,
    flip: bool,
}

impl Worker {
    fn open(models: &Models) -> Result<Self, InferError> {
        Ok(Self {
            finder: Finder::open(models)?,
            embedder: Embedder::open(&models.runtime, &models.store, &models.embedder)?,
            flip: models.flip,
        })
    }

    /// As the stages do it: from the picture to a generic crop, from the crops to vectors.
    fn embed(&mut self, paths: &[PathBuf]) -> Result<Vec<Outcome>, InferError> {
        let faces = paths.iter().map(|path| self.face(path)).collect::<Result<Vec<_>, _>>()?;
        let detector = self.finder.model_id().to_owned();
        let crops: Vec<FaceCrop<'_>> = faces
            .iter()
            .flatten()
            .map(|AssessedFace { cut, .. }| FaceCrop {
                image: &cut.image,
                face: cut.face,
                landmarks: cut.landmarks,
                detector: &detector,
            })
            .collect();
        let mut vectors = self.vectors(&crops)?.into_iter();
        let outcome = |face: &Result<AssessedFace, Missing>| match face {
            Ok(face) => match vectors.next() {
                Some(Ok(vector)) => Outcome::Vector(vector, Worth::of(face)),
                Some(Err(error)) => Outcome::Unusable(error.to_string()),
                None => Outcome::NoFace,
            },
            Err(missing) => missing.clone().into(),
        };
        Ok(faces.iter().map(outcome).collect())
    }

    fn face(&mut self, path: &Path) -> Result<Result<AssessedFace, Missing>, InferError> {
        match crops::read(path) {
            Ok(image) => self.finder.find(&image, &gates()),
            Err(missing) => Ok(Err(missing)),
        }
    }

    /// A vector for each crop, in its place.
    fn vectors(&mut self, crops: &[FaceCrop<'_>]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError> {
        if !self.flip {
            return self.embedder.embed_crops(crops);
        }
        let inputs: Vec<Result<RgbImage, ItemError>> = crops.iter().map(|crop| self.embedder.prepare(crop)).collect();
        let both: Vec<RgbImage> = inputs.iter().flatten().flat_map(|face| [face.clone(), mirrored(face)]).collect();
        let mut vectors = self.embedder.embed_inputs(&both)?.into_iter();
        let mut next = || vectors.next().unwrap_or(Err(ItemError::Vector("missing")));
        let sum = |input: Result<RgbImage, ItemError>| {
            input?;
            let (straight, mirrored) = (next(), next());
            fuse([(1.0, &straight?[..]), (1.0, &mirrored?[..])]).ok_or(ItemError::Vector("zero"))
        };
        Ok(inputs.into_iter().map(sum).collect())
    }
}

/// Left and right exchanged.
fn mirrored(image: &RgbImage) -> RgbImage {
    let mut mirrored = image.clone();
    for row in mirrored.data_mut().chunks_exact_mut(3 * image.width() as usize) {
        row.as_chunks_mut::<3>().0.reverse();
    }
    mirrored
}

#[cfg(test)]
mod tests {
    use sightline_infer::{Detection, DetectorConfig, Device, ModelStore, Runtime};
    use sightline_vision::{Point, Rect, RgbImage};

    use super::{Choice, Models, Worth, cosine, key, mirrored};

    fn face(x1: f32, y1: f32, x2: f32, y2: f32) -> Detection {
        Detection { bbox: Rect::new(x1, y1, x2, y2), score: 0.9, landmarks: [Point { x: x1, y: y1 }; 5] }
    }

    #[test]
    fn the_face_in_the_middle_or_the_largest() {
        let faces = [face(0.0, 0.0, 120.0, 120.0), face(100.0, 100.0, 150.0, 150.0), face(200.0, 100.0, 240.0, 140.0)];
        assert_eq!(Choice::Central.of(&faces, (250, 250)), Some(faces[1]));
        assert_eq!(Choice::Largest.of(&faces, (250, 250)), Some(faces[0]));
        // 100 pixels of 250 away and no more.
        assert_eq!(Choice::Central.of(&[face(175.0, 125.0, 175.0, 175.0)], (250, 250)).map(|f| f.score), Some(0.9));
        assert_eq!(Choice::Central.of(&[face(200.0, 125.0, 200.0, 177.0)], (250, 250)), None);
        assert_eq!(Choice::Largest.of(&[], (250, 250)), None);
    }

    #[test]
    fn other_settings_and_other_manifests_give_other_vectors() {
        let (folder, weights) = (tempfile::tempdir().unwrap(), sightline_testkit::cache_dir().join("models"));
        let models = Models {
            runtime: Runtime::load(Some(&sightline_testkit::onnxruntime().unwrap()), Device::Cpu, 1).unwrap(),
            store: ModelStore::new(&weights, None).unwrap(),
            detector: DetectorConfig::new("centerface"),
            embedder: "dlib".to_owned(),
            choice: Choice::Central,
            flip: false,
        };
        // The same weights, read otherwise.
        let mut manifest = models.store.get("centerface").unwrap().clone();
        manifest.detector.as_mut().unwrap().threshold = Some(0.9);
        std::fs::write(folder.path().join("own.toml"), manifest.to_text().unwrap()).unwrap();
        let others = [
            Models { store: ModelStore::new(&weights, Some(folder.path())).unwrap(), ..models.clone() },
            Models { detector: DetectorConfig { width: Some(320), ..models.detector.clone() }, ..models.clone() },
            Models { detector: DetectorConfig::new("mtcnn"), ..models.clone() },
            Models { embedder: "facenet".to_owned(), ..models.clone() },
            Models { choice: Choice::Largest, ..models.clone() },
            Models { flip: true, ..models.clone() },
        ];
        let mut keys: Vec<String> =
            std::iter::once(&models).chain(&others).map(|models| key(models).unwrap()).collect();
        assert_eq!(keys[0], key(&models.clone()).unwrap());
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 1 + others.len());
    }

    #[test]
    fn a_face_that_is_too_small_is_so_first() {
        let worth = Worth { quality: 0.5, size: 50.0, flaw: Some("turned".to_owned()) };
        assert_eq!([40.0, 50.0, 51.0].map(|least| worth.flaw(least)), [Some("turned"), Some("turned"), Some("small")]);
        assert_eq!(Worth { flaw: None, ..worth }.flaw(40.0), None);
    }

    #[test]
    fn a_mirror_exchanges_left_and_right_and_no_colours() {
        let image = RgbImage::new(3, 2, (0..18).collect()).unwrap();
        assert_eq!(mirrored(&image).data(), [6, 7, 8, 3, 4, 5, 0, 1, 2, 15, 16, 17, 12, 13, 14, 9, 10, 11]);
    }

    #[test]
    fn cosines_of_unit_vectors() {
        assert!((cosine(&[0.6, 0.8], &[0.8, 0.6]) - 0.96).abs() < 1e-7);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), 0.0);
    }
}
