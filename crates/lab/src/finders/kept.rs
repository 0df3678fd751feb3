//! What a detector found before: a file with a line a picture, only ever added to.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::wider::Detection;

/// What was found cannot be kept; what is in the file stays good.
#[derive(Debug, Error)]
#[error("what was found cannot be kept in {}: {source}; free some room there, or go without with --no-cache", path.display())]
pub struct KeepError {
    path: PathBuf,
    source: std::io::Error,
}

/// A picture of a file, the only one or one of many.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Place {
    file: PathBuf,
    picture: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    place: Place,
    seen: Seen,
    faces: Vec<Detection>,
}

/// By what a file that has changed is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    size: u64,
    modified_ns: u64,
}

impl Seen {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { size: metadata.len(), modified_ns: u64::try_from(modified.as_nanos()).ok()? })
    }
}

/// The faces that one detector with one set of settings found, by picture.
#[derive(Debug, Default)]
pub struct Kept {
    known: HashMap<Place, (Seen, Vec<Detection>)>,
    file: Option<(PathBuf, File)>,
}

impl Kept {
    /// Opens the file of this detector and its settings in `folder`; without one, nothing is kept. A line that was cut off is as if it
    /// were not there.
    ///
    /// # Errors
    /// When the file cannot be made or read.
    pub fn open(folder: Option<&Path>, key: &str) -> Result<Self, KeepError> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        let sum: String = Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("detections-{sum}.jsonl"));
        let failed = |source| KeepError { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        let (mut known, mut whole) = (HashMap::new(), true);
        for line in BufReader::new(&file).split(b'\n') {
            let line = serde_json::from_slice::<Line>(&line.map_err(failed)?);
            whole = line.is_ok();
            known.extend(line.map(|line| (line.place, (line.seen, line.faces))));
        }
        if !whole {
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok(Self { known, file: Some((path, file)) })
    }

    /// What was found in `picture` of `file`, unless the file has changed since, or was not seen before this was opened.
    #[must_use]
    pub fn recall(&self, file: &Path, picture: &str) -> Option<&[Detection]> {
        let (seen, faces) = self.known.get(&Place { file: file.to_owned(), picture: picture.to_owned() })?;
        (Seen::of(file) == Some(*seen)).then_some(faces)
    }

    /// Keeps what was found.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk.
    pub fn keep(&self, file: &Path, picture: &str, faces: &[Detection]) -> Result<(), KeepError> {
        let (Some((path, to)), Some(seen)) = (&self.file, Seen::of(file)) else { return Ok(()) };
        let place = Place { file: file.to_owned(), picture: picture.to_owned() };
        let failed = |source| KeepError { path: path.clone(), source };
        let line = serde_json::to_string(&Line { place, seen, faces: faces.to_vec() });
        let line = line.map_err(|error| failed(error.into()))?;
        // One write: lines of two programs that share the file do not mix.
        let mut to = to;
        to.write_all(format!("{line}\n").as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::Kept;
    use crate::rectangle::Rectangle;
    use crate::scratch::Scratch;
    use crate::wider::Detection;

    #[test]
    fn what_was_found_is_known_until_the_file_changes() {
        let scratch = Scratch::new();
        scratch.picture("a.jpg").file("b.mp4", b"two frames");
        let (a, b) = (scratch.path().join("a.jpg"), scratch.path().join("b.mp4"));
        let folder = scratch.path().join("kept");
        let face = Detection { area: Rectangle::new(0.1, 2.0, 3.5, 4.0), score: f64::from(0.7_f32) };
        let kept = Kept::open(Some(&folder), "haar").unwrap();
        assert_eq!(kept.recall(&a, "a.jpg"), None);
        kept.keep(&a, "a.jpg", &[face]).unwrap();
        kept.keep(&b, "b.mp4#0.200", &[]).unwrap();
        drop(kept);
        // Cut off in the middle, as by a power failure.
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"file\":\"b").unwrap();
        let kept = Kept::open(Some(&folder), "haar").unwrap();
        assert_eq!(kept.recall(&a, "a.jpg"), Some(&[face][..]), "to the last bit");
        assert_eq!(kept.recall(&b, "b.mp4#0.200"), Some(&[][..]));
        assert_eq!(kept.recall(&b, "b.mp4#0.400"), None);
        kept.keep(&b, "b.mp4#0.400", &[face]).unwrap();
        scratch.file("a.jpg", b"another picture");
        let kept = Kept::open(Some(&folder), "haar").unwrap();
        assert_eq!(kept.recall(&a, "a.jpg"), None);
        assert_eq!(kept.recall(&b, "b.mp4#0.400"), Some(&[face][..]));
        assert_eq!(Kept::open(Some(&folder), "haar, set otherwise").unwrap().recall(&b, "b.mp4#0.200"), None);
        assert_eq!(Kept::open(None, "haar").unwrap().recall(&b, "b.mp4#0.200"), None);
    }

    #[test]
    fn a_full_disk_is_said_with_the_file_and_the_way_out() {
        let scratch = Scratch::new();
        scratch.picture("a.jpg").file("kept", b"a file where the folder should be");
        let error = Kept::open(Some(&scratch.path().join("kept")), "haar").unwrap_err().to_string();
        assert!(error.contains("kept") && error.contains("--no-cache"), "{error}");
        let full = std::fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
        let kept = Kept { file: Some(("/dev/full".into(), full)), ..Kept::default() };
        let error = kept.keep(&scratch.path().join("a.jpg"), "a.jpg", &[]).unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("--no-cache"), "{error}");
    }
}
