//! The track stage: faces of frames in, visits with their best crops out.
//!
//! One camera's way through this crate:
//!
//! 1. `order` puts its frames back in order and drops what comes twice or too late,
//! 2. `motion` says where each known face should be now (constant-velocity Kalman filter, as in SORT: Bewley et al.,
//!    "Simple Online and Realtime Tracking", ICIP 2016),
//! 3. `associate` links the frame's faces to them: C-BIoU (Yang et al., "Hard to Track Objects with Irregular Motions
//!    and Similar Appearances? Make It Easier by Buffering the Matching Space", WACV 2023) with optimal assignment,
//!    because at five frames a second a walking face moves further than its own width and plain overlap finds
//!    nothing; `look` keeps it from linking two heads that do not look alike,
//! 4. `visit` confirms, keeps and ends visits, `shots` chooses the few crops that are worth a vector.
//!
//! Everything is deterministic in the frames: the same frames give the same visits, crops and ids. Time of the
//! process ([`sightline_stage::Monotonic`]) only decides how long to wait for a missing frame, when a silent camera's
//! visits end, and when the next sign of life is due.

mod assign;
mod associate;
mod camera;
mod config;
mod look;
mod metrics;
mod motion;
mod order;
mod output;
mod shots;
#[cfg(test)]
mod synthetic;
mod tracker;
mod visit;

pub use config::{ConfigError, TrackConfig};
pub use output::{TrackOutlets, TrackOutput};
pub use tracker::Tracker;
