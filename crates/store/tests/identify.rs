//! The transaction of identify, the event log, cameras.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{NOW, new_store, sighting, unit, visit};
use sightline_store::{CameraStateRow, IdentifyBatch, Store, StoreError, UnknownVector, VisitState, VisitVector};
use sightline_wire::{CameraEvent, CameraSpec, CameraState, EventRecord, UnknownId};

fn camera_event() -> EventRecord {
    EventRecord::Camera(CameraEvent {
        schema: CameraEvent::SCHEMA.to_owned(),
        seq: 0,
        kind: "offline".to_owned(),
        camera: "lobby".parse().unwrap(),
        state: CameraState::Stalled,
        at: NOW,
        publish_ts: NOW,
        detail: "no frame for 5 s".to_owned(),
    })
}

fn events(count: usize) -> IdentifyBatch {
    IdentifyBatch { events: vec![camera_event(); count], ..Default::default() }
}

#[test]
fn events_are_numbered_without_gaps_and_without_reuse() {
    let (folder, store) = new_store();
    assert_eq!(store.newest_seq().unwrap(), 0);
    let first = store.commit(events(3), NOW).unwrap();
    assert_eq!(first.iter().map(EventRecord::seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.events_after(0, 100).unwrap(), first);
    assert_eq!(store.events_after(1, 1).unwrap()[0].seq(), 2);
    assert_eq!(store.events_after(3, 100).unwrap(), []);
    assert_eq!(store.events_after(u64::MAX, 100).unwrap(), []);
    let path = folder.path().join("sightline.db");
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.commit(events(1), NOW).unwrap()[0].seq(), 4);
    assert_eq!(store.newest_seq().unwrap(), 4);
}

#[test]
fn listeners_hear_of_new_events_after_they_are_readable() {
    let (_folder, store) = new_store();
    let heard = Arc::new(AtomicU64::new(0));
    let listener = heard.clone();
    store.on_new_events(move |seq| listener.store(seq, Ordering::SeqCst));
    store.commit(IdentifyBatch::default(), NOW).unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    store.commit(events(2), NOW).unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 2);
}

#[test]
fn a_message_takes_effect_once_and_a_refused_batch_leaves_nothing() {
    let (_folder, store) = new_store();
    let ids = ["a".to_owned(), "b".to_owned()];
    assert_eq!(store.processed(&ids).unwrap(), [false, false]);
    let batch = IdentifyBatch { processed: vec!["a".to_owned()], ..events(1) };
    store.commit(batch, NOW).unwrap();
    assert_eq!(store.processed(&ids).unwrap(), [true, false]);
    let again = IdentifyBatch {
        processed: vec!["b".to_owned(), "a".to_owned()],
        sightings: vec![sighting(1, None, true)],
        ..events(1)
    };
    assert!(matches!(store.commit(again, NOW), Err(StoreError::AlreadyProcessed { id }) if id == "a"));
    assert_eq!(store.processed(&ids).unwrap(), [true, false]);
    assert_eq!((store.newest_seq().unwrap(), store.visit_state(&visit(1)).unwrap()), (1, VisitState::New));
    store.prune(NOW.plus_ns(25 * 3600 * 1_000_000_000)).unwrap();
    assert_eq!(store.processed(&ids).unwrap(), [false, false]);
}

