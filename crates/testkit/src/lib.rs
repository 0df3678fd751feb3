//! Synthetic cameras, an RTSP server, a nats-server on a free port, golden data.

#![allow(clippy::print_stdout, reason = "this crate serves tests, whose standard output is read by people")]

mod cache;
mod shared;

pub use cache::{cache_dir, cached, clip, onnxruntime};
pub use shared::{shared_data, shared_or_skip, skip};
