//! What detectors look at: pictures, and frames of videos, of a folder or a single file.
//!
//! A picture is named by its file, a frame by its file and its time in seconds: `clips/a.mp4#12.400`.

mod files;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use serde::Serialize;
use sightline_ingest::sample_file;
use sightline_vision::{Picture, Planes, RgbImage, decode_still};
use thiserror::Error;

use crate::dataset::EXTENSIONS;
use files::{ends, file_of, frame_name, walk};

pub use files::VIDEOS;

/// Most pixels of a picture; checked before it is decoded.
const PIXEL_LIMIT: u64 = 100_000_000;

/// Frames that wait between the decoder and whoever looks at them.
const AHEAD: usize = 2;

/// Why there is nothing to look at.
#[derive(Debug, Error)]
pub enum MaterialError {
    /// The folder or file is not there, or a folder in it cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no picture and no video.
    #[error(
        "{} has no picture and no video ({others} other files): pictures end in {}, videos in {}",
        path.display(), EXTENSIONS.join(" "), VIDEOS.join(" ")
    )]
    Nothing {
        /// The folder or file.
        path: PathBuf,
        /// Files that are neither.
        others: usize,
    },
    /// There are files, but none of them shows anything.
    #[error("none of the {files} files of {} can be used; the first: {first}", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// How many there are.
        files: usize,
        /// The first of them and why.
        first: LeftOut,
    },
}

/// A file or picture that was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Which.
    pub file: String,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)
    }
}

/// A picture of the material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The file it is of, as an index.
    file: usize,
    /// Its name.
    pub name: String,
}

/// A picture in memory.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A still.
    Still(RgbImage),
    /// A frame of a video.
    Frame(Planes),
}

impl Shown {
    /// As detectors take it.
    #[must_use]
    pub const fn picture(&self) -> Picture<'_> {
        match self {
            Self::Still(image) => Picture::Rgb(image),
            Self::Frame(planes) => Picture::Planes(planes),
        }
    }

    /// How much memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let (width, height) = self.picture().size();
        let pixels = width as usize * height as usize;
        match self {
            Self::Still(_) => 3 * pixels,
            Self::Frame(_) => 3 * pixels / 2,
        }
    }
}

/// A picture that is decoded, or soon will be: stills by whoever looks at them, so that every thread decodes.
#[derive(Debug)]
pub enum Coming {
    /// A still's file.
    Still(PathBuf),
    /// A frame.
    Frame(Planes),
    /// A frame that never came, and why.
    Lost(String),
}

impl Coming {
    /// The picture.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open(self) -> Result<Shown, String> {
        match self {
            Self::Still(path) => {
                let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
                decode_still(&bytes, PIXEL_LIMIT).map(Shown::Still).map_err(|error| error.to_string())
            }
            Self::Frame(planes) => Ok(Shown::Frame(planes)),
            Self::Lost(reason) => Err(reason),
        }
    }
}

/// Pictures and videos, with everything that they show.
#[derive(Clone, Debug)]
pub struct Material {
    root: PathBuf,
    files: Vec<String>,
    items: Vec<Item>,
    left_out: Vec<LeftOut>,
    fps: f64,
}

