//! The tables, and how older files become newer ones.

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;

/// "SGHT": marks the file as ours (SQLite's `application_id`).
const APPLICATION_ID: i64 = 0x5347_4854;

/// Step n brings a file from version n to n + 1. Steps that were released are never edited.
const MIGRATIONS: [&str; 1] = [VERSION_1];

/// The version this program writes.
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// UUIDs and visit ids are text, so that the file can be read with any tool; times are nanoseconds since 1970 in UTC;
/// vectors are little-endian f32. A template's vector is in the row itself: with pages of 8 KiB three of 512 dimensions
/// share a page, and a rebuild of the index reads the table from front to back.
const VERSION_1: &str = "
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('gallery_generation', 0);

CREATE TABLE people (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    dimension INTEGER NOT NULL
) STRICT;

CREATE TABLE templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES models (id),
    quality REAL NOT NULL,
    origin TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    vector BLOB NOT NULL
) STRICT;
CREATE INDEX templates_by_person ON templates (person);

CREATE TABLE aliases (
    from_id TEXT PRIMARY KEY,
    into_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sightings (
    visit TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    first_seen_ns INTEGER NOT NULL,
    last_seen_ns INTEGER NOT NULL,
    outcome TEXT,
    person TEXT REFERENCES people (id) ON DELETE SET NULL,
    unknown TEXT,
    score REAL,
    runner_up REAL,
    open_state TEXT
) STRICT;
CREATE INDEX sightings_open ON sightings (visit) WHERE open_state IS NOT NULL;
CREATE INDEX sightings_by_person ON sightings (person) WHERE person IS NOT NULL;
CREATE INDEX sightings_by_unknown ON sightings (unknown) WHERE unknown IS NOT NULL;
CREATE INDEX sightings_by_time ON sightings (first_seen_ns);

CREATE TABLE visit_vectors (
    visit TEXT NOT NULL REFERENCES sightings (visit) ON DELETE CASCADE,
    crop INTEGER NOT NULL,
    weight REAL NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (visit, crop)
) STRICT, WITHOUT ROWID;

CREATE TABLE unknowns (
    id TEXT PRIMARY KEY,
    created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE unknown_vectors (
    unknown TEXT NOT NULL REFERENCES unknowns (id) ON DELETE CASCADE,
    visit TEXT NOT NULL,
    model INTEGER NOT NULL REFERENCES models (id),
    weight REAL NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (unknown, visit)
) STRICT;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE processed (
    id TEXT PRIMARY KEY,
    at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX processed_by_time ON processed (at_ns);

CREATE TABLE cameras (
    id TEXT PRIMARY KEY,
    spec TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE camera_states (
    camera TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL,
    offline INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    call TEXT NOT NULL,
    key TEXT NOT NULL,
    request BLOB NOT NULL,
    reply TEXT NOT NULL,
    person TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    PRIMARY KEY (call, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_person ON idempotency (person);
CREATE INDEX idempotency_by_time ON idempotency (at_ns);
";

/// Brings the file to [`VERSION`]; a new one gets all tables.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // Immediate: two processes that start together must not both migrate.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = recognise(&transaction)?;
    for step in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    if found < VERSION {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

/// The version of a file of ours; 0 for an empty one.
pub(crate) fn recognise(connection: &Connection) -> Result<u32, StoreError> {
    let path = std::path::PathBuf::new;
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || found != 0 || tables != 0) {
        return Err(StoreError::NotOurs { path: path() });
    }
    if found > VERSION {
        return Err(StoreError::NewerSchema { path: path(), found, supported: VERSION });
    }
    Ok(found)
}
