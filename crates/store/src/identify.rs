//! What identify writes: one transaction for de-duplication ids, sightings, strangers and events.

use rusqlite::{Transaction, params};
use sightline_wire::{EventRecord, UnknownId, Utc, VisitId};

use crate::cameras::{CameraStateRow, put_states};
use crate::connection::Store;
use crate::error::{StoreError, is_unique_violation};
use crate::events::append_events;
use crate::sightings::{SightingRow, VisitVector, close_visits, put_sightings, put_visit_vectors};
use crate::unknowns::{UnknownVector, put_unknowns};

/// Ids of processed messages are kept so long, nanoseconds: a day. Brokers redeliver within minutes; a message that comes
/// later still changes nothing, because its visit is closed.
const PROCESSED_KEPT_NS: i64 = 24 * 3600 * 1_000_000_000;

/// Answers to keyed calls are kept so long, nanoseconds: a week.
const IDEMPOTENCY_KEPT_NS: i64 = 7 * 24 * 3600 * 1_000_000_000;

/// Everything one batch of inputs changes.
#[derive(Clone, Debug, Default)]
pub struct IdentifyBatch {
    /// De-duplication ids of the inputs.
    pub processed: Vec<String>,
    /// Sightings to add or replace.
    pub sightings: Vec<SightingRow>,
    /// Vectors to keep with open visits.
    pub vectors: Vec<VisitVector>,
    /// Vectors of strangers to add or replace; a new stranger begins with its first one.
    pub unknown_vectors: Vec<UnknownVector>,
    /// Vectors of strangers to drop.
    pub dropped_unknown_vectors: Vec<(UnknownId, VisitId)>,
    /// Strangers that turned out to be others: `from`, `into`. Vectors and sightings follow.
    pub aliases: Vec<(UnknownId, UnknownId)>,
    /// The last words about cameras.
    pub cameras: Vec<CameraStateRow>,
    /// Events; `seq` and `publish_ts` are set here.
    pub events: Vec<EventRecord>,
}

impl Store {
    /// Which of these messages have taken effect already.
    ///
    /// # Errors
    /// The file's failures.
    pub fn processed(&self, ids: &[String]) -> Result<Vec<bool>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM processed WHERE id = ?")?;
            ids.iter().map(|id| Ok(statement.exists([id])?)).collect()
        })
    }

    /// Stores a batch, all of it or nothing, and returns its events as they are in the log.
    ///
    /// # Errors
    /// [`StoreError::AlreadyProcessed`] when one of the messages took effect before (somebody else is active too), and the
    /// file's failures. Nothing is changed then.
    pub fn commit(&self, mut batch: IdentifyBatch, now: Utc) -> Result<Vec<EventRecord>, StoreError> {
        let newest = self.write(|transaction| {
            put_processed(transaction, &batch.processed, now)?;
            put_sightings(transaction, &batch.sightings)?;
            put_visit_vectors(transaction, &batch.vectors)?;
            put_unknowns(transaction, &batch, now)?;
            put_states(transaction, &batch.cameras)?;
            close_visits(transaction, &batch.sightings)?;
            append_events(transaction, &mut batch.events, now)
        })?;
        if let Some(newest) = newest {
            self.notify(newest);
        }
        Ok(batch.events)
    }

    /// Forgets ids of messages and answers to keyed calls that are too old to come again.
    ///
    /// # Errors
    /// The file's failures.
    pub fn prune(&self, now: Utc) -> Result<(), StoreError> {
        self.write(|transaction| {
            let before = |kept_ns: i64| now.unix_ns().saturating_sub(kept_ns);
            transaction.execute("DELETE FROM processed WHERE at_ns < ?", [before(PROCESSED_KEPT_NS)])?;
            transaction.execute("DELETE FROM idempotency WHERE at_ns < ?", [before(IDEMPOTENCY_KEPT_NS)])?;
            Ok(())
        })
    }
}

fn put_processed(transaction: &Transaction<'_>, ids: &[String], now: Utc) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached("INSERT INTO processed (id, at_ns) VALUES (?, ?)")?;
    for id in ids {
        insert.execute(params![id, now.unix_ns()]).map_err(|error| {
            if is_unique_violation(&error) { StoreError::AlreadyProcessed { id: id.clone() } } else { error.into() }
        })?;
    }
    Ok(())
}
