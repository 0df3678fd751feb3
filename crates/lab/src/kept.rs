//! Results that outlast the run, by picture: a file with a line a picture, only ever added to.
//!
//! An interrupted run goes on where it was, and a second one begins with what the first has made. The file's name carries everything that
//! the results depend on, aside from the pictures; a picture whose file has changed since is looked at again.
//!
//! Vectors of faces are biometric data: only their owner may read the files and look into the folder. To forget all of it is to delete the
//! folder; nothing else is there.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Results cannot be kept; those that are in the file stay good.
#[derive(Debug, Error)]
#[error("results cannot be kept in {}: {source}; free some room there, or go without with --no-cache", path.display())]
pub struct KeepError {
    path: PathBuf,
    source: std::io::Error,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    file: PathBuf,
    picture: String,
    seen: Seen,
    result: T,
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

/// What something with one set of settings made of pictures. Where a file holds one picture, its name in there is empty.
#[derive(Debug)]
pub struct Kept<T> {
    /// By file and picture, as they were when this was opened.
    known: HashMap<(PathBuf, String), (Seen, T)>,
    file: Option<(PathBuf, File)>,
}

impl<T: Serialize + DeserializeOwned> Kept<T> {
    /// Opens the file of results of this kind and with this key in `folder`; without one, nothing is kept. A line that was cut off is as
    /// if it were not there.
    ///
    /// # Errors
    /// When the file cannot be made or read.
    pub fn open(folder: Option<&Path>, kind: &str, key: &str) -> Result<Self, KeepError> {
        let Some(folder) = folder else { return Ok(Self { known: HashMap::new(), file: None }) };
        // Another version may see pictures in another way.
        let key = format!("{} {key}", env!("CARGO_PKG_VERSION"));
        let sum: String = Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("{kind}-{sum}.jsonl"));
        let failed = |source| KeepError { path: path.clone(), source };
        private_folder(folder).map_err(failed)?;
        let open = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        let mut file = open.map_err(failed)?;
        narrow(&path, 0o600);
        let (mut known, mut line, mut reader) = (HashMap::new(), Vec::new(), BufReader::new(&file));
        let mut whole = true;
        while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
            whole = line.ends_with(b"\n");
            if let Ok(line) = serde_json::from_slice::<Line<T>>(&line) {
                known.insert((line.file, line.picture), (line.seen, line.result));
            }
            line.clear();
        }
        if !whole {
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok(Self { known, file: Some((path, file)) })
    }

    /// What is known of `picture` in `file`, unless the file has changed since, or it was kept after this was opened.
    #[must_use]
    pub fn recall(&self, file: &Path, picture: &str) -> Option<&T> {
        let (seen, result) = self.known.get(&(whole(file), picture.to_owned()))?;
        (Seen::of(file) == Some(*seen)).then_some(result)
    }

    /// Keeps what was made of `picture` in `file`.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk.
    pub fn keep(&self, file: &Path, picture: &str, result: &T) -> Result<(), KeepError> {
        let (Some((path, to)), Some(seen)) = (&self.file, Seen::of(file)) else { return Ok(()) };
        let line = Line { file: whole(file), picture: picture.to_owned(), seen, result };
        let failed = |source| KeepError { path: path.clone(), source };
        let mut line = serde_json::to_vec(&line).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        // One write: lines of two programs that share the file do not mix.
        let mut to = to;
        to.write_all(&line).map_err(failed)
    }
}

/// Makes the folder, for its owner alone.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    if let Some(above) = folder.parent() {
        std::fs::create_dir_all(above)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    narrow(folder, 0o700);
    Ok(())
}

/// Takes away what an earlier version left to others. Who may not do that is not the owner, and has not made it.
fn narrow(path: &Path, mode: u32) {
    if path.metadata().is_ok_and(|seen| seen.permissions().mode() & 0o777 & !mode != 0) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).ok();
    }
}

