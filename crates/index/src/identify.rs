//! The identify stage: vectors, notes and camera changes in; sightings and events in the store.
//!
//! For every batch of inputs there is one transaction with the inputs' de-duplication ids, the sightings, the strangers and
//! the events; only then is anything published and acknowledged. What comes again changes nothing. What is in memory is a
//! copy of the store: when a transaction fails it is thrown away and read again.

mod settle;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sightline_stage::{Fault, Monotonic, Outbox, Stage};
use sightline_store::{IdentifyBatch, Store, VisitState, check_unit_vector};
use sightline_wire::subject::Wire;
use sightline_wire::{EventKind, EventRecord, FaceVector, IdentifyInput, Utc, VisitHead, VisitId};

use crate::camera_log::CameraLog;
use crate::decision::Thresholds;
use crate::gallery::{GalleryError, SharedGallery};
use crate::metrics::Metrics;
use crate::output::IdentifyOutput;
use crate::unknowns::Unknowns;
use crate::visit::Visit;

/// After its end a visit waits so long for the vectors of its last crops: longer than it takes until the crops of a killed
/// embedder come again and a restarted one has worked off what waits. A visit whose vectors are all there does not wait.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// A visit nothing was heard of for so long has lost its tracker, which writes every ten seconds.
const OWNER_LOST_AFTER: Duration = Duration::from_secs(30);

/// Ticks come four times a second; of a longer gap only so much counts.
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// A visit without one usable face is published as `too_small` when it has lasted so long, nanoseconds; a shorter one at
/// its end. Sooner would announce everybody who walks up from afar twice.
const TOO_SMALL_AFTER_NS: i64 = 5_000_000_000;

/// Good crops after which a stranger gets an id before the visit ends: one could be a lucky shot of the wrong moment.
const CROPS_FOR_AN_ID: usize = 2;

/// Old de-duplication ids are forgotten this often.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The wall clock, handed in: when an event was stored.
pub type Clock = Arc<dyn Fn() -> Utc + Send + Sync>;

/// Settings of [`Identify`].
#[derive(Clone, Copy, Debug)]
pub struct IdentifyConfig {
    /// Checked by [`Thresholds::checked`].
    pub thresholds: Thresholds,
    /// The narrowest face that may be named, source pixels.
    pub min_face: u32,
}

/// The stage. One of them is active at a time.
pub struct Identify {
    config: IdentifyConfig,
    store: Store,
    gallery: SharedGallery,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// Time in which the stage was at work; the deadlines of visits are measured in it.
    worked: Duration,
    last_tick: Monotonic,
    pruned: Monotonic,
    state: Option<State>,
}

impl std::fmt::Debug for Identify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identify").field("config", &self.config).field("store", &self.store).finish_non_exhaustive()
    }
}

/// The copy of the store that identify works on.
#[derive(Debug)]
struct State {
    visits: BTreeMap<VisitId, Visit>,
    unknowns: Unknowns,
    cameras: CameraLog,
    /// The gallery's generation at the last decision.
    generation: u64,
}

impl Identify {
    /// The stage over an opened store and its gallery; visits that were open when the process ended go on.
    ///
    /// # Errors
    /// [`GalleryError`] when the store cannot be read.
    pub fn new(
        config: IdentifyConfig,
        store: Store,
        gallery: SharedGallery,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, GalleryError> {
        let start = Monotonic::default();
        let mut identify = Self {
            config,
            store,
            gallery,
            clock,
            metrics,
            worked: Duration::ZERO,
            last_tick: start,
            pruned: start,
            state: None,
        };
        identify.state = Some(identify.load()?);
        Ok(identify)
    }

    fn now(&self) -> Monotonic {
        Monotonic::from_start(self.worked)
    }

    fn load(&self) -> Result<State, GalleryError> {
        let (embedder, dimension, generation) = {
            let gallery = self.gallery.read();
            (gallery.embedder().clone(), gallery.dimension(), gallery.generation())
        };
        let mut visits = BTreeMap::new();
        for stored in self.store.open_visits()? {
            let id = stored.visit.clone();
            match Visit::resume(stored, self.now()) {
                Ok(visit) => {
                    visits.insert(id, visit);
                }
                // Written by another version: its end cannot be told any more, but nothing else suffers.
                Err(error) => {
                    tracing::warn!(visit = %id, %error, "an open visit cannot be read back and is left as it is")
                }
            }
        }
        Ok(State {
            visits,
            unknowns: Unknowns::load(&self.store, &embedder, dimension)?,
            cameras: CameraLog::new(self.store.camera_states()?),
            generation,
        })
    }

    /// Runs `work` on the state and stores what it changed, or forgets the state.
    fn transact(
        &mut self,
        work: impl FnOnce(&Self, &mut State, &mut IdentifyBatch) -> Result<(), GalleryError>,
    ) -> Result<(), Fault> {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.load().map_err(|e| Fault::from_error(&e))?,
        };
        let mut changes = IdentifyBatch::default();
        let attempt = || -> Result<Vec<EventRecord>, GalleryError> {
            work(self, &mut state, &mut changes)?;
            let closed = self.settle(&mut state, &mut changes)?;
            let events = match is_empty(&changes) {
                true => Vec::new(),
                false => self.store.commit(std::mem::take(&mut changes), (self.clock)())?,
            };
            for visit in closed {
                state.visits.remove(&visit);
            }
            Ok(events)
        };
        let events = attempt().map_err(|e| Fault::from_error(&e))?;
        self.metrics.published(&events);
        self.metrics.open_visits(state.visits.len());
        for event in &events {
            if let EventRecord::Visit(event) = event
                && event.kind != EventKind::End
            {
                self.metrics.decided(event.outcome, event.score);
            }
        }
        self.state = Some(state);
        Ok(())
    }

