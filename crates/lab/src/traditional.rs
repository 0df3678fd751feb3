//! The laboratory's traditional face detectors: Viola-Jones (OpenCV's cascade) and SeetaFace.
//!
//! Both look at brightness alone, know no landmarks and run on one thread; give each thread a detector of its own.
//!
//! - [`HaarDetector`] is code of our own, 630 lines over OpenCV's cascade files: no kept library in Rust evaluates these, and the binding to
//!   OpenCV itself would have every machine that builds this workspace install libclang and OpenCV's C++ libraries, on Debian a hundred
//!   packages. Nothing is lost by it: on all pictures of the reference it finds the very rectangles that OpenCV finds
//!   (`tests/traditional_golden.rs`).
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
