//! `kill -9` of every kind of worker and of the broker, in the middle of the work: what is stored takes effect once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::time::Duration;

use serde_json::{Value, json};
use sightline_testkit::clip;
use sightline_tests::{
    Ledger, ONE_OF_EACH, PATIENCE, Site, assert_one_life_each, brief, rtsp_cameras, side_by_side, visits, wait_until,
};

/// The quick embedder: the more messages, the more there is to lose.
const QUICK: &str = "models: {embedder: dlib}\n";

/// Visits of a ledger: eight seconds of sending.
const VISITS: usize = 200;

/// So far into the sending trouble begins.
const RUN_UP: Duration = Duration::from_secs(2);

fn wait_ready(site: &Site, worker: usize) {
    wait_until("ready", PATIENCE, || site.fleet.is_ready(worker)).unwrap();
}

/// Sends a ledger, makes trouble meanwhile, and checks that nothing was lost or doubled.
fn the_ledger_holds(workers: &[&str], trouble: impl FnOnce(&mut Site)) {
    let mut site = Site::over_nats(workers, QUICK).unwrap();
    let ledger = Ledger::start(&site, VISITS).unwrap();
    std::thread::sleep(RUN_UP);
    trouble(&mut site);
    ledger.finish().unwrap().check(site).unwrap();
}

#[test]
fn nothing_is_lost_when_embed_is_killed() {
    let _turn = side_by_side();
    the_ledger_holds(&["embed", "embed", "track", "detect", "identify gateway"], |site| {
        for round in 0..3 {
            let victim = round % 2;
            site.fleet.kill(victim).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            site.fleet.restart(victim).unwrap();
            wait_ready(site, victim);
        }
    });
}

#[test]
fn nothing_is_lost_when_identify_is_killed() {
    let _turn = side_by_side();
    the_ledger_holds(&["embed", "track", "detect", "identify gateway"], |site| {
        for _ in 0..2 {
            site.fleet.kill(3).unwrap();
            site.fleet.restart(3).unwrap();
            wait_ready(site, 3);
        }
    });
}

#[test]
fn nothing_is_lost_when_the_broker_is_killed() {
    let _turn = side_by_side();
    the_ledger_holds(&["embed", "track", "detect", "identify gateway"], |site| {
        for _ in 0..2 {
            let nats = site.nats.as_mut().unwrap();
            nats.kill().unwrap();
            std::thread::sleep(Duration::from_secs(1));
            nats.restart().unwrap();
            std::thread::sleep(Duration::from_secs(1));
        }
    });
}

#[test]
fn nothing_is_lost_when_all_are_killed() {
    let _turn = side_by_side();
    the_ledger_holds(&["embed", "track", "detect", "identify gateway"], |site| {
        for worker in 0..4 {
            site.fleet.kill(worker).unwrap();
        }
        let nats = site.nats.as_mut().unwrap();
        nats.kill().unwrap();
        nats.restart().unwrap();
        for worker in 0..4 {
            site.fleet.restart(worker).unwrap();
        }
        for worker in 0..4 {
            wait_ready(site, worker);
        }
    });
}

#[test]
fn no_frame_is_lost_when_detect_is_killed() {
    let _turn = side_by_side();
    let mut site =
        Site::over_nats(&["detect", "detect", "ingest", "track", "embed", "identify gateway"], QUICK).unwrap();
    let file = clip("cap13_edit2").unwrap();
    site.put_camera(&json!({"id": "film", "source": file.to_str(), "fps": 5, "mode": "complete"})).unwrap();
    let count = |site: &Site, name: &str, labels: &str| site.metric(name, labels).unwrap_or(0.0);
    let followed = |site: &Site| count(site, "sightline_track_frames_total", "result=\"ok\"");
    for victim in [0, 1] {
        let before = followed(&site);
        wait_until("frames", PATIENCE, || followed(&site) >= before + 15.0).unwrap();
        site.fleet.kill(victim).unwrap();
        site.fleet.restart(victim).unwrap();
    }
    let events = site.wait_for_events("the end", |events| visits(events).any(|event| event["type"] == "end")).unwrap();
    assert_one_life_each(&events);
    // 765 frames at 25 a second are 153 at 5. One that was with a killed worker comes again after the others have gone on: late.
    let seen = |site: &Site| followed(site) + count(site, "sightline_track_frames_total", "result=\"late\"");
    wait_until("every frame", PATIENCE, || seen(&site) >= 153.0).unwrap();
    assert_eq!(count(&site, "sightline_ingest_frames_total", ""), 153.0);
    assert_eq!((seen(&site), count(&site, "sightline_dead_letters_total", "")), (153.0, 0.0));
    assert!(followed(&site) >= 153.0 - 16.0, "only {} frames were followed in time", followed(&site));
}

