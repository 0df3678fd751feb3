//! For benchmarks: the exact tensors that went into the networks, and running the networks on them again with nothing around it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::InferError;
use crate::session::{Network, Runtime};
use crate::store::ModelStore;

/// One call of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The ONNX file's name.
    pub file: String,
    /// Batch, channels, rows, columns.
    pub shape: [usize; 4],
    /// The numbers.
    pub data: Arc<[f32]>,
}

/// Collects calls. Cloning shares the collection.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    calls: Arc<Mutex<Vec<Recording>>>,
}

impl Recorder {
    /// Takes what was recorded since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Recording> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn push(&self, file: &str, shape: [usize; 4], data: &[f32]) {
        let call = Recording { file: file.to_owned(), shape, data: data.into() };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// Recorded calls with the networks they went to.
#[derive(Debug)]
pub struct Replay {
    networks: Vec<Network>,
    /// Index of the network.
    calls: Vec<(usize, Recording)>,
}

impl Replay {
    /// Loads the networks that the recordings need, with the runtime's device and threads.
    ///
    /// # Errors
    /// [`InferError`] when a file belongs to no manifest or cannot be loaded.
    pub fn open(runtime: &Runtime, store: &ModelStore, recordings: Vec<Recording>) -> Result<Self, InferError> {
        let mut networks = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut calls = Vec::with_capacity(recordings.len());
        for call in recordings {
            let at = match names.iter().position(|name| *name == call.file) {
                Some(at) => at,
                None => {
                    networks.push(open_file(runtime, store, &call.file)?);
                    names.push(call.file.clone());
                    names.len() - 1
                }
            };
            calls.push((at, call));
        }
        Ok(Self { networks, calls })
    }

    /// How many calls there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Runs each network on its first call, so that nothing happens for the first time in [`Replay::run`].
    ///
    /// # Errors
    /// As [`Replay::run`].
    pub fn warm_up(&mut self) -> Result<(), InferError> {
        for (at, network) in self.networks.iter_mut().enumerate() {
            if let Some((_, call)) = self.calls.iter().find(|(its, _)| *its == at) {
                network.run(call.shape, &call.data, |_| Ok(()))?;
            }
        }
        Ok(())
    }

    /// Runs every call once, in the recorded order: bare inference, the outputs are not read.
    ///
    /// # Errors
    /// [`InferError::Inference`] when a network fails.
    pub fn run(&mut self) -> Result<(), InferError> {
        for (at, call) in &self.calls {
            if let Some(network) = self.networks.get_mut(*at) {
                network.run(call.shape, &call.data, |_| Ok(()))?;
            }
        }
        Ok(())
    }
}

fn open_file(runtime: &Runtime, store: &ModelStore, name: &str) -> Result<Network, InferError> {
    for manifest in store.list() {
        if let Some(index) = manifest.files.iter().position(|file| file.name == name) {
            store.verify(&manifest.id)?;
            return Network::open(runtime, store, manifest, index);
        }
    }
    Err(InferError::UnknownModel {
        id: name.to_owned(),
        kind: "model",
        known: store.list().flat_map(|m| &m.files).map(|f| f.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}
