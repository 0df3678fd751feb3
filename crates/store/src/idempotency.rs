//! Calls that may be repeated: the same key and content give the same answer and change nothing.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sightline_wire::{PersonId, Utc};

use crate::error::StoreError;

/// Longest key, bytes: a UUID or a hash is far below.
const LONGEST_KEY: usize = 200;

/// One keyed request.
pub(crate) struct Keyed<'a> {
    call: &'static str,
    key: &'a str,
    request: Vec<u8>,
}

impl<'a> Keyed<'a> {
    /// `None` when the caller gave no key.
    pub(crate) fn new(
        call: &'static str,
        key: Option<&'a String>,
        request: &impl Serialize,
    ) -> Result<Option<Self>, StoreError> {
        let Some(key) = key else { return Ok(None) };
        if key.is_empty() || key.len() > LONGEST_KEY {
            return Err(StoreError::Invalid(format!("an idempotency key has 1 to {LONGEST_KEY} bytes")));
        }
        let text = serde_json::to_vec(request).map_err(|e| StoreError::Invalid(e.to_string()))?;
        Ok(Some(Self { call, key, request: Sha256::digest(text).to_vec() }))
    }

    /// The answer given before, if there was one.
    pub(crate) fn answered<R: DeserializeOwned>(&self, transaction: &Transaction<'_>) -> Result<Option<R>, StoreError> {
        let found: Option<(Vec<u8>, String)> = transaction
            .prepare_cached("SELECT request, reply FROM idempotency WHERE call = ? AND key = ?")?
            .query_row(params![self.call, self.key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((request, reply)) = found else { return Ok(None) };
        if request != self.request {
            return Err(StoreError::KeyReused { key: self.key.to_owned() });
        }
        serde_json::from_str(&reply).map(Some).map_err(|e| StoreError::corrupt(format!("an idempotency reply: {e}")))
    }

    /// Remembers the answer; it goes with the person it is about.
    pub(crate) fn remember(
        &self,
        transaction: &Transaction<'_>,
        reply: &impl Serialize,
        person: PersonId,
        now: Utc,
    ) -> Result<(), StoreError> {
        let reply = serde_json::to_string(reply).map_err(|e| StoreError::Invalid(e.to_string()))?;
        transaction
            .prepare_cached(
                "INSERT INTO idempotency (call, key, request, reply, person, at_ns) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![self.call, self.key, self.request, reply, person.to_string(), now.unix_ns()])?;
        Ok(())
    }
}
