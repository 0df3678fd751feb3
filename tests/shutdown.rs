//! SIGTERM under load: what is queued is finished, in time, with exit code 0.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::time::Duration;

use sightline_tests::{Ledger, PATIENCE, Site, alone, assert_one_life_each, rtsp_cameras, visits, wait_until};

/// The promise.
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn one_process_finishes_its_visits() {
    let _turn = alone();
    let cameras =
        rtsp_cameras(&[("entrance", "cap12_edit"), ("corridor", "cap13_edit2"), ("parking", "franck")]).unwrap();
    let mut site = Site::one_process("").unwrap();
    for camera in ["entrance", "corridor", "parking"] {
        site.add_camera(camera, &cameras.url(camera)).unwrap();
    }
    let begun = site
        .wait_for_events("three visits", |events| visits(events).filter(|event| event["type"] == "new").count() == 3)
        .unwrap();
    let (status, took) = site.fleet.terminate(0, DRAINED_WITHIN).unwrap();
    assert!(status.success(), "{status} {}", site.fleet.log(0));
    assert!(took < DRAINED_WITHIN, "{took:?}");

    // What was under way has been told: every visit has its end.
    site.fleet.restart(0).unwrap();
    wait_until("ready again", PATIENCE, || site.fleet.is_ready(0)).unwrap();
    let ended =
        |events: &[serde_json::Value]| visits(events).filter(|event| event["reason"] == "shutdown").count() == 3;
    let events = site.wait_for_events("three ends", ended).unwrap();
    assert_one_life_each(&events);
    assert!(events.len() > begun.len());
}

#[test]
fn a_worker_under_load_leaves_nothing_to_be_redelivered() {
    let _turn = alone();
    let mut site =
        Site::over_nats(&["embed", "embed", "track", "detect", "identify gateway"], "models: {embedder: dlib}\n")
            .unwrap();
    let ledger = Ledger::start(&site, 150).unwrap();
    let embedded = |site: &Site| site.metric("sightline_embed_faces_total", "").unwrap_or(0.0);
    wait_until("load", PATIENCE, || embedded(&site) > 50.0).unwrap();
    let (status, took) = site.fleet.terminate(0, DRAINED_WITHIN).unwrap();
    assert!(status.success(), "{status} {}", site.fleet.log(0));
    assert!(took < DRAINED_WITHIN, "{took:?}");
    let stored = ledger.finish().unwrap();
    // Longer than an unsettled message may stay with a worker, in case one does.
    std::thread::sleep(Duration::from_secs(12));
    let redelivered = sightline_tests::metric_of(
        &(site.fleet.metrics(1).unwrap() + &site.fleet.metrics(4).unwrap()),
        "sightline_stage_messages_total",
        "result=\"redelivered\"",
    );
    assert_eq!(redelivered, 0.0);
    site.fleet.restart(0).unwrap();
    wait_until("ready again", PATIENCE, || site.fleet.is_ready(0)).unwrap();
    stored.check(site).unwrap();
}
