//! Names of things. Ids of everything downstream of a frame derive from the frame's, so that a message that is handled
//! twice gives the same id twice.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no {kind}: {rule}")]
pub struct IdError {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

/// A camera's id: 1 to 64 letters, digits, `-` or `_`, because it is part of subjects, file names and metric labels.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraId(Arc<str>);

impl CameraId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CameraId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            let rule = "use 1 to 64 letters, digits, '-' or '_'";
            Err(IdError { kind: "camera id", text: text.chars().take(80).collect(), rule })
        }
    }
}

impl TryFrom<String> for CameraId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<CameraId> for String {
    fn from(id: CameraId) -> Self {
        id.0.to_string()
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One frame of one camera. `epoch` is new, and larger, at each (re)open and each change of owner; `seq` counts the
/// kept frames of an epoch from 0. Ordered by camera, epoch, seq.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId {
    /// The camera.
    pub camera: CameraId,
    /// Milliseconds since 1970 at the open, raised where needed so that it always grows.
    pub epoch: u64,
    /// Position among the kept frames of the epoch.
    pub seq: u64,
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.camera, self.epoch, self.seq)
    }
}

/// A visit's public id: the frame and the face with which its track began.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VisitId(Arc<str>);

impl VisitId {
    /// The id of the visit that began with face number `face` of `frame`.
    #[must_use]
    pub fn new(frame: &FrameId, face: usize) -> Self {
        Self(format!("{}-{:x}-{:x}-{face:x}", frame.camera, frame.epoch, frame.seq).into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VisitId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=128).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            let rule = "use 1 to 128 letters, digits, '-' or '_'";
            Err(IdError { kind: "visit id", text: text.chars().take(80).collect(), rule })
        }
    }
}

impl TryFrom<String> for VisitId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<VisitId> for String {
    fn from(id: VisitId) -> Self {
        id.0.to_string()
    }
}

impl fmt::Display for VisitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VisitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One crop of a visit; `index` counts the crops sent for the visit from 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CropId {
    /// The visit.
    pub visit: VisitId,
    /// Position among the crops sent.
    pub index: u32,
}

impl fmt::Display for CropId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.visit, self.index)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered by the time of its making.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError {
                    kind: $kind,
                    text: text.chars().take(80).collect(),
                    rule: "it must be a UUID",
                })
            }
        }
    };
}

uuid_id!(
    /// A person of the gallery. Never given to anybody else, also after a removal.
    PersonId,
    "person id"
);
uuid_id!(
    /// A stranger who came by: lasting, the same on every camera; once published it never changes its meaning.
    UnknownId,
    "unknown id"
);

#[cfg(test)]
mod tests {
    use super::{CameraId, FrameId, VisitId};

    #[test]
    fn camera_ids_fit_into_subjects_and_labels() {
        for good in ["a", "lobby-2", "Gate_7"] {
            assert!(good.parse::<CameraId>().is_ok(), "{good}");
        }
        for bad in ["", "a.b", "a b", "ä", "*", &"x".repeat(65)] {
            assert!(bad.parse::<CameraId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_same_beginning_gives_the_same_visit() {
        let frame = FrameId { camera: "lobby".parse().unwrap(), epoch: 255, seq: 16 };
        assert_eq!(VisitId::new(&frame, 1), VisitId::new(&frame.clone(), 1));
        assert_eq!(VisitId::new(&frame, 1).as_str(), "lobby-ff-10-1");
        assert!(VisitId::new(&frame, 1).as_str().parse::<VisitId>().is_ok());
    }
}