impl Material {
    /// The pictures and videos of a folder and the folders in it, or a single file; `fps` frames a second of videos. Videos are decoded
    /// once, to know what they show; `told` hears of it.
    ///
    /// # Errors
    /// [`MaterialError`].
    pub fn open(data: &Path, fps: f64, told: impl FnMut(Told<'_>)) -> Result<Self, MaterialError> {
        let unreadable = |source| MaterialError::Read { path: data.to_owned(), source };
        let data = std::path::absolute(data).map_err(unreadable)?;
        let mut left_out = Vec::new();
        let (root, names) = if std::fs::metadata(&data).map_err(unreadable)?.is_dir() {
            let mut names = Vec::new();
            std::fs::read_dir(&data).map_err(unreadable)?;
            walk(&data, "", &mut Vec::new(), &mut (&mut names, &mut left_out));
            (data.clone(), names)
        } else {
            let name = data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (data.parent().map(Path::to_owned).unwrap_or_default(), vec![name])
        };
        let all = names.len();
        let files: Vec<String> =
            names.into_iter().filter(|name| ends(name, &EXTENSIONS) || ends(name, &VIDEOS)).collect();
        if files.is_empty() {
            return Err(MaterialError::Nothing { path: data, others: all });
        }
        let mut material = Self { root, files, items: Vec::new(), left_out, fps };
        material.take_stock(told);
        material.used()
    }

    /// The pictures that a list names, frames of videos included, below `data` or, as WIDER FACE lies in its archive, below
    /// `data/images`. Those that are not there are left out.
    ///
    /// # Errors
    /// [`MaterialError`].
    pub fn listed<'a>(
        data: &Path,
        list: impl IntoIterator<Item = &'a str>,
        fps: f64,
        told: impl FnMut(Told<'_>),
    ) -> Result<Self, MaterialError> {
        let unreadable = |source| MaterialError::Read { path: data.to_owned(), source };
        let root = std::path::absolute(data).map_err(unreadable)?;
        std::fs::read_dir(&root).map_err(unreadable)?;
        let names: Vec<&str> = list.into_iter().collect();
        let holds_one = |folder: &Path| names.iter().any(|name| folder.join(file_of(name)).is_file());
        let images = root.join("images");
        let root = if !holds_one(&root) && holds_one(&images) { images } else { root };
        let mut material = Self { root, files: Vec::new(), items: Vec::new(), left_out: Vec::new(), fps };
        let mut seen = HashSet::new();
        for name in &names {
            let file = file_of(name);
            if !material.root.join(file).is_file() {
                material
                    .left_out
                    .push(LeftOut { file: (*name).to_owned(), reason: "there is no such file".to_owned() });
            } else if seen.insert(file) {
                material.files.push(file.to_owned());
            }
        }
        material.take_stock(told);
        let mut wanted: HashSet<&str> = names.iter().copied().filter(|name| seen.contains(file_of(name))).collect();
        material.items.retain(|item| wanted.remove(item.name.as_str()));
        let lost = names.iter().filter(|name| wanted.contains(**name));
        let lost = lost.map(|name| LeftOut { file: (*name).to_owned(), reason: "there is no such frame".to_owned() });
        material.left_out.extend(lost);
        material.used()
    }

    fn used(self) -> Result<Self, MaterialError> {
        match self.left_out.first() {
            Some(first) if self.items.is_empty() => {
                let files = self.left_out.len();
                Err(MaterialError::Unusable { path: self.root, files, first: first.clone() })
            }
            _ => Ok(self),
        }
    }

    /// Makes the list of all pictures.
    fn take_stock(&mut self, mut told: impl FnMut(Told<'_>)) {
        for file in 0..self.files.len() {
            let name = self.files[file].clone();
            if !ends(&name, &VIDEOS) {
                self.items.push(Item { file, name });
                continue;
            }
            told(Told::Decoding(&name));
            let frames = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&frames);
            let whole = self.decode(file, move |name, _| {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                true
            });
            let names = std::mem::take(&mut *frames.lock().unwrap_or_else(PoisonError::into_inner));
            told(Told::Decoded(names.len()));
            if let Err(reason) = whole {
                self.left_out.push(LeftOut { file: format!("{name} (after {} frames)", names.len()), reason });
            } else if names.is_empty() {
                self.left_out.push(LeftOut { file: name, reason: "it has no frame".to_owned() });
            }
            self.items.extend(names.into_iter().map(|name| Item { file, name }));
        }
    }

    /// The frames of a video, with their names, on the decoder's thread.
    fn decode(&self, file: usize, mut take: impl FnMut(String, Planes) -> bool + Send + 'static) -> Result<(), String> {
        let (path, name) = (self.root.join(&self.files[file]), self.files[file].clone());
        let threads = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        let named = move |planes, pts_ns: i64| take(frame_name(&name, pts_ns), planes);
        sample_file(&path, threads, self.fps, named).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Every picture, by file and by time.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What was not looked at, so far.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// How many files are videos.
    #[must_use]
    pub fn videos(&self) -> usize {
        self.files.iter().filter(|file| ends(file, &VIDEOS)).count()
    }

    /// Where the file of a picture is.
    #[must_use]
    pub fn path(&self, item: &Item) -> PathBuf {
        self.root.join(&self.files[item.file])
    }

    /// Hands over these pictures, given as rising indices, one by one, until `take` returns false. Each comes once, if only to say that it
    /// is lost.
    pub fn show(&self, wanted: &[usize], mut take: impl FnMut(usize, Coming) -> bool) {
        for of_file in wanted.chunk_by(|a, b| self.items[*a].file == self.items[*b].file) {
            let Some(&first) = of_file.first() else { continue };
            let item = &self.items[first];
            let go_on = match ends(&self.files[item.file], &VIDEOS) {
                true => self.show_frames(item.file, of_file, &mut take),
                false => take(first, Coming::Still(self.path(item))),
            };
            if !go_on {
                return;
            }
        }
    }

    fn show_frames(&self, file: usize, wanted: &[usize], take: &mut impl FnMut(usize, Coming) -> bool) -> bool {
        let mut missing: HashMap<String, usize> =
            wanted.iter().map(|index| (self.items[*index].name.clone(), *index)).collect();
        let (sender, frames) = mpsc::sync_channel(AHEAD);
        let (mut left, indices) = (missing.len(), missing.clone());
        let end = std::thread::scope(|scope| {
            let decoder = scope.spawn(move || {
                self.decode(file, move |name, planes| match indices.get(&name) {
                    Some(_) => {
                        left -= 1;
                        sender.send((name, planes)).is_ok() && left > 0
                    }
                    None => true,
                })
            });
            for (name, planes) in frames {
                if let Some(index) = missing.remove(&name)
                    && !take(index, Coming::Frame(planes))
                {
                    return None;
                }
            }
            Some(decoder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let Some(end) = end else { return false };
        let reason = end.err().unwrap_or_else(|| "the frame did not come again".to_owned());
        wanted
            .iter()
            .filter(|index| missing.contains_key(&self.items[**index].name))
            .all(|index| take(*index, Coming::Lost(reason.clone())))
    }
}

/// What is told of a video while the material is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// This one is decoded now.
    Decoding(&'a str),
    /// It showed so many frames.
    Decoded(usize),
}

#[cfg(test)]
mod tests;
