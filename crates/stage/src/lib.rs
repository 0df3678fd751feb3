//! Stage, runner, bus, services, health, metrics and shutdown; the only crate that knows NATS.
//!
//! A [`Stage`] is a pure function with state. The [`run_stage`] runner owns everything else: it pulls a batch from an
//! [`Inbox`], calls the stage on a thread of its own, publishes what came out through [`Outlet`]s, waits until it is
//! stored, and only then acknowledges the input.

mod outbox;
mod stage;

pub use outbox::{Outbox, Outputs};
pub use stage::{Fault, Monotonic, Stage};