#[test]
fn open_visits_come_back_with_their_vectors_and_closed_ones_do_not() {
    let (folder, store) = new_store();
    let vector = |crop| VisitVector { visit: visit(1), crop, weight: 0.25, vector: unit(u64::from(crop), 8) };
    let batch = IdentifyBatch {
        sightings: vec![sighting(1, None, true), sighting(2, None, true), sighting(3, None, false)],
        vectors: vec![vector(2), vector(0)],
        ..Default::default()
    };
    store.commit(batch, NOW).unwrap();
    drop(store);
    let store = Store::open(&folder.path().join("sightline.db")).unwrap();
    let mut open = store.open_visits().unwrap();
    open.sort_by(|a, b| a.visit.cmp(&b.visit));
    assert_eq!(open.iter().map(|v| v.visit.clone()).collect::<Vec<_>>(), [visit(1), visit(2)]);
    assert_eq!(open[0].vectors, [vector(0), vector(2)]);
    assert_eq!(store.visit_state(&visit(3)).unwrap(), VisitState::Closed);
    let close = IdentifyBatch { sightings: vec![sighting(1, None, false)], ..Default::default() };
    store.commit(close, NOW).unwrap();
    assert_eq!(store.visit_state(&visit(1)).unwrap(), VisitState::Closed);
    let open = store.open_visits().unwrap();
    assert_eq!((open.len(), open[0].vectors.len()), (1, 0));
    assert_eq!(store.sighting(&visit(1)).unwrap(), sighting(1, None, false));
}

#[test]
fn merged_strangers_keep_their_vectors_and_sightings() {
    let (_folder, store) = new_store();
    let (older, newer) = (UnknownId::generate(), UnknownId::generate());
    let vector = |unknown, number: u32| UnknownVector {
        unknown,
        visit: visit(number),
        model: "m@1".to_owned(),
        weight: 1.0,
        vector: unit(u64::from(number), 8),
    };
    let mut seen = sighting(2, None, false);
    seen.unknown = Some(newer);
    let batch = IdentifyBatch {
        sightings: vec![seen],
        unknown_vectors: vec![vector(older, 1), vector(newer, 2), vector(newer, 3)],
        ..Default::default()
    };
    store.commit(batch, NOW).unwrap();
    assert_eq!(store.unknown_vectors("m@1").unwrap().len(), 3);
    assert_eq!(store.unknown_vectors("other@1").unwrap(), []);
    let batch = IdentifyBatch {
        aliases: vec![(newer, older)],
        dropped_unknown_vectors: vec![(older, visit(1))],
        ..Default::default()
    };
    store.commit(batch, NOW).unwrap();
    assert_eq!(store.unknown_vectors("m@1").unwrap(), [vector(older, 2), vector(older, 3)]);
    assert_eq!(store.sighting(&visit(2)).unwrap().unknown, Some(older));
}

#[test]
fn cameras_and_their_states_are_kept() {
    let (folder, store) = new_store();
    let spec = |id: &str, fps: f64| -> CameraSpec {
        serde_json::from_value(serde_json::json!({"id": id, "source": "rtsp://a:sealed@h/x", "fps": fps})).unwrap()
    };
    store.put_camera(&spec("b", 5.0)).unwrap();
    store.put_camera(&spec("a", 5.0)).unwrap();
    store.put_camera(&spec("b", 7.0)).unwrap();
    let state = |epoch| CameraStateRow {
        camera: "b".parse().unwrap(),
        epoch,
        state: CameraState::Unauthorized,
        offline: true,
        at: NOW,
        detail: "401".to_owned(),
    };
    for epoch in [1, 2] {
        store.commit(IdentifyBatch { cameras: vec![state(epoch)], ..Default::default() }, NOW).unwrap();
    }
    drop(store);
    let store = Store::open(&folder.path().join("sightline.db")).unwrap();
    assert_eq!(store.list_cameras().unwrap(), [spec("a", 5.0), spec("b", 7.0)]);
    assert_eq!(store.list_cameras().unwrap()[1].source.expose(), "rtsp://a:sealed@h/x");
    assert_eq!(store.camera_states().unwrap(), [state(2)]);
    store.remove_camera(&"b".parse().unwrap()).unwrap();
    assert_eq!((store.list_cameras().unwrap().len(), store.camera_states().unwrap().len()), (1, 0));
    assert!(matches!(store.remove_camera(&"b".parse().unwrap()), Err(StoreError::NotFound { .. })));
}
