//! Who can be learned from: vectors sorted by how many pictures a person has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::commands::output;
use crate::dataset::Dataset;
use crate::faces::Outcome;
use crate::train::{FeatureSet, Sample};

/// Names that a note gives at most.
const NAMED: usize = 5;

/// The pictures in which a face was found, with its vector.
pub(super) struct Pictures {
    pub(super) root: PathBuf,
    samples: Vec<Sample>,
}

impl Pictures {
    /// Leaves out what has no vector: that was said when it was found.
    pub(super) fn new(dataset: &Dataset, outcomes: &[Outcome]) -> Self {
        let sample = |(sample, outcome): (&crate::dataset::Sample, &Outcome)| {
            Some(Sample {
                person: dataset.classes()[sample.class].clone(),
                image: sample.file.clone(),
                vector: outcome.vector()?.to_vec(),
            })
        };
        let samples = dataset.samples().iter().zip(outcomes).filter_map(sample).collect();
        Self { root: dataset.root().to_owned(), samples }
    }

    pub(super) fn samples(&self) -> Vec<Sample> {
        self.samples.clone()
    }

    /// A few of them, spread over all.
    pub(super) fn some(&self, count: usize) -> Vec<&Sample> {
        let step = self.samples.len().div_ceil(count.max(1)).max(1);
        self.samples.iter().step_by(step).collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }
}

/// Vectors for an embedding head.
#[derive(Debug)]
pub(super) struct Data {
    /// The people with two pictures or more.
    pub(super) usable: FeatureSet,
    /// The names of those with one.
    pub(super) alone: Vec<String>,
    /// Their pictures.
    pub(super) strangers: Option<FeatureSet>,
}

impl Data {
    /// # Errors
    /// When nobody has two pictures, or a vector cannot be used, with its picture.
    pub(super) fn new(samples: Vec<Sample>) -> anyhow::Result<Self> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for sample in &samples {
            *counts.entry(sample.person.clone()).or_default() += 1;
        }
        let people = counts.len();
        let (several, one): (Vec<Sample>, Vec<Sample>) =
            samples.into_iter().partition(|sample| counts.get(&sample.person).is_some_and(|count| *count > 1));
        if several.is_empty() {
            bail!(
                "none of {people} people has two pictures with a face: a triplet takes two pictures of one person and one \
                 of another, so give more pictures of the same people"
            );
        }
        let strangers = if one.is_empty() { None } else { Some(FeatureSet::new(one)?) };
        let alone = strangers.as_ref().map_or_else(Vec::new, |strangers| strangers.names().to_vec());
        Ok(Self { usable: FeatureSet::new(several)?, alone, strangers })
    }

    /// Whether each part has two people, as [`FeatureSet::split_people`] takes them.
    ///
    /// # Errors
    /// How many there are in which part, and the way out.
    pub(super) fn divided(&self, test: f64, held_out: f64) -> anyhow::Result<()> {
        let of = |people: usize, share: f64| (people as f64 * share).round() as usize;
        let people = self.usable.names().len();
        let tested = of(people, test);
        let judges = of(people - tested, held_out);
        let learned = people - tested - judges;
        if tested.min(judges).min(learned) < 2 {
            bail!(
                "too few people: of {people} with two pictures or more --test {test} keeps {tested} for the test, --held-out {held_out} \
                 of the rest {judges} to judge, and {learned} to learn from are left, but it takes two of each: give more people or \
                 other shares, or use --classifier, which works with few"
            );
        }
        Ok(())
    }
}

/// Says who has one picture only, and what that means.
pub(super) fn note_alone(names: &[String], meaning: &str) {
    if let Some(note) = alone(names, meaning) {
        output::note(&note);
    }
}

fn alone(names: &[String], meaning: &str) -> Option<String> {
    let more = names.len().saturating_sub(NAMED);
    let listed = names[..names.len() - more].join(", ");
    let listed = if more > 0 { format!("{listed} and {more} more") } else { listed };
    match names.len() {
        0 => None,
        1 => Some(format!("1 person has one picture with a face ({listed}): {meaning}")),
        count => Some(format!("{count} people have one picture with a face ({listed}): {meaning}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Data, alone};
    use crate::train::Sample;

    fn sample(person: &str, image: &str, vector: [f32; 2]) -> Sample {
        Sample { person: person.to_owned(), image: image.to_owned(), vector: vector.to_vec() }
    }

    #[test]
    fn a_person_with_one_picture_is_a_stranger() {
        let samples = ["a/1", "b/1", "b/2", "c/1", "d/1", "d/2"].map(|file| sample(&file[..1], file, [1.0, 0.5]));
        let data = Data::new(samples.to_vec()).unwrap();
        assert_eq!((data.usable.names().join(" "), data.alone.join(" ")), ("b d".to_owned(), "a c".to_owned()));
        assert_eq!(data.strangers.unwrap().len(), 2);
        let data = Data::new(samples[1..3].to_vec()).unwrap();
        assert!(data.strangers.is_none() && data.alone.is_empty());
        let error = Data::new(vec![samples[0].clone(), samples[3].clone()]).unwrap_err().to_string();
        assert!(error.starts_with("none of 2 people has two pictures"), "{error}");
    }

    #[test]
    fn a_vector_that_is_no_number_is_named() {
        let good = [sample("a", "a/1", [1.0, 0.0]), sample("a", "a/2", [0.0, 1.0])];
        for bad in [sample("a", "a/nan.jpg", [f32::NAN, 0.0]), sample("b", "b/alone.jpg", [0.0, f32::INFINITY])] {
            let image = bad.image.clone();
            let error = Data::new([good.to_vec(), vec![bad]].concat()).unwrap_err().to_string();
            assert!(error.contains(&image) && error.contains("not finite"), "{error}");
        }
    }

    #[test]
    fn too_few_people_are_counted_part_by_part() {
        let people = |count: usize| {
            let faces = (0..2 * count).map(|n| sample(&format!("{}", n / 2), &format!("{n}"), [1.0, 0.5]));
            Data::new(faces.collect()).unwrap()
        };
        let error = people(3).divided(0.5, 0.2).unwrap_err().to_string();
        assert!(error.starts_with("too few people: of 3 with two pictures or more --test 0.5 keeps 2"), "{error}");
        assert!(
            error.contains("--held-out 0.2 of the rest 0 to judge, and 1 to learn") && error.contains("--classifier")
        );
        assert!(people(7).divided(0.3, 0.4).is_ok() && people(7).divided(0.1, 0.4).is_err());
    }

    #[test]
    fn who_has_one_picture_is_said_in_a_line() {
        let names: Vec<String> = ('a'..='g').map(String::from).collect();
        assert_eq!(alone(&names[..0], "x"), None);
        assert_eq!(alone(&names[..1], "x").unwrap(), "1 person has one picture with a face (a): x");
        assert_eq!(alone(&names, "x").unwrap(), "7 people have one picture with a face (a, b, c, d, e and 2 more): x");
    }
}
