//! The laboratory's classical recognisers.

pub mod classical;
