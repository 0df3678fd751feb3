//! What a trained head is held against: principal components, a random projection, and the vectors as they are.
//!
//! Whatever is fitted is fitted on the very people that the trained head learns from, and what shortens vectors takes their mean off first, as the trained head
//! may: else a method would win by the centring.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::train::error::TrainError;
use crate::train::features::FeatureSet;
use crate::train::head::{Dense, Head};
use crate::train::random::{Purpose, gaussian, stream};

/// The `outputs` principal components with the largest variance: centred, not whitened, the result scaled to length 1.
///
/// # Errors
/// [`TrainError::Features`] where there are not more vectors than components, or more components than numbers in a vector.
pub fn pca(set: &FeatureSet, outputs: usize) -> Result<Head, TrainError> {
    let inputs = set.dimension();
    if outputs == 0 || outputs > inputs || set.len() <= outputs {
        let reason = format!("{outputs} principal components of {} vectors of {inputs} numbers", set.len());
        return Err(TrainError::Features(format!("there are no {reason}: it takes more vectors than components")));
    }
    let mean = mean(set);
    let centred = DMatrix::from_fn(set.len(), inputs, |row, column| f64::from(set.row(row)[column]) - mean[column]);
    let covariance = centred.tr_mul(&centred) / (set.len() as f64 - 1.0);
    let eigen = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..inputs).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let (mut weight, mut bias) = (Vec::with_capacity(inputs * outputs), Vec::with_capacity(outputs));
    for component in order.into_iter().take(outputs) {
        let vector = eigen.eigenvectors.column(component);
        // A component and its opposite are as good: the largest number is made positive, so that every machine gives the same.
        let sign = vector[vector.iamax()].signum();
        weight.extend(vector.iter().map(|value| (value * sign) as f32));
        bias.push((-sign * vector.iter().zip(&mean).map(|(value, mean)| value * mean).sum::<f64>()) as f32);
    }
    Head::new(inputs, vec![Dense { inputs, outputs, weight, bias }], true)
}

/// A projection onto `outputs` random directions: independent normal numbers of variance `1 / outputs`, which keeps lengths in
/// expectation (Johnson and Lindenstrauss); centred as [`pca`] is, the result scaled to length 1.
///
/// # Errors
/// [`TrainError::Setting`] without outputs.
pub fn random_projection(set: &FeatureSet, outputs: usize, seed: u64) -> Result<Head, TrainError> {
    if outputs == 0 {
        return Err(TrainError::setting("dimension", "is at least 1"));
    }
    let (mut random, inputs) = (stream(seed, Purpose::Projection, 0), set.dimension());
    let scale = 1.0 / (outputs as f64).sqrt();
    let weight: Vec<f32> = (0..inputs * outputs).map(|_| (gaussian(&mut random) * scale) as f32).collect();
    let mean = mean(set);
    let moved = |row: &[f32]| -row.iter().zip(&mean).map(|(a, b)| f64::from(*a) * b).sum::<f64>() as f32;
    let bias = weight.chunks_exact(inputs).map(moved).collect();
    Head::new(inputs, vec![Dense { inputs, outputs, weight, bias }], true)
}

/// The vectors as they are, scaled to length 1.
#[must_use]
pub const fn identity(inputs: usize) -> Head {
    Head { inputs, layers: Vec::new(), unit: true }
}

/// All numbers, moved by the mean of `set` and scaled to length 1: what of PCA's effect is the centring alone.
///
/// # Errors
/// None that a set of finite vectors could cause.
pub fn centred(set: &FeatureSet) -> Result<Head, TrainError> {
    let inputs = set.dimension();
    let weight = (0..inputs * inputs).map(|place| f32::from(u8::from(place % (inputs + 1) == 0))).collect();
    let bias = mean(set).iter().map(|value| -value as f32).collect();
    Head::new(inputs, vec![Dense { inputs, outputs: inputs, weight, bias }], true)
}

fn mean(set: &FeatureSet) -> Vec<f64> {
    let mut mean = vec![0.0; set.dimension()];
    for row in set.rows().chunks_exact(set.dimension()) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
    }
    mean.iter_mut().for_each(|mean| *mean /= set.len() as f64);
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::features::Sample;
    use crate::train::testing::people;

    #[test]
    fn pca_finds_the_direction_of_the_points() {
        // Unit vectors around (.6, 0, .8), spread along the second axis.
        let face = |image: usize, tilt: f32| Sample {
            person: "a".to_owned(),
            image: image.to_string(),
            vector: vec![0.6, tilt, 0.8],
        };
        let set = FeatureSet::new([-0.2, -0.1, 0.1, 0.2].into_iter().enumerate().map(|(i, t)| face(i, t)).collect());
        let head = pca(&set.unwrap(), 1).unwrap();
        let weight = &head.layers[0].weight;
        assert!(weight[0].abs() < 1e-6 && (weight[1] - 1.0).abs() < 1e-6 && weight[2].abs() < 1e-6, "{weight:?}");
        assert!(head.layers[0].bias[0].abs() < 1e-6);
    }

    #[test]
    fn components_are_orthonormal_uncorrelated_and_by_variance() {
        let set = people(12, 5, 10, 3);
        let head = pca(&set, 4).unwrap();
        let weight = &head.layers[0].weight;
        let linear = Head { unit: false, ..head.clone() }.apply(set.rows()).unwrap();
        let mut variances = Vec::new();
        for a in 0..4 {
            for b in 0..4 {
                let product: f32 = (0..10).map(|i| weight[a * 10 + i] * weight[b * 10 + i]).sum();
                assert!((product - f32::from(u8::from(a == b))).abs() < 1e-5);
                let covariance: f32 = linear.chunks(4).map(|row| row[a] * row[b]).sum();
                if a == b { variances.push(covariance) } else { assert!(covariance.abs() < 1e-4, "{covariance}") }
            }
        }
        assert!(variances.is_sorted_by(|a, b| a >= b), "{variances:?}");
        let mean: f32 = linear.iter().sum::<f32>();
        assert!(mean.abs() < 1e-4, "{mean}");
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let set = people(2, 2, 10, 3);
        for outputs in [0, 4, 11] {
            assert!(pca(&set, outputs).is_err());
        }
        assert!(pca(&set, 3).is_ok());
        assert!(random_projection(&set, 0, 1).is_err());
    }

    #[test]
    fn the_others_do_what_they_say() {
        let set = people(4, 3, 10, 3);
        assert_eq!(identity(10).apply(&[2.0; 10]).unwrap().len(), 10);
        for head in [centred(&set).unwrap(), random_projection(&set, 6, 1).unwrap(), pca(&set, 6).unwrap()] {
            let width = head.outputs();
            let moved = Head { unit: false, ..head }.apply(set.rows()).unwrap();
            for column in 0..width {
                assert!(moved.iter().skip(column).step_by(width).sum::<f32>().abs() < 1e-5);
            }
        }
        let numbers = random_projection(&people(2, 1, 100, 3), 50, 1).unwrap().layers.remove(0).weight;
        let variance = numbers.iter().map(|value| value * value).sum::<f32>() / 5000.0 * 50.0;
        assert!((variance - 1.0).abs() < 0.1, "{variance}");
    }
}
