//! A finished head as plain numbers: what is exported, compared and applied without the training crate.

use crate::train::error::TrainError;
use crate::train::features::length;

/// `weight * input + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// Numbers that it takes.
    pub inputs: usize,
    /// Numbers that it gives.
    pub outputs: usize,
    /// One row an output.
    pub weight: Vec<f32>,
    /// One an output.
    pub bias: Vec<f32>,
}

/// Scales its input to length 1, applies the layers with a ReLU between them and, for an embedding, scales to length 1 again.
/// Dropout is not in it: it belongs to training.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Numbers that it takes.
    pub inputs: usize,
    /// From the input to the output. None gives the input's direction as it is.
    pub layers: Vec<Dense>,
    /// Whether the output has length 1.
    pub unit: bool,
}

impl Head {
    /// Takes layers that fit each other.
    ///
    /// # Errors
    /// [`TrainError::Features`] where a layer does not take what the one before gives, or a weight is not finite.
    pub fn new(inputs: usize, layers: Vec<Dense>, unit: bool) -> Result<Self, TrainError> {
        let mut width = inputs;
        for layer in &layers {
            let sizes = (layer.inputs, layer.weight.len(), layer.bias.len());
            if sizes != (width, layer.inputs * layer.outputs, layer.outputs) {
                return Err(TrainError::Features(format!("a layer of {sizes:?} numbers follows one of {width}")));
            }
            if !layer.weight.iter().chain(&layer.bias).all(|value| value.is_finite()) {
                return Err(TrainError::Features("a weight is not finite".to_owned()));
            }
            width = layer.outputs;
        }
        Ok(Self { inputs, layers, unit })
    }

    /// Numbers that it gives.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(self.inputs, |layer| layer.outputs)
    }

    /// Applies it to vectors that lie one after the other.
    ///
    /// # Errors
    /// [`TrainError::Features`] where the numbers are no whole number of vectors.
    pub fn apply(&self, rows: &[f32]) -> Result<Vec<f32>, TrainError> {
        if self.inputs == 0 || !rows.len().is_multiple_of(self.inputs) {
            let reason = format!("{} numbers are no whole number of vectors of {}", rows.len(), self.inputs);
            return Err(TrainError::Features(reason));
        }
        Ok(rows.chunks_exact(self.inputs).flat_map(|row| self.apply_one(row)).collect())
    }

    fn apply_one(&self, row: &[f32]) -> Vec<f32> {
        let mut values = scaled(row);
        for (position, layer) in self.layers.iter().enumerate() {
            if position > 0 {
                values.iter_mut().for_each(|value| *value = value.max(0.0));
            }
            values = layer.apply(&values);
        }
        if self.unit && !self.layers.is_empty() { scaled(&values) } else { values }
    }
}

impl Dense {
    fn apply(&self, values: &[f32]) -> Vec<f32> {
        let output = |(weights, bias): (&[f32], &f32)| {
            let products = weights.iter().zip(values).map(|(weight, value)| f64::from(*weight) * f64::from(*value));
            (products.sum::<f64>() + f64::from(*bias)) as f32
        };
        self.weight.chunks_exact(self.inputs).zip(&self.bias).map(output).collect()
    }
}

/// Length 1; a zero vector stays zero, as ONNX Runtime leaves it.
pub(crate) fn scaled(vector: &[f32]) -> Vec<f32> {
    let norm = length(vector);
    let norm = if norm == 0.0 { 1.0 } else { norm };
    vector.iter().map(|value| (f64::from(*value) / norm) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(inputs: usize, weight: &[f32], bias: &[f32]) -> Dense {
        Dense { inputs, outputs: bias.len(), weight: weight.to_vec(), bias: bias.to_vec() }
    }

    #[test]
    fn a_head_scales_multiplies_and_scales() {
        let layer = dense(2, &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[0.0, -0.8, 0.0]);
        let head = Head::new(2, vec![layer.clone()], false).unwrap();
        // (3, 4) becomes (.6, .8)
        let output = head.apply(&[3.0, 4.0]).unwrap();
        assert!(output.iter().zip([0.6, 0.0, 1.4]).all(|(a, b)| (a - b).abs() < 1e-6), "{output:?}");
        let head = Head::new(2, vec![layer, dense(3, &[1.0, 1.0, 1.0, -1.0, 0.0, 0.0], &[0.0, 0.0])], true).unwrap();
        let output = head.apply(&[3.0, 4.0, 0.0, 0.0]).unwrap();
        let norm = (2.0_f32.powi(2) + 0.6_f32.powi(2)).sqrt();
        assert!((output[0] - 2.0 / norm).abs() < 1e-6 && (output[1] + 0.6 / norm).abs() < 1e-6, "{output:?}");
        // Zero stays zero: the first layer gives (0, -.8, 0), of which ReLU leaves nothing.
        assert_eq!(output[2..], [0.0, 0.0]);
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        let layer = dense(2, &[1.0, 0.0], &[0.0]);
        assert!(Head::new(3, vec![layer.clone()], true).is_err());
        assert!(Head::new(2, vec![layer.clone(), layer.clone()], true).is_err());
        assert!(Head::new(2, vec![dense(2, &[f32::NAN, 0.0], &[0.0])], true).is_err());
        assert!(Head::new(2, vec![layer], true).unwrap().apply(&[1.0; 3]).is_err());
        assert!(Head::new(0, Vec::new(), true).unwrap().apply(&[]).is_err());
    }
}
