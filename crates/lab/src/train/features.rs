//! What is learned from: one vector a face, as the frozen embedder gives it, and the person it shows.

use std::collections::BTreeSet;

use crate::train::error::TrainError;
use crate::train::random::{Purpose, stream};

/// Shorter vectors are rounding noise, whose direction says nothing.
const SHORTEST: f64 = 1e-6;

/// Bad vectors that an error names.
const NAMED: usize = 5;

/// A face: its vector, whose it is and which picture it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The person.
    pub person: String,
    /// The picture, for messages.
    pub image: String,
    /// The embedder's output.
    pub vector: Vec<f32>,
}

/// Faces by person, every vector of length 1, in the order of people and pictures.
///
/// People are numbered in the order of their names, as torchvision numbers the classes of a folder.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSet {
    dimension: usize,
    rows: Vec<f32>,
    labels: Vec<u32>,
    names: Vec<String>,
    /// The rows of each person.
    people: Vec<Vec<usize>>,
}

impl FeatureSet {
    /// Takes the faces as they are, scaled to length 1.
    ///
    /// # Errors
    /// [`TrainError::Features`] without faces, or naming those that are zero, not finite or of another dimension.
    pub fn new(mut samples: Vec<Sample>) -> Result<Self, TrainError> {
        samples.sort_by(|a, b| (&a.person, &a.image).cmp(&(&b.person, &b.image)));
        let dimension = samples.first().map_or(0, |sample| sample.vector.len());
        if dimension == 0 {
            return Err(TrainError::Features("there are none".to_owned()));
        }
        check(&samples, dimension)?;
        let names: BTreeSet<&str> = samples.iter().map(|sample| sample.person.as_str()).collect();
        let mut set = Self::empty(dimension, names.into_iter().map(str::to_owned).collect());
        let mut label = 0;
        for sample in &samples {
            // Both are sorted: the person is this one or the next.
            label += usize::from(set.names[label] != sample.person);
            let norm = length(&sample.vector);
            set.push(label, sample.vector.iter().map(|value| (f64::from(*value) / norm) as f32));
        }
        Ok(set)
    }

