//! One vector for a visit: the mean of its crops' vectors, weighted by the quality of the pictures, normalised again.
//!
//! Averaging normalised embeddings is the usual way to make a template of several pictures (for instance NIST's IJB
//! protocols compare such means); the weight lets a sharp frontal picture count for more than a blurred one.

/// The least weight a vector gets: it was good enough to be embedded, so it counts a little.
const LEAST_WEIGHT: f32 = 0.05;

/// The weight of a picture of this quality score (0 to 1); anything that is no number counts least.
#[must_use]
pub fn weight_of(quality: f32) -> f32 {
    if quality.is_nan() { LEAST_WEIGHT } else { quality.clamp(LEAST_WEIGHT, 1.0) }
}

/// The weighted mean of unit vectors of one dimension, normalised; the order does not matter. `None` for nothing, for
/// vectors that cancel each other out, and for different dimensions.
#[must_use]
pub fn fuse<'a>(vectors: impl IntoIterator<Item = (f32, &'a [f32])>) -> Option<Vec<f32>> {
    let mut sum: Vec<f64> = Vec::new();
    for (weight, vector) in vectors {
        if sum.is_empty() {
            sum.resize(vector.len(), 0.0);
        }
        if sum.len() != vector.len() {
            return None;
        }
        for (total, value) in sum.iter_mut().zip(vector) {
            *total += f64::from(weight) * f64::from(*value);
        }
    }
    let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
    // Below this the direction is made of rounding errors.
    if !length.is_finite() || length < 1e-6 {
        return None;
    }
    Some(sum.iter().map(|v| (v / length) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::{fuse, weight_of};
    use proptest::prelude::*;

    /// A unit vector; different seeds give different, nearly orthogonal directions.
    fn unit(seed: u64, dimension: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        let vector: Vec<f32> = (0..dimension).map(|_| next()).collect();
        let length = cosine(&vector, &vector).sqrt();
        vector.iter().map(|value| value / length).collect()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn crops() -> impl Strategy<Value = Vec<(f32, Vec<f32>)>> {
        prop::collection::vec((0.05_f32..1.0, any::<u64>().prop_map(|seed| unit(seed, 32))), 1..7)
    }

    fn fused(crops: &[(f32, Vec<f32>)]) -> Option<Vec<f32>> {
        fuse(crops.iter().map(|(weight, vector)| (*weight, vector.as_slice())))
    }

    proptest! {
        #[test]
        fn the_result_has_length_one(crops in crops()) {
            if let Some(vector) = fused(&crops) {
                prop_assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-5);
            }
        }

        #[test]
        fn the_order_does_not_matter(crops in crops()) {
            let mut turned = crops.clone();
            turned.reverse();
            let (a, b) = (fused(&crops), fused(&turned));
            prop_assert_eq!(a.is_some(), b.is_some());
            if let (Some(a), Some(b)) = (a, b) {
                prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6));
            }
        }

        #[test]
        fn only_the_proportion_of_the_weights_matters(crops in crops(), factor in 0.1_f32..10.0) {
            let scaled: Vec<_> = crops.iter().map(|(w, v)| (w * factor, v.clone())).collect();
            if let (Some(a), Some(b)) = (fused(&crops), fused(&scaled)) {
                prop_assert!(cosine(&a, &b) > 0.9999);
            }
        }

        #[test]
        fn more_weight_draws_the_result_nearer(seeds in (any::<u64>(), any::<u64>()), low in 0.05_f32..0.5) {
            let (a, b) = (unit(seeds.0, 32), unit(seeds.1, 32));
            prop_assume!(cosine(&a, &b).abs() < 0.9);
            let near = |weight: f32| cosine(&fuse([(weight, a.as_slice()), (0.5, b.as_slice())]).unwrap(), &a);
            prop_assert!(near(low + 0.4) > near(low));
        }
    }

    #[test]
    fn one_vector_is_itself_and_nothing_is_nothing() {
        let vector = unit(3, 32);
        assert!(cosine(&fuse([(0.3, vector.as_slice())]).unwrap(), &vector) > 0.99999);
        assert_eq!(fuse([]), None);
        let opposite: Vec<f32> = vector.iter().map(|v| -v).collect();
        assert_eq!(fuse([(0.5, vector.as_slice()), (0.5, opposite.as_slice())]), None);
        assert_eq!(fuse([(0.5, vector.as_slice()), (0.5, &vector[..31])]), None);
        assert_eq!(fuse([(f32::NAN, vector.as_slice())]), None);
    }

    #[test]
    fn weights_are_bounded() {
        assert_eq!([f32::NAN, -1.0, 0.5, 7.0].map(weight_of), [0.05, 0.05, 0.5, 1.0]);
    }
}
