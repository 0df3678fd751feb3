//! People for tests.

use crate::train::features::{FeatureSet, Sample};
use crate::train::random::{Purpose, gaussian, stream};

/// `count` people with `images` faces each: a random centre a person and noise around it.
pub(crate) fn people(count: usize, images: usize, dimension: usize, seed: u64) -> FeatureSet {
    let mut random = stream(seed, Purpose::Projection, 99);
    let mut samples = Vec::new();
    for person in 0..count {
        let centre: Vec<f64> = (0..dimension).map(|_| gaussian(&mut random)).collect();
        for image in 0..images {
            let vector = centre.iter().map(|value| (value + 0.8 * gaussian(&mut random)) as f32).collect();
            samples.push(Sample {
                person: format!("person-{person:03}"),
                image: format!("{person}-{image}.jpg"),
                vector,
            });
        }
    }
    FeatureSet::new(samples).unwrap()
}
