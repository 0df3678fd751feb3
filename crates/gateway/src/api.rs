//! What the API takes and gives, as JSON; the command line uses the same types.

use serde::{Deserialize, Serialize};
use sightline_wire::service::{CameraStatus, Candidate};
use sightline_wire::{Outcome, PersonId};

/// `POST /api/v1/people` and `PATCH /api/v1/people/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonName {
    /// 1 to 200 characters.
    pub name: String,
}

/// `POST /api/v1/people/{id}/merge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeInto {
    /// Who stays.
    pub into: PersonId,
}

/// `POST /api/v1/people/{id}/faces`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnrolledFace {
    /// The template's number.
    pub id: u64,
    /// Whose.
    pub person: PersonId,
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    /// 0 to 1.
    pub quality: f32,
    /// Another person as whom the face would be accepted, the nearest: perhaps one person is enrolled under two names.
    #[serde(default)]
    pub resembles: Option<Candidate>,
}

/// A face of `POST /api/v1/recognize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecognizedFace {
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    /// `[x, y]` of left eye, right eye, nose, left and right mouth corner.
    pub landmarks: [[f32; 2]; 5],
    /// The detector's.
    pub score: f32,
    /// 0 to 1.
    pub quality: f32,
    /// Why the face is not good enough to be relied on, if it is not.
    pub flaw: Option<String>,
    /// What the pipeline would decide.
    pub outcome: Outcome,
    /// The nearest people, best first.
    pub people: Vec<Candidate>,
}

/// Which models looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Models {
    /// Model id.
    pub detector: String,
    /// Model id.
    pub embedder: String,
}

/// `POST /api/v1/recognize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recognition {
    /// Of the picture, pixels.
    pub width: u32,
    /// Of the picture, pixels.
    pub height: u32,
    /// Which models looked.
    pub model: Models,
    /// Largest first.
    pub faces: Vec<RecognizedFace>,
}

/// `GET /api/v1/cameras`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cameras {
    /// By id.
    pub cameras: Vec<CameraStatus>,
}
