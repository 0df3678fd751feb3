//! Who it is: gallery search, open-set decision, strangers with lasting ids, and the
//! [`Identify`] stage that turns all of it into sightings and events. The only crate that knows FAISS.
//!
//! ```text
//! vectors of a visit ─ fuse ─► one vector ─ gallery ─► best person, best other person ─ decide ─► known | ambiguous | unknown
//!                                        └─ strangers ─► lasting id (unless known)
//! ```
//!
//! Everything is rebuilt from [`sightline_store`], never the other way round.

mod camera_log;
mod decision;
mod faiss_index;
mod gallery;
mod identify;
mod metrics;
mod mirror;
mod native;
mod output;
pub mod services;
mod unknowns;
mod visit;

#[cfg(test)]
mod testing;

pub use decision::{ThresholdError, Thresholds};
pub use faiss_index::IndexError;
pub use gallery::{Gallery, GalleryError, PersonHit, SharedGallery};
pub use identify::{Clock, Identify, IdentifyConfig};
pub use metrics::{EnrollRejection, Metrics, VectorFlawKind};
pub use native::limit_arenas;
pub use output::IdentifyOutput;
