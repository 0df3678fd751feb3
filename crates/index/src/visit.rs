//! One open visit: what was heard of it, what was decided, what was published.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sightline_stage::Monotonic;
use sightline_store::{OpenVisit, SightingRow, VisitVector};
use sightline_vision::{fuse, weight_of};
use sightline_wire::{
    CameraId, ClockSource, EndReason, Event, EventFace, EventKind, FaceVector, FrameSize, ModelNames, Outcome,
    PersonId, RejectedCrop, Stamp, SubjectRef, UnknownId, Utc, VisitHead, VisitId, VisitNote,
};

/// The face that events of the visit show.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct BestFace {
    face: EventFace,
    frame: FrameSize,
    detector: String,
}

/// What the open-set decision said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    pub(crate) person: Option<PersonId>,
    pub(crate) score: Option<f32>,
    pub(crate) runner_up: Option<f32>,
}

impl Decision {
    pub(crate) const TOO_SMALL: Self = Self { outcome: Outcome::TooSmall, person: None, score: None, runner_up: None };
}

/// What the newest event of the visit said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Published {
    outcome: Outcome,
    person: Option<PersonId>,
    unknown: Option<UnknownId>,
    score: Option<f32>,
}

/// Everything about a visit that is not a vector; this is what a restart reads back.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    camera: CameraId,
    first_seen_ns: i64,
    last_seen_ns: i64,
    capture_ns: i64,
    clock: ClockSource,
    crops_sent: u32,
    answered: BTreeSet<u32>,
    best: Option<BestFace>,
    embedder: Option<String>,
    flaw: Option<String>,
    end: Option<EndReason>,
    decision: Option<Decision>,
    published: Option<Published>,
    unknown: Option<UnknownId>,
}

#[derive(Clone, Debug)]
struct Weighted {
    weight: f32,
    vector: Vec<f32>,
}

/// A visit that is going on.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    id: VisitId,
    facts: Facts,
    vectors: BTreeMap<u32, Weighted>,
    /// When it was last heard of.
    heard: Monotonic,
    /// When its end was heard of.
    ended: Option<Monotonic>,
    /// Needs to be stored.
    pub(crate) changed: bool,
    /// Needs a new decision.
    pub(crate) undecided: bool,
}

impl Visit {
    /// Begins a visit, whichever message about it came first.
    pub(crate) fn begin(head: &VisitHead, now: Monotonic) -> Self {
        let first_seen_ns = head.first_seen.unix_ns();
        let facts = Facts {
            camera: head.camera.clone(),
            first_seen_ns,
            last_seen_ns: first_seen_ns,
            capture_ns: first_seen_ns,
            clock: ClockSource::Arrival,
            crops_sent: 0,
            answered: BTreeSet::new(),
            best: None,
            embedder: None,
            flaw: None,
            end: None,
            decision: None,
            published: None,
            unknown: None,
        };
        Self::new(head.visit.clone(), facts, now)
    }

    fn new(id: VisitId, facts: Facts, now: Monotonic) -> Self {
        let ended = facts.end.map(|_| now);
        Self { id, facts, vectors: BTreeMap::new(), heard: now, ended, changed: false, undecided: false }
    }

    /// Reads a visit back that was open when the process ended; its deadlines begin anew.
    pub(crate) fn resume(stored: OpenVisit, now: Monotonic) -> Result<Self, serde_json::Error> {
        let facts = serde_json::from_str(&stored.state)?;
        let mut visit = Self::new(stored.visit, facts, now);
        let vectors = stored.vectors.into_iter();
        visit.vectors = vectors.map(|row| (row.crop, Weighted { weight: row.weight, vector: row.vector })).collect();
        visit.undecided = true;
        Ok(visit)
    }

    pub(crate) fn id(&self) -> &VisitId {
        &self.id
    }

