//! Nearest mean and nearest neighbour over features.

use serde::Serialize;

use super::error::{ClassicalError, Shape};
use super::samples::{Sample, TrainingSet};
use super::{Prediction, Recogniser, bytes_of};

/// How alike two vectors are; the higher the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The cosine of the angle between them, from -1 to 1; 0 with a vector of length 0.
    Cosine,
    /// The Euclidean distance, negated.
    Euclidean,
}

impl Measure {
    /// The vector as it is kept: of length 1 for the cosine.
    fn prepare(self, values: &[f32]) -> Vec<f32> {
        match self {
            Self::Cosine => unit(values),
            Self::Euclidean => values.to_vec(),
        }
    }

    /// How alike two prepared vectors are.
    fn similarity(self, a: &[f32], b: &[f32]) -> f64 {
        let pairs = a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        match self {
            Self::Cosine => pairs.map(|(a, b)| a * b).sum(),
            Self::Euclidean => -pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
        }
    }
}

/// The mean of each person's samples; the nearest wins.
///
/// With [`Measure::Cosine`] samples are brought to length 1 before the mean is taken, and so is the mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearestMean {
    /// What near means.
    pub measure: Measure,
}

impl NearestMean {
    pub(super) fn fit(&self, training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
        training.features()?;
        let width = training.shape().values();
        let mut sums = vec![vec![0.0_f64; width]; training.people().len()];
        for (values, &class) in training.rows().zip(training.classes()) {
            for (sum, value) in sums[class].iter_mut().zip(self.measure.prepare(values)) {
                *sum += f64::from(value);
            }
        }
        let mean = |(sum, count): (Vec<f64>, usize)| {
            let mean: Vec<f32> = sum.iter().map(|sum| (sum / count as f64) as f32).collect();
            self.measure.prepare(&mean)
        };
        let vectors: Vec<Vec<f32>> = sums.into_iter().zip(training.counts()).map(mean).collect();
        Ok(Box::new(Templates::new(self.measure, vectors, (0..training.people().len()).collect(), training)))
    }
}

/// The person of the nearest training sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearestNeighbour {
    /// What near means.
    pub measure: Measure,
}

impl NearestNeighbour {
    pub(super) fn fit(&self, training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
        training.features()?;
        let vectors = training.rows().map(|values| self.measure.prepare(values)).collect();
        Ok(Box::new(Templates::new(self.measure, vectors, training.classes().to_vec(), training)))
    }
}

/// Vectors with their people.
struct Templates {
    measure: Measure,
    vectors: Vec<Vec<f32>>,
    classes: Vec<usize>,
    people: usize,
    shape: Shape,
}

impl Templates {
    fn new(measure: Measure, vectors: Vec<Vec<f32>>, classes: Vec<usize>, training: &TrainingSet<'_>) -> Self {
        Self { measure, vectors, classes, people: training.people().len(), shape: training.shape() }
    }
}

impl Recogniser for Templates {
    fn predict(&self, sample: &Sample) -> Result<Prediction, ClassicalError> {
        let probe = self.measure.prepare(sample.checked(self.shape)?);
        let similarities = self.vectors.iter().map(|vector| self.measure.similarity(vector, &probe));
        Ok(Prediction::best_of(best_a_person(similarities, &self.classes, self.people)))
    }

    fn bytes(&self) -> usize {
        self.vectors.iter().map(|vector| bytes_of::<f32>(vector.len())).sum::<usize>()
            + bytes_of::<usize>(self.classes.len())
    }

    fn learned(&self) -> Vec<(&'static str, f64)> {
        vec![("templates", self.vectors.len() as f64)]
    }
}

/// The highest similarity among each person's templates.
pub(super) fn best_a_person(similarities: impl Iterator<Item = f64>, classes: &[usize], people: usize) -> Vec<f64> {
    let mut best = vec![f64::NEG_INFINITY; people];
    for (similarity, &class) in similarities.zip(classes) {
        best[class] = best[class].max(similarity);
    }
    best
}

/// The vector at length 1; a vector of length 0 as it is.
fn unit(values: &[f32]) -> Vec<f32> {
    let length = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length == 0.0 {
        return values.to_vec();
    }
    values.iter().map(|value| (f64::from(*value) / length) as f32).collect()
}

#[cfg(test)]
mod tests;
