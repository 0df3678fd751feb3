//! Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015) whose state can be saved.
//!
//! candle-nn's `AdamW` keeps its moments to itself, and nothing reads or sets them: training could not be continued as if nothing had
//! happened. Of candle-nn nothing else is needed, either, so that it is no dependency: a head is two layers at most.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use crate::train::error::TrainError;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The two moments of every weight and how often they were updated.
#[derive(Debug)]
pub(crate) struct Adam {
    pub(crate) learning_rate: f64,
    pub(crate) updates: u64,
    /// Of each variable: mean of its gradient, mean of its square.
    pub(crate) moments: Vec<[Tensor; 2]>,
}

impl Adam {
    pub(crate) fn new(variables: &[&Var], learning_rate: f64) -> Result<Self, TrainError> {
        let moments = variables.iter().map(|variable| Ok([variable.zeros_like()?, variable.zeros_like()?]));
        Ok(Self { learning_rate, updates: 0, moments: moments.collect::<Result<_, TrainError>>()? })
    }

    /// Moves the variables against their gradient.
    pub(crate) fn update(&mut self, variables: &[&Var], gradients: &GradStore) -> Result<(), TrainError> {
        self.updates += 1;
        let count = i32::try_from(self.updates).unwrap_or(i32::MAX);
        let [first, second] = [BETA1, BETA2].map(|beta| 1.0 / (1.0 - beta.powi(count)));
        for (variable, [mean, square]) in variables.iter().zip(&mut self.moments) {
            let Some(gradient) = gradients.get(variable) else { continue };
            // Detached: else every step would hang on all steps before it.
            *mean = (mean.affine(BETA1, 0.0)? + gradient.affine(1.0 - BETA1, 0.0)?)?.detach();
            *square = (square.affine(BETA2, 0.0)? + gradient.sqr()?.affine(1.0 - BETA2, 0.0)?)?.detach();
            let root = square.affine(second, 0.0)?.sqrt()?.affine(1.0, EPSILON)?;
            let change = mean.affine(self.learning_rate * first, 0.0)?.div(&root)?;
            variable.set(&variable.sub(&change)?.detach())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn updates_follow_the_paper() {
        let variable = Var::new(&[1.0_f32, -2.0], &Device::Cpu).unwrap();
        let mut adam = Adam::new(&[&variable], 0.1).unwrap();
        let (mut mean, mut square, mut wanted) = ([0.0_f64; 2], [0.0_f64; 2], [1.0_f64, -2.0]);
        for step in 1..=5 {
            let loss = variable.sqr().unwrap().sum_all().unwrap();
            adam.update(&[&variable], &loss.backward().unwrap()).unwrap();
            for place in 0..2 {
                let gradient = 2.0 * wanted[place];
                mean[place] = 0.9 * mean[place] + 0.1 * gradient;
                square[place] = 0.999 * square[place] + 0.001 * gradient * gradient;
                let (m, v) = (mean[place] / (1.0 - 0.9_f64.powi(step)), square[place] / (1.0 - 0.999_f64.powi(step)));
                wanted[place] -= 0.1 * m / (v.sqrt() + 1e-8);
            }
        }
        let found = variable.to_vec1::<f32>().unwrap();
        assert!((0..2).all(|place| (f64::from(found[place]) - wanted[place]).abs() < 1e-5), "{found:?} {wanted:?}");
    }
}
