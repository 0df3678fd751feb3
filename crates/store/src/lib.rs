//! People, templates, sightings, events and cameras; the only crate that knows SQLite.
//!
//! One file holds everything that must survive: a call that returned `Ok` is on disk, synced, and survives a `kill -9`
//! of the process and a power cut. The FAISS index, the open visits of identify and every cache are rebuilt from it.
//!
//! The interface is synchronous. Writes are serialised by one connection, reads run beside them on another (SQLite's
//! write-ahead log lets them). Times are handed in: nothing here reads a clock, except the metric of how long a commit took.
//!
//! | table | what |
//! |---|---|
//! | `people`, `templates`, `models` | the gallery: one embedder's vectors |
//! | `sightings`, `visit_vectors` | one row a visit; what an open visit needs to go on after a restart |
//! | `events` | the log that every transport mirrors, numbered without reuse |
//! | `processed` | ids of messages whose effect is stored |
//! | `unknowns`, `unknown_vectors` | strangers with lasting ids |
//! | `aliases` | ids that were merged into others |
//! | `cameras`, `camera_states` | desired state, and what was last heard |
//! | `idempotency` | answers to calls that may be repeated |

#[doc(hidden)]
pub mod bench_support;
mod cameras;
mod connection;
mod error;
mod events;
mod idempotency;
mod identify;
mod metrics;
mod people;
mod schema;
mod sightings;
mod templates;
mod unknowns;
mod vector;

pub use cameras::CameraStateRow;
pub use connection::{Options, Store};
pub use error::StoreError;
pub use identify::IdentifyBatch;
pub use sightings::{OpenVisit, SightingRow, VisitState, VisitVector};
pub use templates::{GalleryModel, TemplateRow};
pub use unknowns::UnknownVector;
pub use vector::{VectorFlaw, check_unit_vector};
