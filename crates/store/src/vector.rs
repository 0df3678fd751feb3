//! Vectors as bytes, and the check that everything which is searched or stored must pass.

use crate::error::StoreError;

/// How far the length of a vector that counts as normalised may be from 1. Embedders normalise in f32, which is exact to
/// 1e-6; the rest is room for vectors that were written down and read again.
const UNIT_TOLERANCE: f32 = 1e-3;

/// Why numbers are no template.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum VectorFlaw {
    /// Another embedder's dimension.
    #[error("it has {found} dimensions, {expected} are expected")]
    Dimension {
        /// What is expected.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// NaN or infinity inside.
    #[error("it holds a value that is not a finite number")]
    NotFinite,
    /// Zero or not normalised.
    #[error("its length is {length}, not 1")]
    NotUnit {
        /// The Euclidean length.
        length: f32,
    },
}

impl VectorFlaw {
    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dimension { .. } => "dimension",
            Self::NotFinite => "not_finite",
            Self::NotUnit { .. } => "not_unit",
        }
    }
}

/// Refuses what would poison a search: a wrong dimension, NaN, infinity, the zero vector, a length other than 1.
///
/// # Errors
/// [`VectorFlaw`], the first that applies.
pub fn check_unit_vector(vector: &[f32], dimension: usize) -> Result<(), VectorFlaw> {
    if vector.len() != dimension || dimension == 0 {
        return Err(VectorFlaw::Dimension { expected: dimension, found: vector.len() });
    }
    if !vector.iter().all(|v| v.is_finite()) {
        return Err(VectorFlaw::NotFinite);
    }
    let length = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt() as f32;
    if (length - 1.0).abs() > UNIT_TOLERANCE {
        return Err(VectorFlaw::NotUnit { length });
    }
    Ok(())
}

/// Little-endian f32, as blobs hold it.
pub(crate) fn to_blob(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Reads a blob into `out`, replacing its content.
pub(crate) fn from_blob(blob: &[u8], out: &mut Vec<f32>) -> Result<(), StoreError> {
    let (values, rest) = blob.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(StoreError::corrupt(format!("a vector of {} bytes", blob.len())));
    }
    out.clear();
    out.extend(values.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{VectorFlaw, check_unit_vector, from_blob, to_blob};
    use proptest::prelude::*;

    #[test]
    fn what_would_poison_a_search_is_refused() {
        assert_eq!(check_unit_vector(&[0.6, 0.8], 2), Ok(()));
        assert_eq!(check_unit_vector(&[0.6, 0.8], 3), Err(VectorFlaw::Dimension { expected: 3, found: 2 }));
        assert_eq!(check_unit_vector(&[], 0), Err(VectorFlaw::Dimension { expected: 0, found: 0 }));
        assert_eq!(check_unit_vector(&[f32::NAN, 1.0], 2), Err(VectorFlaw::NotFinite));
        assert_eq!(check_unit_vector(&[f32::INFINITY, 0.0], 2), Err(VectorFlaw::NotFinite));
        assert_eq!(check_unit_vector(&[0.0, 0.0], 2), Err(VectorFlaw::NotUnit { length: 0.0 }));
        assert!(matches!(check_unit_vector(&[3.0, 4.0], 2), Err(VectorFlaw::NotUnit { .. })));
        assert!(matches!(check_unit_vector(&[f32::MAX, f32::MAX], 2), Err(VectorFlaw::NotUnit { .. })));
    }

    proptest! {
        #[test]
        fn blobs_read_back_bit_for_bit(vector in prop::collection::vec(any::<f32>(), 0..600)) {
            let mut back = vec![1.0];
            from_blob(&to_blob(&vector), &mut back).unwrap();
            let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&vector), bits(&back));
        }

        #[test]
        fn a_cut_blob_is_an_error(len in 0_usize..64) {
            let result = from_blob(&vec![0; len], &mut Vec::new());
            prop_assert_eq!(result.is_ok(), len % 4 == 0);
        }
    }
}
