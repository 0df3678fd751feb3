//! Request and reply: the calls through which the gateway and the command line reach everything else.
//!
//! Bodies are JSON, with one binary attachment beside (a picture), so that a call can be read in any broker's tools.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::camera::CameraSpec;
use crate::event::{CameraState, EventRecord};
use crate::id::{CameraId, PersonId};
use crate::time::Utc;

/// One kind of call.
pub trait Call: 'static {
    /// Its address: two tokens joined by a dot.
    const NAME: &'static str;
    /// What is asked.
    type Request: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What is answered.
    type Reply: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// What kind of failure; decides the HTTP status and whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The thing named does not exist.
    NotFound,
    /// It exists already, or is read-only, or belongs to another model.
    Conflict,
    /// The request breaks a rule; it will never succeed as it is.
    Invalid,
    /// The picture is too large.
    TooLarge,
    /// Nobody serves this call now; try again.
    Unavailable,
    /// No answer within the deadline; whether it happened is not known: repeat with the same idempotency key.
    Timeout,
    /// Our fault.
    Internal,
}

/// Which of several failures of one kind it is, for programs that do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// There is another person of this name.
    NameTaken,
    /// The idempotency key was used for a request with another content.
    KeyReused,
    /// The gallery holds another model's vectors.
    OtherModel,
}

impl FailureReason {
    /// As JSON has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NameTaken => "name_taken",
            Self::KeyReused => "key_reused",
            Self::OtherModel => "other_model",
        }
    }
}

/// The failure of a call, as both transports carry it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// Which of its kind, where that makes a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
    /// One sentence: the thing, the place, the way out.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, reason: None, message: message.into() }
    }
}

macro_rules! call {
    ($(#[$doc:meta])* $name:ident, $address:literal, $request:ty => $reply:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Call for $name {
            const NAME: &'static str = $address;
            type Request = $request;
            type Reply = $reply;
        }
    };
}

/// An empty request or reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// A person of the gallery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Lasting id.
    pub id: PersonId,
    /// Name, unique in the gallery.
    pub name: String,
    /// Enrolled embeddings.
    pub templates: u32,
    /// When the person was added.
    pub created: Utc,
}

/// Asks for people in the order of their names (by code points).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleAfter {
    /// [`PeoplePage::next`] of the page before; empty for the first page. It is a name: who is renamed between two pages comes twice or
    /// not at all.
    pub after: String,
    /// At most so many; a page has a thousand at most.
    pub limit: u32,
    /// Only the person of exactly this name.
    pub name: Option<String>,
}

/// Some of the people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeoplePage {
    /// By name.
    pub people: Vec<Person>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Names a person by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonKey {
    /// The person.
    pub id: PersonId,
}

/// A new person. The same `idempotency_key` again gives the same person and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPerson {
    /// 1 to 200 characters, no control characters.
    pub name: String,
    /// Chosen by the caller.
    pub idempotency_key: Option<String>,
}

/// A new name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenamePerson {
    /// The person.
    pub id: PersonId,
    /// The new name.
    pub name: String,
}

/// Two persons who are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergePeople {
    /// Goes.
    pub from: PersonId,
    /// Stays, with the templates and sightings of both.
    pub into: PersonId,
}

/// A template to enroll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewTemplate {
    /// Whose.
    pub person: PersonId,
    /// The embedder's model id; a gallery holds one model's templates.
    pub embedder: String,
    /// L2-normalised.
    pub vector: Vec<f32>,
    /// Quality of the picture, 0 to 1.
    pub quality: f32,
    /// Where it came from, for people: a file name.
    pub origin: String,
    /// Chosen by the caller.
    pub idempotency_key: Option<String>,
}

/// An enrolled template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its number, never given twice.
    pub id: u64,
    /// Whose.
    pub person: PersonId,
}

/// A template as it was enrolled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The template.
    #[serde(flatten)]
    pub template: Template,
    /// The nearest other person, where the face is as near as one that would be named: perhaps they are one.
    #[serde(default)]
    pub resembles: Option<Candidate>,
}

/// Vectors to look up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchPeople {
    /// The embedder's model id.
    pub embedder: String,
    /// L2-normalised vectors.
    pub vectors: Vec<Vec<f32>>,
    /// At most so many persons for each.
    pub k: u32,
}