    /// Numbers in a vector.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// Faces.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no face.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The vector of a face.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.dimension..(index + 1) * self.dimension]
    }

    /// All vectors, one after the other.
    #[must_use]
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The person's number of every face.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The people's names by number.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The faces of every person.
    #[must_use]
    pub fn people(&self) -> &[Vec<usize>] {
        &self.people
    }

    /// The people with at least so many faces, and the names of the others.
    #[must_use]
    pub fn with_images(&self, least: usize) -> (Self, Vec<String>) {
        let keep: Vec<usize> = (0..self.people.len()).filter(|person| self.people[*person].len() >= least).collect();
        let left_out = self.names.iter().zip(&self.people).filter(|(_, rows)| rows.len() < least);
        let left_out = left_out.map(|(name, _)| name.clone()).collect();
        (self.of_people(&keep), left_out)
    }

    /// Splits by person: the second part has `share` of the people, rounded, each with all faces.
    ///
    /// # Errors
    /// [`TrainError::Features`] where a part would have fewer than two people.
    pub fn split_people(&self, share: f64, seed: u64) -> Result<(Self, Self), TrainError> {
        let mut order: Vec<usize> = (0..self.people.len()).collect();
        stream(seed, Purpose::Split, 0).shuffle(&mut order);
        let second = (self.people.len() as f64 * share).round() as usize;
        if second < 2 || self.people.len() < second + 2 {
            let reason = format!(
                "{} people cannot be split into {share} of them and the rest: each part needs at least two",
                self.people.len()
            );
            return Err(TrainError::Features(reason));
        }
        let (second, first) = order.split_at(second);
        Ok((self.of_people(first), self.of_people(second)))
    }

    /// At most so many people with at most so many faces each, chosen by the seed.
    #[must_use]
    pub fn limited(&self, people: usize, images: usize, seed: u64) -> Self {
        let mut random = stream(seed, Purpose::Images, 0);
        let mut order: Vec<usize> = (0..self.people.len()).collect();
        random.shuffle(&mut order);
        order.truncate(people);
        order.sort_unstable();
        self.select(&order, |rows| {
            let mut rows = rows.to_vec();
            random.shuffle(&mut rows);
            rows.truncate(images);
            rows.sort_unstable();
            rows
        })
    }

    /// Splits every person's faces: the second part has `share` of them, rounded down, the first at least one.
    #[must_use]
    pub fn split_images(&self, share: f64, seed: u64) -> (Self, Self) {
        let mut random = stream(seed, Purpose::Split, 1);
        let mut parts =
            [Self::empty(self.dimension, self.names.clone()), Self::empty(self.dimension, self.names.clone())];
        for (person, rows) in self.people.iter().enumerate() {
            let mut rows = rows.clone();
            random.shuffle(&mut rows);
            let second = ((rows.len() as f64 * share) as usize).min(rows.len() - 1);
            for (position, row) in rows.into_iter().enumerate() {
                parts[usize::from(position < second)].push(person, self.row(row).iter().copied());
            }
        }
        let [first, second] = parts;
        (first, second)
    }

    /// A number that is another one for other vectors or people.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        self.rows.iter().for_each(|value| hasher.update(&value.to_le_bytes()));
        self.labels.iter().for_each(|label| hasher.update(&label.to_le_bytes()));
        hasher.finalize()
    }

    fn of_people(&self, people: &[usize]) -> Self {
        let mut people = people.to_vec();
        people.sort_unstable();
        self.select(&people, <[usize]>::to_vec)
    }

    fn select(&self, people: &[usize], mut rows: impl FnMut(&[usize]) -> Vec<usize>) -> Self {
        let names = people.iter().map(|person| self.names[*person].clone()).collect();
        let mut set = Self::empty(self.dimension, names);
        for (label, person) in people.iter().enumerate() {
            for row in rows(&self.people[*person]) {
                set.push(label, self.row(row).iter().copied());
            }
        }
        set
    }

    fn empty(dimension: usize, names: Vec<String>) -> Self {
        Self { dimension, rows: Vec::new(), labels: Vec::new(), people: vec![Vec::new(); names.len()], names }
    }

    fn push(&mut self, label: usize, vector: impl Iterator<Item = f32>) {
        self.people[label].push(self.labels.len());
        self.labels.push(label as u32);
        self.rows.extend(vector);
    }
}

/// The length of a vector.
pub(crate) fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// Why it cannot be used, if so.
fn problem(sample: &Sample, dimension: usize) -> Option<String> {
    if sample.vector.len() != dimension {
        return Some(format!("has {} numbers instead of {dimension}", sample.vector.len()));
    }
    let norm = length(&sample.vector);
    if !norm.is_finite() {
        return Some("is not finite".to_owned());
    }
    (norm < SHORTEST).then(|| "is zero".to_owned())
}

