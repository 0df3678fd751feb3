//! What the laboratory measures, and the statistics that say how far a number can be trusted.
//!
//! One convention holds in all modules: a score is higher the more alike two faces are; a score that is no finite
//! number is an error with its place, never a silent result; ties and missed faces never flatter. Nothing depends on
//! the order of the input.

pub mod calibration;
pub mod classification;
pub mod error;
pub mod identification;
pub mod rate;
pub mod statistics;
pub mod verification;

pub use error::MetricError;
