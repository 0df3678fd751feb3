//! The laboratory's traditional face detectors: Viola-Jones (OpenCV's cascade) and SeetaFace.
//!
//! Both look at brightness alone, know no landmarks and run on one thread; give each thread a detector of its own.
//!
//! - [`HaarDetector`] is code of our own. Only OpenCV itself evaluates its cascade files, and its binding (`opencv`) wants OpenCV's C++
//!   libraries and libclang wherever this workspace is built, for one algorithm of some 600 lines; ours decides as OpenCV's does, to the last
//!   bit, which `tests/traditional_golden.rs` holds against OpenCV's own results.
//! - [`SeetaDetector`] is a kept library, the `rustface` crate: a port of the SeetaFace engine to Rust alone.
//!
//! What their scores mean differs: see [`HaarConfig::min_neighbors`] and [`SeetaConfig::threshold`]. For a
//! precision-recall curve open them with [`HaarConfig::for_curve`] and [`SeetaConfig::for_curve`].

mod error;
mod found;
mod gray;
mod haar;
mod model;
mod resize;
mod seeta;

pub use error::DetectorError;
pub use found::FoundFace;
pub use gray::GrayImage;
pub use haar::{DEBIAN_CASCADE, HaarConfig, HaarDetector};
pub use model::ModelFile;
pub use seeta::{SEETA_MODEL, SeetaConfig, SeetaDetector};
