//! Tables: what is put is read by everybody, and every change reaches those who watch.

use std::time::{Duration, Instant};

use sightline_stage::bus::BusError;
use sightline_stage::table::{Entries, Table};
use tokio::sync::watch;

use crate::common::{PATIENCE, Site};

on_both_buses!(
    put_get_and_delete,
    who_watches_sees_every_change,
    who_comes_later_sees_everything,
    many_writers_of_different_keys,
    changes_of_one_entry_follow_each_other,
    entries_of_another_type_are_left_out,
    names_that_cannot_be,
);

const BAD_NAMES: [&str; 7] = ["", "a.b", "two words", "*", ">", "ä", "a/b"];

/// The entries as soon as `holds`.
async fn seen<V>(entries: &mut watch::Receiver<Entries<V>>, holds: impl Fn(&Entries<V>) -> bool) -> Entries<V> {
    let waiting = entries.wait_for(holds);
    tokio::time::timeout(PATIENCE, waiting).await.expect("the change is seen").unwrap().clone()
}

fn keys<V>(entries: &Entries<V>) -> Vec<&str> {
    entries.keys().map(String::as_str).collect()
}

async fn put_get_and_delete(site: Site) {
    let table: Table<String> = site.bus.table("cameras").await.unwrap();
    let other: Table<String> = site.peer().await.table("cameras").await.unwrap();
    assert_eq!(other.get("lobby").await.unwrap(), None);
    table.put("lobby", &"rtsp://a".to_owned()).await.unwrap();
    assert_eq!(other.get("lobby").await.unwrap().as_deref(), Some("rtsp://a"));
    other.put("lobby", &"rtsp://b".to_owned()).await.unwrap();
    assert_eq!(table.get("lobby").await.unwrap().as_deref(), Some("rtsp://b"));
    other.delete("lobby").await.unwrap();
    assert_eq!(table.get("lobby").await.unwrap(), None);
    table.delete("lobby").await.unwrap();
    table.delete("never-there").await.unwrap();
    // Another table is another one.
    let states: Table<String> = site.bus.table("states").await.unwrap();
    table.put("gate", &"x".to_owned()).await.unwrap();
    assert_eq!(states.get("gate").await.unwrap(), None);
}

async fn who_watches_sees_every_change(site: Site) {
    let table: Table<u32> = site.bus.table("cameras").await.unwrap();
    table.put("before", &1).await.unwrap();
    let mut own = table.subscribe();
    let mut foreign = site.peer().await.table::<u32>("cameras").await.unwrap().subscribe();
    for entries in [&mut own, &mut foreign] {
        assert_eq!(keys(&seen(entries, |entries| !entries.is_empty()).await), ["before"]);
    }
    table.put("later", &2).await.unwrap();
    for entries in [&mut own, &mut foreign] {
        assert_eq!(seen(entries, |entries| entries.len() == 2).await["later"], 2);
    }
    table.put("later", &3).await.unwrap();
    table.delete("before").await.unwrap();
    for entries in [&mut own, &mut foreign] {
        let now = seen(entries, |entries| !entries.contains_key("before")).await;
        assert_eq!((keys(&now), now["later"]), (vec!["later"], 3));
    }
    table.put("before", &4).await.unwrap();
    for entries in [&mut own, &mut foreign] {
        assert_eq!(seen(entries, |entries| entries.contains_key("before")).await["before"], 4);
    }
}

async fn who_comes_later_sees_everything(site: Site) {
    let table: Table<usize> = site.bus.table("cameras").await.unwrap();
    for at in 0..50 {
        table.put(&format!("camera-{at}"), &at).await.unwrap();
    }
    table.delete("camera-7").await.unwrap();
    let began = Instant::now();
    let mut entries = site.peer().await.table::<usize>("cameras").await.unwrap().subscribe();
    let now = seen(&mut entries, |entries| entries.len() >= 49).await;
    assert!(now.iter().all(|(key, at)| *key == format!("camera-{at}")) && !now.contains_key("camera-7"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

async fn many_writers_of_different_keys(site: Site) {
    let mut entries = site.bus.table::<usize>("states").await.unwrap().subscribe();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let table: Table<usize> = site.peer().await.table("states").await.unwrap();
        writers.spawn(async move {
            for value in 0..20 {
                table.put(&format!("worker-{writer}"), &value).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let settled = seen(&mut entries, |entries| entries.len() == 4 && entries.values().all(|value| *value == 19)).await;
    assert_eq!(settled.len(), 4);
}

/// What epochs are claimed with: of several who change an entry, each sees what the one before has written.
async fn changes_of_one_entry_follow_each_other(site: Site) {
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let table: Table<u64> = site.peer().await.table("epochs").await.unwrap();
        writers.spawn(async move {
            let mut claimed = Vec::new();
            for _ in 0..10 {
                claimed.push(table.change("lobby", |before| before.unwrap_or(0) + 1).await.unwrap());
            }
            claimed
        });
    }
    let mut claimed: Vec<u64> = writers.join_all().await.into_iter().flatten().collect();
    claimed.sort_unstable();
    assert_eq!(claimed, (1..=40).collect::<Vec<_>>(), "no number twice");
    let table: Table<u64> = site.bus.table("epochs").await.unwrap();
    assert_eq!(table.get("lobby").await.unwrap(), Some(40));
    table.delete("lobby").await.unwrap();
    assert_eq!(table.change("lobby", |before| before.unwrap_or(100)).await.unwrap(), 100, "after a removal");
}

async fn entries_of_another_type_are_left_out(site: Site) {
    site.bus.table::<String>("cameras").await.unwrap().put("words", &"no number".to_owned()).await.unwrap();
    let table: Table<u32> = site.bus.table("cameras").await.unwrap();
    table.put("number", &7).await.unwrap();
    let now = seen(&mut table.subscribe(), |entries| !entries.is_empty()).await;
    assert_eq!(keys(&now), ["number"]);
    assert_eq!(table.get("words").await.unwrap(), None);
}

async fn names_that_cannot_be(site: Site) {
    let table: Table<u32> = site.bus.table("cameras").await.unwrap();
    let long = "a".repeat(65);
    for name in BAD_NAMES.into_iter().chain([long.as_str()]) {
        assert!(matches!(site.bus.table::<u32>(name).await, Err(BusError::Name { .. })), "{name:?}");
        let change = table.change(name, |before| before.unwrap_or(0)).await.map(drop);
        for outcome in [table.put(name, &1).await, table.delete(name).await, table.get(name).await.map(drop), change] {
            match outcome {
                Err(BusError::Name { name: said, .. }) => assert_eq!(said, name),
                other => panic!("{name:?}: {other:?}"),
            }
        }
    }
    table.put(&"a".repeat(64), &1).await.unwrap();
    table.put("A-z_09", &1).await.unwrap();
}
