//! What was computed before: a file with a line a picture, only ever added to.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{FacesError, Outcome};

/// A picture and what it gave.
#[derive(Serialize, Deserialize)]
struct Line {
    file: PathBuf,
    seen: Seen,
    outcome: Outcome,
}

/// By what a picture that has changed is known.
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

pub(super) struct Memory {
    known: HashMap<PathBuf, (Seen, Outcome)>,
    file: Option<(PathBuf, File)>,
}

impl Memory {
    /// Opens the file of these models and settings in `folder`, if one is given. A line that was cut off is as if it were not there.
    pub(super) fn open(folder: Option<&Path>, key: &str) -> Result<Self, FacesError> {
        let Some(folder) = folder else { return Ok(Self { known: HashMap::new(), file: None }) };
        let sum: String = Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("vectors-{sum}.jsonl"));
        let failed = |source| FacesError::Keep { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        let mut known = HashMap::new();
        let mut whole = true;
        for line in BufReader::new(&file).split(b'\n') {
            match serde_json::from_slice::<Line>(&line.map_err(failed)?) {
                Ok(Line { file, seen, outcome }) => {
                    known.insert(file, (seen, outcome));
                    whole = true;
                }
                Err(_) => whole = false,
            }
        }
        if !whole {
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok(Self { known, file: Some((path, file)) })
    }

    /// What this picture gave, unless it has changed since.
    pub(super) fn recall(&self, root: &Path, file: &str) -> Option<Outcome> {
        let path = root.join(file);
        let (seen, outcome) = self.known.get(&path)?;
        (Seen::of(&path) == Some(*seen)).then(|| outcome.clone())
    }

    /// Keeps what a picture gave. What could not even be read is looked at again next time.
    pub(super) fn keep(&mut self, root: &Path, file: &str, outcome: &Outcome) -> Result<(), FacesError> {
        let (path, Some((kept, to))) = (root.join(file), &mut self.file) else { return Ok(()) };
        let Some(seen) = Seen::of(&path) else { return Ok(()) };
        let failed = |source| FacesError::Keep { path: kept.clone(), source };
        let line = serde_json::to_string(&Line { file: path, seen, outcome: outcome.clone() });
        let line = line.map_err(|error| failed(error.into()))?;
        to.write_all(format!("{line}\n").as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{Memory, Outcome};
    use crate::scratch::Scratch;

    #[test]
    fn what_was_computed_is_known_until_the_picture_changes() {
        let scratch = Scratch::new();
        scratch.picture("a/1.jpg").picture("a/2.jpg").picture("a/3.jpg");
        let kept = scratch.path().join("kept");
        let outcomes = [Outcome::Vector(vec![0.6, -0.8]), Outcome::NoFace];
        let mut memory = Memory::open(Some(&kept), "models").unwrap();
        for (file, outcome) in ["a/1.jpg", "a/2.jpg"].iter().zip(&outcomes) {
            assert_eq!(memory.recall(scratch.path(), file), None);
            memory.keep(scratch.path(), file, outcome).unwrap();
        }
        drop(memory);
        // A line that was cut off in the middle, as by a power failure.
        let file = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
        std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"file\":\"a/3").unwrap();
        let mut memory = Memory::open(Some(&kept), "models").unwrap();
        for (file, outcome) in ["a/1.jpg", "a/2.jpg"].iter().zip(&outcomes) {
            assert_eq!(memory.recall(scratch.path(), file).as_ref(), Some(outcome));
        }
        assert_eq!(memory.recall(scratch.path(), "a/3.jpg"), None);
        memory.keep(scratch.path(), "a/3.jpg", &outcomes[1]).unwrap();
        scratch.file("a/1.jpg", b"another picture");
        let memory = Memory::open(Some(&kept), "models").unwrap();
        assert_eq!(memory.recall(scratch.path(), "a/1.jpg"), None);
        assert_eq!(memory.recall(scratch.path(), "a/3.jpg"), Some(outcomes[1].clone()));
        assert_eq!(Memory::open(Some(&kept), "others").unwrap().recall(scratch.path(), "a/2.jpg"), None);
    }
}
