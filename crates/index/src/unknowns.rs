//! Strangers with lasting ids: a visit's fused vector belongs to an earlier stranger when the cosine with one of that
//! stranger's vectors reaches the `cluster` threshold, else it founds a new one.
//!
//! Ids that were published keep their meaning. When a visit shows that two strangers are one, the younger id becomes an
//! alias of the older. Everything here is a copy of the store; each change goes into the batch that stores it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sightline_store::{IdentifyBatch, Store, UnknownVector};
use sightline_wire::{AliasEvent, AliasKind, EventRecord, UnknownId, Utc, VisitId};

use crate::faiss_index::{FaissIndex, IndexError};
use crate::gallery::GalleryError;

/// Vectors kept of a stranger, each from another visit: enough for glasses, light and pose to differ, and a bound for the index.
const VECTORS_A_STRANGER: usize = 8;

/// Vectors looked at in a search: the nearest four strangers at least.
const SEARCH_WIDTH: usize = 4 * VECTORS_A_STRANGER;

#[derive(Debug)]
struct Look {
    unknown: UnknownId,
    visit: VisitId,
    weight: f32,
    vector: Vec<f32>,
}

/// The strangers known so far.
#[derive(Debug)]
pub(crate) struct Unknowns {
    model: String,
    index: FaissIndex,
    looks: HashMap<u64, Look>,
    strangers: BTreeMap<UnknownId, BTreeSet<u64>>,
    next_slot: u64,
}

/// What a visit looked like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) visit: &'a VisitId,
    /// The fused unit vector.
    pub(crate) vector: &'a [f32],
    /// Sum of the weights of what was fused.
    pub(crate) weight: f32,
}

impl Unknowns {
    /// Reads the strangers that were seen with this embedder.
    pub(crate) fn load(store: &Store, model: &str, dimension: usize) -> Result<Self, GalleryError> {
        let mut unknowns = Self {
            model: model.to_owned(),
            index: FaissIndex::new(dimension)?,
            looks: HashMap::new(),
            strangers: BTreeMap::new(),
            next_slot: 0,
        };
        for row in store.unknown_vectors(model)? {
            let seen = Seen { visit: &row.visit, vector: &row.vector, weight: row.weight };
            unknowns.insert(row.unknown, seen)?;
        }
        Ok(unknowns)
    }

    /// The stranger of this visit: the nearest from `cluster` on, else a new one. Remembers what the visit looked like.
    pub(crate) fn recognise(
        &mut self,
        seen: Seen<'_>,
        cluster: f32,
        changes: &mut IdentifyBatch,
    ) -> Result<UnknownId, IndexError> {
        let nearest = self.near(seen.vector, cluster)?.into_iter().next().map(|(unknown, _)| unknown);
        let unknown = nearest.unwrap_or_else(UnknownId::generate);
        self.remember(unknown, seen, changes)?;
        Ok(unknown)
    }

    /// Keeps what a visit of `unknown` looked like, in place of what the same visit looked like before. When there are too
    /// many, the one made of the poorest pictures goes.
    pub(crate) fn remember(
        &mut self,
        unknown: UnknownId,
        seen: Seen<'_>,
        changes: &mut IdentifyBatch,
    ) -> Result<(), IndexError> {
        let earlier = self.strangers.get(&unknown).into_iter().flatten();
        let earlier = earlier.copied().find(|slot| self.looks.get(slot).is_some_and(|look| look.visit == *seen.visit));
        if let Some(slot) = earlier {
            self.forget(slot)?;
        }
        let same = |(other, visit): (UnknownId, &VisitId)| (other, visit) == (unknown, seen.visit);
        changes.unknown_vectors.retain(|row| !same((row.unknown, &row.visit)));
        changes.dropped_unknown_vectors.retain(|(other, visit)| !same((*other, visit)));
        self.insert(unknown, seen)?;
        changes.unknown_vectors.push(UnknownVector {
            unknown,
            visit: seen.visit.clone(),
            model: self.model.clone(),
            weight: seen.weight,
            vector: seen.vector.to_vec(),
        });
        self.trim(unknown, seen.visit, changes)
    }

    /// Drops the poorest vectors of `unknown` until there are not too many; that of `keep` stays.
    fn trim(&mut self, unknown: UnknownId, keep: &VisitId, changes: &mut IdentifyBatch) -> Result<(), IndexError> {
        loop {
            let Some(slots) = self.strangers.get(&unknown).filter(|slots| slots.len() > VECTORS_A_STRANGER) else {
                return Ok(());
            };
            let others = slots.iter().filter_map(|slot| Some((*slot, self.looks.get(slot)?)));
            let poorest = others
                .filter(|(_, look)| look.visit != *keep)
                .min_by(|(_, a), (_, b)| a.weight.total_cmp(&b.weight))
                .map(|(slot, look)| (slot, look.visit.clone()));
            let Some((slot, visit)) = poorest else { return Ok(()) };
            changes.unknown_vectors.retain(|row| (row.unknown, &row.visit) != (unknown, &visit));
            changes.dropped_unknown_vectors.push((unknown, visit));
            self.forget(slot)?;
        }
    }

