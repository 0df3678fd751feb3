//! The folder that is collected into: pictures in the ImageFolder layout, and a line about each in `faces.jsonl`.
//!
//! Whatever has its name is whole: a picture is written under another name first, and its line comes last. Numbers go on where an earlier
//! run stopped, also when people were renamed or pictures deleted since: a name is never given twice.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value;

use crate::whole::{self, UNFINISHED};

/// The file with a line a picture.
pub(super) const LOG: &str = "faces.jsonl";

/// What a person without a name is called.
const PERSON: &str = "person";

/// Numbers above were given by nobody here: no run goes on from them, and none gets that far.
const MOST: u32 = 999_999_999;

/// A folder that is collected into, by nobody else at the same time.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// It was not there before.
    is_new: bool,
    /// Where the whole frames go, with the same names.
    frames: Option<PathBuf>,
    log: File,
    /// Bytes of the log that are whole.
    whole: u64,
    /// The last number given to a picture of each person.
    numbers: BTreeMap<String, u32>,
    /// The last number given to a person without a name.
    people: u32,
    /// Pictures that were there before, by what they were taken from.
    cameras: BTreeMap<String, usize>,
}

/// A picture as the bytes of its files.
#[derive(Clone, Debug)]
pub(super) struct Files<'a> {
    /// The aligned crop.
    pub(super) crop: &'a [u8],
    /// The frame.
    pub(super) frame: Option<&'a [u8]>,
}

/// A line of the log.
#[derive(Serialize)]
struct Named<'a, T> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<String>,
    #[serde(flatten)]
    line: &'a T,
}

impl Folder {
    /// Opens a folder, makes it where needed, and tidies up behind a run that was cut off.
    ///
    /// # Errors
    /// When it cannot be written, or another run collects into it.
    pub(super) fn open(root: &Path, frames: Option<&Path>) -> anyhow::Result<Self> {
        let path = root.join(LOG);
        let is_new = !root.exists();
        let opened = std::fs::create_dir_all(root)
            .and_then(|()| OpenOptions::new().read(true).append(true).create(true).open(&path));
        let mut log = opened.with_context(|| format!("cannot collect into {}", root.display()))?;
        match log.try_lock() {
            Ok(()) => {}
            // Where nothing can be locked, the user takes care.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another run collects into {}: wait for it, or give another --out", root.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| path.display().to_string()),
        }
        let mut text = Vec::new();
        log.read_to_end(&mut text).with_context(|| path.display().to_string())?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at as u64 + 1);
        log.set_len(whole).with_context(|| path.display().to_string())?;
        let (root, frames) = (root.to_owned(), frames.map(Path::to_owned));
        let mut folder =
            Self { root, is_new, frames, log, whole, numbers: BTreeMap::new(), people: 0, cameras: BTreeMap::new() };
        for line in text.split(|byte| *byte == b'\n') {
            if let Ok(Value::Object(line)) = serde_json::from_slice(line)
                && let Some((person, file)) = line.get("file").and_then(Value::as_str).and_then(|f| f.split_once('/'))
            {
                folder.is_taken(person, file);
                if let Some(camera) = line.get("camera").and_then(Value::as_str) {
                    *folder.cameras.entry(camera.to_owned()).or_default() += 1;
                }
            }
        }
        for root in [Some(folder.root.clone()), folder.frames.clone()].into_iter().flatten() {
            folder.look_around(&root).with_context(|| root.display().to_string())?;
        }
        Ok(folder)
    }

    /// Takes note of what is there, and removes what was never finished.
    fn look_around(&mut self, root: &Path) -> io::Result<()> {
        if !root.is_dir() {
            return Ok(());
        }
        for person in std::fs::read_dir(root)? {
            let person = person?;
            let (path, Ok(name)) = (person.path(), person.file_name().into_string()) else { continue };
            if !path.is_dir() {
                continue;
            }
            self.is_taken(&name, "");
            for file in std::fs::read_dir(&path)? {
                let file = file?;
                let Ok(file_name) = file.file_name().into_string() else { continue };
                if file_name.starts_with(UNFINISHED) {
                    std::fs::remove_file(file.path())?;
                }
                self.is_taken(&name, &file_name);
            }
        }
        Ok(())
    }

    /// Numbers in these names are not given again.
    fn is_taken(&mut self, person: &str, file: &str) {
        if let Some(number) = person.strip_prefix(PERSON).and_then(|rest| number_of(rest, '-')) {
            self.people = self.people.max(number);
        }
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        if let Some(number) = stem.strip_prefix(person).and_then(|rest| number_of(rest, '_')) {
            let last = self.numbers.entry(person.to_owned()).or_default();
            *last = (*last).max(number);
        }
    }

    /// How many pictures an earlier run has saved of this file, under whatever path.
    pub(super) fn pictures_of(&self, file: &str) -> usize {
        let real = |path: &str| Path::new(path).canonicalize().ok();
        let is_same = |camera: &str| camera == file || real(camera).is_some_and(|path| Some(path) == real(file));
        self.cameras.iter().filter(|(camera, _)| is_same(camera)).map(|(_, pictures)| pictures).sum()
    }

    /// A name for somebody who has none: `person-001`.
    pub(super) fn next_person(&mut self) -> String {
        self.people += 1;
        format!("{PERSON}-{:03}", self.people)
    }

    /// Saves a picture of a person and the line about it, to which the names of the files are added. Returns the crop's name.
    ///
    /// # Errors
    /// When something cannot be written; then there is no trace of the picture.
    pub(super) fn save(&mut self, person: &str, files: &Files<'_>, line: &impl Serialize) -> anyhow::Result<String> {
        let number = self.numbers.get(person).copied().unwrap_or(0) + 1;
        let name = format!("{person}/{person}_{number:04}.jpg");
        let crop = self.root.join(&name);
        let frame = files.frame.zip(self.frames.as_ref()).map(|(bytes, root)| (root.join(&name), bytes));
        let path_of_frame = frame.as_ref().map(|(path, _)| path.to_string_lossy().into_owned());
        let named = Named { file: &name, frame: path_of_frame, line };
        let mut both = frame.iter().map(|(path, bytes)| (path, *bytes)).chain([(&crop, files.crop)]);
        let written = both.try_for_each(|(path, bytes)| write(path, bytes));
        let written = written.and_then(|()| self.log(&named));
        if let Err(error) = written {
            for path in frame.iter().map(|(path, _)| path).chain([&crop]) {
                // There may be none.
                drop(std::fs::remove_file(path));
                drop(path.parent().map(std::fs::remove_dir));
            }
            return Err(error);
        }
        self.numbers.insert(person.to_owned(), number);
        Ok(name)
    }

    fn log(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let written = self.log.write_all(&text).and_then(|()| self.log.sync_data());
        if let Err(error) = written {
            // If this fails as well, the next run cuts the line off.
            drop(self.log.set_len(self.whole));
            return Err(error).with_context(|| format!("cannot write {}", self.root.join(LOG).display()));
        }
        self.whole += text.len() as u64;
        Ok(())
    }
}