    /// A vector came. One from a face narrower than `min_face` source pixels is counted but never used to name anybody.
    /// Returns the row to keep.
    pub(crate) fn add_vector(&mut self, input: &FaceVector, min_face: u32, now: Monotonic) -> Option<VisitVector> {
        self.hear(&input.stamp, now);
        self.facts.answered.insert(input.id.index);
        let face = EventFace { bbox: input.bbox.to_array(), det_score: input.score, quality: input.quality.score };
        self.offer(BestFace { face, frame: input.size, detector: input.detector.to_string() });
        if input.bbox.width().min(input.bbox.height()) < min_face as f32 {
            self.facts.flaw = Some("small".to_owned());
            return None;
        }
        let weight = weight_of(input.quality.score);
        self.facts.embedder = Some(input.embedder.to_string());
        self.vectors.insert(input.id.index, Weighted { weight, vector: input.vector.clone() });
        self.undecided = true;
        Some(VisitVector { visit: self.id.clone(), crop: input.id.index, weight, vector: input.vector.clone() })
    }

    /// A crop has no vector; the visit does not wait for it.
    pub(crate) fn add_rejection(&mut self, input: &RejectedCrop, now: Monotonic) {
        self.give_up_on(input.id.index, &input.reason, now);
    }

    /// Crop `index` will never count, for this reason.
    pub(crate) fn give_up_on(&mut self, index: u32, reason: &str, now: Monotonic) {
        self.heard = now;
        self.changed = true;
        self.facts.answered.insert(index);
        self.facts.flaw = Some(reason.to_owned());
    }

    /// A sign of life, or the end.
    pub(crate) fn add_note(&mut self, note: &VisitNote, now: Monotonic) {
        self.hear(&note.last_seen, now);
        self.facts.crops_sent = self.facts.crops_sent.max(note.crops_sent);
        let (bbox, quality) = (note.best_box.to_array(), note.best_quality.score);
        let face = EventFace { bbox, det_score: note.best_score, quality };
        self.offer(BestFace { face, frame: note.size, detector: note.detector.to_string() });
        if let Some(flaw) = note.flaw {
            self.facts.flaw = Some(flaw.as_str().to_owned());
        }
        if let Some(end) = note.end {
            self.end(end, now);
        }
    }

    /// Ends the visit, unless it has ended.
    pub(crate) fn end(&mut self, reason: EndReason, now: Monotonic) {
        if self.facts.end.is_none() {
            (self.facts.end, self.ended, self.changed) = (Some(reason), Some(now), true);
        }
    }

    fn hear(&mut self, stamp: &Stamp, now: Monotonic) {
        self.heard = now;
        self.changed = true;
        self.facts.clock = stamp.clock;
        self.facts.capture_ns = stamp.capture.unix_ns();
        self.facts.last_seen_ns = self.facts.last_seen_ns.max(stamp.capture.unix_ns());
    }

    fn offer(&mut self, candidate: BestFace) {
        let EventFace { bbox, det_score, quality } = candidate.face;
        // What is no number cannot be written as JSON.
        if !bbox.iter().chain([&det_score, &quality]).all(|v| v.is_finite()) {
            return;
        }
        if self.facts.best.as_ref().is_none_or(|best| quality >= best.face.quality) {
            self.facts.best = Some(candidate);
        }
    }

    /// The fused vector and the sum of its weights.
    pub(crate) fn fused(&self) -> Option<(Vec<f32>, f32)> {
        let vector = fuse(self.vectors.values().map(|one| (one.weight, one.vector.as_slice())))?;
        Some((vector, self.vectors.values().map(|one| one.weight).sum()))
    }

    /// Vectors that count.
    pub(crate) fn vector_count(&self) -> usize {
        self.vectors.len()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.facts.end.is_some()
    }

    /// Every crop that was sent has a vector or a rejection.
    pub(crate) fn is_answered(&self) -> bool {
        self.facts.answered.len() >= self.facts.crops_sent as usize
    }

    /// How long nothing was heard of it.
    pub(crate) fn silence(&self, now: Monotonic) -> std::time::Duration {
        now.since(self.heard)
    }

    /// How long ago its end was heard of.
    pub(crate) fn ended_for(&self, now: Monotonic) -> std::time::Duration {
        self.ended.map(|then| now.since(then)).unwrap_or_default()
    }

    /// From the first frame to the last so far, by the clock of the camera.
    pub(crate) fn length_ns(&self) -> i64 {
        self.facts.last_seen_ns.saturating_sub(self.facts.first_seen_ns)
    }

    /// The decision in force.
    pub(crate) fn decision(&self) -> Option<&Decision> {
        self.facts.decision.as_ref()
    }

    pub(crate) fn decide(&mut self, decision: Decision) {
        self.undecided = false;
        self.changed |= self.facts.decision.as_ref() != Some(&decision);
        self.facts.decision = Some(decision);
    }

