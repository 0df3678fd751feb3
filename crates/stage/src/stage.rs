//! The one shape of every worker.

use std::time::Duration;

use sightline_wire::Wire;

use crate::outbox::{Outbox, Outputs};

/// A monotonic instant: time since the process began. Pure code is handed it, and never reads a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The instant `since_start` after the process began.
    #[must_use]
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// Time from `earlier` to here, zero when it is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The stage itself is broken (not its input): the batch is handed back with a delay, and several in a row end the
/// process with an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl Fault {
    /// A fault with the whole chain of an error's causes as its text.
    pub fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next.source();
        }
        Self(text)
    }
}

/// A stage of the pipeline: a pure, synchronous function with state. No bus, no clock, no shutdown inside; a test is a
/// function call.
pub trait Stage: Send + 'static {
    /// Name in metrics, logs, dead letters and on the command line.
    const NAME: &'static str;
    /// What it reads.
    type In: Wire;
    /// What it writes: a message, or an enum of named outputs.
    type Out: Outputs;

    /// Handles a batch, at least one item, in the order of arrival. An item that is neither emitted for nor rejected is
    /// done, with nothing to say. The same item may come again after a crash; its outputs must then have the same ids.
    ///
    /// # Errors
    /// [`Fault`] when the stage itself cannot work; nothing put into `out` by this call is then sent.
    fn process(&mut self, batch: &[Self::In], out: &mut Outbox<Self::Out>) -> Result<(), Fault>;

    /// Called before each batch and at least four times a second, also when nothing arrives. `now` is the only time a
    /// stage gets to know.
    ///
    /// # Errors
    /// As [`Stage::process`].
    fn tick(&mut self, _now: Monotonic, _out: &mut Outbox<Self::Out>) -> Result<(), Fault> {
        Ok(())
    }

    /// Called once, after the last batch of an orderly shutdown.
    ///
    /// # Errors
    /// As [`Stage::process`].
    fn finish(&mut self, _out: &mut Outbox<Self::Out>) -> Result<(), Fault> {
        Ok(())
    }
}
