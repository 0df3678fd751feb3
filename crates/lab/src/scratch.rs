//! A folder for one test, removed when the test ends.

use std::path::Path;

use tempfile::TempDir;

use crate::dataset::Dataset;

/// The first bytes of a JPEG file, enough for a file to count as a picture.
pub(crate) const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0];

pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and the folders above it.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// A data set with so many pictures of each person: `p0/p0_0001.jpg` and so on.
    pub(crate) fn people(counts: &[usize]) -> (Self, Dataset) {
        let scratch = Self::new();
        for (person, &count) in counts.iter().enumerate() {
            for number in 1..=count {
                scratch.picture(&format!("p{person}/p{person}_{number:04}.jpg"));
            }
        }
        let dataset = Dataset::open(scratch.path()).unwrap();
        (scratch, dataset)
    }

    pub(crate) fn picture(&self, name: &str) -> &Self {
        self.file(name, JPEG)
    }
}
