//! What follows from the inputs of a batch: decisions, ids for strangers, events, closed visits.

use std::time::Instant;

use sightline_store::IdentifyBatch;
use sightline_wire::{EndReason, EventRecord, Outcome, PersonId, VisitId};

use super::{ANSWER_DEADLINE, CROPS_FOR_AN_ID, Identify, OWNER_LOST_AFTER, State, TOO_SMALL_AFTER_NS};
use crate::decision::Thresholds;
use crate::faiss_index::IndexError;
use crate::gallery::{Gallery, GalleryError};
use crate::unknowns::Seen;
use crate::visit::Decision;

impl Identify {
    /// Decides, names strangers, writes events and rows. Returns the visits that are over.
    pub(super) fn settle(&self, state: &mut State, changes: &mut IdentifyBatch) -> Result<Vec<VisitId>, GalleryError> {
        let gallery = self.gallery.read();
        self.decide(state, &gallery)?;
        let mut closing: Vec<VisitId> = Vec::new();
        for visit in state.visits.values_mut() {
            let lost = !visit.has_ended() && visit.silence(self.now()) >= OWNER_LOST_AFTER;
            if lost {
                visit.end(EndReason::OwnerLost, self.now());
            }
            let over = visit.has_ended() && (visit.is_answered() || visit.ended_for(self.now()) >= ANSWER_DEADLINE);
            if over || lost {
                closing.push(visit.id().clone());
            }
            let waited = over || lost || (visit.is_answered() && visit.length_ns() >= TOO_SMALL_AFTER_NS);
            if visit.decision().is_none() && waited {
                visit.decide(Decision::TOO_SMALL);
            }
        }
        self.name_strangers(state, &closing, changes)?;
        self.write_events(state, &closing, &gallery, changes)?;
        Ok(closing)
    }

    /// Scores every visit that has a new vector, or all of them when the gallery changed, in one search.
    fn decide(&self, state: &mut State, gallery: &Gallery) -> Result<(), IndexError> {
        let all = state.generation != gallery.generation();
        state.generation = gallery.generation();
        let mut queries = Vec::new();
        let mut asking = Vec::new();
        for visit in state.visits.values_mut().filter(|visit| all || visit.undecided) {
            visit.undecided = false;
            if let Some((vector, _)) = visit.fused() {
                queries.extend_from_slice(&vector);
                asking.push(visit);
            }
        }
        if asking.is_empty() {
            return Ok(());
        }
        let begin = Instant::now();
        let answers = gallery.nearest(&queries, 2)?;
        self.metrics.searched(begin.elapsed());
        for (visit, found) in asking.into_iter().zip(answers) {
            let best = found.first();
            let (score, runner_up) = (best.map(|hit| hit.score), found.get(1).map(|hit| hit.score));
            let outcome = self.config.thresholds.decide(score, runner_up);
            let person = best.map(|hit| hit.person).filter(|_| outcome == Outcome::Known);
            visit.decide(Decision { outcome, person, score, runner_up });
        }
        Ok(())
    }

    /// Gives ids to visitors who could not be named, and joins strangers that turn out to be one.
    fn name_strangers(
        &self,
        state: &mut State,
        closing: &[VisitId],
        changes: &mut IdentifyBatch,
    ) -> Result<(), IndexError> {
        let Thresholds { accept, cluster, .. } = self.config.thresholds;
        let mut merged = Vec::new();
        for visit in state.visits.values_mut() {
            let unnamed = visit.decision().is_some_and(|d| matches!(d.outcome, Outcome::Unknown | Outcome::Ambiguous));
            let ends = closing.contains(visit.id());
            if !unnamed || !(ends || (visit.unknown().is_none() && visit.vector_count() >= CROPS_FOR_AN_ID)) {
                continue;
            }
            let Some((vector, weight)) = visit.fused() else { continue };
            let id = visit.id().clone();
            let seen = Seen { visit: &id, vector: &vector, weight };
            let own = match visit.unknown() {
                Some(own) => {
                    state.unknowns.remember(own, seen, changes)?;
                    own
                }
                None => state.unknowns.recognise(seen, cluster, changes)?,
            };
            visit.set_unknown(own);
            if ends && visit.vector_count() >= CROPS_FOR_AN_ID {
                let mut own = own;
                for other in state.unknowns.same_as(own, seen, cluster, accept)? {
                    let (into, from) = state.unknowns.merge(own, other, &id, changes)?;
                    merged.push((from, into));
                    own = into;
                }
            }
        }
        for (from, into) in merged {
            for visit in state.visits.values_mut().filter(|visit| visit.unknown() == Some(from)) {
                visit.set_unknown(into);
            }
        }
        Ok(())
    }

    fn write_events(
        &self,
        state: &mut State,
        closing: &[VisitId],
        gallery: &Gallery,
        changes: &mut IdentifyBatch,
    ) -> Result<(), GalleryError> {
        let name_of = |person: PersonId| gallery.name(person).map(str::to_owned);
        for visit in state.visits.values_mut() {
            let closes = closing.contains(visit.id());
            // A change at the very end is told by the end itself; but every visit has a `new`.
            if !closes || !visit.is_published() {
                let event = visit.next_event(self.config.thresholds.margin, name_of);
                changes.events.extend(event.map(|event| EventRecord::Visit(Box::new(event))));
            }
            if closes {
                changes.events.extend(visit.end_event(name_of).map(|event| EventRecord::Visit(Box::new(event))));
            }
            if closes || visit.changed {
                visit.changed = false;
                let row = visit.row(closes).map_err(|e| sightline_store::StoreError::Invalid(e.to_string()))?;
                changes.sightings.push(row);
            }
        }
        Ok(())
    }
}
