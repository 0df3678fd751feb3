//! Events as users read them: `sightline.event/1` (visits), `sightline.camera/1` (cameras) and `sightline.alias/1`
//! (two published ids that mean the same).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::id::{CameraId, PersonId, UnknownId, VisitId};
use crate::time::{ClockSource, Utc};

/// Where a visit is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The first word about a visit.
    New,
    /// The outcome or its certainty changed.
    Update,
    /// The visit is over; nothing follows.
    End,
}

/// The open-set decision about a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A person of the gallery.
    Known,
    /// Nobody of the gallery.
    Unknown,
    /// Near to somebody, but not near enough or not nearer than to somebody else.
    Ambiguous,
    /// Too small, or never good enough, to be named.
    TooSmall,
}

impl Outcome {
    /// The name used in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Ambiguous => "ambiguous",
            Self::TooSmall => "too_small",
        }
    }
}

/// A person, as an event names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectRef {
    /// The person's id.
    pub id: PersonId,
    /// The person's name when the event was written.
    pub name: String,
}

/// The face that an event speaks of: the visit's best so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventFace {
    /// `[x1, y1, x2, y2]` in the frame's pixels.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    /// The detector's score.
    pub det_score: f32,
    /// 0 to 1.
    pub quality: f32,
}

/// Width and height of a frame in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameSize {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// The models behind a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelNames {
    /// The detector's model id.
    pub detector: String,
    /// The embedder's model id; absent when nothing was embedded.
    pub embedder: Option<String>,
}

/// `sightline.event/1`: a visit began, changed or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Always [`Event::SCHEMA`].
    pub schema: String,
    /// Position in the event log: the cursor, the same on every transport.
    pub seq: u64,
    /// New, update or end.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The visit.
    pub id: VisitId,
    /// Where.
    pub camera: CameraId,
    /// Capture time of the frame that led to this event.
    pub capture_ts: Utc,
    /// The clock of `capture_ts`.
    pub clock: ClockSource,
    /// When the event was stored.
    pub publish_ts: Utc,
    /// Capture time of the visit's first frame.
    pub first_seen: Utc,
    /// Capture time of the visit's last frame so far.
    pub last_seen: Utc,
    /// The decision.
    pub outcome: Outcome,
    /// Who, when known.
    pub subject: Option<SubjectRef>,
    /// The lasting id of an unnamed visitor, as soon as there is one.
    pub unknown_id: Option<UnknownId>,
    /// Cosine of the fused vector with the best template; absent when nothing was compared.
    pub score: Option<f32>,
    /// The same for the best other person.
    pub runner_up: Option<f32>,
    /// The best face so far.
    pub face: EventFace,
    /// Size of the frame.
    pub frame: FrameSize,
    /// The models.
    pub model: ModelNames,
    /// Why a visit ended, or why its face could not be named.
    pub reason: Option<String>,
}

impl Event {
    /// The schema's name and version.
    pub const SCHEMA: &'static str = "sightline.event/1";

    /// A number beyond single precision becomes infinite when it is read; it could not be written again.
    fn is_finite(&self) -> bool {
        let face = self.face.bbox.iter().chain([&self.face.det_score, &self.face.quality]);
        face.chain(&self.score).chain(&self.runner_up).all(|number| number.is_finite())
    }
}

/// What a camera is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// Being opened for the first time.
    Connecting,
    /// Delivering frames.
    Online,
    /// No frames for `stall`, or the connection broke.
    Stalled,
    /// Nobody listens there, or the host cannot be reached.
    Unreachable,
    /// Wrong user or password.
    Unauthorized,
    /// The server has no such path, or the file or device does not exist.
    NotFound,
    /// What comes cannot be decoded.
    Unsupported,
    /// The recording came to its end.
    Ended,
}

impl CameraState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Connecting,
        Self::Online,
        Self::Stalled,
        Self::Unreachable,
        Self::Unauthorized,
        Self::NotFound,
        Self::Unsupported,
        Self::Ended,
    ];

    /// Whether a camera in this state is being opened again and again.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        !matches!(self, Self::Connecting | Self::Online | Self::Ended)
    }

    /// The name used in events, metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Online => "online",
            Self::Stalled => "stalled",
            Self::Unreachable => "unreachable",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::Ended => "ended",
        }
    }
}

/// `sightline.camera/1`: a camera went offline or came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraEvent {
    /// Always [`CameraEvent::SCHEMA`].
    pub schema: String,
    /// Position in the event log.
    pub seq: u64,
    /// `online` or `offline`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The camera.
    pub camera: CameraId,
    /// The finer state.
    pub state: CameraState,
    /// When it changed.
    pub at: Utc,
    /// When the event was stored.
    pub publish_ts: Utc,
    /// Why, in one line.
    pub detail: String,
}

impl CameraEvent {
    /// The schema's name and version.
    pub const SCHEMA: &'static str = "sightline.camera/1";
}

/// What kind of id an alias is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AliasKind {
    /// Two unknown visitors turned out to be the same stranger.
    Unknown,
    /// Two persons of the gallery were merged.
    Person,
}

