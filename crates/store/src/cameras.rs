//! Cameras that were added at run time, and the last word heard of every camera.

use rusqlite::{Row, Transaction, params};
use sightline_wire::{CameraId, CameraSpec, CameraState, Utc};

use crate::connection::Store;
use crate::error::StoreError;

/// The last word about a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraStateRow {
    /// Which camera.
    pub camera: CameraId,
    /// The epoch the word is from.
    pub epoch: u64,
    /// What it does.
    pub state: CameraState,
    /// The last camera event said `offline`.
    pub offline: bool,
    /// Since when.
    pub at: Utc,
    /// Why, in one line.
    pub detail: String,
}

impl Store {
    /// Adds or replaces a camera. The source is stored as it is given: seal its secret first.
    ///
    /// # Errors
    /// The file's failures.
    pub fn put_camera(&self, spec: &CameraSpec) -> Result<(), StoreError> {
        let text = serde_json::to_string(spec).map_err(|e| StoreError::Invalid(e.to_string()))?;
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO cameras (id, spec) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET spec = excluded.spec",
                params![spec.id.as_str(), text],
            )?;
            Ok(())
        })
    }

    /// All cameras by id, sources as they were stored.
    ///
    /// # Errors
    /// The file's failures.
    pub fn list_cameras(&self) -> Result<Vec<CameraSpec>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT spec FROM cameras ORDER BY id")?;
            let specs = statement.query_and_then([], |row| {
                let text: String = row.get(0)?;
                serde_json::from_str(&text).map_err(|e| StoreError::corrupt(format!("a camera: {e}")))
            })?;
            specs.collect()
        })
    }

    /// Removes a camera and what was heard of it; its sightings and events stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and the file's failures.
    pub fn remove_camera(&self, id: &CameraId) -> Result<(), StoreError> {
        self.write(|transaction| {
            if transaction.execute("DELETE FROM cameras WHERE id = ?", [id.as_str()])? == 0 {
                return Err(StoreError::not_found("camera", id));
            }
            transaction.execute("DELETE FROM camera_states WHERE camera = ?", [id.as_str()])?;
            Ok(())
        })
    }

    /// The last word about every camera that was ever heard of.
    ///
    /// # Errors
    /// The file's failures.
    pub fn camera_states(&self) -> Result<Vec<CameraStateRow>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT camera, epoch, state, offline, at_ns, detail FROM camera_states ORDER BY camera",
            )?;
            let states = statement.query_and_then([], read_state)?;
            states.collect()
        })
    }
}

fn read_state(row: &Row<'_>) -> Result<CameraStateRow, StoreError> {
    let (camera, state): (String, String) = (row.get(0)?, row.get(2)?);
    let state = CameraState::ALL.into_iter().find(|s| s.as_str() == state);
    Ok(CameraStateRow {
        camera: camera.parse().map_err(|e| StoreError::corrupt(format!("camera_states: {e}")))?,
        epoch: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        state: state.ok_or_else(|| StoreError::corrupt("camera_states: an unknown state"))?,
        offline: row.get(3)?,
        at: Utc::from_unix_ns(row.get(4)?),
        detail: row.get(5)?,
    })
}

pub(crate) fn put_states(transaction: &Transaction<'_>, states: &[CameraStateRow]) -> Result<(), StoreError> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO camera_states (camera, epoch, state, offline, at_ns, detail) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (camera) DO UPDATE SET epoch = excluded.epoch, state = excluded.state,
             offline = excluded.offline, at_ns = excluded.at_ns, detail = excluded.detail",
    )?;
    for row in states {
        upsert.execute(params![
            row.camera.as_str(),
            i64::try_from(row.epoch).unwrap_or(i64::MAX),
            row.state.as_str(),
            row.offline,
            row.at.unix_ns(),
            row.detail
        ])?;
    }
    Ok(())
}
