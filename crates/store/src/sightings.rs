//! One row a visit, and what an open visit needs to go on after a restart.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sightline_wire::{CameraId, Outcome, PersonId, UnknownId, Utc, VisitId};

use crate::connection::Store;
use crate::error::StoreError;
use crate::vector::{from_blob, to_blob};

/// The sighting of a visit.
#[derive(Clone, Debug, PartialEq)]
pub struct SightingRow {
    /// The visit.
    pub visit: VisitId,
    /// Where.
    pub camera: CameraId,
    /// Capture time of the first frame.
    pub first_seen: Utc,
    /// Capture time of the last frame so far.
    pub last_seen: Utc,
    /// The decision, once there is one.
    pub outcome: Option<Outcome>,
    /// Who, when known.
    pub person: Option<PersonId>,
    /// The stranger's id, when there is one.
    pub unknown: Option<UnknownId>,
    /// Cosine with the best template.
    pub score: Option<f32>,
    /// The same for the best other person.
    pub runner_up: Option<f32>,
    /// What identify needs to go on with an open visit (its own format); `None` closes the visit and drops its vectors.
    pub open_state: Option<String>,
}

/// A crop's vector, kept while its visit is open.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitVector {
    /// The visit.
    pub visit: VisitId,
    /// Number of the crop.
    pub crop: u32,
    /// Its weight in the fusion.
    pub weight: f32,
    /// The unit vector.
    pub vector: Vec<f32>,
}

/// An open visit as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenVisit {
    /// The visit.
    pub visit: VisitId,
    /// [`SightingRow::open_state`].
    pub state: String,
    /// Its vectors, by crop.
    pub vectors: Vec<VisitVector>,
}

/// What the store knows of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitState {
    /// Never heard of.
    New,
    /// Going on.
    Open,
    /// Over: nothing changes it any more.
    Closed,
}

impl Store {
    /// What is known of a visit.
    ///
    /// # Errors
    /// The file's failures.
    pub fn visit_state(&self, visit: &VisitId) -> Result<VisitState, StoreError> {
        self.read(|connection| {
            let open: Option<bool> = connection
                .prepare_cached("SELECT open_state IS NOT NULL FROM sightings WHERE visit = ?")?
                .query_row([visit.as_str()], |row| row.get(0))
                .optional()?;
            Ok(match open {
                None => VisitState::New,
                Some(true) => VisitState::Open,
                Some(false) => VisitState::Closed,
            })
        })
    }

    /// The visits that were open when the process ended, with their vectors.
    ///
    /// # Errors
    /// The file's failures.
    pub fn open_visits(&self) -> Result<Vec<OpenVisit>, StoreError> {
        self.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let mut vectors = open_vectors(&snapshot)?;
            let mut statement =
                snapshot.prepare_cached("SELECT visit, open_state FROM sightings WHERE open_state IS NOT NULL")?;
            let visits = statement.query_and_then([], |row| {
                let visit = parse_visit(row, 0)?;
                let vectors = vectors.remove(&visit).unwrap_or_default();
                Ok(OpenVisit { visit, state: row.get(1)?, vectors })
            })?;
            visits.collect()
        })
    }

    /// A visit's sighting.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and the file's failures.
    pub fn sighting(&self, visit: &VisitId) -> Result<SightingRow, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT visit, camera, first_seen_ns, last_seen_ns, outcome, person, unknown, score, runner_up, open_state
                 FROM sightings WHERE visit = ?",
            )?;
            let found = statement.query_and_then([visit.as_str()], read_sighting)?.next();
            found.unwrap_or_else(|| Err(StoreError::not_found("visit", visit)))
        })
    }
}

