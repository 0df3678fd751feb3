//! What the store's tests share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use sightline_store::{SightingRow, Store};
use sightline_wire::service::{NewPerson, NewTemplate, Person};
use sightline_wire::{Outcome, PersonId, Utc, VisitId};
use tempfile::TempDir;

/// A fixed moment: the store is handed its time.
pub(crate) const NOW: Utc = Utc::from_unix_ns(1_764_000_000_000_000_000);

/// A new database in a folder that goes away with the test.
pub(crate) fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sightline.db")).unwrap();
    (folder, store)
}

/// A unit vector of `dimension` numbers; different seeds give different directions.
pub(crate) fn unit(seed: u64, dimension: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let raw: Vec<f32> = (0..dimension).map(|_| next()).collect();
    let length = raw.iter().map(|v| v * v).sum::<f32>().sqrt();
    raw.iter().map(|v| v / length).collect()
}

pub(crate) fn person(store: &Store, name: &str) -> Person {
    store.create_person(&NewPerson { name: name.to_owned(), idempotency_key: None }, NOW).unwrap()
}

pub(crate) fn template(person: PersonId, embedder: &str, vector: Vec<f32>) -> NewTemplate {
    NewTemplate {
        person,
        embedder: embedder.to_owned(),
        vector,
        quality: 0.9,
        origin: "a.png".to_owned(),
        idempotency_key: None,
    }
}

pub(crate) fn visit(number: u32) -> VisitId {
    format!("lobby-1-{number}-0").parse().unwrap()
}

pub(crate) fn sighting(number: u32, person: Option<PersonId>, open: bool) -> SightingRow {
    SightingRow {
        visit: visit(number),
        camera: "lobby".parse().unwrap(),
        first_seen: NOW,
        last_seen: NOW.plus_ns(1_000_000_000),
        outcome: Some(if person.is_some() { Outcome::Known } else { Outcome::TooSmall }),
        person,
        unknown: None,
        score: person.map(|_| 0.5),
        runner_up: None,
        open_state: open.then(|| "{}".to_owned()),
    }
}
