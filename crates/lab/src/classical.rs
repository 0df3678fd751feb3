//! Closed-set recognisers side by side: every sample shows one of the people that were learned.
//!
//! A [`Method`] learns from a [`TrainingSet`] and gives a [`Recogniser`], which names one [`Sample`] at a time. Samples
//! are gray pictures (eigenfaces, LBPH) or features, that is, embeddings (support vectors, nearest mean).
//!
//! Nothing here draws a random number, starts a thread or puts work off: the same training set gives the same
//! recogniser, all of the learning is in [`Method::fit`] and all of the recognising in [`Recogniser::predict`], so a
//! clock or an allocation counter around the call measures it.

mod eigenfaces;
mod error;
mod gray;
mod lbph;
mod nearest;
mod principal;
mod samples;
mod support;
mod tuning;

#[cfg(test)]
mod testing;

pub use eigenfaces::{Eigenfaces, EigenfacesSvm};
pub use error::{ClassicalError, Place, Shape};
pub use gray::{GrayImage, Region};
pub use lbph::Lbph;
pub use samples::{Sample, TrainingSet};
pub use support::LinearSvm;
pub use tuning::{Grid, Tuning};

use serde::Serialize;

/// A way to recognise people, with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Method {
    /// Principal components of gray pictures, then the nearest training picture.
    Eigenfaces(Eigenfaces),
    /// Principal components of gray pictures, then support vector machines.
    EigenfacesSvm(EigenfacesSvm),
    /// Histograms of local binary patterns of gray pictures, then the nearest training picture.
    Lbph(Lbph),
    /// Linear support vector machines over features.
    LinearSvm(LinearSvm),
    /// The mean of each person's features; the nearest by the cosine wins.
    NearestMean,
}

impl Method {
    /// Learns the people of the training set.
    ///
    /// # Errors
    /// When the samples are not what the method takes, a person has too few of them, a parameter makes no sense, or a
    /// solver fails.
    pub fn fit(&self, training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
        match self {
            Self::Eigenfaces(method) => method.fit(training),
            Self::EigenfacesSvm(method) => method.fit(training),
            Self::Lbph(method) => method.fit(training),
            Self::LinearSvm(method) => method.fit(training),
            Self::NearestMean => nearest::fit(training),
        }
    }
}

/// Names the person of a sample, after having learned.
pub trait Recogniser: Send + Sync {
    /// Whom the sample shows.
    ///
    /// # Errors
    /// When the sample is not of the kind and size that was learned, or holds a value that is no finite number.
    fn predict(&self, sample: &Sample) -> Result<Prediction, ClassicalError>;

    /// The bytes that what was learned takes.
    fn bytes(&self) -> usize;

    /// What learning found: chosen parameters, sizes, shares; by name, for people and reports.
    fn learned(&self) -> Vec<(&'static str, f64)>;
}

/// A recogniser's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The person: the one with the highest score, the first of several.
    pub class: usize,
    /// A score for every person, the higher the surer, on the method's own scale.
    pub scores: Vec<f64>,
}

impl Prediction {
    /// The person with the highest score; of equal ones the first.
    fn best_of(scores: Vec<f64>) -> Self {
        let mut class = 0;
        for (index, score) in scores.iter().enumerate() {
            if *score > scores[class] {
                class = index;
            }
        }
        Self { class, scores }
    }

    /// From the similarities to templates: a person's score is that of the nearest of theirs.
    fn of_templates(similarities: impl Iterator<Item = f64>, classes: &[usize], people: usize) -> Self {
        let mut best = vec![f64::NEG_INFINITY; people];
        for (similarity, &class) in similarities.zip(classes) {
            best[class] = best[class].max(similarity);
        }
        Self::best_of(best)
    }

    /// The score of the person that was named.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.scores.get(self.class).copied().unwrap_or(f64::NEG_INFINITY)
    }
}

/// The bytes of so many values of a type.
fn bytes_of<T>(count: usize) -> usize {
    count * size_of::<T>()
}