#[test]
fn another_tracker_takes_over() {
    let _turn = side_by_side();
    let cameras = rtsp_cameras(&[("entrance", "cap12_edit")]).unwrap();
    let mut workers = vec!["track"];
    workers.extend(ONE_OF_EACH);
    let mut site = Site::over_nats(&workers, QUICK).unwrap();
    const TRACKERS: [usize; 2] = [0, 3];
    let standby = |site: &Site, worker: usize| site.readiness(worker).is_ok_and(|text| text.contains("standing by"));
    wait_until("one stands by", PATIENCE, || TRACKERS.iter().filter(|worker| standby(&site, **worker)).count() == 1)
        .unwrap();
    site.add_camera("entrance", &cameras.url("entrance")).unwrap();
    site.wait_for_events("a visit", |events| visits(events).next().is_some()).unwrap();

    let active = TRACKERS.into_iter().find(|worker| !standby(&site, *worker)).unwrap();
    let heir = TRACKERS.into_iter().find(|worker| *worker != active).unwrap();
    site.fleet.kill(active).unwrap();
    wait_until("the other is active", PATIENCE, || !standby(&site, heir)).unwrap();
    let lost = |events: &[Value]| visits(events).any(|event| event["reason"] == "owner_lost");
    let new = |events: &[Value]| visits(events).filter(|event| event["type"] == "new").count();
    let events = site.wait_for_events("the old visit ends, a new one begins", |e| lost(e) && new(e) >= 2).unwrap();
    assert_one_life_each(&events);
    assert_eq!(new(&events), 2, "at most one more visit: {:?}", events.iter().map(brief).collect::<Vec<_>>());
}

#[test]
fn another_identify_takes_over() {
    let _turn = side_by_side();
    the_ledger_holds(&["embed", "track", "detect", "identify", "identify", "gateway"], |site| {
        let standby =
            |site: &Site, worker: usize| site.readiness(worker).is_ok_and(|text| text.contains("standing by"));
        let active = [3, 4].into_iter().find(|worker| !standby(site, *worker)).unwrap();
        let heir = 7 - active;
        assert!(standby(site, heir), "{:?}", site.readiness(heir));
        site.fleet.kill(active).unwrap();
        wait_until("the other is active", PATIENCE, || !standby(site, heir)).unwrap();
        site.fleet.restart(active).unwrap();
        wait_ready(site, active);
    });
}

#[test]
fn a_long_outage_of_the_broker_ends_nobody() {
    let _turn = side_by_side();
    the_ledger_holds(&["embed", "track", "detect", "ingest", "identify gateway"], |site| {
        let nats = site.nats.as_mut().unwrap();
        nats.kill().unwrap();
        // Longer than leases last and requests wait.
        std::thread::sleep(Duration::from_secs(25));
        site.fleet.check_alive().unwrap();
        assert!(!site.fleet.is_ready(4), "{:?}", site.readiness(4));
        site.nats.as_mut().unwrap().restart().unwrap();
        for worker in 0..5 {
            wait_ready(site, worker);
        }
    });
}

#[test]
fn workers_with_every_stage_are_all_heard() {
    let _turn = side_by_side();
    let cameras = rtsp_cameras(&[("entrance", "cap12_edit"), ("parking", "franck")]).unwrap();
    let everything = "ingest detect track embed identify";
    let mut site = Site::over_nats(&[everything, &format!("{everything} gateway")], QUICK).unwrap();
    // Enough of them that both workers have some.
    let ids: Vec<String> = (0..8).map(|number| format!("camera-{number}")).collect();
    for (id, source) in ids.iter().zip(["entrance", "parking"].iter().cycle()) {
        site.put_camera(&json!({"id": id, "source": cameras.url(source), "fps": 2})).unwrap();
    }
    let seen_on = |events: &[Value], id: &str| visits(events).any(|event| event["camera"] == id);
    site.wait_for_events("a visit on every camera", |events| ids.iter().all(|id| seen_on(events, id))).unwrap();
}

#[test]
fn a_standby_with_another_gallery_does_not_take_over() {
    let _turn = side_by_side();
    let mut site = Site::over_nats(&["identify", "gateway"], QUICK).unwrap();
    let config = std::fs::read_to_string(site.fleet.config()).unwrap();
    let data = site.folder.path().join("data").display().to_string();
    let other = site.folder.path().join("other.yaml");
    std::fs::write(&other, config.replace(&data, &site.folder.path().join("elsewhere").display().to_string())).unwrap();
    let standby = std::process::Command::new(sightline_testkit::process::program("sightline").unwrap())
        .arg("-c")
        .arg(&other)
        .args(["worker", "identify"])
        .env("SIGHTLINE_PORT", sightline_testkit::process::free_port().unwrap().to_string())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    site.fleet.kill(0).unwrap();
    let output = standby.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("share one data_dir") && said.contains("elsewhere"), "{said}");
}
