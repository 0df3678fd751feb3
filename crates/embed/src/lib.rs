//! The embed stage: crops in, unit vectors out; and the analysis of single pictures, which needs the same models.
//!
//! Stateless: any embedder may take any crop. A crop that has no vector is answered too, so that its visit does not
//! wait for it.

mod analyse;
mod metrics;
mod shots;
mod stage;

pub use analyse::{Analyst, AnalystConfig};
pub use shots::BestShots;
pub use stage::Embed;

/// Most crops for one inference: 8 cost a fifth less a face than one, more than 8 gain nothing (measured with FaceNet
/// and dlib's network).
const MAX_BATCH: usize = 8;