/// The same from whichever folder the laboratory is started, and by whichever way the file is named.
fn whole(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    use super::Kept;
    use crate::scratch::Scratch;

    type Values = Kept<Vec<f64>>;

    fn open(folder: &Path, key: &str) -> Values {
        Kept::open(Some(folder), "values", key).unwrap()
    }

    /// The only file in there.
    fn only(folder: &Path) -> PathBuf {
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
        assert_eq!(files.len(), 1);
        files.remove(0).unwrap().path()
    }

    #[test]
    fn results_are_known_until_the_file_changes() {
        let scratch = Scratch::new();
        scratch.picture("a.jpg").file("b.mp4", b"two frames");
        let (a, b) = (scratch.path().join("a.jpg"), scratch.path().join("b.mp4"));
        let folder = scratch.path().join("kept");
        let value = vec![0.1, f64::from(0.7_f32), -1e300 / 3.0];
        let kept = open(&folder, "haar");
        assert_eq!(kept.recall(&a, ""), None);
        kept.keep(&a, "", &value).unwrap();
        kept.keep(&b, "0.200", &Vec::new()).unwrap();
        let kept = open(&folder, "haar");
        assert_eq!(kept.recall(&a, ""), Some(&value), "to the last bit");
        assert_eq!(kept.recall(&b, "0.200"), Some(&Vec::new()));
        assert_eq!(kept.recall(&b, "0.400"), None);
        scratch.file("a.jpg", b"another picture");
        assert_eq!(kept.recall(&a, ""), None);
        kept.keep(&a, "", &vec![2.0]).unwrap();
        assert_eq!(open(&folder, "haar").recall(&a, ""), Some(&vec![2.0]));
        std::fs::remove_file(&b).unwrap();
        assert_eq!(kept.recall(&b, "0.200"), None);
        assert_eq!(open(&folder, "haar, set otherwise").recall(&a, ""), None);
        let nowhere = Values::open(None, "values", "haar").unwrap();
        nowhere.keep(&a, "", &value).unwrap();
        assert_eq!(nowhere.recall(&a, ""), None);
    }

    #[test]
    fn only_the_owner_may_read_what_is_kept() {
        let scratch = Scratch::new();
        let folder = scratch.path().join("cache/lab");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        open(&folder, "k");
        let file = only(&folder);
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        // As an earlier version left them.
        for (path, wide) in [(&file, 0o644), (&folder, 0o755)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(wide)).unwrap();
        }
        open(&folder, "k");
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn a_relative_name_is_that_of_the_same_file() {
        // Cargo runs tests in the folder of their package.
        let (file, folder) = (Path::new("Cargo.toml"), Scratch::new());
        open(folder.path(), "k").keep(file, "", &vec![1.0]).unwrap();
        let full = std::env::current_dir().unwrap().join("src/..").join(file);
        assert_eq!(open(folder.path(), "k").recall(&full, ""), Some(&vec![1.0]));
    }

    #[test]
    fn a_line_that_was_cut_off_costs_no_other() {
        let scratch = Scratch::new();
        let folder = scratch.path().join("kept");
        let files = ["1.jpg", "2.jpg", "3.jpg"].map(|name| {
            scratch.picture(name);
            scratch.path().join(name)
        });
        let kept = open(&folder, "k");
        files[..2].iter().for_each(|file| kept.keep(file, "", &vec![1.0]).unwrap());
        let path = only(&folder);
        let whole = std::fs::read(&path).unwrap();
        // As by a power failure: inside the last line, before its line feed, and not at all.
        for cut in [20, 1, 0] {
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(&path)
                .unwrap()
                .write_all(&whole[..whole.len() - cut])
                .unwrap();
            open(&folder, "k").keep(&files[2], "", &vec![3.0]).unwrap();
            let kept = open(&folder, "k");
            let known = files.each_ref().map(|file| kept.recall(file, "").is_some());
            assert_eq!(known, [true, cut < 20, true], "{cut} bytes cut off");
        }
    }

    #[test]
    fn a_full_disk_is_said_with_the_file_and_the_way_out() {
        let scratch = Scratch::new();
        scratch.picture("a.jpg").file("kept", b"a file where the folder should be");
        let error = Values::open(Some(&scratch.path().join("kept")), "values", "k").unwrap_err().to_string();
        assert!(error.contains("kept") && error.contains("--no-cache"), "{error}");
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let kept = Values { file: Some(("/dev/full".into(), full)), ..Values::open(None, "values", "k").unwrap() };
        let error = kept.keep(&scratch.path().join("a.jpg"), "", &vec![1.0]).unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("--no-cache"), "{error}");
    }
}
