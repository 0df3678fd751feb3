//! Who was learned from and who was not: counted, listed beside the model, and as a data set of those whom nothing was learned from.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::json;

use super::data::Data;
use crate::train::{FeatureSet, Trainer};
use crate::whole;

/// Who was learned from, and who was not.
#[derive(Clone, Debug, Serialize)]
pub struct People {
    /// People and pictures that the head learned from.
    pub training: (usize, usize),
    /// People and pictures that judged the epochs, or pictures alone for a classifier: the training stopped by them.
    pub judges: (usize, usize),
    /// People and pictures that nothing was learned from: they test.
    pub test: (usize, usize),
    /// The names of the people who test.
    pub tested: Vec<String>,
    /// People with one picture: they can be nobody's positive, and are strangers to the test.
    pub alone: Vec<String>,
}

impl People {
    /// Those of an embedding head.
    pub(super) fn new(trainer: &Trainer, test: &FeatureSet, data: &Data) -> Self {
        let size = |set: &FeatureSet| (set.names().len(), set.len());
        Self {
            training: size(trainer.training()),
            judges: size(trainer.judges()),
            test: size(test),
            tested: test.names().to_vec(),
            alone: data.alone.clone(),
        }
    }

    /// Writes all names.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn list(&self, file: &Path, trainer: &Trainer) -> anyhow::Result<()> {
        let lists = json!({
            "training": trainer.training().names(),
            "judges": trainer.judges().names(),
            "test": self.tested,
            "one_picture": self.alone,
        });
        Ok(whole::write(file, |out| writeln!(out, "{lists:#}"))?)
    }

    /// Links to the folders in `data` of everybody whom nothing was learned from.
    ///
    /// # Errors
    /// When a link cannot be made.
    pub(super) fn link(&self, folder: &Path, data: &Path) -> anyhow::Result<()> {
        let what = || format!("--write-test {}", folder.display());
        let (folder, data) = (folder.canonicalize().with_context(what)?, data.canonicalize().with_context(what)?);
        for old in fs::read_dir(&folder).with_context(what)? {
            fs::remove_file(old?.path()).with_context(what)?;
        }
        let way = way(&folder, &data);
        for name in self.tested.iter().chain(&self.alone) {
            std::os::unix::fs::symlink(way.join(name), folder.join(name)).with_context(what)?;
        }
        Ok(())
    }
}

/// Makes the folder for the links, and checks that it may be filled: nothing is in there, or with `force` links alone.
///
/// # Errors
/// What is in the way, and the way out.
pub(super) fn prepare(folder: &Path, data: &Path, force: bool) -> anyhow::Result<()> {
    let shown = folder.display();
    let what = || format!("--write-test {shown}: this folder cannot be made");
    let absolute = std::path::absolute(folder).with_context(what)?;
    let above = absolute.parent().unwrap_or(Path::new("/")).canonicalize().with_context(what)?;
    let data = data.canonicalize().with_context(what)?;
    if above.starts_with(&data) || folder.canonicalize().is_ok_and(|folder| folder.starts_with(&data)) {
        bail!("--write-test {shown} lies in {}, where it would be a person: give another folder", data.display());
    }
    if !folder.is_dir() {
        fs::create_dir(folder).with_context(what)?;
    }
    for entry in fs::read_dir(folder)? {
        if !entry?.file_type()?.is_symlink() {
            bail!("--write-test {shown} has other things than links to people in it: give a new folder");
        }
        if !force {
            bail!("--write-test {shown} has links in it already: give a new folder, or replace them with --force");
        }
    }
    Ok(())
}

/// From one folder to another, both whole: relative, so that both can be moved together, unless they share nothing.
fn way(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if shared < 2 {
        return to.to_owned();
    }
    let up = from.components().skip(shared).map(|_| OsStr::new(".."));
    up.chain(to.components().skip(shared).map(Component::as_os_str)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{People, prepare, way};
    use crate::dataset::Dataset;
    use crate::scratch::Scratch;

    #[test]
    fn the_way_is_relative_where_something_is_shared() {
        let way = |from: &str, to: &str| way(Path::new(from), Path::new(to)).display().to_string();
        assert_eq!(way("/home/me/test", "/home/me/photos/all"), "../photos/all");
        assert_eq!(way("/home/me/a/test", "/home/me"), "../..");
        assert_eq!(way("/tmp/test", "/home/me/photos"), "/home/me/photos");
    }

    #[test]
    fn links_make_a_data_set_that_can_be_moved_with_its_pictures() {
        let scratch = Scratch::new();
        for file in ["home/data/a/1.jpg", "home/data/b/1.jpg", "home/data/b/2.jpg", "home/data/c/1.jpg"] {
            scratch.picture(file);
        }
        let home = scratch.path().join("home");
        let (data, folder) = (home.join("data"), home.join("test"));
        let people = |tested: &[&str]| People {
            training: (0, 0),
            judges: (0, 0),
            test: (0, 0),
            tested: tested.iter().map(|name| (*name).to_owned()).collect(),
            alone: vec!["c".to_owned()],
        };
        prepare(&folder, &data, false).unwrap();
        people(&["b"]).link(&folder, &data).unwrap();
        std::fs::rename(&home, scratch.path().join("moved")).unwrap();
        let (data, folder) = (scratch.path().join("moved/data"), scratch.path().join("moved/test"));
        let found = Dataset::open(&folder).unwrap();
        assert_eq!((found.classes().join(" "), found.counts()), ("b c".to_owned(), vec![2, 1]));

        let refused = |folder: &Path, force| prepare(folder, &data, force).unwrap_err().to_string();
        assert!(refused(&folder, false).contains("--force"));
        prepare(&folder, &data, true).unwrap();
        people(&["a"]).link(&folder, &data).unwrap();
        assert_eq!(Dataset::open(&folder).unwrap().classes(), ["a", "c"]);
        assert!(refused(&data, true).contains("would be a person"));
        assert!(refused(&data.join("new"), true).contains("would be a person") && !data.join("new").exists());
        scratch.picture("moved/other/a/1.jpg");
        assert!(refused(&scratch.path().join("moved/other"), true).contains("other things"));
        assert!(refused(&scratch.path().join("no/such"), true).contains("no/such"));
        assert!(scratch.path().join("moved/data/b/2.jpg").is_file());
    }
}