impl Drop for Folder {
    /// Takes away what was made for nothing: a folder without a picture.
    fn drop(&mut self) {
        if self.whole == 0 && self.log.metadata().is_ok_and(|log| log.len() == 0) {
            // A folder with anything in it stays.
            drop(std::fs::remove_file(self.root.join(LOG)));
            drop(self.is_new.then(|| std::fs::remove_dir(&self.root)));
        }
    }
}

/// The number in `-001`, where `mark` is `-`.
fn number_of(text: &str, mark: char) -> Option<u32> {
    let digits = text.strip_prefix(mark).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|number| *number <= MOST)
}

/// Writes a file that appears when it is whole and on disk, and the folder that it is in.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(whole::write(path, |file| file.write_all(bytes))?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Files, Folder, LOG};
    use crate::scratch::{JPEG, Scratch};

    const CROP: Files<'static> = Files { crop: JPEG, frame: None };

    fn line(quality: f64) -> Value {
        json!({"quality": quality})
    }

    fn lines(scratch: &Scratch) -> Vec<Value> {
        let text = std::fs::read_to_string(scratch.path().join(LOG)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn pictures_are_numbered_and_a_second_run_goes_on() {
        let scratch = Scratch::new();
        let mut folder = Folder::open(scratch.path(), None).unwrap();
        let person = folder.next_person();
        assert_eq!(folder.save(&person, &CROP, &line(0.5)).unwrap(), "person-001/person-001_0001.jpg");
        assert_eq!(folder.save(&person, &CROP, &line(0.6)).unwrap(), "person-001/person-001_0002.jpg");
        assert_eq!(folder.save("anna", &CROP, &line(0.7)).unwrap(), "anna/anna_0001.jpg");
        drop(folder);
        // Renamed by hand, a picture added by hand, and one deleted.
        std::fs::rename(scratch.path().join("person-001"), scratch.path().join("ben")).unwrap();
        scratch.picture("anna/anna_0007.png").picture("person-004/x.jpg");
        std::fs::remove_file(scratch.path().join("ben/person-001_0002.jpg")).unwrap();
        let mut folder = Folder::open(scratch.path(), None).unwrap();
        assert_eq!(folder.next_person(), "person-005");
        assert_eq!(folder.save("ben", &CROP, &line(0.8)).unwrap(), "ben/ben_0001.jpg");
        assert_eq!(folder.save("anna", &CROP, &line(0.9)).unwrap(), "anna/anna_0008.jpg");
        assert_eq!(folder.save("person-001", &CROP, &line(0.9)).unwrap(), "person-001/person-001_0003.jpg");
        let files: Vec<Value> = lines(&scratch).into_iter().map(|line| line["file"].clone()).collect();
        assert_eq!(files.len(), 6);
        assert_eq!(files[4], "anna/anna_0008.jpg");
        assert_eq!(lines(&scratch)[3], json!({"file": "ben/ben_0001.jpg", "quality": 0.8}));
    }

    #[test]
    fn numbers_that_nobody_here_gave_are_not_gone_on_from() {
        let scratch = Scratch::new();
        scratch
            .picture("person-4294967295/x.jpg")
            .picture("anna/anna_4294967295.jpg")
            .picture("anna/anna_4294967294.jpg");
        let mut folder = Folder::open(scratch.path(), None).unwrap();
        assert_eq!(folder.next_person(), "person-001");
        assert_eq!(folder.save("anna", &CROP, &line(0.5)).unwrap(), "anna/anna_0001.jpg");
    }

    #[test]
    fn frames_have_the_names_of_their_crops() {
        let (scratch, frames) = (Scratch::new(), Scratch::new());
        frames.picture("anna/anna_0003.jpg");
        let mut folder = Folder::open(scratch.path(), Some(frames.path())).unwrap();
        let files = Files { crop: JPEG, frame: Some(b"frame") };
        assert_eq!(folder.save("anna", &files, &line(0.5)).unwrap(), "anna/anna_0004.jpg");
        let path = frames.path().join("anna/anna_0004.jpg");
        assert_eq!(std::fs::read(&path).unwrap(), b"frame");
        assert_eq!(lines(&scratch)[0]["frame"], path.to_str().unwrap());
    }

    #[test]
    fn what_was_cut_off_is_tidied_up() {
        let scratch = Scratch::new();
        scratch.file(LOG, b"{\"file\":\"a/a_0001.jpg\"}\n{\"file\":\"a/a_00").picture("a/a_0001.jpg");
        scratch.file("a/.sightline-x1y2", b"half").file("a/.hidden", b"");
        let mut folder = Folder::open(scratch.path(), None).unwrap();
        folder.save("a", &CROP, &line(0.5)).unwrap();
        let files: Vec<Value> = lines(&scratch).into_iter().map(|line| line["file"].clone()).collect();
        assert_eq!(files, ["a/a_0001.jpg", "a/a_0002.jpg"]);
        assert!(!scratch.path().join("a/.sightline-x1y2").exists() && scratch.path().join("a/.hidden").exists());
    }

    #[test]
    fn nobody_else_collects_at_the_same_time() {
        let scratch = Scratch::new();
        let first = Folder::open(scratch.path(), None).unwrap();
        let error = Folder::open(scratch.path(), None).unwrap_err().to_string();
        assert!(error.starts_with("another run collects into "), "{error}");
        drop(first);
        assert!(Folder::open(scratch.path(), None).is_ok());
    }

    #[test]
    fn a_picture_that_cannot_be_saved_leaves_no_trace() {
        let (scratch, frames) = (Scratch::new(), Scratch::new());
        // A file where a folder should be.
        scratch.file("anna", b"");
        let mut folder = Folder::open(scratch.path(), Some(frames.path())).unwrap();
        let files = Files { crop: JPEG, frame: Some(b"frame") };
        let error = format!("{:#}", folder.save("anna", &files, &line(0.5)).unwrap_err());
        assert!(error.contains("cannot write") && error.contains("anna_0001.jpg"), "{error}");
        assert!(!frames.path().join("anna").exists() && lines(&scratch).is_empty());
        assert_eq!(folder.save("ben", &files, &line(0.5)).unwrap(), "ben/ben_0001.jpg");
    }

    #[test]
    fn a_folder_made_for_nothing_goes() {
        let scratch = Scratch::new();
        let root = scratch.path().join("new/folder");
        drop(Folder::open(&root, None).unwrap());
        assert!(!root.exists());
        std::fs::create_dir_all(&root).unwrap();
        drop(Folder::open(&root, None).unwrap());
        assert!(root.exists() && !root.join(LOG).exists());
        let mut folder = Folder::open(&root, None).unwrap();
        folder.save("anna", &CROP, &line(0.5)).unwrap();
        drop(folder);
        assert!(root.join("anna/anna_0001.jpg").exists());
    }
}