pub(crate) fn put_sightings(transaction: &Transaction<'_>, sightings: &[SightingRow]) -> Result<(), StoreError> {
    // A person who was removed a moment ago is not in the table any more: the sighting then has none.
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO sightings (visit, camera, first_seen_ns, last_seen_ns, outcome, person, unknown, score, runner_up, open_state)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT id FROM people WHERE id = ?6), ?7, ?8, ?9, ?10)
         ON CONFLICT (visit) DO UPDATE SET last_seen_ns = excluded.last_seen_ns, outcome = excluded.outcome,
             person = excluded.person, unknown = excluded.unknown, score = excluded.score,
             runner_up = excluded.runner_up, open_state = excluded.open_state",
    )?;
    for row in sightings {
        upsert.execute(params![
            row.visit.as_str(),
            row.camera.as_str(),
            row.first_seen.unix_ns(),
            row.last_seen.unix_ns(),
            row.outcome.map(Outcome::as_str),
            row.person.map(|id| id.to_string()),
            row.unknown.map(|id| id.to_string()),
            row.score.map(f64::from),
            row.runner_up.map(f64::from),
            row.open_state
        ])?;
    }
    Ok(())
}

pub(crate) fn put_visit_vectors(transaction: &Transaction<'_>, vectors: &[VisitVector]) -> Result<(), StoreError> {
    let mut insert = transaction
        .prepare_cached("INSERT OR REPLACE INTO visit_vectors (visit, crop, weight, vector) VALUES (?, ?, ?, ?)")?;
    for row in vectors {
        insert.execute(params![row.visit.as_str(), row.crop, f64::from(row.weight), to_blob(&row.vector)])?;
    }
    Ok(())
}

pub(crate) fn close_visits(transaction: &Transaction<'_>, sightings: &[SightingRow]) -> Result<(), StoreError> {
    let mut delete = transaction.prepare_cached("DELETE FROM visit_vectors WHERE visit = ?")?;
    for row in sightings.iter().filter(|row| row.open_state.is_none()) {
        delete.execute([row.visit.as_str()])?;
    }
    Ok(())
}

fn open_vectors(connection: &Connection) -> Result<HashMap<VisitId, Vec<VisitVector>>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT visit, crop, weight, vector FROM visit_vectors ORDER BY visit, crop")?;
    let rows = statement.query_and_then([], |row| {
        Ok(VisitVector {
            visit: parse_visit(row, 0)?,
            crop: row.get(1)?,
            weight: row.get(2)?,
            vector: read_vector(row, 3)?,
        })
    })?;
    let mut by_visit: HashMap<VisitId, Vec<VisitVector>> = HashMap::new();
    for row in rows {
        let row: VisitVector = row.map_err(|e: StoreError| e)?;
        by_visit.entry(row.visit.clone()).or_default().push(row);
    }
    Ok(by_visit)
}

fn read_sighting(row: &Row<'_>) -> Result<SightingRow, StoreError> {
    let corrupt = |e: &dyn std::fmt::Display| StoreError::corrupt(format!("sightings: {e}"));
    let text = |column: usize| row.get::<_, Option<String>>(column);
    let outcome = text(4)?
        .map(|name| serde_json::from_value(serde_json::Value::String(name)))
        .transpose()
        .map_err(|e| corrupt(&e))?;
    Ok(SightingRow {
        visit: parse_visit(row, 0)?,
        camera: row.get::<_, String>(1)?.parse().map_err(|e| corrupt(&e))?,
        first_seen: Utc::from_unix_ns(row.get(2)?),
        last_seen: Utc::from_unix_ns(row.get(3)?),
        outcome,
        person: text(5)?.map(|id| id.parse()).transpose().map_err(|e| corrupt(&e))?,
        unknown: text(6)?.map(|id| id.parse()).transpose().map_err(|e| corrupt(&e))?,
        score: row.get(7)?,
        runner_up: row.get(8)?,
        open_state: text(9)?,
    })
}

pub(crate) fn parse_visit(row: &Row<'_>, column: usize) -> Result<VisitId, StoreError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|e| StoreError::corrupt(format!("a visit: {e}")))
}

pub(crate) fn read_vector(row: &Row<'_>, column: usize) -> Result<Vec<f32>, StoreError> {
    let blob = row.get_ref(column)?.as_blob().map_err(|e| StoreError::corrupt(e.to_string()))?;
    let mut vector = Vec::new();
    from_blob(blob, &mut vector)?;
    Ok(vector)
}
