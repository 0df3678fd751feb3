//! What detectors look at: pictures, and frames of videos, of a folder or a single file.
//!
//! A picture is named by its file, a frame by its file and its time in seconds: `clips/a.mp4#12.400`.

mod files;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sightline_ingest::{Ending, PicturesConfig, Source, pictures};
use sightline_vision::{Picture, Planes, RgbImage};
use sightline_wire::Stamp;
use thiserror::Error;

use crate::crops;
use crate::dataset::EXTENSIONS;
use crate::progress::Progress;
use files::{VIDEOS, ends, file_of, frame_name, walk};

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

/// A file or picture that was not looked at, or not to its end.
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
            Self::Still(path) => crops::read(&path).map(Shown::Still).map_err(|missing| missing.to_string()),
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
    /// once, to know what they show.
    ///
    /// # Errors
    /// [`MaterialError`].
    pub fn open(data: &Path, fps: f64) -> Result<Self, MaterialError> {
        let (root, only) = place(data)?;
        let mut material = Self { root, files: Vec::new(), items: Vec::new(), left_out: Vec::new(), fps };
        let mut names = Vec::from_iter(only);
        if names.is_empty() {
            walk(&material.root, "", &mut Vec::new(), &mut (&mut names, &mut material.left_out));
        }
        let all = names.len();
        material.files = names.into_iter().filter(|name| ends(name, &EXTENSIONS) || ends(name, &VIDEOS)).collect();
        if material.files.is_empty() {
            return Err(MaterialError::Nothing { path: data.to_owned(), others: all });
        }
        material.take_stock();
        material.used()
    }

    /// The pictures that a list names, frames of videos included, below the folder `data` or, as WIDER FACE lies in its archive, below
    /// `data/images`; of a single file, those that it has. What is not there is left out.
    ///
    /// # Errors
    /// [`MaterialError`].
    pub fn listed<'a>(data: &Path, list: impl IntoIterator<Item = &'a str>, fps: f64) -> Result<Self, MaterialError> {
        let (root, only) = place(data)?;
        let names: Vec<&str> = list.into_iter().collect();
        let holds_one = |folder: &Path| names.iter().any(|name| folder.join(file_of(name)).is_file());
        let images = root.join("images");
        let root = if !holds_one(&root) && holds_one(&images) { images } else { root };
        let mut material = Self { root, files: Vec::new(), items: Vec::new(), left_out: Vec::new(), fps };
        let mut seen = HashSet::new();
        for name in &names {
            let file = file_of(name);
            if let Some(only) = only.as_ref().filter(|only| *only != file) {
                material.leave_out(name, &format!("only {only} is looked at"));
            } else if !material.root.join(file).is_file() {
                material.leave_out(name, "there is no such file");
            } else if seen.insert(file) {
                material.files.push(file.to_owned());
            }
        }
        material.take_stock();
        let mut wanted: HashSet<&str> = names.iter().copied().filter(|name| seen.contains(file_of(name))).collect();
        material.items.retain(|item| wanted.remove(item.name.as_str()));
        for name in names.iter().filter(|name| wanted.contains(**name)) {
            material.leave_out(name, "there is no such frame");
        }
        material.used()
    }

    fn leave_out(&mut self, file: &str, reason: &str) {
        self.left_out.push(LeftOut { file: file.to_owned(), reason: reason.to_owned() });
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
    fn take_stock(&mut self) {
        for file in 0..self.files.len() {
            let name = self.files[file].clone();
            if !ends(&name, &VIDEOS) {
                self.items.push(Item { file, name });
                continue;
            }
            let progress = Progress::endless(&format!("{name}: counting its frames"));
            let (mut frames, mut known) = (Vec::new(), HashSet::new());
            let whole = self.decode(file, |name, _| {
                progress.advance(1);
                // Of a broken file whose time jumps back, the first frame of a time.
                if known.insert(name.clone()) {
                    frames.push(Item { file, name });
                }
                true
            });
            match (whole, frames.len()) {
                (Err(reason), 0) => self.leave_out(&name, &reason),
                (Err(reason), count) => self.leave_out(&name, &format!("after {count} frames: {reason}")),
                (Ok(()), 0) => self.leave_out(&name, "it has no frame"),
                _ => {}
            }
            self.items.append(&mut frames);
        }
    }

    /// The frames of a video, with their names, until `take` returns false; why they are not all.
    fn decode(&self, file: usize, mut take: impl FnMut(String, Planes) -> bool) -> Result<(), String> {
        let name = &self.files[file];
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let decode_threads = u32::try_from(cores).unwrap_or(1);
        let config = PicturesConfig { fps: Some(self.fps), decode_threads, ..PicturesConfig::default() };
        let take = |planes, stamp: Stamp| take(frame_name(name, stamp.pts_ns), planes);
        let watched = pictures(&Source::File(self.root.join(name)), &config, || false, take);
        let watched = watched.map_err(|outage| outage.detail)?;
        match watched.ending {
            Ending::BrokeOff(outage) => Err(outage.detail),
            _ if watched.unusable > 0 => Err(format!("{} of its frames cannot be used", watched.unusable)),
            _ => Ok(()),
        }
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
        let name = |index: usize| self.items[index].name.as_str();
        let mut missing: HashMap<&str, usize> = wanted.iter().map(|index| (name(*index), *index)).collect();
        let mut go_on = true;
        let end = self.decode(file, |name, planes| {
            if let Some(index) = missing.remove(name.as_str()) {
                go_on = take(index, Coming::Frame(planes));
            }
            go_on && !missing.is_empty()
        });
        if !go_on {
            return false;
        }
        let reason = end.err().unwrap_or_else(|| "the frame did not come again".to_owned());
        let mut lost = wanted.iter().filter(|index| missing.contains_key(name(**index)));
        lost.all(|index| take(*index, Coming::Lost(reason.clone())))
    }
}

/// A folder, or the folder of a file and its name.
fn place(data: &Path) -> Result<(PathBuf, Option<String>), MaterialError> {
    let unreadable = |source| MaterialError::Read { path: data.to_owned(), source };
    let whole = std::path::absolute(data).map_err(unreadable)?;
    if std::fs::metadata(&whole).map_err(unreadable)?.is_dir() {
        std::fs::read_dir(&whole).map_err(unreadable)?;
        return Ok((whole, None));
    }
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok((whole.parent().map(Path::to_owned).unwrap_or_default(), name))
}

#[cfg(test)]
mod tests;