    pub(crate) fn unknown(&self) -> Option<UnknownId> {
        self.facts.unknown
    }

    pub(crate) fn set_unknown(&mut self, unknown: UnknownId) {
        self.changed |= self.facts.unknown != Some(unknown);
        self.facts.unknown = Some(unknown);
    }

    /// What users would be told now; `None` before the first decision.
    fn news(&self) -> Option<Published> {
        let decision = self.facts.decision.as_ref()?;
        // An id of a stranger belongs to the outcomes that name nobody.
        let unnamed = matches!(decision.outcome, Outcome::Unknown | Outcome::Ambiguous);
        Some(Published {
            outcome: decision.outcome,
            person: decision.person,
            unknown: self.facts.unknown.filter(|_| unnamed),
            score: decision.score,
        })
    }

    /// The next event, if there is one: `new` for the first decision, `update` when the outcome, the person or the
    /// stranger's id changed or the score grew by `growth`.
    pub(crate) fn next_event(&mut self, growth: f32, name_of: impl Fn(PersonId) -> Option<String>) -> Option<Event> {
        let news = self.news()?;
        let kind = match &self.facts.published {
            None => EventKind::New,
            Some(old) if (old.outcome, old.person, old.unknown) != (news.outcome, news.person, news.unknown) => {
                EventKind::Update
            }
            Some(old) if old.score.zip(news.score).is_some_and(|(old, new)| new - old >= growth) => EventKind::Update,
            Some(_) => return None,
        };
        let event = self.event(kind, &news, name_of)?;
        self.changed = true;
        self.facts.published = Some(news);
        Some(event)
    }

    /// Users were told of it.
    pub(crate) fn is_published(&self) -> bool {
        self.facts.published.is_some()
    }

    /// The last event; afterwards the visit is closed.
    pub(crate) fn end_event(&mut self, name_of: impl Fn(PersonId) -> Option<String>) -> Option<Event> {
        let news = self.news()?;
        self.changed = true;
        self.event(EventKind::End, &news, name_of)
    }

    fn event(&self, kind: EventKind, news: &Published, name_of: impl Fn(PersonId) -> Option<String>) -> Option<Event> {
        let facts = &self.facts;
        let best = facts.best.as_ref()?;
        let reason = match kind {
            EventKind::End => facts.end.map(|reason| reason.as_str().to_owned()),
            _ if news.outcome == Outcome::TooSmall => facts.flaw.clone(),
            _ => None,
        };
        let subject = news.person.and_then(|id| Some(SubjectRef { id, name: name_of(id)? }));
        Some(Event {
            schema: Event::SCHEMA.to_owned(),
            seq: 0,
            kind,
            id: self.id.clone(),
            camera: facts.camera.clone(),
            capture_ts: Utc::from_unix_ns(facts.capture_ns),
            clock: facts.clock,
            publish_ts: Utc::default(),
            first_seen: Utc::from_unix_ns(facts.first_seen_ns),
            last_seen: Utc::from_unix_ns(facts.last_seen_ns),
            outcome: news.outcome,
            subject,
            unknown_id: news.unknown,
            score: news.score,
            runner_up: facts.decision.as_ref().and_then(|decision| decision.runner_up),
            face: best.face.clone(),
            frame: best.frame,
            model: ModelNames { detector: best.detector.clone(), embedder: facts.embedder.clone() },
            reason,
        })
    }

    /// The row to store; `closed` drops what only an open visit needs.
    pub(crate) fn row(&self, closed: bool) -> Result<SightingRow, serde_json::Error> {
        let news = self.news();
        let open_state = if closed { None } else { Some(serde_json::to_string(&self.facts)?) };
        Ok(SightingRow {
            visit: self.id.clone(),
            camera: self.facts.camera.clone(),
            first_seen: Utc::from_unix_ns(self.facts.first_seen_ns),
            last_seen: Utc::from_unix_ns(self.facts.last_seen_ns),
            outcome: news.as_ref().map(|news| news.outcome),
            person: news.as_ref().and_then(|news| news.person),
            unknown: news.as_ref().and_then(|news| news.unknown),
            score: news.as_ref().and_then(|news| news.score),
            runner_up: self.facts.decision.as_ref().and_then(|decision| decision.runner_up),
            open_state,
        })
    }
}
