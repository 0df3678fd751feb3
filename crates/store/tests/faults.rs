//! What goes wrong with the file, and what a killed process leaves behind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use common::{NOW, new_store, person, template, unit};
use sightline_store::{IdentifyBatch, Options, Store, StoreError};
use sightline_wire::service::NewPerson;

#[test]
fn only_the_owner_may_read_the_files() {
    let (folder, store) = new_store();
    person(&store, "Ann");
    let mut seen = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
        seen += 1;
    }
    assert_eq!(seen, 3, "database, log and shared memory");
    // A file that somebody opened up is closed again.
    let path = store.path().to_owned();
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(Store::open(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn missing_folders_are_made_and_impossible_ones_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/sightline.db");
    drop(Store::open(&path).unwrap());
    let below_a_file = path.join("x.db");
    let error = Store::open(&below_a_file).unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error}");
    assert!(error.to_string().contains("sightline.db/x.db"), "{error}");
    assert!(matches!(Store::open(folder.path()).unwrap_err(), StoreError::File { .. }));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let garbage = "this is not a database ".repeat(1000);
    std::fs::write(&path, &garbage).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("backup"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), garbage);
}

#[test]
fn damage_inside_the_file_is_reported_as_damage() {
    let (_folder, store) = new_store();
    let ann = person(&store, "Ann");
    for seed in 0..200 {
        store.add_template(&template(ann.id, "m@1", unit(seed, 512)), NOW).unwrap();
    }
    let path = store.path().to_owned();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let result = Store::open(&path).and_then(|store| store.for_each_template(|_| Ok::<_, StoreError>(())));
    let error = result.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path: named, .. } if *named == path), "{error}");
}

#[test]
fn a_newer_schema_and_a_foreign_database_are_refused() {
    let (folder, store) = new_store();
    let path = store.path().to_owned();
    drop(store);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    let error = Store::open(&foreign).unwrap_err();
    assert!(matches!(&error, StoreError::NotOurs { path } if *path == foreign), "{error}");
}

#[test]
fn a_full_disk_is_named_changes_nothing_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sightline.db");
    let store = Store::open_with(&path, Options { max_pages: Some(60) }).unwrap();
    let ann = person(&store, "Ann");
    let mut stored = 0;
    let error = loop {
        match store.add_template(&template(ann.id, "m@1", unit(stored, 512)), NOW) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 10_000, "the limit does not hold");
    };
    assert!(matches!(&error, StoreError::DiskFull { path: named } if *named == path), "{error}");
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert_eq!(u64::from(store.get_person(ann.id).unwrap().templates), stored);
    let batch =
        IdentifyBatch { processed: (0..10_000).map(|n| format!("message {n}")).collect(), ..Default::default() };
    assert!(matches!(store.commit(batch.clone(), NOW), Err(StoreError::DiskFull { .. })));
    assert_eq!(store.processed(&batch.processed[..1]).unwrap(), [false]);
    drop(store);
    // Room again: everything that was acknowledged is there and the work goes on.
    let store = Store::open(&path).unwrap();
    assert_eq!(u64::from(store.get_person(ann.id).unwrap().templates), stored);
    store.commit(batch.clone(), NOW).unwrap();
    assert_eq!(store.processed(&batch.processed[..1]).unwrap(), [true]);
}

/// Not a test: the process that the next one kills. Prints each name after the store acknowledged it.
#[test]
#[ignore = "is run, and killed, by acknowledged_changes_survive_kill_9"]
fn enroll_until_killed() {
    let Some(path) = std::env::var_os("SIGHTLINE_TEST_DATABASE") else { return };
    let store = Store::open(path.as_ref()).unwrap();
    let mut out = std::io::stdout().lock();
    for number in 0_u64.. {
        let new = NewPerson { name: format!("person {number}"), idempotency_key: None };
        let id = store.create_person(&new, NOW).unwrap().id;
        store.add_template(&template(id, "m@1", unit(number, 128)), NOW).unwrap();
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn acknowledged_changes_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let path = folder.path().join(format!("{round}.db"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "enroll_until_killed", "--ignored", "--nocapture"])
            .env("SIGHTLINE_TEST_DATABASE", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = Vec::new();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines {
            if let Some(number) = line.unwrap().strip_prefix("acknowledged ") {
                acknowledged.push(number.parse::<u64>().unwrap());
                if acknowledged.len() == 20 + round {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(acknowledged.len() >= 20);
        let store = Store::open(&path).unwrap();
        let people = store.list_people().unwrap();
        for number in acknowledged {
            let found = people.iter().find(|p| p.name == format!("person {number}"));
            assert_eq!(found.map(|p| p.templates), Some(1), "person {number}");
        }
    }
}

#[test]
fn whoever_was_overtaken_writes_nothing_more() {
    let (_folder, first) = new_store();
    first.claim().unwrap();
    person(&first, "Ann");
    let second = Store::open(first.path()).unwrap();
    assert_eq!(first.gallery_id().unwrap(), second.gallery_id().unwrap());
    second.claim().unwrap();
    let new = NewPerson { name: "Bob".to_owned(), idempotency_key: None };
    let refused = first.create_person(&new, NOW).unwrap_err();
    assert!(matches!(&refused, StoreError::Fenced { path } if path == first.path()), "{refused}");
    assert!(matches!(first.commit(IdentifyBatch::default(), NOW), Err(StoreError::Fenced { .. })));
    assert_eq!(second.list_people().unwrap().len(), 1);
    second.create_person(&new, NOW).unwrap();
    assert_eq!(first.list_people().unwrap().len(), 2, "reading goes on");
}

#[test]
fn two_galleries_have_different_ids() {
    let ((_a, a), (_b, b)) = (new_store(), new_store());
    let id = a.gallery_id().unwrap();
    assert_eq!(id, a.gallery_id().unwrap());
    assert_ne!(id, b.gallery_id().unwrap());
}
