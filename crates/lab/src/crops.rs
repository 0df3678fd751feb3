//! The face that each picture is about, cut out and assessed as the stages do it: for its vector, and for what needs its pixels or quality.

use std::path::Path;

use sightline_infer::{AssessedFace, Detector, InferError, assess_faces};
use sightline_vision::{Picture, QualityGates, RgbImage, decode_still};

use crate::faces::{Choice, Models};
use crate::parallel;
use crate::progress::Progress;

/// Most pixels of a picture; checked before it is decoded.
const PIXEL_LIMIT: u64 = 100_000_000;

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
        let Some(face) = self.choice.of(&found, (image.width(), image.height())) else {
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
    let mut made: Vec<Option<T>> = files.iter().map(|_| None).collect();
    let work = |own: &mut W, (index, file): (usize, &String)| Ok((index, look(own, &root.join(file))?));
    parallel::each(files.iter().enumerate(), threads, start, work, |(index, one)| {
        made[index] = Some(one);
        progress.advance(1);
        Ok::<(), InferError>(())
    })?;
    Ok(made.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sightline_infer::InferError;

    use super::{Missing, each, read};
    use crate::progress::Progress;
    use crate::scratch::Scratch;

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
