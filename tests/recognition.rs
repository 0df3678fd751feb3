//! From RTSP to events, in both layouts: who is named, who is not, and which stranger is which.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::path::Path;

use serde_json::{Value, json};
use sightline_testkit::{clip, shared_or_skip};
use sightline_tests::{
    ONE_OF_EACH, Site, assert_one_life_each, frames_of, is_named, rtsp_cameras, side_by_side, unknown_ids, visits,
};

/// Seconds of cap12_edit at which the man's face is clear.
const CLEAR: [f64; 6] = [8.0, 16.0, 24.0, 32.0, 40.0, 48.0];

const MEN: [(&str, &str); 4] =
    [("entrance", "cap12_edit"), ("corridor", "cap13_edit2"), ("parking", "franck"), ("gate", "franck")];

/// The enrolled man is named on both his cameras, the other is the same stranger on both of his.
fn people_are_recognised(mut site: Site) {
    let cameras = rtsp_cameras(&MEN).unwrap();
    site.enroll("Adam", &frames_of(&clip("cap12_edit").unwrap(), &CLEAR[..3]).unwrap()).unwrap();
    for (camera, _) in MEN {
        site.add_camera(camera, &cameras.url(camera)).unwrap();
    }
    let stranger_has_one_id = |events: &[Value]| {
        let (parking, gate) = (unknown_ids(events, "parking"), unknown_ids(events, "gate"));
        parking.len() == 1 && parking == gate
    };
    let events = site
        .wait_for_events("both men", |events| {
            is_named(events, "entrance", "Adam") && is_named(events, "corridor", "Adam") && stranger_has_one_id(events)
        })
        .unwrap();
    assert!(visits(&events).all(|event| event["outcome"] != "known" || event["subject"]["name"] == "Adam"));
    assert!(!is_named(&events, "parking", "Adam") && !is_named(&events, "gate", "Adam"));
    assert_one_life_each(&events);
    let first = visits(&events).find(|event| event["outcome"] == "known").unwrap();
    check_form(first);
    site.fleet.stop().unwrap();
}

/// The names of the promised event.
fn check_form(event: &Value) {
    let keys = [
        "schema",
        "seq",
        "type",
        "id",
        "camera",
        "capture_ts",
        "clock",
        "publish_ts",
        "first_seen",
        "last_seen",
        "outcome",
        "subject",
        "unknown_id",
        "score",
        "runner_up",
        "face",
        "frame",
        "model",
        "reason",
    ];
    for key in keys {
        assert!(event.get(key).is_some(), "{key} is missing in {event}");
    }
    assert_eq!(event["frame"], json!({"width": 400, "height": 300}));
    assert_eq!(event["face"]["box"].as_array().map(Vec::len), Some(4));
    assert!(event["face"]["det_score"].is_number() && event["face"]["quality"].is_number());
    assert!(event["model"]["detector"].is_string() && event["model"]["embedder"].is_string());
    assert!(["rtcp", "arrival"].contains(&event["clock"].as_str().unwrap()));
    let (captured, published) = (event["capture_ts"].as_str().unwrap(), event["publish_ts"].as_str().unwrap());
    assert!(captured < published && captured.ends_with('Z'), "{captured} {published}");
}

#[test]
fn people_are_recognised_in_one_process() {
    let _turn = side_by_side();
    people_are_recognised(Site::one_process("").unwrap());
}

#[test]
fn people_are_recognised_over_nats() {
    let _turn = side_by_side();
    people_are_recognised(Site::over_nats(&ONE_OF_EACH, "").unwrap());
}

#[test]
fn frames_stay_inside_a_worker_that_ingests_detects_and_tracks() {
    let _turn = side_by_side();
    people_are_recognised(Site::over_nats(&["ingest detect track", "embed identify gateway"], "").unwrap());
}

