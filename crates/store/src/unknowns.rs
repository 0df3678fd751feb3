//! Strangers: what they looked like, and who turned out to be the same.

use rusqlite::{Transaction, params};
use sightline_wire::{AliasKind, UnknownId, Utc, VisitId};

use crate::connection::Store;
use crate::error::StoreError;
use crate::identify::IdentifyBatch;
use crate::people::insert_alias;
use crate::sightings::{parse_visit, read_vector};
use crate::templates::model_number;
use crate::vector::to_blob;

/// What a stranger looked like in one visit: a fused vector.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownVector {
    /// The stranger.
    pub unknown: UnknownId,
    /// The visit it is from; a stranger has one vector a visit.
    pub visit: VisitId,
    /// The embedder's model id.
    pub model: String,
    /// Sum of the weights of what was fused.
    pub weight: f32,
    /// The unit vector.
    pub vector: Vec<f32>,
}

impl Store {
    /// The vectors of all strangers that were made with `model`.
    ///
    /// # Errors
    /// The file's failures.
    pub fn unknown_vectors(&self, model: &str) -> Result<Vec<UnknownVector>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT unknown, visit, weight, vector FROM unknown_vectors
                 WHERE model = (SELECT id FROM models WHERE name = ?) ORDER BY unknown, visit",
            )?;
            let found = statement.query_and_then([model], |row| {
                let unknown: String = row.get(0)?;
                Ok(UnknownVector {
                    unknown: unknown.parse().map_err(|e| StoreError::corrupt(format!("unknown_vectors: {e}")))?,
                    visit: parse_visit(row, 1)?,
                    model: model.to_owned(),
                    weight: row.get(2)?,
                    vector: read_vector(row, 3)?,
                })
            })?;
            found.collect()
        })
    }
}

pub(crate) fn put_unknowns(transaction: &Transaction<'_>, batch: &IdentifyBatch, now: Utc) -> Result<(), StoreError> {
    // Aliases first: what this batch says about a visit is newer than what moves.
    for (from, into) in &batch.aliases {
        let (from, into) = (from.to_string(), into.to_string());
        transaction.execute("UPDATE OR REPLACE unknown_vectors SET unknown = ? WHERE unknown = ?", [&into, &from])?;
        transaction.execute("UPDATE sightings SET unknown = ? WHERE unknown = ?", [&into, &from])?;
        transaction.execute("DELETE FROM unknowns WHERE id = ?", [&from])?;
        insert_alias(transaction, AliasKind::Unknown, &from, &into, now)?;
    }
    let mut found = transaction.prepare_cached("INSERT OR IGNORE INTO unknowns (id, created_ns) VALUES (?, ?)")?;
    let mut upsert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO unknown_vectors (unknown, visit, model, weight, vector) VALUES (?, ?, ?, ?, ?)",
    )?;
    for row in &batch.unknown_vectors {
        let unknown = row.unknown.to_string();
        let model = model_number(transaction, &row.model, &row.vector)?;
        found.execute(params![unknown, now.unix_ns()])?;
        upsert.execute(params![unknown, row.visit.as_str(), model, f64::from(row.weight), to_blob(&row.vector)])?;
    }
    let mut drop = transaction.prepare_cached("DELETE FROM unknown_vectors WHERE unknown = ? AND visit = ?")?;
    for (unknown, visit) in &batch.dropped_unknown_vectors {
        drop.execute(params![unknown.to_string(), visit.as_str()])?;
    }
    Ok(())
}