    /// The strangers that are the same as `own`, as this visit of `own` shows: near to the visit by `cluster`, and all that they
    /// looked like near to all that `own` looked like in other visits by `accept` (complete linkage), so that one visit
    /// between two people does not join them, now or later.
    pub(crate) fn same_as(
        &self,
        own: UnknownId,
        seen: Seen<'_>,
        cluster: f32,
        accept: f32,
    ) -> Result<Vec<UnknownId>, IndexError> {
        let others =
            self.near(seen.vector, cluster)?.into_iter().map(|(unknown, _)| unknown).filter(|other| *other != own);
        let before: Vec<&Look> = self.looks_of(own).filter(|look| look.visit != *seen.visit).collect();
        let alike = |other: &UnknownId| before.is_empty() || self.least_likeness(&before, *other) >= accept;
        Ok(others.filter(alike).collect())
    }

    /// Joins two strangers, as `visit` showed: the younger id becomes an alias of the older. Returns `(into, from)`.
    pub(crate) fn merge(
        &mut self,
        a: UnknownId,
        b: UnknownId,
        visit: &VisitId,
        changes: &mut IdentifyBatch,
    ) -> Result<(UnknownId, UnknownId), IndexError> {
        // Version 7 UUIDs are ordered by the time of their making.
        let (into, from) = (a.min(b), a.max(b));
        let moved = self.strangers.remove(&from).unwrap_or_default();
        for slot in &moved {
            if let Some(look) = self.looks.get_mut(slot) {
                look.unknown = into;
            }
        }
        self.strangers.entry(into).or_default().extend(moved);
        for row in &mut changes.unknown_vectors {
            if row.unknown == from {
                row.unknown = into;
            }
        }
        for (unknown, _) in &mut changes.dropped_unknown_vectors {
            if *unknown == from {
                *unknown = into;
            }
        }
        changes.aliases.push((from, into));
        changes.events.push(EventRecord::Alias(AliasEvent {
            schema: AliasEvent::SCHEMA.to_owned(),
            seq: 0,
            kind: AliasKind::Unknown,
            from: from.0,
            into: into.0,
            publish_ts: Utc::default(),
        }));
        self.trim(into, visit, changes)?;
        Ok((into, from))
    }

    /// Strangers with a vector whose cosine reaches `cluster`, best first.
    fn near(&self, vector: &[f32], cluster: f32) -> Result<Vec<(UnknownId, f32)>, IndexError> {
        let mut found: Vec<(UnknownId, f32)> = Vec::new();
        for hit in self.index.search(vector, SEARCH_WIDTH)?.swap_remove(0) {
            let Some(look) = self.looks.get(&hit.id) else { continue };
            if hit.score >= cluster && found.iter().all(|(unknown, _)| *unknown != look.unknown) {
                found.push((look.unknown, hit.score));
            }
        }
        Ok(found)
    }

    fn looks_of(&self, unknown: UnknownId) -> impl Iterator<Item = &Look> {
        let slots = self.strangers.get(&unknown).into_iter().flatten();
        slots.filter_map(|slot| self.looks.get(slot))
    }

    /// The worst cosine between these looks and those of `other`.
    fn least_likeness(&self, looks: &[&Look], other: UnknownId) -> f32 {
        let pairs = looks.iter().flat_map(|x| self.looks_of(other).map(move |y| (x, y)));
        pairs
            .map(|(x, y)| x.vector.iter().zip(&y.vector).map(|(x, y)| x * y).sum::<f32>())
            .fold(f32::INFINITY, f32::min)
    }

    fn insert(&mut self, unknown: UnknownId, seen: Seen<'_>) -> Result<(), IndexError> {
        let slot = self.next_slot;
        self.index.add(&[slot], seen.vector)?;
        self.next_slot += 1;
        let look = Look { unknown, visit: seen.visit.clone(), weight: seen.weight, vector: seen.vector.to_vec() };
        self.looks.insert(slot, look);
        self.strangers.entry(unknown).or_default().insert(slot);
        Ok(())
    }

    fn forget(&mut self, slot: u64) -> Result<(), IndexError> {
        if let Some(look) = self.looks.remove(&slot)
            && let Some(slots) = self.strangers.get_mut(&look.unknown)
        {
            slots.remove(&slot);
        }
        self.index.remove(&[slot])
    }
}
