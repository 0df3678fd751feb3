//! Cameras: decode, sample, number; the only crate that knows GStreamer.
//!
//! One thread for each camera opens its source, watches it and opens it again when it fails; the decoder's own thread hands frames
//! over as they are (planar YUV, no copy, no conversion). What is kept is decided by presentation time in [`sampler`], where a frame waits for the
//! bus in a queue that keeps the newest (or makes the decoder wait, for recordings). [`run`] starts and stops cameras as the table of desired
//! cameras and the list of live workers change.

mod camera;
mod clock;
mod decode;
mod manager;
mod metrics;
mod outage;
mod pipeline;
mod probe;
mod queue;
mod sampler;
mod sample;
mod source;

pub use decode::{DecodeError, decode_file};
pub use manager::{IngestConfig, IngestOutlets, Resolve, run};
pub use outage::Outage;
pub use probe::{ProbeReport, probe};
pub use source::{Source, SourceError};
