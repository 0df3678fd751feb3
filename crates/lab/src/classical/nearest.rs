//! The nearest mean over features, by the cosine.

use super::error::{ClassicalError, Shape};
use super::samples::{Sample, TrainingSet};
use super::{Prediction, Recogniser, bytes_of};

/// The mean of each person's samples; these are brought to length 1 before it is taken, and so is the mean.
pub(super) fn fit(training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
    training.features()?;
    let mut sums = vec![vec![0.0_f32; training.shape().values()]; training.people().len()];
    for (values, &class) in training.rows().zip(training.classes()) {
        for (sum, value) in sums[class].iter_mut().zip(unit(values)) {
            *sum += value;
        }
    }
    Ok(Box::new(Means { means: sums.iter().map(|sum| unit(sum)).collect(), shape: training.shape() }))
}

/// A unit vector for each person.
struct Means {
    means: Vec<Vec<f32>>,
    shape: Shape,
}

impl Recogniser for Means {
    fn predict(&self, sample: &Sample) -> Result<Prediction, ClassicalError> {
        let probe = unit(sample.checked(self.shape)?);
        let cosine = |mean: &Vec<f32>| mean.iter().zip(&probe).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        Ok(Prediction::best_of(self.means.iter().map(cosine).collect()))
    }

    fn bytes(&self) -> usize {
        self.means.iter().map(|mean| bytes_of::<f32>(mean.len())).sum()
    }

    fn learned(&self) -> Vec<(&'static str, f64)> {
        vec![("templates", self.means.len() as f64)]
    }
}

/// The vector at length 1; a vector of length 0 as it is, which is like nothing.
fn unit(values: &[f32]) -> Vec<f32> {
    let length = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length == 0.0 {
        return values.to_vec();
    }
    values.iter().map(|value| (f64::from(*value) / length) as f32).collect()
}

#[cfg(test)]
mod tests;
