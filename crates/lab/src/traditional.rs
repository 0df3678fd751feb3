//! The laboratory's traditional face detectors: Viola-Jones (OpenCV's cascade) and SeetaFace, behind one trait.
//!
//! Both look at brightness alone, know no landmarks and run on one thread; give each thread a detector of its own.
//!
//! - [`HaarDetector`] evaluates the cascade files of OpenCV with code of our own that decides as OpenCV's does, to the
//!   last bit, so that neither the laboratory nor the workers link OpenCV.
//! - [`SeetaDetector`] is the `rustface` crate, a port of the SeetaFace engine.
//!
//! What their scores mean differs: see [`HaarConfig::min_neighbors`] and [`SeetaConfig::threshold`]. For a
//! precision-recall curve open them with [`HaarConfig::for_curve`] and [`SeetaConfig::for_curve`].

mod detector;
mod error;
mod gray;
mod haar;
mod resize;
mod seeta;

pub use detector::{BoxDetector, FoundFace};
pub use error::DetectorError;
pub use gray::GrayImage;
pub use haar::{DEBIAN_CASCADE, HaarConfig, HaarDetector};
pub use seeta::{SEETA_SHA256, SeetaConfig, SeetaDetector};
