//! The metrics of identify and of the gallery.
#![expect(clippy::disallowed_macros, reason = "the one place of this crate where metrics are declared")]

use std::time::Duration;

use metrics::{Counter, Histogram, Unit};
use sightline_store::VectorFlaw;
use sightline_wire::{ClockSource, EventKind, EventRecord, Outcome};

const DECISIONS: &str = "sightline_match_decisions_total";
const SCORE: &str = "sightline_match_score";
const VECTORS: &str = "sightline_index_vectors";
const SEARCH: &str = "sightline_index_search_seconds";
const GENERATION: &str = "sightline_index_generation";
const PUBLISHED: &str = "sightline_events_published_total";
const LATENCY: &str = "sightline_event_latency_seconds";
const DEDUPLICATED: &str = "sightline_events_deduplicated_total";
const OPEN: &str = "sightline_visits_open";
const LATE: &str = "sightline_visits_late_vectors_total";
const REJECTED: &str = "sightline_enroll_rejected_total";

/// Why a template was not enrolled. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrollRejection {
    /// NaN, zero, not normalised or of a wrong dimension.
    Vector(VectorFlawKind),
    /// From another embedder.
    OtherModel,
    /// Nobody of this id.
    NoSuchPerson,
    /// The store failed.
    Store,
}

/// [`VectorFlaw`] without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorFlawKind {
    /// [`VectorFlaw::Dimension`].
    Dimension,
    /// [`VectorFlaw::NotFinite`].
    NotFinite,
    /// [`VectorFlaw::NotUnit`].
    NotUnit,
}

impl From<VectorFlaw> for VectorFlawKind {
    fn from(flaw: VectorFlaw) -> Self {
        match flaw {
            VectorFlaw::Dimension { .. } => Self::Dimension,
            VectorFlaw::NotFinite => Self::NotFinite,
            VectorFlaw::NotUnit { .. } => Self::NotUnit,
        }
    }
}

impl EnrollRejection {
    const ALL: [Self; 6] = [
        Self::Vector(VectorFlawKind::Dimension),
        Self::Vector(VectorFlawKind::NotFinite),
        Self::Vector(VectorFlawKind::NotUnit),
        Self::OtherModel,
        Self::NoSuchPerson,
        Self::Store,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Vector(VectorFlawKind::Dimension) => "dimension",
            Self::Vector(VectorFlawKind::NotFinite) => "not_finite",
            Self::Vector(VectorFlawKind::NotUnit) => "not_unit",
            Self::OtherModel => "other_model",
            Self::NoSuchPerson => "no_such_person",
            Self::Store => "store",
        }
    }
}

/// Typed handles.
pub struct Metrics {
    decisions: [Counter; 4],
    score: Histogram,
    search_seconds: Histogram,
    published: [Counter; 5],
    latency_seconds: Histogram,
    deduplicated: Counter,
    late_vectors: Counter,
    enroll_rejected: [Counter; 6],
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

const OUTCOMES: [Outcome; 4] = [Outcome::Known, Outcome::Unknown, Outcome::Ambiguous, Outcome::TooSmall];
const KINDS: [&str; 5] = ["new", "update", "end", "camera", "alias"];

impl Default for Metrics {
    fn default() -> Self {
        Self::register()
    }
}

impl Metrics {
    /// Declares everything, at zero.
    #[must_use]
    pub fn register() -> Self {
        describe();
        Self {
            decisions: OUTCOMES.map(|outcome| metrics::counter!(DECISIONS, "outcome" => outcome.as_str())),
            score: metrics::histogram!(SCORE),
            search_seconds: metrics::histogram!(SEARCH),
            published: KINDS.map(|kind| metrics::counter!(PUBLISHED, "type" => kind)),
            latency_seconds: metrics::histogram!(LATENCY),
            deduplicated: metrics::counter!(DEDUPLICATED),
            late_vectors: metrics::counter!(LATE),
            enroll_rejected: EnrollRejection::ALL.map(|why| metrics::counter!(REJECTED, "reason" => why.as_str())),
        }
    }

    /// A vector came after its visit had been closed without it.
    pub(crate) fn late_vector(&self) {
        self.late_vectors.increment(1);
    }

    pub(crate) fn decided(&self, outcome: Outcome, score: Option<f32>) {
        for (counter, _) in self.decisions.iter().zip(OUTCOMES).filter(|(_, other)| *other == outcome) {
            counter.increment(1);
        }
        if let Some(score) = score {
            self.score.record(f64::from(score));
        }
    }

    pub(crate) fn searched(&self, took: Duration) {
        self.search_seconds.record(took);
    }

    pub(crate) fn deduplicated(&self, count: usize) {
        self.deduplicated.increment(count as u64);
    }

    pub(crate) fn index(&self, model: &str, vectors: usize, generation: u64) {
        metrics::gauge!(VECTORS, "model" => model.to_owned()).set(vectors as f64);
        metrics::gauge!(GENERATION).set(generation as f64);
    }

    pub(crate) fn open_visits(&self, count: usize) {
        metrics::gauge!(OPEN).set(count as f64);
    }

    pub(crate) fn enroll_rejected(&self, why: EnrollRejection) {
        for (counter, _) in self.enroll_rejected.iter().zip(EnrollRejection::ALL).filter(|(_, other)| *other == why) {
            counter.increment(1);
        }
    }

    /// Counts stored events; the latency only of first decisions, where the capture time is of a real clock. An end comes long after
    /// the last frame on purpose, and so may an update: a picture that is no better than those before waits for its turn in the tracker.
    pub(crate) fn published(&self, events: &[EventRecord]) {
        for event in events {
            let kind = match event {
                EventRecord::Visit(event) => match event.kind {
                    EventKind::New => 0,
                    EventKind::Update => 1,
                    EventKind::End => 2,
                },
                EventRecord::Camera(_) => 3,
                EventRecord::Alias(_) => 4,
            };
            self.published[kind].increment(1);
            if let EventRecord::Visit(event) = event
                && event.clock != ClockSource::File
                && event.kind == EventKind::New
            {
                let ns = event.publish_ts.ns_since(event.capture_ts).max(0);
                self.latency_seconds.record(ns as f64 / 1e9);
            }
        }
    }
}

fn describe() {
    metrics::describe_counter!(DECISIONS, "Decisions about visits as they were published, by outcome.");
    metrics::describe_histogram!(SCORE, "Cosine of published decisions with the best template.");
    metrics::describe_gauge!(VECTORS, "Templates in the index.");
    metrics::describe_histogram!(SEARCH, Unit::Seconds, "Time of a search in the gallery.");
    metrics::describe_gauge!(GENERATION, "Change of the gallery up to which the index is.");
    metrics::describe_counter!(PUBLISHED, "Events stored, by type.");
    metrics::describe_histogram!(
        LATENCY,
        Unit::Seconds,
        "From capture to the stored event, for the first event of a visit."
    );
    metrics::describe_counter!(DEDUPLICATED, "Messages that came again and changed nothing.");
    metrics::describe_gauge!(OPEN, "Visits going on.");
    metrics::describe_counter!(REJECTED, "Templates that were not enrolled, by reason.");
}
