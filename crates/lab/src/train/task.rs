//! What a trainer needs to know of what it trains.

use std::fmt::Debug;

use candle_core::{Device, Tensor};
use serde_json::Value;

use crate::train::error::TrainError;
use crate::train::features::FeatureSet;
use crate::train::head::Head;
use crate::train::network::Network;

/// When training ends and how large its steps are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) learning_rate: f64,
    /// Epochs at most.
    pub(crate) epochs: u32,
    /// Epochs without gain after which it ends.
    pub(crate) patience: u32,
    pub(crate) seed: u64,
}

impl Plan {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(TrainError::setting("learning_rate", format!("is {}, not above 0", self.learning_rate)));
        }
        for (key, value) in [("epochs", self.epochs), ("patience", self.patience)] {
            if value == 0 {
                return Err(TrainError::setting(key, "is 0, not at least 1"));
            }
        }
        Ok(())
    }
}

/// What a batch says.
#[derive(Debug)]
pub(crate) struct Loss {
    /// None where there is nothing to learn from.
    pub(crate) loss: Option<Tensor>,
    pub(crate) active: usize,
    pub(crate) candidates: usize,
}

/// How a network does on what it has not seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assessment {
    /// Decides which epoch is the best.
    pub(crate) loss: f64,
    /// Share that is right; none where the held-out data cannot show one.
    pub(crate) rate: Option<f64>,
}

/// An embedding or a classifier.
pub(crate) trait Task: Debug {
    /// Settings and data that a checkpoint has to agree with.
    fn identity(&self) -> Value;
    fn plan(&self) -> Plan;
    /// The network before the first step.
    fn network(&self) -> Result<Network, TrainError>;
    fn steps_per_epoch(&self) -> u64;
    /// The faces that a step sees.
    fn batch(&self, step: u64) -> Vec<usize>;
    /// What is learned from.
    fn training(&self) -> &FeatureSet;
    /// What each epoch is judged by.
    fn judges(&self) -> &FeatureSet;
    fn loss(&self, output: &Tensor, labels: &[u32]) -> Result<Loss, TrainError>;
    fn assess(&self, head: &Head) -> Result<Assessment, TrainError>;
}

/// Faces as a matrix, and the person of each.
pub(crate) fn gather(set: &FeatureSet, rows: &[usize]) -> Result<(Tensor, Vec<u32>), TrainError> {
    let numbers: Vec<f32> = rows.iter().flat_map(|row| set.row(*row)).copied().collect();
    let tensor = Tensor::from_vec(numbers, (rows.len(), set.dimension()), &Device::Cpu)?;
    Ok((tensor, rows.iter().map(|row| set.labels()[*row]).collect()))
}
