//! Plots, drawn by `plotters` as SVG that stands in the page itself.
//!
//! Text stays text: it is laid out by the reader's own font, so none is needed where the report is made (the library's
//! font loading is left out of the build). Legends stand under the picture, where no name is too long for them.

mod axis;
mod canvas;
mod clip;
mod curves;
mod frame;
mod histogram;
mod matrix;
mod palette;
mod scatter;
#[cfg(test)]
mod tests;

pub use canvas::DrawError;
pub use curves::{Curve, det, dir, loss, precision_recall, roc, trend};
pub use frame::Mark;
pub use histogram::{Words, histogram, scores};
pub use matrix::{Confusion, confusion};
pub(crate) use palette::{INK, Paint, styles};
pub use scatter::{Spot, speed};
