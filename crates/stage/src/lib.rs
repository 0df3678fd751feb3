//! Stage, runner, bus, services, health, metrics and shutdown; the only crate that knows NATS.
//!
//! A [`Stage`] is a pure function with state. The [`run_stage`] runner owns everything else: it pulls a batch from an
//! [`bus::Inbox`], calls the stage on a thread of its own, publishes what came out through [`bus::Outlet`]s, waits until
//! it is stored, and only then acknowledges the input.

pub mod backoff;
pub mod boot;
pub mod bus;
pub mod health;
pub mod http;
pub mod lease;
pub mod members;
pub mod metrics;
pub mod mirror;
mod outbox;
pub mod roll_call;
mod run;
pub mod secret;
pub mod service;
mod shutdown;
mod stage;
pub mod table;

pub use outbox::{Outbox, Outputs};
pub use run::{RunError, RunnerConfig, run_stage};
pub use shutdown::Shutdown;
pub use stage::{Fault, Monotonic, Stage};