/// `sightline.alias/1`: two published ids mean the same. Neither id changes its meaning: `from` stays valid and reads
/// as `into` from here on; `from` is not used for later visits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasEvent {
    /// Always [`AliasEvent::SCHEMA`].
    pub schema: String,
    /// Position in the event log.
    pub seq: u64,
    /// Unknown visitors or persons.
    pub kind: AliasKind,
    /// The id that is given up: an [`UnknownId`] or a [`PersonId`].
    pub from: Uuid,
    /// The id that goes on.
    pub into: Uuid,
    /// When the event was stored.
    pub publish_ts: Utc,
}

impl AliasEvent {
    /// The schema's name and version.
    pub const SCHEMA: &'static str = "sightline.alias/1";
}

/// One line of the event log, of any schema; in JSON the `schema` field tells them apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventRecord {
    /// A visit.
    Visit(Box<Event>),
    /// A camera.
    Camera(CameraEvent),
    /// Two ids are one.
    Alias(AliasEvent),
}

impl<'de> Deserialize<'de> for EventRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let read = match value["schema"].as_str() {
            Some(Event::SCHEMA) => serde_json::from_value(value).map(Self::Visit),
            Some(CameraEvent::SCHEMA) => serde_json::from_value(value).map(Self::Camera),
            Some(AliasEvent::SCHEMA) => serde_json::from_value(value).map(Self::Alias),
            _ => return Err(D::Error::custom("an event of a schema that is not known here")),
        };
        match read.map_err(D::Error::custom)? {
            Self::Visit(event) if !event.is_finite() => {
                Err(D::Error::custom("an event with a number that is too large"))
            }
            record => Ok(record),
        }
    }
}

impl EventRecord {
    /// Position in the event log.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Visit(event) => event.seq,
            Self::Camera(event) => event.seq,
            Self::Alias(event) => event.seq,
        }
    }

    /// The camera it speaks of, if it speaks of one.
    #[must_use]
    pub fn camera(&self) -> Option<&CameraId> {
        match self {
            Self::Visit(event) => Some(&event.camera),
            Self::Camera(event) => Some(&event.camera),
            Self::Alias(_) => None,
        }
    }

    /// The schema's name and version.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        match self {
            Self::Visit(_) => Event::SCHEMA,
            Self::Camera(_) => CameraEvent::SCHEMA,
            Self::Alias(_) => AliasEvent::SCHEMA,
        }
    }

    /// Sets what is known only when the event is stored: its position and the time.
    pub fn stamp(&mut self, seq: u64, publish_ts: Utc) {
        let (its_seq, its_ts) = match self {
            Self::Visit(event) => (&mut event.seq, &mut event.publish_ts),
            Self::Camera(event) => (&mut event.seq, &mut event.publish_ts),
            Self::Alias(event) => (&mut event.seq, &mut event.publish_ts),
        };
        (*its_seq, *its_ts) = (seq, publish_ts);
    }
}

#[cfg(test)]
mod tests {
    use super::{AliasEvent, AliasKind, CameraEvent, CameraState, EventRecord};
    use crate::time::Utc;
    use uuid::Uuid;

    #[test]
    fn the_schemas_are_told_apart_when_read_back() {
        let camera = EventRecord::Camera(CameraEvent {
            schema: CameraEvent::SCHEMA.to_owned(),
            seq: 0,
            kind: "offline".to_owned(),
            camera: "lobby".parse().unwrap(),
            state: CameraState::Stalled,
            at: Utc::default(),
            publish_ts: Utc::default(),
            detail: String::new(),
        });
        let alias = EventRecord::Alias(AliasEvent {
            schema: AliasEvent::SCHEMA.to_owned(),
            seq: 0,
            kind: AliasKind::Unknown,
            from: Uuid::from_u128(1),
            into: Uuid::from_u128(2),
            publish_ts: Utc::default(),
        });
        for (mut record, schema) in [(camera, CameraEvent::SCHEMA), (alias, AliasEvent::SCHEMA)] {
            record.stamp(7, Utc::from_unix_ns(1_000_000));
            let text = serde_json::to_string(&record).unwrap();
            let back: EventRecord = serde_json::from_str(&text).unwrap();
            assert_eq!((back.seq(), back.schema()), (7, schema));
            assert_eq!(back, record);
            let other = text.replace(schema, "sightline.other/1");
            assert!(serde_json::from_str::<EventRecord>(&other).unwrap_err().to_string().contains("schema"));
        }
    }

    #[test]
    fn a_number_beyond_single_precision_is_refused() {
        let visit = |score: &str| {
            let time = "2025-11-24T16:00:00.123Z";
            let text = format!(
                r#"{{"schema":"sightline.event/1","seq":1,"type":"new","id":"a-1","camera":"a","capture_ts":"{time}","clock":"file",
                "publish_ts":"{time}","first_seen":"{time}","last_seen":"{time}","outcome":"unknown","score":{score},
                "face":{{"box":[1,2,3,4],"det_score":0.9,"quality":0.8}},"frame":{{"width":64,"height":48}},
                "model":{{"detector":"d"}}}}"#
            );
            serde_json::from_str::<EventRecord>(&text)
        };
        assert!(matches!(visit("0.5"), Ok(EventRecord::Visit(event)) if event.score == Some(0.5)));
        assert!(visit("1e300").unwrap_err().to_string().contains("too large"));
    }
}
