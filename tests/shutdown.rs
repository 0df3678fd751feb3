//! SIGTERM under load: what is queued is finished, in time, with exit code 0.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sightline_tests::{
    Ledger, ONE_OF_EACH, PATIENCE, Site, alone, assert_one_life_each, metric_of, rtsp_cameras, visits, wait_until,
};

/// The promise.
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

/// Longer than an unsettled message may stay with a worker: by then it has come again, in case there is one.
const COMES_AGAIN_WITHIN: Duration = Duration::from_secs(12);

/// What cameras show.
const CLIPS: [&str; 3] = ["cap12_edit", "cap13_edit2", "franck"];

/// So many messages in a row show that a worker is at work.
const LOAD: f64 = 30.0;

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
    let ended = |events: &[Value]| visits(events).filter(|event| event["reason"] == "shutdown").count() == 3;
    let events = site.wait_for_events("three ends", ended).unwrap();
    assert_one_life_each(&events);
    assert!(events.len() > begun.len());
}

/// Ends workers under load and starts them again.
struct Endings {
    /// Messages that came again to processes that are gone.
    redelivered: f64,
    newest: Instant,
}

impl Endings {
    fn new() -> Self {
        Self { redelivered: 0.0, newest: Instant::now() }
    }

    /// SIGTERM to a worker that is at work: it must leave in time and with 0. Another takes its place and its queue.
    fn end(&mut self, site: &mut Site, worker: usize) {
        let name = site.fleet.processes()[worker].0.clone();
        let at_work = |site: &Site| site.fleet.metrics(worker).map_or(0.0, |metrics| work_done(&metrics));
        let before = at_work(site);
        wait_until(&format!("load on {name}"), PATIENCE, || at_work(site) >= before + LOAD).unwrap();
        self.redelivered += redelivered(&site.fleet.metrics(worker).unwrap());
        let (status, took) = site.fleet.terminate(worker, DRAINED_WITHIN).unwrap();
        assert!(status.success(), "{name}: {status} {}", site.fleet.log(worker));
        assert!(took < DRAINED_WITHIN, "{name}: {took:?}");
        self.newest = Instant::now();
        site.fleet.restart(worker).unwrap();
        wait_until("ready again", PATIENCE, || site.fleet.is_ready(worker)).unwrap();
    }

    /// Nothing has come again anywhere, nor does it yet.
    fn assert_nothing_is_redelivered(self, site: &Site) {
        std::thread::sleep(COMES_AGAIN_WITHIN.saturating_sub(self.newest.elapsed()));
        let of = |worker| redelivered(&site.fleet.metrics(worker).unwrap());
        let running: Vec<f64> = (0..site.fleet.len()).map(of).collect();
        assert!(self.redelivered == 0.0 && running.iter().sum::<f64>() == 0.0, "{} {running:?}", self.redelivered);
        assert_eq!(site.metric("sightline_dead_letters_total", "").unwrap(), 0.0);
    }
}

/// Messages of a stage; frames of a camera, which nobody sends to `ingest`.
fn work_done(metrics: &str) -> f64 {
    metric_of(metrics, "sightline_stage_messages_total", "result=\"ok\"")
        + metric_of(metrics, "sightline_ingest_frames_total", "")
}

fn redelivered(metrics: &str) -> f64 {
    metric_of(metrics, "sightline_stage_messages_total", "result=\"redelivered\"")
}

/// Somebody who reads the stream of events until the server hangs up; what came.
fn listener(site: &Site) -> JoinHandle<Result<String, ureq::Error>> {
    let url = format!("{}/api/v1/events/stream", site.fleet.base_url());
    std::thread::spawn(move || ureq::get(&url).call()?.body_mut().read_to_string())
}

#[test]
fn embed_and_identify_under_load_leave_nothing_to_be_redelivered() {
    let _turn = alone();
    let workers = ["embed", "embed", "track", "detect", "identify gateway"];
    let mut site = Site::over_nats(&workers, "models: {embedder: dlib}\n").unwrap();
    let ledger = Ledger::start(&site, 300).unwrap();
    let mut endings = Endings::new();
    endings.end(&mut site, 0);
    // Whoever listens for ever does not keep the gateway from leaving.
    let listener = listener(&site);
    endings.end(&mut site, 4);
    let heard = listener.join().unwrap().unwrap();
    assert!(heard.contains("sightline.event/1"), "{heard}");
    let stored = ledger.finish().unwrap();
    endings.assert_nothing_is_redelivered(&site);
    stored.check(site).unwrap();
}

#[test]
fn ingest_detect_and_track_under_load_leave_nothing_to_be_redelivered() {
    let _turn = alone();
    // Every frame of all of them: more than one detector can do.
    let shown: Vec<(String, &str)> = (0..6).map(|number| (format!("camera-{number}"), CLIPS[number % 3])).collect();
    let cameras =
        rtsp_cameras(&shown.iter().map(|(camera, clip)| (camera.as_str(), *clip)).collect::<Vec<_>>()).unwrap();
    let mut site = Site::over_nats(&ONE_OF_EACH, "models: {embedder: dlib}\n").unwrap();
    for (camera, _) in &shown {
        site.put_camera(&json!({"id": camera, "source": cameras.url(camera), "fps": 25})).unwrap();
    }
    let done = |worker: usize| work_done(&site.fleet.metrics(worker).unwrap());
    wait_until("more frames than are looked at", PATIENCE, || done(0) >= done(1) + LOAD).unwrap();
    let mut endings = Endings::new();
    for (worker, reason) in [(0, Some("camera_stopped")), (1, None), (2, Some("shutdown"))] {
        let on_every_camera = |events: &[Value]| {
            let open = open_visits(events);
            shown.iter().all(|(camera, _)| open.values().any(|on| on == camera))
        };
        let before = open_visits(&site.wait_for_events("a visit on every camera", on_every_camera).unwrap());
        endings.end(&mut site, worker);
        // Without these frames or faces visits end at once, and are told why; without a detector they wait for a while.
        if let Some(reason) = reason {
            let told = |events: &[Value]| before.keys().all(|visit| end_of(events, visit) == Some(reason));
            site.wait_for_events(&format!("{} ends: {reason}", before.len()), told).unwrap();
        }
    }
    for (camera, _) in &shown {
        site.fleet.api("DELETE", &format!("/api/v1/cameras/{camera}"), None).unwrap();
    }
    endings.assert_nothing_is_redelivered(&site);
    let events = site.wait_for_events("the end of every visit", |events| open_visits(events).is_empty()).unwrap();
    assert_one_life_each(&events);
    assert!(visits(&events).all(|event| event["reason"] != "owner_lost"), "{events:#?}");
    site.fleet.stop().unwrap();
}

/// Visits that have begun and not ended, and where.
fn open_visits(events: &[Value]) -> BTreeMap<String, String> {
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    let mut open = BTreeMap::new();
    for event in visits(events) {
        match event["type"] == "end" {
            true => open.remove(&text(event, "id")),
            false => open.insert(text(event, "id"), text(event, "camera")),
        };
    }
    open
}

/// Why a visit has ended, if it has.
fn end_of<'a>(events: &'a [Value], visit: &str) -> Option<&'a str> {
    let mut ends = visits(events).filter(|event| event["type"] == "end" && event["id"] == visit);
    ends.next()?["reason"].as_str()
}
