//! What a stage says about a batch.

use std::future::Future;

use crate::bus::{BusError, Outlet};
use sightline_wire::Wire;

/// Outputs and rejections of one call of a stage.
#[derive(Debug)]
pub struct Outbox<T> {
    outputs: Vec<T>,
    rejections: Vec<(usize, String)>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { outputs: Vec::new(), rejections: Vec::new() }
    }
}

impl<T> Outbox<T> {
    /// Sends `output` on once the batch is committed.
    pub fn emit(&mut self, output: T) {
        self.outputs.push(output);
    }

    /// Item `index` of the batch can never succeed: it goes to the dead letters with `reason`.
    pub fn reject(&mut self, index: usize, reason: impl Into<String>) {
        self.rejections.push((index, reason.into()));
    }

    /// What was emitted and rejected, leaving the box empty. For the runner and for tests.
    pub fn take(&mut self) -> (Vec<T>, Vec<(usize, String)>) {
        (std::mem::take(&mut self.outputs), std::mem::take(&mut self.rejections))
    }
}

/// The named outputs of a stage: a message type, or an enum with one arm for each kind of message.
pub trait Outputs: Send + 'static {
    /// One [`Outlet`] for each kind of message.
    type Outlets: Clone + Send + Sync + 'static;

    /// Publishes this output through the right outlet and waits until it is stored.
    fn publish(self, outlets: &Self::Outlets) -> impl Future<Output = Result<(), BusError>> + Send;
}

impl<T: Wire> Outputs for T {
    type Outlets = Outlet<T>;

    async fn publish(self, outlets: &Self::Outlets) -> Result<(), BusError> {
        outlets.publish(self).await
    }
}
