//! The face that each picture is about, cut out and assessed as the stages do it: for what needs its pixels or its quality, not its vector.
//!
//! Which face that is follows [`Choice`] as in [`crate::faces`], so that a crop and a vector of one picture show the same person.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use sightline_infer::{AssessedFace, Detection, Detector, InferError, assess_faces};
use sightline_vision::{Picture, QualityGates, RgbImage, decode_still};

use crate::faces::{Choice, Models};
use crate::progress::Progress;

/// Most pixels of a picture; checked before it is decoded.
const PIXEL_LIMIT: u64 = 100_000_000;

/// As in [`crate::faces`]: how far from the middle the face of [`Choice::Central`] may be, in shares of the mean side.
const CENTRAL_WITHIN: f32 = 0.4;

/// Why a picture gives no face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// None was found.
    NoFace,
    /// It cannot be used, and why.
    Unusable(String),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFace => f.write_str("no face"),
            Self::Unusable(reason) => f.write_str(reason),
        }
    }
}

/// Reads and decodes a picture.
///
/// # Errors
/// [`Missing::Unusable`] with what the system or the decoder said.
pub fn read(path: &Path) -> Result<RgbImage, Missing> {
    let bytes = std::fs::read(path).map_err(|error| Missing::Unusable(error.to_string()))?;
    decode_still(&bytes, PIXEL_LIMIT).map_err(|error| Missing::Unusable(error.to_string()))
}

/// Finds the face a picture is about. One for a thread.
#[derive(Debug)]
pub struct Finder {
    detector: Detector,
    choice: Choice,
}

impl Finder {
    /// Loads the detector.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(models: &Models) -> Result<Self, InferError> {
        let detector = Detector::open(&models.runtime, &models.store, &models.detector)?;
        Ok(Self { detector, choice: models.choice })
    }

    /// The face, cut out, with its quality and the first gate that it fails.
    ///
    /// # Errors
    /// Outer: the model is broken. Inner: why there is no face.
    pub fn find(
        &mut self,
        image: &RgbImage,
        gates: &QualityGates,
    ) -> Result<Result<AssessedFace, Missing>, InferError> {
        let found = self.detector.detect(Picture::Rgb(image))?;
        let Some(face) = choose(self.choice, &found, (image.width() as f32, image.height() as f32)) else {
            return Ok(Err(Missing::NoFace));
        };
        let assessed = assess_faces(Picture::Rgb(image), vec![face], gates).pop();
        Ok(assessed.ok_or_else(|| Missing::Unusable("the face cannot be cut out".to_owned())))
    }

    /// The detector's model id.
    #[must_use]
    pub fn model_id(&self) -> &str {
        self.detector.model_id().as_str()
    }
}

/// What `look` makes of each of `files` (relative to `root`), in their order, on so many threads. `start` makes what a thread needs.
///
/// # Errors
/// The first error of `start` or `look`.
pub fn each<W, T: Send>(
    (root, files): (&Path, &[String]),
    threads: usize,
    progress: &Progress,
    start: impl Fn() -> Result<W, InferError> + Sync,
    look: impl Fn(&mut W, &Path) -> Result<T, InferError> + Sync,
) -> Result<Vec<T>, InferError> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, T)>, InferError> {
        let mut worker = start()?;
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else { return Ok(done) };
            done.push((index, look(&mut worker, &root.join(file))?));
            progress.advance(1);
        }
    };
    let mut all = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, files.len().max(1))).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::with_capacity(files.len());
        for worker in workers {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, InferError>(all)
    })?;
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, made)| made).collect())
}

/// The face that a picture is about: the rule of [`crate::faces`].
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
    use std::path::Path;

    use sightline_infer::{Detection, InferError};
    use sightline_vision::{Point, Rect};

    use super::{Missing, choose, each, read};
    use crate::faces::Choice;
    use crate::progress::Progress;
    use crate::scratch::Scratch;

    fn face(x1: f32, y1: f32, x2: f32, y2: f32) -> Detection {
        Detection { bbox: Rect::new(x1, y1, x2, y2), score: 0.9, landmarks: [Point { x: x1, y: y1 }; 5] }
    }

    #[test]
    fn the_face_is_chosen_as_for_vectors() {
        let faces = [face(0.0, 0.0, 120.0, 120.0), face(100.0, 100.0, 150.0, 150.0)];
        assert_eq!(choose(Choice::Central, &faces, (250.0, 250.0)), Some(faces[1]));
        assert_eq!(choose(Choice::Largest, &faces, (250.0, 250.0)), Some(faces[0]));
        assert_eq!(choose(Choice::Central, &[face(200.0, 125.0, 200.0, 177.0)], (250.0, 250.0)), None);
    }

    #[test]
    fn results_come_in_the_order_of_the_files_from_any_number_of_threads() {
        let files: Vec<String> = (0..50).map(|index| format!("{index}.jpg")).collect();
        for threads in [0, 1, 3, 99] {
            let named = each(
                (Path::new("r"), &files),
                threads,
                &Progress::hidden(),
                || Ok(()),
                |(), path| Ok::<_, InferError>(path.to_owned()),
            );
            let expected: Vec<_> = files.iter().map(|file| Path::new("r").join(file)).collect();
            assert_eq!(named.unwrap(), expected, "{threads} threads");
        }
        let broken = |(): &mut (), _: &Path| {
            Err::<(), _>(InferError::UnknownModel { id: "x".to_owned(), kind: "model", known: String::new() })
        };
        assert!(each((Path::new("r"), &files), 2, &Progress::hidden(), || Ok(()), broken).is_err());
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let scratch = Scratch::new();
        scratch.picture("a/half.jpg");
        assert!(matches!(read(&scratch.path().join("a/half.jpg")), Err(Missing::Unusable(_))));
        assert!(
            matches!(read(&scratch.path().join("gone.jpg")), Err(Missing::Unusable(why)) if why.contains("No such"))
        );
    }
}
