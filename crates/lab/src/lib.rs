//! The laboratory: detectors and recognisers compared, calibrated and trained, on the code that the pipeline runs.
//!
//! Coordinates, everywhere: pixels of the original picture, the origin at its top left corner, x to the right and y down. Files of a data
//! set are named relative to it, with `/` between folders, so that lists written on one machine can be read on another.
//!
//! `dataset`, `wider`, `detection`, `agreement` and `metrics` are pure: they know files and numbers, no model. `classical`, `traditional` and
//! `train` are the recognisers, detectors and training that the pipeline does not have. [`faces`] is where
//! pictures become vectors, and `commands` is what the binary `sightline-lab` does.

pub mod agreement;
pub mod classical;
pub mod commands;
pub mod crops;
pub mod dataset;
pub mod detection;
pub mod faces;
pub mod finders;
pub mod interrupt;
pub mod kept;
pub mod material;
pub mod metrics;
pub mod parallel;
pub mod progress;
pub mod rectangle;
pub mod report;
pub mod traditional;
pub mod train;
pub mod whole;
pub mod wider;

#[cfg(test)]
mod scratch;
