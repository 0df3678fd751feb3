//! A checkpoint: weights, moments and counters in one safetensors file, with the settings and data that they belong to.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::train::error::TrainError;
use crate::train::head::Head;
use crate::train::network::{Network, numbers};
use crate::train::trainer::State;
use crate::whole;

/// Metadata keys.
const FORMAT: (&str, &str) = ("format", "sightline-training-1");
const TRAINING: &str = "training";

/// Training as it stands.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) identity: Value,
    pub(crate) state: State,
    pub(crate) updates: u64,
    /// The weights now.
    pub(crate) head: Head,
    /// Those of the best epoch.
    pub(crate) best: Head,
    pub(crate) moments: Vec<[Tensor; 2]>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    identity: Value,
    state: State,
    updates: u64,
}

impl Checkpoint {
    pub(crate) fn write(&self, file: &Path) -> Result<(), TrainError> {
        let broken = |reason: String| TrainError::Checkpoint { file: file.to_owned(), reason };
        let mut tensors: Vec<(String, Vec<u8>)> = Vec::new();
        for (name, head) in [("head", &self.head), ("best", &self.best)] {
            for (index, part) in parts(head).into_iter().enumerate() {
                tensors.push((format!("{name}.{index}"), bytes(part)));
            }
        }
        for (index, moments) in self.moments.iter().enumerate() {
            for (name, moment) in ["mean", "square"].into_iter().zip(moments) {
                tensors.push((format!("{name}.{index}"), bytes(&numbers(moment)?)));
            }
        }
        let views = tensors.iter().map(|(name, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
            Ok((name.as_str(), view.map_err(|error| broken(error.to_string()))?))
        });
        let header = Header { identity: self.identity.clone(), state: self.state.clone(), updates: self.updates };
        let header = serde_json::to_string(&header).map_err(|error| broken(error.to_string()))?;
        let metadata = HashMap::from([(FORMAT.0.to_owned(), FORMAT.1.to_owned()), (TRAINING.to_owned(), header)]);
        let content = safetensors::serialize(views.collect::<Result<Vec<_>, TrainError>>()?, Some(metadata));
        let content = content.map_err(|error| broken(error.to_string()))?;
        Ok(whole::write(file, |out| out.write_all(&content))?)
    }

    /// Reads what belongs to `network`.
    pub(crate) fn read(file: &Path, network: &Network) -> Result<Self, TrainError> {
        let content = fs::read(file).map_err(|error| TrainError::file(file, error))?;
        let read = || -> Result<Self, String> {
            let (_, metadata) = SafeTensors::read_metadata(&content).map_err(|error| error.to_string())?;
            let metadata = metadata.metadata().clone().unwrap_or_default();
            if metadata.get(FORMAT.0).map(String::as_str) != Some(FORMAT.1) {
                return Err("is no checkpoint of a training".to_owned());
            }
            let header = metadata.get(TRAINING).ok_or("has no state")?;
            let header: Header = serde_json::from_str(header).map_err(|error| error.to_string())?;
            if header.state.history.is_empty() {
                return Err("has no history".to_owned());
            }
            let tensors = SafeTensors::deserialize(&content).map_err(|error| error.to_string())?;
            let head = network.head().map_err(|error| error.to_string())?;
            let read = |name: &str| filled(&head, |index| floats(&tensors, &format!("{name}.{index}")));
            Ok(Self {
                identity: header.identity,
                state: header.state,
                updates: header.updates,
                head: read("head")?,
                best: read("best")?,
                moments: moments(&tensors, network)?,
            })
        };
        read().map_err(|reason| TrainError::Checkpoint { file: file.to_owned(), reason })
    }
}

/// Weight, bias, weight, bias …
fn parts(head: &Head) -> Vec<&[f32]> {
    head.layers.iter().flat_map(|layer| [layer.weight.as_slice(), layer.bias.as_slice()]).collect()
}

/// A head of the same layers with other numbers.
fn filled(head: &Head, numbers: impl Fn(usize) -> Result<Vec<f32>, String>) -> Result<Head, String> {
    let mut layers = head.layers.clone();
    for (index, layer) in layers.iter_mut().enumerate() {
        layer.weight = numbers(2 * index)?;
        layer.bias = numbers(2 * index + 1)?;
    }
    Head::new(head.inputs, layers, head.unit).map_err(|error| error.to_string())
}

fn moments(tensors: &SafeTensors<'_>, network: &Network) -> Result<Vec<[Tensor; 2]>, String> {
    let read = |(index, variable): (usize, &&candle_core::Var)| {
        let moment = |name: &str| {
            let numbers = floats(tensors, &format!("{name}.{index}"))?;
            Tensor::from_vec(numbers, variable.shape(), &Device::Cpu).map_err(|error| error.to_string())
        };
        Ok([moment("mean")?, moment("square")?])
    };
    network.variables().iter().enumerate().map(read).collect()
}

fn floats(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    if tensor.dtype() != Dtype::F32 {
        return Err(format!("tensor `{name}` is not of 32-bit numbers"));
    }
    let number = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(f32::from_le_bytes).unwrap_or_default();
    Ok(tensor.data().chunks_exact(4).map(number).collect())
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