fn check(samples: &[Sample], dimension: usize) -> Result<(), TrainError> {
    let named = |sample: &Sample| problem(sample, dimension).map(|what| format!("{} {what}", sample.image));
    let bad: Vec<String> = samples.iter().filter_map(named).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let named = bad[..bad.len().min(NAMED)].join(", ");
    let more = if bad.len() > NAMED { ", …" } else { "" };
    Err(TrainError::Features(format!("{} of {} vectors: {named}{more}", bad.len(), samples.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(person: &str, image: &str, vector: &[f32]) -> Sample {
        Sample { person: person.to_owned(), image: image.to_owned(), vector: vector.to_vec() }
    }

    fn set(images: &[usize]) -> FeatureSet {
        let face = |person: usize, image: usize| {
            sample(&format!("person-{person:03}"), &format!("{image}"), &[person as f32 + 1.0, image as f32, 1.0])
        };
        let faces = images.iter().enumerate().flat_map(|(person, count)| (0..*count).map(move |i| face(person, i)));
        FeatureSet::new(faces.collect()).unwrap()
    }

    #[test]
    fn vectors_get_length_one_and_people_are_numbered_by_name() {
        let set = FeatureSet::new(vec![
            sample("b", "b2", &[0.0, 2.0]),
            sample("a", "a1", &[3.0, 4.0]),
            sample("b", "b1", &[5.0, 0.0]),
        ])
        .unwrap();
        assert_eq!((set.names().join(" "), set.labels()), ("a b".to_owned(), &[0, 1, 1][..]));
        assert_eq!(set.rows(), [0.6, 0.8, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(set.people(), [vec![0], vec![1, 2]]);
    }

    #[test]
    fn bad_vectors_are_named() {
        let good = || sample("a", "good.jpg", &[1.0, 0.0]);
        let refused = |bad: Sample| FeatureSet::new(vec![good(), bad]).unwrap_err().to_string();
        let text = refused(sample("a", "nan.jpg", &[f32::NAN, 0.0]));
        assert!(text.contains("1 of 2") && text.contains("nan.jpg is not finite"), "{text}");
        assert!(refused(sample("a", "x.jpg", &[f32::INFINITY, 0.0])).contains("x.jpg is not finite"));
        assert!(refused(sample("a", "zero.jpg", &[0.0, 0.0])).contains("zero.jpg is zero"));
        assert!(refused(sample("a", "long.jpg", &[0.0; 3])).contains("long.jpg has 3 numbers instead of 2"));
        assert!(FeatureSet::new(Vec::new()).unwrap_err().to_string().contains("none"));
        let many = (0..9).map(|i| sample("a", &format!("{i}.jpg"), &[f32::NAN])).collect();
        let text = FeatureSet::new(many).unwrap_err().to_string();
        assert!(text.contains("9 of 9") && text.contains("4.jpg") && !text.contains("5.jpg"), "{text}");
    }

    #[test]
    fn people_with_too_few_images_are_left_out_by_name() {
        let (kept, left_out) = set(&[2, 1, 3, 1]).with_images(2);
        assert_eq!(left_out, ["person-001", "person-003"]);
        assert_eq!(kept.names(), ["person-000", "person-002"]);
        assert_eq!((kept.len(), kept.labels()), (5, &[0, 0, 1, 1, 1][..]));
        assert_eq!(kept.row(2), set(&[2, 1, 3, 1]).row(3));
    }

    #[test]
    fn a_split_by_person_shares_no_person_and_loses_none() {
        let whole = set(&[2; 21]);
        let (first, second) = whole.split_people(0.5, 3).unwrap();
        assert_eq!((first.names().len(), second.names().len()), (10, 11));
        let mut names = [first.names(), second.names()].concat();
        names.sort();
        assert_eq!(names, whole.names());
        assert_eq!(whole.split_people(0.5, 3).unwrap(), (first.clone(), second));
        assert_ne!(whole.split_people(0.5, 4).unwrap().0, first);
    }

    #[test]
    fn a_split_that_leaves_nobody_is_refused() {
        for (people, share) in [(1, 0.5), (3, 0.5), (9, 0.01), (9, 1.0), (9, 0.9)] {
            let text = set(&vec![2; people]).split_people(share, 0).unwrap_err().to_string();
            assert!(text.contains("two"), "{text}");
        }
    }

    #[test]
    fn limits_hold_and_images_are_split_within_people() {
        let whole = set(&[2, 9, 4, 1]);
        let few = whole.limited(3, 4, 1);
        assert!(few.names().len() == 3 && few.people().iter().all(|rows| rows.len() <= 4));
        let (first, second) = whole.split_images(0.5, 1);
        let sizes = |set: &FeatureSet| set.people().iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((sizes(&first), sizes(&second)), (vec![1, 5, 2, 1], vec![1, 4, 2, 0]));
        assert_eq!(first.names(), whole.names());
    }

    #[test]
    fn the_fingerprint_tells_sets_apart() {
        assert_eq!(set(&[2, 2]).fingerprint(), set(&[2, 2]).fingerprint());
        assert_ne!(set(&[2, 2]).fingerprint(), set(&[2, 3]).fingerprint());
    }
}
