//! Which visit each picture of a data set was taken in, where `collect` has written it down in `faces.jsonl`.
//!
//! The pictures of one visit are a moment of one camera, so that they are alike beyond what the person is.

use std::collections::HashMap;
use std::io;

use serde::Deserialize;

use super::folder::{Dataset, Sample};

/// The file with a line a picture, in the data set's folder.
const LOG: &str = "faces.jsonl";

/// What is read of a line.
#[derive(Deserialize)]
struct Line {
    file: String,
    visit: String,
}

impl Dataset {
    /// The number of each picture's visit, in the order of [`Dataset::samples`]; `None` where nothing says it. Pictures of
    /// different people are of different visits.
    ///
    /// # Errors
    /// When there is a `faces.jsonl` that cannot be read.
    pub fn visits(&self) -> io::Result<Vec<Option<usize>>> {
        match std::fs::read(self.root().join(LOG)) {
            Ok(text) => Ok(told(&text, self.samples())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![None; self.samples().len()]),
            Err(error) => Err(error),
        }
    }
}

/// What the lines tell of these pictures. A picture whose folder was renamed is known by its own name, where only one picture
/// and one line have it. Broken lines and those of pictures that are gone tell nothing.
fn told(text: &[u8], samples: &[Sample]) -> Vec<Option<usize>> {
    let lines: Vec<Line> =
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let by_file: HashMap<&str, &str> = lines.iter().map(|line| (line.file.as_str(), line.visit.as_str())).collect();
    let by_name = unique(by_file.iter().map(|(file, visit)| (name(file), *visit)));
    let names = unique(samples.iter().map(|sample| (name(&sample.file), ())));
    let mut numbers: HashMap<(usize, &str), usize> = HashMap::new();
    let number = |sample: &Sample| {
        let renamed = || by_name.get(name(&sample.file)).filter(|_| names.contains_key(name(&sample.file)));
        let visit = by_file.get(sample.file.as_str()).or_else(renamed)?;
        let next = numbers.len();
        Some(*numbers.entry((sample.class, visit)).or_insert(next))
    };
    samples.iter().map(number).collect()
}

/// Without the keys that come twice.
fn unique<'a, T>(pairs: impl Iterator<Item = (&'a str, T)>) -> HashMap<&'a str, T> {
    let mut found: HashMap<&str, Option<T>> = HashMap::new();
    for (key, value) in pairs {
        found.entry(key).and_modify(|known| *known = None).or_insert(Some(value));
    }
    found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// A file's own name.
fn name(file: &str) -> &str {
    file.rsplit_once('/').map_or(file, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{LOG, told};
    use crate::dataset::{Dataset, Sample};
    use crate::scratch::Scratch;

    fn of(lines: &[&str], files: &[&str]) -> Vec<Option<usize>> {
        let folder = |file: &str| file.split('/').next().unwrap().to_owned();
        let mut people: Vec<String> = files.iter().map(|file| folder(file)).collect();
        people.sort();
        people.dedup();
        let class = |file: &str| people.binary_search(&folder(file)).unwrap();
        let samples: Vec<Sample> =
            files.iter().map(|file| Sample { file: (*file).to_owned(), class: class(file) }).collect();
        told(lines.join("\n").as_bytes(), &samples)
    }

    fn line(file: &str, visit: &str) -> String {
        format!(r#"{{"file": "{file}", "time": 5, "visit": "{visit}"}}"#)
    }

    #[test]
    fn pictures_have_the_visit_of_their_line() {
        let lines = [line("a/a_1.jpg", "x"), line("a/a_2.jpg", "x"), line("b/b_1.jpg", "x"), line("a/a_3.jpg", "y")];
        let lines = lines.each_ref().map(String::as_str);
        let files = ["a/a_1.jpg", "a/a_2.jpg", "a/a_3.jpg", "a/by_hand.jpg", "b/b_1.jpg"];
        // A track that changed from one person to another is a visit of each.
        assert_eq!(of(&lines, &files), [Some(0), Some(0), Some(1), None, Some(2)]);
    }

    #[test]
    fn lines_that_are_broken_or_of_pictures_that_are_gone_tell_nothing() {
        let whole = line("a/1.jpg", "x");
        let cut = &line("a/2.jpg", "x")[..20];
        let gone = line("a/9.jpg", "x");
        let lines = [&whole, cut, "", "[1]", r#"{"file": "a/3.jpg"}"#, r#"{"file": 3, "visit": "x"}"#, &gone];
        assert_eq!(of(&lines, &["a/1.jpg", "a/2.jpg", "a/3.jpg"]), [Some(0), None, None]);
    }

    #[test]
    fn a_renamed_folder_s_pictures_are_known_by_their_names() {
        let lines = [line("p-1/p-1_1.jpg", "x"), line("p-1/p-1_2.jpg", "y"), line("p-2/p-2_1.jpg", "z")];
        let lines = lines.each_ref().map(String::as_str);
        // The second person was found to be the first one.
        assert_eq!(of(&lines, &["Ada/p-1_1.jpg", "Ada/p-1_2.jpg", "Ada/p-2_1.jpg"]), [Some(0), Some(1), Some(2)]);
        // Two pictures or two lines with one name: who can tell?
        assert_eq!(of(&lines, &["Ada/p-1_1.jpg", "Bob/p-1_1.jpg"]), [None, None]);
        let twice = [line("a/1.jpg", "x"), line("b/1.jpg", "y")];
        let twice = twice.each_ref().map(String::as_str);
        assert_eq!(of(&twice, &["Ada/1.jpg"]), [None]);
        assert_eq!(of(&twice, &["a/1.jpg", "b/1.jpg"]), [Some(0), Some(1)], "in their places they are known");
    }

    #[test]
    fn without_the_file_nothing_is_known() {
        let scratch = Scratch::new();
        scratch.picture("a/1.jpg").picture("a/2.jpg");
        let dataset = Dataset::open(scratch.path()).unwrap();
        assert_eq!(dataset.visits().unwrap(), [None, None]);
        scratch.file(LOG, line("a/2.jpg", "x").as_bytes());
        assert_eq!(dataset.visits().unwrap(), [None, Some(0)]);
        std::fs::remove_file(scratch.path().join(LOG)).unwrap();
        std::fs::create_dir(scratch.path().join(LOG)).unwrap();
        assert!(dataset.visits().is_err());
    }
}