    /// Takes in one input. `Ok(Some(reason))` when it can never be used.
    fn apply(
        &self,
        state: &mut State,
        input: &IdentifyInput,
        changes: &mut IdentifyBatch,
    ) -> Result<Option<String>, GalleryError> {
        match input {
            IdentifyInput::Camera(change) => state.cameras.note(change, changes),
            IdentifyInput::Note(note) => {
                if let Some(visit) = self.visit(state, &note.head)? {
                    visit.add_note(note, self.now());
                }
            }
            IdentifyInput::Rejected(rejected) => {
                if let Some(visit) = self.visit(state, &rejected.head)? {
                    visit.add_rejection(rejected, self.now());
                }
            }
            IdentifyInput::Vector(vector) => {
                let flaw = self.flaw_of(vector);
                let Some(visit) = self.visit(state, &vector.head)? else {
                    self.metrics.late_vector();
                    return Ok(flaw);
                };
                match &flaw {
                    Some(reason) => visit.give_up_on(vector.id.index, reason, self.now()),
                    None => changes.vectors.extend(visit.add_vector(vector, self.config.min_face, self.now())),
                }
                return Ok(flaw);
            }
        }
        Ok(None)
    }

    /// Why a vector cannot be compared with the gallery.
    fn flaw_of(&self, vector: &FaceVector) -> Option<String> {
        let gallery = self.gallery.read();
        if *vector.embedder != **gallery.embedder() {
            return Some(format!(
                "a vector of {}, but the gallery is of {}: start embed and identify with the same models.profile",
                vector.embedder,
                gallery.embedder()
            ));
        }
        check_unit_vector(&vector.vector, gallery.dimension()).err().map(|flaw| format!("no usable vector: {flaw}"))
    }

    /// The open visit a message is about, begun if it is new; `None` if it is closed.
    fn visit<'a>(&self, state: &'a mut State, head: &VisitHead) -> Result<Option<&'a mut Visit>, GalleryError> {
        if !state.visits.contains_key(&head.visit) {
            if self.store.visit_state(&head.visit)? == VisitState::Closed {
                tracing::debug!(visit = %head.visit, "a message about a visit that is over");
                return Ok(None);
            }
            state.visits.insert(head.visit.clone(), Visit::begin(head, self.now()));
        }
        Ok(state.visits.get_mut(&head.visit))
    }
}

fn is_empty(changes: &IdentifyBatch) -> bool {
    changes.processed.is_empty()
        && changes.sightings.is_empty()
        && changes.events.is_empty()
        && changes.cameras.is_empty()
}

impl Stage for Identify {
    const NAME: &'static str = "identify";
    type In = IdentifyInput;
    type Out = IdentifyOutput;

    fn process(&mut self, batch: &[Self::In], out: &mut Outbox<Self::Out>) -> Result<(), Fault> {
        let ids: Vec<String> = batch.iter().map(Wire::message_id).collect();
        self.transact(|this, state, changes| {
            let mut seen: HashSet<&String> = HashSet::new();
            let mut repeated = 0;
            for ((index, input), (id, done)) in
                batch.iter().enumerate().zip(ids.iter().zip(this.store.processed(&ids)?))
            {
                if done || !seen.insert(id) {
                    repeated += 1;
                    continue;
                }
                match this.apply(state, input, changes)? {
                    // Not noted as processed: should the dead letter get lost, the message comes again.
                    Some(reason) => out.reject(index, reason),
                    None => changes.processed.push(id.clone()),
                }
            }
            this.metrics.deduplicated(repeated);
            Ok(())
        })
    }

    fn tick(&mut self, now: Monotonic, _out: &mut Outbox<Self::Out>) -> Result<(), Fault> {
        // A stage that was held up (a full disk, a suspended machine) has notes waiting: its visits are not lost.
        self.worked += now.since(self.last_tick).min(LONGEST_TICK);
        self.last_tick = now;
        if now.since(self.pruned) >= PRUNE_EVERY {
            self.pruned = now;
            self.store.prune((self.clock)()).map_err(|e| Fault::from_error(&e))?;
        }
        self.transact(|_, _, _| Ok(()))
    }
}

#[cfg(test)]
mod tests;
