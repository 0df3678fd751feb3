//! Synthetic cameras, an RTSP server, a nats-server on a free port, golden data.

#![allow(clippy::print_stdout, reason = "this crate serves tests, whose standard output is read by people")]

mod cache;
pub mod demo;
pub mod fleet;
mod nats;
pub mod process;
pub mod prometheus;
pub mod rtsp;
mod shared;
pub mod threads;
pub mod visits;

pub use cache::{cache_dir, cached, clip, onnxruntime};
pub use nats::NatsServer;
pub use rtsp::RtspProcess;
pub use shared::{shared_data, shared_or_skip, skip};
