//! A folder of people, read as torchvision's `ImageFolder` reads it: every folder on the first level is a class, the
//! classes are sorted by name and numbered from 0, and the pictures of nested folders belong to the class above.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use thiserror::Error;

use super::picture::{SkipReason, check_content, is_named_as_picture};

/// One picture of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The file, relative to the data set's folder, with `/` between folders.
    pub file: String,
    /// The index of its person in [`Dataset::classes`].
    pub class: usize,
}

/// A file that is no sample, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file or folder, relative to the data set's folder.
    pub file: String,
    /// Why it was skipped.
    pub reason: SkipReason,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.file, self.reason)
    }
}

/// Why a folder is no data set.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The folder itself cannot be read.
    #[error("cannot read the data set {}: {source}", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing in the folder.
    #[error("{} is empty: expected a folder for each person, with pictures in it", .0.display())]
    Empty(PathBuf),
    /// There are files but no folders.
    #[error(
        "{} has no folder for a person, only {files} files, {pictures} of them pictures: put each person's pictures \
         in a folder of their own, as in name/name_0001.jpg", path.display()
    )]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// How many files lie in it.
        files: usize,
        /// How many of them are named as pictures.
        pictures: usize,
    },
    /// There are folders, but no picture that can be used.
    #[error(
        "{} has {classes} folders but no picture in them ({skipped} files skipped{}); pictures end in {}",
        path.display(), first.as_ref().map(|file| format!(", the first: {file}")).unwrap_or_default(),
        super::picture::EXTENSIONS.join(" ")
    )]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// How many folders it has on its first level.
        classes: usize,
        /// How many files were skipped.
        skipped: usize,
        /// The first of them.
        first: Option<Skipped>,
    },
}

/// A folder of people with their pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    root: PathBuf,
    classes: Vec<String>,
    samples: Vec<Sample>,
    skipped: Vec<Skipped>,
}

impl Dataset {
    /// Reads the folder. A relative path gives the same data set as the absolute one. Files that are no pictures or
    /// cannot be read are listed in [`Dataset::skipped`]; other files beside the people's folders are not looked at.
    ///
    /// # Errors
    /// When the folder cannot be read or holds no picture of anybody.
    pub fn open(root: &Path) -> Result<Self, DatasetError> {
        let read_error = |source| DatasetError::Read { path: root.to_path_buf(), source };
        let root = std::path::absolute(root).map_err(read_error)?;
        let top = list(&root).map_err(read_error)?;
        let (folders, files): (Vec<_>, Vec<_>) = top.entries.into_iter().partition(|entry| entry.is_folder);
        let mut skipped = top.skipped;
        if folders.is_empty() && files.is_empty() && skipped.is_empty() {
            return Err(DatasetError::Empty(root));
        }
        let pictures: Vec<_> = files.iter().filter(|entry| is_named_as_picture(&entry.name)).collect();
        if folders.is_empty() {
            return Err(DatasetError::NoClasses { path: root, files: files.len(), pictures: pictures.len() });
        }
        skipped
            .extend(pictures.iter().map(|entry| Skipped { file: entry.name.clone(), reason: SkipReason::InNoClass }));
        let classes: Vec<String> = folders.into_iter().map(|entry| entry.name).collect();
        let mut samples = Vec::new();
        for (class, name) in classes.iter().enumerate() {
            let mut walk = Walk { root: &root, above: Vec::new(), files: Vec::new(), skipped: Vec::new() };
            walk.folder(name);
            skipped.append(&mut walk.skipped);
            let found = pictures_of(&root, walk.files, &mut skipped);
            samples.extend(found.into_iter().map(|file| Sample { file, class }));
        }
        if samples.is_empty() {
            let (classes, first) = (classes.len(), skipped.first().cloned());
            return Err(DatasetError::NoPictures { path: root, classes, skipped: skipped.len(), first });
        }
        Ok(Self { root, classes, samples, skipped })
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The people, sorted by name as torchvision sorts (by code points); the position is the class index.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The pictures in torchvision's order: by class, then by folder, then by file name.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Where a sample's file is.
    #[must_use]
    pub fn path(&self, sample: &Sample) -> PathBuf {
        self.root.join(&sample.file)
    }

    /// The files that are no samples, with the reasons.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// How many pictures each person has, in class order.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for sample in &self.samples {
            counts[sample.class] += 1;
        }
        counts
    }
}

/// The usable pictures among these files, sorted as torchvision sorts; the others go to `skipped`.
fn pictures_of(root: &Path, mut files: Vec<File>, skipped: &mut Vec<Skipped>) -> Vec<String> {
    files.sort();
    let mut pictures = Vec::new();
    for file in files {
        let relative = format!("{}/{}", file.folder, file.name);
        let checked = if is_named_as_picture(&file.name) {
            check_content(&root.join(&relative))
        } else {
            Err(SkipReason::NotAPicture)
        };
        match checked {
            Ok(()) => pictures.push(relative),
            Err(reason) => skipped.push(Skipped { file: relative, reason }),
        }
    }
    pictures
}

/// A file below a class. The order of the fields makes the sorting that of torchvision: the whole path of the folder
/// as one text, then the name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct File {
    folder: String,
    name: String,
}

/// A walk through one class and everything below, links followed.
struct Walk<'a> {
    root: &'a Path,
    /// The real places of the folders above the one being read, to notice links that lead back.
    above: Vec<PathBuf>,
    files: Vec<File>,
    skipped: Vec<Skipped>,
}

impl Walk<'_> {
    /// Collects the files of a folder, named relative to the root, and of the folders in it.
    fn folder(&mut self, folder: &str) {
        let path = self.root.join(folder);
        let unreadable = |error: io::Error| SkipReason::Unreadable(error.to_string());
        let read = fs::canonicalize(&path).and_then(|real| Ok((real, list(&path)?)));
        let (real, listing) = match read {
            Ok(read) => read,
            Err(error) => return self.skip(folder.to_owned(), unreadable(error)),
        };
        if self.above.contains(&real) {
            return self.skip(folder.to_owned(), SkipReason::LinkLoop);
        }
        self.above.push(real);
        for skipped in listing.skipped {
            self.skip(format!("{folder}/{}", skipped.file), skipped.reason);
        }
        for entry in listing.entries {
            if entry.is_folder {
                self.folder(&format!("{folder}/{}", entry.name));
            } else {
                self.files.push(File { folder: folder.to_owned(), name: entry.name });
            }
        }
        self.above.pop();
    }

    fn skip(&mut self, file: String, reason: SkipReason) {
        self.skipped.push(Skipped { file, reason });
    }
}

/// What lies in one folder, sorted by name.
struct Listing {
    entries: Vec<Entry>,
    skipped: Vec<Skipped>,
}

struct Entry {
    name: String,
    is_folder: bool,
}

fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing { entries: Vec::new(), skipped: Vec::new() };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_name().into_string() {
            // `is_dir` follows links, as `os.DirEntry.is_dir` does.
            Ok(name) => listing.entries.push(Entry { name, is_folder: entry.path().is_dir() }),
            Err(name) => {
                let file = name.to_string_lossy().into_owned();
                listing.skipped.push(Skipped { file, reason: SkipReason::NameNotUtf8 });
            }
        }
    }
    listing.entries.sort_by(|a, b| a.name.cmp(&b.name));
    listing.skipped.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(listing)
}

#[cfg(test)]
mod tests;