/// Runs both men through the pipeline, A enrolled from some pictures; B must never be named, and A must be.
fn the_other_man_is_never_named(profile: &str, pictures: usize, shared: &Path) {
    let mut site = Site::one_process(&format!("models: {{profile: {profile}}}\n")).unwrap();
    site.enroll("A", &frames_of(&clip("cap12_edit").unwrap(), &CLEAR[..pictures]).unwrap()).unwrap();
    let other = shared.join("data/clips/head-pose-face-detection-male.mp4");
    // Every frame is looked at, so that each run decides on the same faces.
    let file = |id: &str, path: &Path| json!({"id": id, "source": path.to_str(), "fps": 12, "mode": "complete"});
    site.put_camera(&file("b", &other)).unwrap();
    site.put_camera(&file("a", &clip("cap13_edit2").unwrap())).unwrap();
    let over = |camera: &'static str| {
        move |events: &[Value]| visits(events).any(|event| event["camera"] == camera && event["type"] == "end")
    };
    let events = site.wait_for_events("both files", |events| over("a")(events) && over("b")(events)).unwrap();
    let named_b: Vec<_> = visits(&events).filter(|e| e["camera"] == "b" && e["outcome"] == "known").collect();
    assert!(named_b.is_empty(), "{profile}, {pictures} pictures: {named_b:?}");
    assert!(is_named(&events, "a", "A"), "{profile}, {pictures} pictures: A was not named");
}

#[test]
fn the_other_man_is_never_named_by_the_default_profile() {
    let Some(shared) = shared_or_skip("the_other_man_is_never_named_by_the_default_profile") else { return };
    let _turn = side_by_side();
    for pictures in [1, 6] {
        the_other_man_is_never_named("default", pictures, &shared);
    }
}

#[test]
fn the_other_man_is_never_named_by_the_fast_profile() {
    let Some(shared) = shared_or_skip("the_other_man_is_never_named_by_the_fast_profile") else { return };
    let _turn = side_by_side();
    for pictures in [1, 6] {
        the_other_man_is_never_named("fast", pictures, &shared);
    }
}

#[test]
fn people_seen_from_behind_are_nobody() {
    let Some(shared) = shared_or_skip("people_seen_from_behind_are_nobody") else { return };
    let _turn = side_by_side();
    let mut site = Site::one_process("").unwrap();
    site.enroll("A", &frames_of(&clip("cap12_edit").unwrap(), &CLEAR).unwrap()).unwrap();
    let clip = shared.join("data/clips/one-by-one-person-detection.mp4");
    site.put_camera(&json!({"id": "desk", "source": clip.to_str(), "fps": 5, "mode": "complete"})).unwrap();
    let ended = |state: &Value| state["state"] == "ended";
    let end = |site: &Site| site.fleet.api("GET", "/api/v1/cameras/desk", None).is_ok_and(|state| ended(&state));
    sightline_tests::wait_until("the clip", sightline_tests::PATIENCE * 2, || end(&site)).unwrap();
    let events = site.events().unwrap();
    assert!(visits(events).all(|event| event["outcome"] != "known"), "{events:?}");
}

#[test]
fn a_stranger_who_comes_back_keeps_the_id() {
    let _turn = side_by_side();
    let mut site = Site::one_process("").unwrap();
    let file = clip("cap13_edit2").unwrap();
    for camera in ["monday", "tuesday"] {
        site.put_camera(&json!({"id": camera, "source": file.to_str(), "fps": 5, "mode": "complete"})).unwrap();
        site.wait_for_events(camera, |events| visits(events).any(|e| e["camera"] == camera && e["type"] == "end"))
            .unwrap();
    }
    let events = site.events().unwrap();
    let (monday, tuesday) = (unknown_ids(events, "monday"), unknown_ids(events, "tuesday"));
    assert_eq!(monday.len(), 1, "{monday:?}");
    assert_eq!(monday, tuesday);
}

#[test]
fn small_faces_are_reported_and_never_named() {
    let Some(shared) = shared_or_skip("small_faces_are_reported_and_never_named") else { return };
    let _turn = side_by_side();
    let mut site = Site::one_process("detect: {min_face: 12, width: 0}\n").unwrap();
    site.enroll("A", &frames_of(&clip("cap12_edit").unwrap(), &CLEAR).unwrap()).unwrap();
    // Two people walk towards the camera; their faces are 13 to 24 pixels wide.
    let clip = shared.join("data/clips/face-demographics-walking.mp4");
    site.put_camera(&json!({"id": "street", "source": clip.to_str(), "fps": 12, "mode": "complete"})).unwrap();
    let ends = |events: &[Value]| visits(events).filter(|event| event["type"] == "end").count();
    let events = site.wait_for_events("both people", |events| ends(events) >= 2).unwrap();
    assert!(visits(&events).all(|event| event["outcome"] == "too_small"), "{events:?}");
    assert!(visits(&events).all(|event| event["subject"].is_null() && event["unknown_id"].is_null()), "{events:?}");
}
