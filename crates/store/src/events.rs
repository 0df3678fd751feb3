//! The event log: numbered without gaps and without reuse, readable from any cursor.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sightline_wire::{EventRecord, Utc};

use crate::connection::Store;
use crate::error::StoreError;

/// Most events of one page, whatever is asked for.
const LARGEST_PAGE: u32 = 10_000;

impl Store {
    /// Events with a `seq` above `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The file's failures.
    pub fn events_after(&self, after: u64, limit: u32) -> Result<Vec<EventRecord>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT body FROM events WHERE seq > ? ORDER BY seq LIMIT ?")?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![after, limit.min(LARGEST_PAGE)])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let body = row.get_ref(0)?.as_str().map_err(|e| StoreError::corrupt(e.to_string()))?;
                events.push(serde_json::from_str(body).map_err(|e| StoreError::corrupt(format!("an event: {e}")))?);
            }
            Ok(events)
        })
    }

    /// The newest `seq` ever given, 0 before the first event.
    ///
    /// # Errors
    /// The file's failures.
    pub fn newest_seq(&self) -> Result<u64, StoreError> {
        self.read(newest_seq)
    }
}

fn newest_seq(connection: &Connection) -> Result<u64, StoreError> {
    // AUTOINCREMENT keeps the largest number ever given here, also when the rows are gone.
    let seq: Option<i64> = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(seq.and_then(|seq| u64::try_from(seq).ok()).unwrap_or_default())
}

/// Numbers and stamps `events` and appends them. Returns the newest `seq` when there were any.
pub(crate) fn append_events(
    transaction: &Transaction<'_>,
    events: &mut [EventRecord],
    now: Utc,
) -> Result<Option<u64>, StoreError> {
    if events.is_empty() {
        return Ok(None);
    }
    let mut seq = newest_seq(transaction)?;
    let mut insert = transaction.prepare_cached("INSERT INTO events (seq, body) VALUES (?, ?)")?;
    for event in events {
        seq += 1;
        event.stamp(seq, now);
        let body = serde_json::to_string(event).map_err(|e| StoreError::Invalid(format!("an event: {e}")))?;
        insert.execute(params![i64::try_from(seq).unwrap_or(i64::MAX), body])?;
    }
    Ok(Some(seq))
}
