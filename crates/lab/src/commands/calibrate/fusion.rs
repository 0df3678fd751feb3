//! One vector for a visit: the mean of its crops' vectors, weighted by the quality of the pictures, normalised again.
//!
//! This is the index's own arithmetic, written once more: that crate brings the search library with it, which the
//! laboratory stays free of. A test holds the two against each other.

/// The least weight a vector gets: it was good enough to be embedded, so it counts a little.
const LEAST_WEIGHT: f32 = 0.05;

/// The weight of a picture of this quality score (0 to 1); anything that is no number counts least.
#[must_use]
pub(super) fn weight_of(quality: f32) -> f32 {
    if quality.is_nan() { LEAST_WEIGHT } else { quality.clamp(LEAST_WEIGHT, 1.0) }
}

/// The weighted mean of unit vectors of one dimension, normalised; the order does not matter. `None` for nothing, for
/// vectors that cancel each other out, and for different dimensions.
#[must_use]
pub(super) fn fuse<'a>(vectors: impl IntoIterator<Item = (f32, &'a [f32])>) -> Option<Vec<f32>> {
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

    /// The index's functions, to the letter. Where they change, these must.
    #[test]
    fn the_index_fuses_in_the_same_way() {
        let body = |text: &str| -> String {
            let start = text.find("/// The least weight").unwrap();
            let end = text.find("#[cfg(test)]").unwrap();
            text[start..end].trim().replace("pub(super) fn", "pub fn")
        };
        let index = concat!(env!("CARGO_MANIFEST_DIR"), "/../index/src/fusion.rs");
        assert_eq!(body(include_str!("fusion.rs")), body(&std::fs::read_to_string(index).unwrap()));
    }

    #[test]
    fn by_hand() {
        assert_eq!([f32::NAN, -1.0, 0.5, 7.0].map(weight_of), [0.05, 0.05, 0.5, 1.0]);
        // (0.75, 0.25) at length 1.
        let fused = fuse([(0.75, &[1.0, 0.0][..]), (0.25, &[0.0, 1.0])]).unwrap();
        assert!((fused[0] - 0.948_683_3).abs() < 1e-6 && (fused[1] - 0.316_227_8).abs() < 1e-6, "{fused:?}");
        assert_eq!(fuse([]), None);
        assert_eq!(fuse([(0.5, &[1.0, 0.0][..]), (0.5, &[-1.0, 0.0])]), None);
        assert_eq!(fuse([(0.5, &[1.0, 0.0][..]), (0.5, &[1.0])]), None);
    }
}
