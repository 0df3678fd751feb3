//! The network that is trained: one linear layer, or two with a ReLU between them, dropout before the last.

use candle_core::{D, DType, Device, Tensor, Var};

use crate::train::error::TrainError;
use crate::train::head::{Dense, Head};
use crate::train::random::{Purpose, stream};

/// Added to a squared length, so that a zero vector has a gradient.
const TINY: f64 = 1e-12;

/// What the network looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    /// Width of the layer between; none for a linear head.
    pub(crate) hidden: Option<usize>,
    pub(crate) outputs: usize,
    /// Share of the last layer's inputs that training clears.
    pub(crate) dropout: f64,
    /// Whether the output has length 1.
    pub(crate) unit: bool,
}

/// Weights that learn.
#[derive(Debug)]
pub(crate) struct Network {
    shape: Shape,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    weight: Var,
    bias: Var,
}

impl Shape {
    fn widths(&self) -> Vec<usize> {
        [self.inputs].into_iter().chain(self.hidden).chain([self.outputs]).collect()
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if self.outputs == 0 {
            return Err(TrainError::setting("dimension", "is 0, not at least 1"));
        }
        if self.hidden == Some(0) {
            return Err(TrainError::setting("hidden", "is 0, not at least 1"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(TrainError::setting("dropout", format!("is {}, not from 0 to below 1", self.dropout)));
        }
        Ok(())
    }
}

impl Network {
    /// Weights and biases uniform within one over the root of a layer's inputs, as torch starts a linear layer.
    pub(crate) fn random(shape: Shape, seed: u64) -> Result<Self, TrainError> {
        shape.check()?;
        let widths = shape.widths();
        let layers = widths.windows(2).enumerate().map(|(index, width)| {
            let mut random = stream(seed, Purpose::Weights, index as u64);
            let bound = 1.0 / (width[0] as f64).sqrt();
            let mut numbers = |count: usize| (0..count).map(|_| ((2.0 * random.f64() - 1.0) * bound) as f32).collect();
            let (weight, bias) = (numbers(width[0] * width[1]), numbers(width[1]));
            Dense { inputs: width[0], outputs: width[1], weight, bias }
        });
        Self::with_weights(shape, &layers.collect::<Vec<_>>())
    }

    /// Starts with given layers.
    pub(crate) fn with_weights(shape: Shape, layers: &[Dense]) -> Result<Self, TrainError> {
        shape.check()?;
        let widths = shape.widths();
        let given: Vec<usize> = [shape.inputs].into_iter().chain(layers.iter().map(|layer| layer.outputs)).collect();
        if given != widths {
            return Err(TrainError::Features(format!("layers of widths {given:?} instead of {widths:?}")));
        }
        let layers = layers.iter().map(|layer| {
            let weight = Var::from_slice(&layer.weight, (layer.outputs, layer.inputs), &Device::Cpu)?;
            Ok(Layer { weight, bias: Var::from_slice(&layer.bias, layer.outputs, &Device::Cpu)? })
        });
        Ok(Self { shape, layers: layers.collect::<Result<_, TrainError>>()? })
    }

    /// Takes the weights of a head of the same layers.
    pub(crate) fn set(&self, head: &Head) -> Result<(), TrainError> {
        for (layer, given) in self.layers.iter().zip(&head.layers) {
            layer.weight.set(&Tensor::from_slice(&given.weight, layer.weight.shape(), &Device::Cpu)?)?;
            layer.bias.set(&Tensor::from_slice(&given.bias, layer.bias.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }

    /// The output for vectors of length 1. With `clear`, the mask of [`Network::dropout_mask`] is applied before the last layer.
    pub(crate) fn forward(&self, rows: &Tensor, clear: Option<&Tensor>) -> Result<Tensor, TrainError> {
        let last = self.layers.len() - 1;
        let mut values = rows.clone();
        for (position, layer) in self.layers.iter().enumerate() {
            if position > 0 {
                values = values.relu()?;
            }
            if let (true, Some(mask)) = (position == last, clear) {
                values = values.mul(mask)?;
            }
            values = values.matmul(&layer.weight.t()?)?.broadcast_add(&layer.bias)?;
        }
        if self.shape.unit { unit(&values) } else { Ok(values) }
    }

    /// For each of `rows` vectors what dropout multiplies the last layer's inputs with; none without dropout.
    pub(crate) fn dropout_mask(&self, rows: usize, seed: u64, step: u64) -> Result<Option<Tensor>, TrainError> {
        let share = self.shape.dropout;
        if share == 0.0 {
            return Ok(None);
        }
        let width = self.shape.hidden.unwrap_or(self.shape.inputs);
        let mut random = stream(seed, Purpose::Dropout, step);
        // What stays is made larger, so that the sum keeps its expectation.
        let keep = (1.0 / (1.0 - share)) as f32;
        let mask = (0..rows * width).map(|_| if random.f64() < share { 0.0 } else { keep }).collect::<Vec<f32>>();
        let mask = Tensor::from_vec(mask, (rows, width), &Device::Cpu)?;
        // Weights of double precision are used in tests.
        Ok(Some(mask.to_dtype(self.layers[0].weight.dtype())?))
    }

    /// The weights, for the optimiser: always in the same order.
    pub(crate) fn variables(&self) -> Vec<&Var> {
        self.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]).collect()
    }

    /// The weights as they are now.
    pub(crate) fn head(&self) -> Result<Head, TrainError> {
        let widths = self.shape.widths();
        let layers = self.layers.iter().zip(widths.windows(2)).map(|(layer, width)| {
            let [weight, bias] = [&layer.weight, &layer.bias].map(|variable| numbers(variable));
            Ok(Dense { inputs: width[0], outputs: width[1], weight: weight?, bias: bias? })
        });
        Head::new(self.shape.inputs, layers.collect::<Result<_, TrainError>>()?, self.shape.unit)
    }
}

/// The numbers of a tensor, row by row.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, TrainError> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

fn unit(values: &Tensor) -> Result<Tensor, TrainError> {
    let norm = values.sqr()?.sum_keepdim(D::Minus1)?.affine(1.0, TINY)?.sqrt()?;
    Ok(values.broadcast_div(&norm)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::testing::people;
    use crate::train::triplet::{Distances, Selection, squared_distances, triplet_loss};

    const LINEAR: Shape = Shape { inputs: 6, hidden: None, outputs: 3, dropout: 0.0, unit: true };
    const SMALL: Shape = Shape { inputs: 6, hidden: Some(5), outputs: 3, dropout: 0.4, unit: true };

    /// In double precision, so that finite differences are not rounding noise.
    fn double(network: &Network) -> Network {
        let wide = |variable: &Var| Var::from_tensor(&variable.to_dtype(DType::F64).unwrap()).unwrap();
        let layers = network.layers.iter().map(|layer| Layer { weight: wide(&layer.weight), bias: wide(&layer.bias) });
        Network { shape: network.shape, layers: layers.collect() }
    }

    #[test]
    fn tensors_and_plain_numbers_agree() {
        let set = people(3, 2, 6, 4);
        let rows = Tensor::from_slice(set.rows(), (6, 6), &Device::Cpu).unwrap();
        for shape in [LINEAR, SMALL, Shape { unit: false, ..SMALL }] {
            let network = Network::random(shape, 1).unwrap();
            let tensors = numbers(&network.forward(&rows, None).unwrap()).unwrap();
            let plain = network.head().unwrap().apply(set.rows()).unwrap();
            assert!(tensors.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-6), "{tensors:?} {plain:?}");
            let again = Network::with_weights(shape, &network.head().unwrap().layers).unwrap();
            assert_eq!(again.head().unwrap(), network.head().unwrap());
        }
    }

    /// The derivative of the loss by every weight against the loss at weights a little more and a little less.
    fn check_gradient(shape: Shape, selection: Selection) {
        let set = people(3, 3, 6, 4);
        let network = double(&Network::random(shape, 2).unwrap());
        let rows = Tensor::from_slice(set.rows(), (9, 6), &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        let mask = network.dropout_mask(9, 3, 0).unwrap();
        let squared = || squared_distances(&network.forward(&rows, mask.as_ref()).unwrap()).unwrap();
        let distances = numbers(&squared()).unwrap();
        let distances = Distances { squared: &distances, labels: set.labels(), margin: 0.2 };
        let selected = distances.select(selection);
        assert!(selected.active > 0);
        let loss = || triplet_loss(&squared(), &selected.triplets, 0.2).unwrap();
        let gradients = loss().backward().unwrap();
        for variable in network.variables() {
            let gradient = gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let before = variable.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for place in 0..before.len() {
                let at = |change: f64| {
                    let mut values = before.clone();
                    values[place] += change;
                    variable.set(&Tensor::from_vec(values, variable.shape(), &Device::Cpu).unwrap()).unwrap();
                    loss().to_scalar::<f64>().unwrap()
                };
                let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                let _restored = at(0.0);
                assert!((numeric - gradient[place]).abs() < 1e-6, "{selection:?} {numeric} {}", gradient[place]);
            }
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        for selection in [Selection::Hard, Selection::SemiHard, Selection::All] {
            check_gradient(LINEAR, selection);
            check_gradient(SMALL, selection);
        }
    }

    #[test]
    fn dropout_clears_its_share_and_keeps_the_sum() {
        let shape = Shape { inputs: 1000, hidden: None, outputs: 2, dropout: 0.25, unit: true };
        let network = Network::random(shape, 1).unwrap();
        let mask = |step| numbers(&network.dropout_mask(20, 5, step).unwrap().unwrap()).unwrap();
        let cleared = mask(0).iter().filter(|value| **value == 0.0).count();
        assert!((4700..5300).contains(&cleared), "{cleared}");
        assert!(mask(0).iter().all(|value| *value == 0.0 || (*value - 4.0 / 3.0).abs() < 1e-6));
        assert!(mask(0) == mask(0) && mask(0) != mask(1));
        assert!(Network::random(LINEAR, 1).unwrap().dropout_mask(3, 1, 0).unwrap().is_none());
    }

    #[test]
    fn shapes_that_are_none_are_refused() {
        for shape in [
            Shape { outputs: 0, ..LINEAR },
            Shape { hidden: Some(0), ..SMALL },
            Shape { dropout: 1.0, ..SMALL },
            Shape { dropout: f64::NAN, ..SMALL },
        ] {
            assert!(Network::random(shape, 1).is_err());
        }
        let other = Network::random(SMALL, 1).unwrap().head().unwrap();
        assert!(Network::with_weights(LINEAR, &other.layers).is_err());
    }
}
