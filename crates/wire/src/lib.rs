//! Checked domain types, ids and the subject table; the only crate that knows protobuf.
//!
//! Everything that travels between stages is defined here once: as a Rust type whose invariants hold by construction,
//! as a protobuf message under `proto/sightline/v1`, and as a row of the table in [`subject`]. Other crates never see
//! the generated code.

mod camera;
mod convert;
mod event;
mod id;
mod message;
pub mod service;
mod source;
pub mod subject;
mod time;

pub use camera::{CameraSpec, Transport, human_duration};
pub use event::{
    AliasEvent, AliasKind, CameraEvent, CameraState, Event, EventFace, EventKind, EventRecord, FrameSize, ModelNames,
    Outcome, SubjectRef,
};
pub use id::{CameraId, CropId, FrameId, IdError, PersonId, UnknownId, VisitId};
pub use message::{
    CameraChange, CaptureMode, Crop, CropPicture, EndReason, Face, FaceVector, Frame, FrameFaces, IdentifyInput,
    RejectedCrop, VisitHead, VisitNote,
};
pub use source::SourceUrl;
pub use subject::{Wire, WireError};
pub use time::{ClockSource, Stamp, Utc};
