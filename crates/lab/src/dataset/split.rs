//! A split of a data set into a training and a test part: drawn from a seed, written out, read back.
//!
//! The file is JSON with `classes`, `train` and `test`, the files named relative to the data set; a drawn split also
//! carries its `seed`. Other fields are ignored, so that lists made elsewhere can be given.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::folder::Dataset;
use crate::whole::{self, WriteError};

/// Which pictures are for training and which for testing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The seed it was drawn with; none for a split made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The people it speaks of, in the order of their indices.
    pub classes: Vec<String>,
    /// The files to train on, relative to the data set.
    pub train: Vec<String>,
    /// The files to test with, relative to the data set.
    pub test: Vec<String>,
}

/// The two parts as indices into [`Dataset::samples`], in the order of the split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The samples to train on.
    pub train: Vec<usize>,
    /// The samples to test with.
    pub test: Vec<usize>,
}

/// Why a split cannot be drawn, read, written or applied.
#[derive(Debug, Error)]
pub enum SplitError {
    /// The training part must be a share of the whole.
    #[error("the share for training must lie between 0 and 1, not {0}")]
    Share(f64),
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Reading failed.
    #[error("split {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no split.
    #[error("{} is no split: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// A part without pictures.
    #[error("the {0} part of the split is empty")]
    EmptyPart(&'static str),
    /// A file is listed twice, in one part or in both.
    #[error("{0} is listed twice in the split")]
    Twice(String),
    /// Files that the data set does not have.
    #[error("{count} files of the split are not in the data set, the first: {first}")]
    Unknown {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// A file of a person whom the split does not list.
    #[error("{file} is of a person whom the split's classes do not name")]
    UnlistedClass {
        /// The file.
        file: String,
    },
}

impl Split {
    /// Splits the pictures of every person: about `share` of them for training, at least one picture on each side. Pictures
    /// of one visit, which `visits` numbers (as [`Dataset::visits`] does), count as one and go to one side together. Of a
    /// person with one picture or visit, that is for training.
    ///
    /// # Errors
    /// When `share` does not lie between 0 and 1.
    pub fn by_picture(dataset: &Dataset, visits: &[Option<usize>], share: f64, seed: u64) -> Result<Self, SplitError> {
        check_share(share)?;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut training = HashSet::new();
        for mut groups in inseparable(dataset, visits) {
            random.shuffle(&mut groups);
            let count = if groups.len() < 2 { groups.len() } else { part_of(groups.len(), share) };
            training.extend(groups.into_iter().take(count).flatten());
        }
        let (train, test): (Vec<usize>, Vec<usize>) =
            (0..dataset.samples().len()).partition(|index| training.contains(index));
        let names = |part: Vec<usize>| part.into_iter().map(|index| dataset.samples()[index].file.clone()).collect();
        Ok(Self { seed: Some(seed), classes: dataset.classes().to_vec(), train: names(train), test: names(test) })
    }

    /// Reads a split from its file and checks it in itself: both parts have files and none is listed twice.
    ///
    /// # Errors
    /// When the file cannot be read or is no valid split.
    pub fn read(path: &Path) -> Result<Self, SplitError> {
        let file = |source| SplitError::File { path: path.to_path_buf(), source };
        let text = fs::read(path).map_err(file)?;
        let split: Self =
            serde_json::from_slice(&text).map_err(|source| SplitError::Format { path: path.to_path_buf(), source })?;
        split.check()?;
        Ok(split)
    }

    fn check(&self) -> Result<(), SplitError> {
        for (part, files) in [("training", &self.train), ("test", &self.test)] {
            if files.is_empty() {
                return Err(SplitError::EmptyPart(part));
            }
        }
        let classes: HashSet<&str> = self.classes.iter().map(String::as_str).collect();
        let mut seen = HashSet::new();
        for file in self.train.iter().chain(&self.test) {
            if !seen.insert(file.as_str()) {
                return Err(SplitError::Twice(file.clone()));
            }
            let class = file.split('/').next().unwrap_or_default();
            if !classes.contains(class) {
                return Err(SplitError::UnlistedClass { file: file.clone() });
            }
        }
        Ok(())
    }

    /// Writes the split as JSON. The file appears complete or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SplitError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| SplitError::Format { path: path.to_path_buf(), source })?;
        Ok(whole::write(path, |file| writeln!(file, "{text}"))?)
    }

    /// The samples of the two parts.
    ///
    /// # Errors
    /// When the split names files that the data set does not have.
    pub fn apply(&self, dataset: &Dataset) -> Result<Parts, SplitError> {
        let index: HashMap<&str, usize> =
            dataset.samples().iter().enumerate().map(|(index, sample)| (sample.file.as_str(), index)).collect();
        let mut unknown = Vec::new();
        let mut part = |files: &[String]| {
            let mut samples = Vec::with_capacity(files.len());
            for file in files {
                match index.get(file.as_str()) {
                    Some(&sample) => samples.push(sample),
                    None => unknown.push(file.clone()),
                }
            }
            samples
        };
        let parts = Parts { train: part(&self.train), test: part(&self.test) };
        match unknown.first() {
            None => Ok(parts),
            Some(first) => Err(SplitError::Unknown { count: unknown.len(), first: first.clone() }),
        }
    }
}

fn check_share(share: f64) -> Result<(), SplitError> {
    if share > 0.0 && share < 1.0 { Ok(()) } else { Err(SplitError::Share(share)) }
}

/// Of each person the pictures that must stay together, in the data set's order: those of a visit, and each other one alone.
pub fn inseparable(dataset: &Dataset, visits: &[Option<usize>]) -> Vec<Vec<Vec<usize>>> {
    let mut people: Vec<Vec<Vec<usize>>> = vec![Vec::new(); dataset.classes().len()];
    let mut places = HashMap::new();
    for (index, sample) in dataset.samples().iter().enumerate() {
        let groups = &mut people[sample.class];
        match visits.get(index).copied().flatten() {
            None => groups.push(vec![index]),
            Some(visit) => {
                let place = *places.entry(visit).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Vec::new());
                }
                groups[place].push(index);
            }
        }
    }
    people
}

