//! What the tests of several modules need.

use super::{GrayImage, Method, Recogniser, Sample, TrainingSet};

/// Names.
pub(super) fn people(count: usize) -> Vec<String> {
    (0..count).map(|person| format!("person {person}")).collect()
}

/// A sample of features.
pub(super) fn features(values: &[f32]) -> Sample {
    Sample::Features(values.to_vec())
}

/// A picture of some width.
pub(super) fn picture(width: usize, values: &[f32]) -> Sample {
    Sample::Gray(GrayImage::new(width, values.len() / width, values.to_vec()).unwrap())
}

/// Samples with their people, as the training set takes them.
pub(super) fn pairs(samples: &[(Sample, usize)]) -> impl Iterator<Item = (&Sample, usize)> {
    samples.iter().map(|(sample, class)| (sample, *class))
}

/// What a method learns.
pub(super) fn train(method: &Method, count: usize, samples: &[(Sample, usize)]) -> Box<dyn Recogniser> {
    let names = people(count);
    method.fit(&TrainingSet::new(&names, pairs(samples)).unwrap()).unwrap()
}

/// Why a method cannot learn.
pub(super) fn error_of(method: &Method, names: &[String], samples: &[(Sample, usize)]) -> String {
    match TrainingSet::new(names, pairs(samples)).and_then(|training| method.fit(&training)) {
        Ok(_) => panic!("it learned"),
        Err(error) => error.to_string(),
    }
}

/// Points around a centre for each person, drawn from a seed; a sample each.
pub(super) fn clusters(centres: &[Vec<f32>], each: usize, spread: f32, seed: u64) -> Vec<(Sample, usize)> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 2.0 * spread
    };
    let mut samples = Vec::new();
    for (class, centre) in centres.iter().enumerate() {
        for _ in 0..each {
            samples.push((Sample::Features(centre.iter().map(|value| value + draw()).collect()), class));
        }
    }
    samples
}
