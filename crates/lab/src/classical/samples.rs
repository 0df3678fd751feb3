//! Samples, and the training set that has been checked once for all methods.

use ndarray::Array2;

use super::error::{ClassicalError, Place, Shape};
use super::gray::GrayImage;

/// What a recogniser learns from and names.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A vector of features, such as an embedding.
    Features(Vec<f32>),
    /// A gray picture of a face.
    Gray(GrayImage),
}

impl Sample {
    /// Its kind and size.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self {
            Self::Features(values) => Shape::Features(values.len()),
            Self::Gray(picture) => Shape::Gray { width: picture.width(), height: picture.height() },
        }
    }

    /// Its values; of a picture row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        match self {
            Self::Features(values) => values,
            Self::Gray(picture) => picture.values(),
        }
    }

    /// Its values, if it is to be recognised by something that learned samples of the shape.
    pub(super) fn checked(&self, learned: Shape) -> Result<&[f32], ClassicalError> {
        self.check(learned, || Place::Probe)?;
        Ok(self.values())
    }

    fn check(&self, expected: Shape, place: impl Fn() -> Place) -> Result<(), ClassicalError> {
        let found = self.shape();
        if found != expected {
            return Err(ClassicalError::Shape { place: place(), expected, found });
        }
        if self.values().is_empty() {
            return Err(ClassicalError::Empty(place()));
        }
        match self.values().iter().position(|value| !value.is_finite()) {
            Some(index) => Err(ClassicalError::NotFinite { place: place(), index, value: self.values()[index] }),
            None => Ok(()),
        }
    }
}

/// Samples of two people or more: all of one kind and size, every value finite, at least one sample a person.
#[derive(Clone, Debug)]
pub struct TrainingSet<'a> {
    people: &'a [String],
    samples: Vec<&'a Sample>,
    classes: Vec<usize>,
    shape: Shape,
}

impl<'a> TrainingSet<'a> {
    /// Checks the samples, each with the number of its person in the list.
    ///
    /// # Errors
    /// When fewer than two people are listed, one has no sample, a sample is of nobody listed, is unlike the first one
    /// or holds a value that is no finite number.
    pub fn new(
        people: &'a [String],
        samples: impl IntoIterator<Item = (&'a Sample, usize)>,
    ) -> Result<Self, ClassicalError> {
        if people.len() < 2 {
            return Err(ClassicalError::TooFewPeople(people.first().cloned()));
        }
        let (samples, classes): (Vec<&Sample>, Vec<usize>) = samples.into_iter().unzip();
        let shape = samples.first().map_or(Shape::Features(0), |first| first.shape());
        for (index, (sample, &class)) in samples.iter().zip(&classes).enumerate() {
            let place = || Place::Training { index, person: people.get(class).cloned().unwrap_or_default() };
            if class >= people.len() {
                let place = Place::Training { index, person: "unknown".to_owned() };
                return Err(ClassicalError::NoSuchPerson { place, class, people: people.len() });
            }
            sample.check(shape, place)?;
        }
        let set = Self { people, samples, classes, shape };
        match set.counts().iter().position(|&count| count == 0) {
            Some(class) => Err(ClassicalError::NoSample { person: people[class].clone() }),
            None => Ok(set),
        }
    }

    /// The people, in the order of their numbers.
    pub(super) fn people(&self) -> &'a [String] {
        self.people
    }

    /// The first person with a single sample.
    pub(super) fn with_one_sample(&self) -> Option<&'a str> {
        let counts = self.counts();
        self.people.iter().zip(counts).find(|(_, count)| *count == 1).map(|(person, _)| person.as_str())
    }

    /// The kind and size of every sample.
    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// How many samples each person has.
    fn counts(&self) -> Vec<usize> {
        count_classes(&self.classes, self.people.len())
    }

    pub(super) fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The samples' values.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'a [f32]> {
        self.samples.iter().map(|sample| sample.values())
    }

    /// All values, a row each sample.
    pub(super) fn matrix(&self) -> Array2<f64> {
        let mut matrix = Array2::zeros((self.samples.len(), self.shape.values()));
        for (mut row, values) in matrix.outer_iter_mut().zip(self.rows()) {
            for (cell, value) in row.iter_mut().zip(values) {
                *cell = f64::from(*value);
            }
        }
        matrix
    }

    /// The size of the pictures, for a method that takes pictures.
    pub(super) fn pictures(&self) -> Result<(usize, usize), ClassicalError> {
        match self.shape {
            Shape::Gray { width, height } => Ok((width, height)),
            found @ Shape::Features(_) => Err(ClassicalError::Kind { takes: "gray pictures", found }),
        }
    }

    /// Nothing, for a method that takes features; an error with pictures.
    pub(super) fn features(&self) -> Result<(), ClassicalError> {
        match self.shape {
            Shape::Features(_) => Ok(()),
            found @ Shape::Gray { .. } => Err(ClassicalError::Kind { takes: "features", found }),
        }
    }
}

/// How often each class occurs.
pub(super) fn count_classes(classes: &[usize], people: usize) -> Vec<usize> {
    let mut counts = vec![0; people];
    for &class in classes {
        counts[class] += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