/// The rounded share of `count`, at least 1 and at most `count - 1`. `count` is 2 or more.
fn part_of(count: usize, share: f64) -> usize {
    ((count as f64 * share).round() as usize).clamp(1, count - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn pictures_are_split_within_each_person() {
        let (_scratch, dataset) = Scratch::people(&[10, 2, 1]);
        let split = Split::by_picture(&dataset, &[], 0.7, 5).unwrap();
        let of = |files: &[String], person: &str| files.iter().filter(|file| file.starts_with(person)).count();
        assert_eq!((of(&split.train, "p0"), of(&split.test, "p0")), (7, 3));
        assert_eq!((of(&split.train, "p1"), of(&split.test, "p1")), (1, 1));
        assert_eq!((of(&split.train, "p2"), of(&split.test, "p2")), (1, 0));
        assert_eq!(split, Split::by_picture(&dataset, &[], 0.7, 5).unwrap());
        assert_ne!(split.train, Split::by_picture(&dataset, &[], 0.7, 6).unwrap().train);
    }

    #[test]
    fn a_visit_is_in_one_part_as_a_whole() {
        let (_scratch, dataset) = Scratch::people(&[9, 4]);
        // Three visits of the first person, of four, three and one picture, and one picture of none; the second person has one visit.
        let (a, b, c) = (Some(0), Some(1), Some(2));
        let visits = [a, b, a, b, a, b, a, c, None].into_iter().chain([Some(3); 4]).collect::<Vec<_>>();
        for seed in 0..20 {
            let split = Split::by_picture(&dataset, &visits, 0.5, seed).unwrap();
            let parts = split.apply(&dataset).unwrap();
            let of = |part: &[usize]| part.iter().filter_map(|index| visits[*index]).collect::<HashSet<_>>();
            assert!(of(&parts.train).is_disjoint(&of(&parts.test)), "{split:?}");
            let first = |part: &[usize]| part.iter().filter(|index| **index < 9).map(|index| visits[*index]).collect();
            let (train, test): (HashSet<_>, HashSet<_>) = (first(&parts.train), first(&parts.test));
            assert_eq!((train.len(), test.len()), (2, 2), "half of the three visits and the picture");
            assert!(parts.test.iter().all(|index| *index < 9), "one visit is for training");
        }
    }

    #[test]
    fn a_split_survives_its_file() {
        let (scratch, dataset) = Scratch::people(&[5, 5]);
        let split = Split::by_picture(&dataset, &[], 0.6, u64::MAX).unwrap();
        let path = scratch.path().join("split.json");
        split.write(&path).unwrap();
        let read = Split::read(&path).unwrap();
        assert_eq!(read, split);
        let parts = read.apply(&dataset).unwrap();
        let names = |part: &[usize]| part.iter().map(|&i| dataset.samples()[i].file.clone()).collect::<Vec<_>>();
        assert_eq!((names(&parts.train), names(&parts.test)), (split.train, split.test));
    }

    #[test]
    fn a_stated_split_may_carry_other_fields_and_no_seed() {
        let scratch = Scratch::new();
        scratch.file(
            "s.json",
            br#"{"about": "made elsewhere", "classes": ["a"], "train": ["a/2.jpg"], "test": ["a/1.jpg"], "results": {}}"#,
        );
        let split = Split::read(&scratch.path().join("s.json")).unwrap();
        assert_eq!((split.seed, &split.train[..]), (None, &["a/2.jpg".to_owned()][..]));
        let (_other, dataset) = Scratch::people(&[2]);
        let error = split.apply(&dataset).unwrap_err().to_string();
        assert_eq!(error, "2 files of the split are not in the data set, the first: a/2.jpg");
    }

    #[test]
    fn wrong_splits_are_refused() {
        let scratch = Scratch::new();
        let read = |text: &str| {
            scratch.file("s.json", text.as_bytes());
            Split::read(&scratch.path().join("s.json")).unwrap_err().to_string()
        };
        assert!(read("not JSON").contains("is no split"));
        assert!(read(r#"{"classes": [], "train": []}"#).contains("missing field `test`"));
        assert_eq!(
            read(r#"{"classes": ["a"], "train": [], "test": ["a/1"]}"#),
            "the training part of the split is empty"
        );
        assert_eq!(
            read(r#"{"classes": ["a"], "train": ["a/1"], "test": ["a/1"]}"#),
            "a/1 is listed twice in the split"
        );
        assert!(read(r#"{"classes": ["a"], "train": ["a/1"], "test": ["b/1"]}"#).starts_with("b/1 is of a person"));
        let (_other, dataset) = Scratch::people(&[2]);
        for share in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(matches!(Split::by_picture(&dataset, &[], share, 0), Err(SplitError::Share(_))));
        }
        let nowhere = scratch.path().join("no/such/folder/s.json");
        let split = Split::by_picture(&dataset, &[], 0.5, 0).unwrap();
        assert!(matches!(split.write(&nowhere), Err(SplitError::Write(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_picture_is_in_exactly_one_part(
            counts in prop::collection::vec(1_usize..6, 1..5), share in 0.01_f64..0.99, seed in any::<u64>(),
        ) {
            let (_scratch, dataset) = Scratch::people(&counts);
            let split = Split::by_picture(&dataset, &[], share, seed).unwrap();
            let mut all: Vec<_> = split.train.iter().chain(&split.test).cloned().collect();
            all.sort();
            let files: Vec<_> = dataset.samples().iter().map(|sample| sample.file.clone()).collect();
            prop_assert_eq!(all, files);
        }
    }
}
