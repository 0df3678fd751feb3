//! What travels between the stages.

use std::sync::Arc;

use sightline_vision::{Landmarks, Planes, Quality, QualityReason, Rect, RgbImage};

use crate::event::{CameraState, FrameSize};
use crate::id::{CameraId, CropId, FrameId, VisitId};
use crate::time::{Stamp, Utc};

/// What happens to frames when the detectors are slower than the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureMode {
    /// The newest frame wins, older ones are dropped and counted.
    #[default]
    Live,
    /// Every sampled frame is analysed; the source waits.
    Complete,
}

/// One sampled frame, as the decoder left it. From ingest to detect.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Camera, epoch and number.
    pub id: FrameId,
    /// Time of capture.
    pub stamp: Stamp,
    /// Drop or wait.
    pub mode: CaptureMode,
    /// The pixels. Inside a process they are shared and never encoded; over NATS they travel as JPEG.
    pub planes: Planes,
}

/// A face cut out of its frame: a square of twice the box at native resolution, at most 256 pixels a side. Generic: how a
/// network wants its input aligned is the embedder's business.
#[derive(Clone, Debug)]
pub struct CropPicture {
    /// The pixels, shared.
    pub image: Arc<RgbImage>,
    /// The face's box in the crop's coordinates.
    pub face: Rect,
    /// The landmarks in the crop's coordinates.
    pub landmarks: Landmarks,
}

/// One face of a frame.
#[derive(Clone, Debug)]
pub struct Face {
    /// Box in the frame's pixels.
    pub bbox: Rect,
    /// Landmarks in the frame's pixels.
    pub landmarks: Landmarks,
    /// The detector's score, 0 to 1.
    pub score: f32,
    /// How good the picture is.
    pub quality: Quality,
    /// Why it is not good enough to be embedded, if it is not.
    pub flaw: Option<QualityReason>,
    /// The pixels.
    pub crop: CropPicture,
}

/// All faces of one frame, also when there are none: exactly one for every frame that detect took. From detect to track.
#[derive(Clone, Debug)]
pub struct FrameFaces {
    /// The frame.
    pub frame: FrameId,
    /// Time of capture.
    pub stamp: Stamp,
    /// Drop or wait, as the frame said.
    pub mode: CaptureMode,
    /// Size of the frame.
    pub size: FrameSize,
    /// The detector's model id.
    pub detector: Arc<str>,
    /// The faces, in the detector's order.
    pub faces: Vec<Face>,
}

/// What every message about a visit repeats, so that identify can begin it from whichever comes first.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitHead {
    /// The visit.
    pub visit: VisitId,
    /// Where.
    pub camera: CameraId,
    /// Capture time of its first frame.
    pub first_seen: Utc,
    /// Which tracker process owns it: a random id of the process.
    pub tracker: Arc<str>,
}

/// A crop worth embedding. From track to embed.
#[derive(Clone, Debug)]
pub struct Crop {
    /// Visit and number.
    pub id: CropId,
    /// The visit it belongs to.
    pub head: VisitHead,
    /// Time of capture.
    pub stamp: Stamp,
    /// Size of the frame it was cut from.
    pub size: FrameSize,
    /// Box in the frame's pixels.
    pub bbox: Rect,
    /// The detector's score.
    pub score: f32,
    /// How good the picture is.
    pub quality: Quality,
    /// The detector's model id; its family decides the alignment template.
    pub detector: Arc<str>,
    /// The pixels.
    pub picture: CropPicture,
}

/// The unit vector of a crop. From embed to identify.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceVector {
    /// Visit and number of the crop.
    pub id: CropId,
    /// The visit it belongs to.
    pub head: VisitHead,
    /// Time of capture.
    pub stamp: Stamp,
    /// Size of the frame.
    pub size: FrameSize,
    /// Box in the frame's pixels.
    pub bbox: Rect,
    /// The detector's score.
    pub score: f32,
    /// How good the picture is.
    pub quality: Quality,
    /// The detector's model id.
    pub detector: Arc<str>,
    /// The embedder's model id: `<manifest id>@<first 12 hex digits of the weights' sha256>`.
    pub embedder: Arc<str>,
    /// L2-normalised, finite.
    pub vector: Vec<f32>,
}

/// A crop that could not be embedded: counted by identify, so that the visit does not wait for its vector.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectedCrop {
    /// Visit and number of the crop.
    pub id: CropId,
    /// The visit it belongs to.
    pub head: VisitHead,
    /// Why.
    pub reason: String,
}

/// Why a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The person was not seen for `track.lost_after`.
    Left,
    /// The camera delivers no frames any more, or the recording ended.
    CameraStopped,
    /// The tracker was shut down.
    Shutdown,
    /// The tracker that owned the visit is gone without a word.
    OwnerLost,
}

impl EndReason {
    /// The name used in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::CameraStopped => "camera_stopped",
            Self::Shutdown => "shutdown",
            Self::OwnerLost => "owner_lost",
        }
    }
}

/// A sign of life of a visit, or its end. Straight from track to identify, at least every ten seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitNote {
    /// The visit.
    pub head: VisitHead,
    /// Number of the note within the visit; part of its message id.
    pub note: u32,
    /// Capture time of the last frame with the face.
    pub last_seen: Stamp,
    /// Crops sent so far.
    pub crops_sent: u32,
    /// Size of the frame.
    pub size: FrameSize,
    /// The visit's best box so far, in the frame's pixels.
    pub best_box: Rect,
    /// The detector's score of that box.
    pub best_score: f32,
    /// Its quality.
    pub best_quality: Quality,
    /// Why no crop was sent, when none was.
    pub flaw: Option<QualityReason>,
    /// The detector's model id.
    pub detector: Arc<str>,
    /// Set when the visit is over.
    pub end: Option<EndReason>,
}

/// A camera went offline or came back. From ingest to identify, which records it as an event.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraChange {
    /// The camera.
    pub camera: CameraId,
    /// The epoch that failed or began; with the state it makes the message's id.
    pub epoch: u64,
    /// What it is now.
    pub state: CameraState,
    /// When.
    pub at: Utc,
    /// Why, for people: one line without secrets.
    pub detail: String,
}

/// Everything identify listens to, in one ordered queue.
#[derive(Clone, Debug, PartialEq)]
pub enum IdentifyInput {
    /// A crop's vector.
    Vector(Box<FaceVector>),
    /// A crop that has none.
    Rejected(RejectedCrop),
    /// A visit goes on or ends.
    Note(Box<VisitNote>),
    /// A camera changed its state.
    Camera(CameraChange),
}