/// A person found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub id: PersonId,
    /// Name.
    pub name: String,
    /// Cosine with the best of the person's templates.
    pub score: f32,
}

/// For each vector the nearest persons, best first, with the decision the pipeline would make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchResult {
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// Known, unknown or ambiguous by the thresholds in force.
    pub outcome: crate::event::Outcome,
}

/// A picture to look at; the bytes (JPEG or PNG) are the attachment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalyseImage {
    /// Also compute the vectors.
    pub embed: bool,
}

/// A face of a still picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalysedFace {
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    /// `[x, y]` of left eye, right eye, nose, left and right mouth corner.
    pub landmarks: [[f32; 2]; 5],
    /// The detector's score.
    pub score: f32,
    /// 0 to 1.
    pub quality: f32,
    /// Why it is not good enough to be enrolled, if it is not.
    pub flaw: Option<String>,
    /// The unit vector, when asked for.
    pub vector: Option<Vec<f32>>,
}

/// What was found in a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The faces, largest first.
    pub faces: Vec<AnalysedFace>,
    /// The detector's model id.
    pub detector: String,
    /// The embedder's model id.
    pub embedder: String,
}

/// Asks for events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsAfter {
    /// The last one already seen; 0 for all.
    pub after: u64,
    /// At most so many.
    pub limit: u32,
    /// Wait so long for one when there is none yet, milliseconds.
    pub wait_ms: u32,
}

/// Events in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    /// Oldest first.
    pub events: Vec<EventRecord>,
    /// The newest `seq` of the log.
    pub newest: u64,
}

/// A camera with what it is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraStatus {
    /// As it should be; the source without its secret.
    #[serde(flatten)]
    pub spec: CameraSpec,
    /// Comes from the configuration file: read-only.
    pub read_only: bool,
    /// What it does now; absent until an ingest worker has taken it.
    pub state: Option<CameraState>,
    /// Why, in one line.
    pub detail: Option<String>,
}

/// Names a camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraKey {
    /// The camera.
    pub id: CameraId,
}

call!(
    /// The people after a cursor, by name, or the one of a name.
    ListPeople, "people.list", PeopleAfter => PeoplePage
);
call!(
    /// One person.
    GetPerson, "people.get", PersonKey => Person
);
call!(
    /// Adds a person without templates; a name that exists is a conflict.
    CreatePerson, "people.create", NewPerson => Person
);
call!(
    /// Renames; a name that exists is a conflict (merge instead).
    Rename, "people.rename", RenamePerson => Person
);
call!(
    /// Joins two persons.
    Merge, "people.merge", MergePeople => Person
);
call!(
    /// Removes a person and all templates.
    RemovePerson, "people.remove", PersonKey => Nothing
);
call!(
    /// Removes a person of whom nothing is enrolled; anybody else stays, which is a conflict. A call of its own: whoever does not know it
    /// must not take it for the other.
    RemoveEmptyPerson, "people.remove_empty", PersonKey => Nothing
);
call!(
    /// Enrolls a template.
    AddTemplate, "people.enroll", NewTemplate => Enrolled
);
call!(
    /// The people nearest to each vector.
    Search, "people.search", SearchPeople => Vec<SearchResult>
);
call!(
    /// Detects, and on request embeds, the faces of the attached picture.
    Analyse, "analyse.image", AnalyseImage => Analysis
);
call!(
    /// Events after a cursor.
    Events, "events.after", EventsAfter => EventPage
);
call!(
    /// All cameras, by id.
    ListCameras, "camera.list", Nothing => Vec<CameraStatus>
);
call!(
    /// One camera.
    GetCamera, "camera.get", CameraKey => CameraStatus
);
call!(
    /// Adds a camera; one that is there already is a conflict.
    CreateCamera, "camera.create", CameraSpec => CameraStatus
);
call!(
    /// Adds or changes a camera; effective at once. A source with `***` keeps the secret it had.
    PutCamera, "camera.put", CameraSpec => CameraStatus
);
call!(
    /// Removes a camera.
    RemoveCamera, "camera.remove", CameraKey => Nothing
);
