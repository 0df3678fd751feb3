//! A session at the command line beside a running server with RTSP cameras: what is typed, what is said, and with which exit code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod terminal;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sightline_testkit::clip;
use sightline_tests::{
    PATIENCE, Site, camera_events, frames_of, is_named, rtsp_cameras, side_by_side, unknown_ids, visits, wait_until,
};
use sightline_vision::{RgbImage, Subsampling, encode_rgb};

use terminal::{Follower, Session, cells, expect};

/// A camera of the configuration file is there before anybody types; it shows the man who stays a stranger.
const CONFIGURED: &str = "lobby";

/// The camera that is added in the session; it shows the man who is enrolled.
const ADDED: &str = "entrance";

fn write_pictures(folder: &Path) {
    let adam = frames_of(&clip("cap12_edit").unwrap(), &[8.0, 16.0, 24.0, 32.0]).unwrap();
    let frank = frames_of(&clip("franck").unwrap(), &[2.0, 6.0]).unwrap();
    let wall = encode_rgb(&RgbImage::filled(320, 240, [90, 120, 150]), 90, Subsampling::Full).unwrap();
    let named = ["a1.jpg", "a2.jpg", "a3.jpg", "a4.jpg", "f1.jpg", "f2.jpg", "wall.jpg"];
    for (name, picture) in named.iter().zip(adam.iter().chain(&frank).chain([&wall])) {
        std::fs::write(folder.join(name), picture).unwrap();
    }
    std::fs::write(folder.join("noise.jpg"), "no picture").unwrap();
}

#[test]
fn a_session_at_the_command_line() {
    let _turn = side_by_side();
    let cameras = rtsp_cameras(&[(CONFIGURED, "franck"), (ADDED, "cap12_edit")]).unwrap();
    let configured = format!("cameras:\n  - {{id: {CONFIGURED}, source: \"{}\", fps: 5}}\n", cameras.url(CONFIGURED));
    let site = Site::one_process(&configured).unwrap();
    write_pictures(site.folder.path());
    let session = Session { folder: site.folder.path(), server: site.fleet.base_url() };

    configuration_and_models(&session);
    // Before anybody is enrolled, so that this camera's first visit is a stranger's.
    session.wait_for_events("a stranger", |events| !unknown_ids(events, CONFIGURED).is_empty());
    enrolling(&session);
    let newest = session.events().last().unwrap()["seq"].as_u64().unwrap();
    let mut follower = Follower::start(&session, Some(newest));
    cameras_come(&session, &cameras.url(ADDED), &cameras.url("nowhere"));
    follower.read_until("the added camera's man", |events| is_named(events, ADDED, "Adam"));
    events_are_read(&session, newest);
    searching(&session);
    people_change(&session);
    cameras_go(&session);
    let all = session.wait_for_events("the end of the visit on the removed camera", |events| {
        visits(events).any(|event| event["camera"] == ADDED && event["type"] == "end")
    });

    // Whoever follows has been told the same, each event once and in order, and nothing from before the cursor.
    let last = all.last().unwrap()["seq"].clone();
    follower.read_until("the last event", |events| events.iter().any(|event| event["seq"] == last));
    let followed = follower.end();
    let newer: Vec<&Value> = all.iter().filter(|event| event["seq"].as_u64() > Some(newest)).collect();
    assert_eq!(followed.iter().take(newer.len()).collect::<Vec<_>>(), newer);
    site.fleet.stop().unwrap();
    let complaint = session.refused(1, &["people", "list"]);
    assert!(complaint.contains(&session.server), "{complaint}");
}

/// Makes one event: two people become one.
fn happen(site: &Site) {
    let [from, into] = ["from", "into"].map(|name| site.add_person(name).unwrap());
    site.fleet.api("POST", &format!("/api/v1/people/{from}/merge"), Some(&json!({"into": into}))).unwrap();
    site.fleet.api("DELETE", &format!("/api/v1/people/{into}"), None).unwrap();
}

fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[test]
fn whoever_follows_events_begins_now_and_outlives_the_server() {
    let _turn = side_by_side();
    let mut site = Site::one_process("").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (server, folder) = (site.fleet.base_url(), folder.path());
    let session = Session { folder, server };
    (0..3).for_each(|_| happen(&site));
    assert_eq!(seqs(&session.events()), [1, 2, 3]);

    let mut follower = Follower::start(&session, None);
    let deadline = Instant::now() + PATIENCE;
    while follower.seen.is_empty() {
        assert!(Instant::now() < deadline, "nothing is followed");
        happen(&site);
        follower.read(Duration::from_secs(1));
    }
    let first = seqs(&follower.seen)[0];
    assert!(first > 3, "what was before is told again");

    site.fleet.kill(0).unwrap();
    let complaints = || std::fs::read_to_string(folder.join("complaints")).unwrap();
    wait_until("that the server is away is said", PATIENCE, || !complaints().is_empty()).unwrap();
    site.fleet.restart(0).unwrap();
    wait_until("ready again", PATIENCE, || site.fleet.is_ready(0)).unwrap();
    (0..3).for_each(|_| happen(&site));
    let newest = *seqs(&session.events()).last().unwrap();
    follower.read_until("the newest event", |events| seqs(events).contains(&newest));
    let complaints = complaints();
    assert!(complaints.lines().count() == 1 && complaints.contains(&session.server), "{complaints}");
    assert_eq!(seqs(&follower.end()), (first..=newest).collect::<Vec<_>>(), "each once, none left out");

    // From the beginning only when asked; a server that is not there yet is waited for as well.
    site.fleet.terminate(0, PATIENCE).unwrap();
    let mut follower = Follower::start(&session, Some(0));
    site.fleet.restart(0).unwrap();
    follower.read_until("all events", |events| seqs(events) == (1..=newest).collect::<Vec<_>>());
    follower.end();
}

/// Neither needs the server.
fn configuration_and_models(session: &Session<'_>) {
    // The file's port is a variable: set, the file is good; not set, the complaint names it.
    let mut check = session.command(&["config", "check"]);
    let good = check.env("SIGHTLINE_PORT", "8080").output().unwrap();
    assert_eq!((good.status.code(), good.stdout.as_slice()), (Some(0), b"the configuration is good\n".as_slice()));
    let complaint = session.refused(2, &["config", "check"]);
    assert!(complaint.contains("SIGHTLINE_PORT"), "{complaint}");

    std::fs::write(session.folder.join("plain.yaml"), "site: demo\n").unwrap();
    let [listed, verified] = ["list", "verify"].map(|what| session.json(&["-c", "plain.yaml", "models", what]));
    for models in [&listed, &verified] {
        let ids: Vec<&str> = models.iter().filter_map(|model| model["id"].as_str()).collect();
        for id in ["centerface", "mtcnn", "yunet", "facenet", "facenet-vggface2", "dlib"] {
            assert!(ids.contains(&id), "{id}: {ids:?}");
        }
    }
    for model in listed {
        assert!(model["kind"] == "detector" || model["kind"] == "embedder", "{model}");
        assert!(["license", "description"].iter().all(|key| model[key].as_str().is_some_and(|t| !t.is_empty())));
    }
    for model in verified {
        // Those whose weights are in no registry are not here, which is no fault.
        let state = model["state"].as_str().unwrap();
        assert!(state.starts_with("ok, ") || state.starts_with("not here: "), "{model}");
        let must_be_here = ["centerface", "mtcnn", "facenet", "dlib"].map(Value::from).contains(&model["id"]);
        assert!(!must_be_here || state.starts_with("ok, "), "{model}");
    }
    let table = session.done(&["-c", "plain.yaml", "models", "list"]);
    assert_eq!(cells(&table)[0], ["model", "kind", "license of the weights", "description"]);
}

fn enrolling(session: &Session<'_>) {
    assert_eq!(session.done(&["people", "list"]), "nothing\n");
    let report = session.done(&["people", "enroll", "--name", "Adam", "a1.jpg", "wall.jpg", "a2.jpg", "noise.jpg"]);
    let rows = cells(&report);
    assert_eq!(rows[0], ["person", "picture", "verdict"]);
    assert!(rows[1][1] == "a1.jpg" && rows[1][2].starts_with("accepted, quality 0."), "{report}");
    assert_eq!(rows[2], ["Adam", "wall.jpg", "rejected: no_face"]);
    assert!(rows[4][1] == "noise.jpg" && rows[4][2].starts_with("rejected: "), "{report}");
    assert!(report.ends_with("2 of 4 pictures accepted\n"), "{report}");

    let report = session.json(&["people", "enroll", "--name", "Frank", "f1.jpg", "wall.jpg"]);
    assert_eq!((&report[0]["person"], &report[0]["file"]), (&json!("Frank"), &json!("f1.jpg")));
    assert!(report[0]["rejected"].is_null() && report[0]["quality"].as_f64().unwrap() > 0.0, "{report:?}");
    assert_eq!((&report[1]["rejected"], &report[1]["quality"]), (&json!("no_face"), &Value::Null));

    // Not one picture of somebody is a failure, and so is a picture that is not there; without a name it is wrong usage.
    let complaint = session.refused(1, &["people", "enroll", "--name", "Nobody", "wall.jpg", "missing.jpg"]);
    assert!(complaint.contains("Nobody"), "{complaint}");
    let complaint = session.refused(2, &["people", "enroll", "a1.jpg", "a2.jpg"]);
    assert!(complaint.contains("--name"), "{complaint}");
    // Nothing of the failure stays, unless the person was there before.
    let before = session.people();
    session.refused(1, &["people", "enroll", "--name", "Adam", "wall.jpg"]);
    assert_eq!(session.people(), before);
    let complaint = session.refused(2, &["people", "enroll", "people"]);
    assert!(complaint.contains("no folder people"), "{complaint}");
    enrolling_folders(session);

    let table = session.done(&["people", "list"]);
    let rows = cells(&table);
    assert_eq!(rows[0], ["name", "templates", "since", "id"]);
    let listed = session.json(&["people", "list"]);
    assert_eq!((rows.len(), listed.len()), (3, 2), "{table}");
    for (row, person) in rows[1..].iter().zip(&listed) {
        let text = |key: &str| person[key].as_str().unwrap();
        assert_eq!(*row, [text("name"), &person["templates"].to_string(), text("created"), text("id")]);
    }
    assert_eq!(session.people(), expect(&[("Adam", 2), ("Frank", 1)]));
}

fn enrolling_folders(session: &Session<'_>) {
    let folder = session.folder.join("holiday");
    std::fs::create_dir(&folder).unwrap();
    let complaint = session.refused(2, &["people", "enroll", "--name", "Adam", "holiday"]);
    assert!(complaint.contains("holiday has no pictures"), "{complaint}");
    for picture in ["a3.jpg", "wall.jpg"] {
        std::fs::copy(session.folder.join(picture), folder.join(picture)).unwrap();
    }
    std::fs::write(folder.join("notes.txt"), "no picture").unwrap();
    let complaint = session.refused(2, &["people", "enroll", "holiday"]);
    assert!(complaint.contains("holiday has no folders") && complaint.contains("--name"), "{complaint}");

    // The man is enrolled already, under his name.
    let report = session.json(&["people", "enroll", "--name", "Tourist", "holiday"]);
    let files: Vec<&str> = report.iter().filter_map(|row| row["file"].as_str()).collect();
    assert_eq!(files, ["holiday/a3.jpg", "holiday/wall.jpg"]);
    assert!(report[0]["rejected"].is_null() && report[1]["rejected"] == "no_face", "{report:?}");
    let other = &report[0]["resembles"];
    assert!(other["name"] == "Adam" && other["score"].as_f64().is_some_and(|score| score > 0.5), "{report:?}");
    assert!(other["id"].is_string() && report[1]["resembles"].is_null(), "{report:?}");
    let table = session.done(&["people", "enroll", "--name", "Tourist", "a4.jpg", "f2.jpg"]);
    let warnings: Vec<&str> = table.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 2, "{table}");
    assert!(warnings[0].contains("a4.jpg") && warnings[0].contains("resembles \"Adam\""), "{table}");
    assert!(warnings[1].contains("f2.jpg") && warnings[1].contains("resembles \"Frank\""), "{table}");
    session.done(&["people", "remove", "Tourist"]);
}

fn cameras_come(session: &Session<'_>, source: &str, nowhere: &str) {
    // Without a server, but as the configuration has it, which here could only be read with the server's port.
    let probe = ["-c", "plain.yaml", "camera", "probe"];
    let report = session.json(&[&probe[..], &[source]].concat()).remove(0);
    assert_eq!((&report["width"], &report["height"], &report["source"]), (&json!(400), &json!(300), &json!(source)));
    // 25; two seconds of a stream that has just begun are no more exact.
    assert!((20.0..30.0).contains(&report["fps"].as_f64().unwrap()) && report["first_frame_ms"].is_u64(), "{report}");
    let said = session.done(&[&probe[..], &[source]].concat());
    assert!(said.contains(": 400x300, ") && said.contains(" frames a second, first frame "), "{said}");
    let complaint = session.refused(1, &[&probe[..], &[nowhere]].concat());
    assert!(complaint.contains(nowhere) && complaint.contains("not_found"), "{complaint}");
    session.refused(1, &[&probe[..], &["rtsp://127.0.0.1:1/closed"]].concat());
    // One that only lies in the folder may be unreadable.
    let output = session.output(&["camera", "probe", source]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && complaint.contains("probing without it"), "{complaint}");

    let added = session.json(&["camera", "add", ADDED, source, "--fps", "4"]).remove(0);
    assert_eq!((&added["id"], &added["fps"], &added["read_only"]), (&json!(ADDED), &json!(4.0), &json!(false)));
    let complaint = session.refused(1, &["camera", "add", ADDED, source]);
    assert!(complaint.contains(ADDED), "{complaint}");
    session.refused(1, &["camera", "add", "not an id", source]);

    let state = |id: &str| {
        let listed = session.json(&["camera", "list"]);
        listed.into_iter().find(|camera| camera["id"] == id).map(|camera| camera["state"].clone())
    };
    wait_until("online", PATIENCE, || state(ADDED) == Some(json!("online"))).unwrap();
    let table = session.done(&["camera", "list"]);
    let rows = cells(&table);
    assert_eq!((rows[0].join(" ").as_str(), rows.len()), ("camera state source fps from detail", 3), "{table}");
    assert_eq!(rows[1][..5], [ADDED, "online", source, "4", "added"]);
    assert!(rows[2][0] == CONFIGURED && rows[2][1] == "online" && rows[2][4] == "configuration", "{table}");
    a_camera_changes(session);
}

fn a_camera_changes(session: &Session<'_>) {
    let seen = |camera: &Value| ["fps", "mode", "stall", "transport", "source"].map(|key| camera[key].clone());
    let [first, second] = ["rtsp://u:secret@127.0.0.1:1/a", "rtsp://u:secret@127.0.0.1:1/b"];
    let words = ["camera", "add", "yard", first, "--mode", "complete", "--stall", "1500ms", "--udp"];
    let added = session.json(&words).remove(0);
    let [first, shown] = [first, second].map(|source| source.replace("secret", "***"));
    let expected = [json!(5.0), json!("complete"), json!("1500ms"), json!("udp"), json!(first)];
    assert_eq!(seen(&added), expected, "{added}");

    let changed = session.json(&["camera", "change", "yard", "--fps", "2", "--tcp"]).remove(0);
    let expected = [json!(2.0), json!("complete"), json!("1500ms"), json!("tcp"), json!(first)];
    assert_eq!(seen(&changed), expected, "{changed}");
    let words = ["camera", "change", "yard", "--source", second, "--mode", "live", "--stall", "7s"];
    let changed = session.json(&words).remove(0);
    let expected = [json!(2.0), json!("live"), json!("7s"), json!("tcp"), json!(shown)];
    assert_eq!(seen(&changed), expected, "{changed}");

    let complaint = session.refused(2, &["camera", "change", "yard"]);
    assert!(complaint.contains("--stall"), "{complaint}");
    session.refused(2, &["camera", "change", "yard", "--stall", "7"]);
    let complaint = session.refused(1, &["camera", "change", "yard", "--stall", "1ms"]);
    assert!(complaint.contains("stall"), "{complaint}");
    let complaint = session.refused(1, &["camera", "change", "barn", "--fps", "2"]);
    assert!(complaint.contains("barn"), "{complaint}");
    let complaint = session.refused(1, &["camera", "change", "no id", "--fps", "2"]);
    assert!(complaint.contains("no id"), "{complaint}");
    let complaint = session.refused(1, &["camera", "change", CONFIGURED, "--fps", "2"]);
    assert!(complaint.contains("configuration file"), "{complaint}");
    session.done(&["camera", "remove", "yard"]);
}

/// `newest` was the newest event before the camera was added.
fn events_are_read(session: &Session<'_>, newest: u64) {
    let all = session.events();
    let is_new = |event: &&Value| event["seq"].as_u64().unwrap() > newest;
    let newer = session.json(&["events", "--after", &newest.to_string()]);
    assert!(!newer.is_empty() && newer.iter().all(|event| is_new(&event)));
    // Between the two calls there may have come more.
    let known: Vec<Value> = all.iter().filter(is_new).cloned().collect();
    assert_eq!(newer[..known.len()], known);
    assert!(session.json(&["events", "--after", "9999999"]).is_empty());

    for event in visits(&all) {
        assert_names_of_the_schema(event);
    }
    assert!(is_named(&all, ADDED, "Adam") && !is_named(&all, ADDED, "Frank"), "{all:#?}");
    assert!(camera_events(&all, ADDED).iter().all(|kind| *kind == "online"), "{all:#?}");
    let table = session.done(&["events"]);
    assert!(table.lines().count() >= all.len() && table.contains("known") && table.contains("Adam"), "{table}");
    session.refused(2, &["events", "--after", "yesterday"]);
}

fn assert_names_of_the_schema(event: &Value) {
    let has = |value: &Value, wanted: &[&str]| {
        let missing: Vec<_> = wanted.iter().filter(|name| value.get(**name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?} are missing: {event}");
    };
    has(event, &["schema", "seq", "type", "id", "camera", "capture_ts", "clock", "publish_ts", "first_seen"]);
    has(
        event,
        &["last_seen", "outcome", "subject", "unknown_id", "score", "runner_up", "face", "frame", "model", "reason"],
    );
    has(&event["face"], &["box", "det_score", "quality"]);
    has(&event["frame"], &["width", "height"]);
    has(&event["model"], &["detector", "embedder"]);
    let one_of = |key: &str, words: &[&str]| {
        assert!(event[key].as_str().is_some_and(|word| words.contains(&word)), "{key}: {event}");
    };
    one_of("schema", &["sightline.event/1"]);
    one_of("type", &["new", "update", "end"]);
    one_of("outcome", &["known", "unknown", "ambiguous", "too_small"]);
    one_of("clock", &["rtcp", "arrival"]);
    for key in ["capture_ts", "publish_ts", "first_seen", "last_seen"] {
        assert!(event[key].as_str().is_some_and(|time| time.contains('T') && time.ends_with('Z')), "{key}: {event}");
    }
    assert_eq!(event["face"]["box"].as_array().unwrap().len(), 4);
    if event["outcome"] == "known" {
        has(&event["subject"], &["id", "name"]);
    } else {
        assert!(event["subject"].is_null(), "{event}");
    }
}

fn searching(session: &Session<'_>) {
    let found = session.json(&["search", "a3.jpg", "-k", "1"]).remove(0);
    let faces = found["faces"].as_array().unwrap();
    assert_eq!((faces.len(), &found["width"], &found["height"]), (1, &json!(400), &json!(300)));
    let people = faces[0]["people"].as_array().unwrap();
    assert_eq!((people.len(), &people[0]["name"], &faces[0]["outcome"]), (1, &json!("Adam"), &json!("known")));

    let found = session.json(&["search", "f2.jpg", "-k", "5"]).remove(0);
    let people = found["faces"][0]["people"].as_array().unwrap();
    let names: Vec<&str> = people.iter().filter_map(|person| person["name"].as_str()).collect();
    assert_eq!(names, ["Frank", "Adam"], "the nearest first: {found}");
    assert!(people[0]["score"].as_f64() > people[1]["score"].as_f64());

    let table = session.done(&["search", "f2.jpg"]);
    let rows = cells(&table);
    assert_eq!(rows[0], ["face", "position", "size", "outcome", "nearest", "score"]);
    assert_eq!((rows[1][3], rows[1][4], rows[2][0]), ("known", "Frank", "Adam"), "{table}");
    assert!(session.json(&["search", "wall.jpg"])[0]["faces"].as_array().unwrap().is_empty());
    assert_eq!(session.done(&["search", "wall.jpg"]), "nothing\n");
    session.refused(1, &["search", "noise.jpg"]);
    let complaint = session.refused(1, &["search", "missing.jpg"]);
    assert!(complaint.contains("missing.jpg"), "{complaint}");
}

fn people_change(session: &Session<'_>) {
    let before = session.json(&["people", "list"]);
    let renamed = session.json(&["people", "rename", "Frank", "Franck"]).remove(0);
    assert_eq!((&renamed["name"], &renamed["id"]), (&json!("Franck"), &before[1]["id"]));
    let complaint = session.refused(1, &["people", "rename", "Franck", "Adam"]);
    assert!(complaint.contains("Adam"), "{complaint}");
    let complaint = session.refused(1, &["people", "rename", "Frank", "Fred"]);
    assert!(complaint.contains("Frank") && complaint.contains("people list"), "{complaint}");
    assert_eq!(session.people(), expect(&[("Adam", 2), ("Franck", 1)]));

    session.done(&["people", "enroll", "--name", "Adam again", "a4.jpg"]);
    session.refused(1, &["people", "merge", "Adam again", "Nobody"]);
    let one = session.json(&["people", "merge", "Adam again", "Adam"]).remove(0);
    assert_eq!((&one["name"], &one["id"], &one["templates"]), (&json!("Adam"), &before[0]["id"], &json!(3)));
    assert_eq!(session.people(), expect(&[("Adam", 3), ("Franck", 1)]));

    // By name and by id; who is gone is found by nobody.
    assert_eq!(session.done(&["people", "remove", "Franck"]), "removed Franck\n");
    let found = session.json(&["search", "f2.jpg"]).remove(0);
    assert_eq!(found["faces"][0]["people"][0]["name"], "Adam");
    assert_ne!(found["faces"][0]["outcome"], "known");
    session.refused(1, &["people", "remove", "Franck"]);
    let removed = session.json(&["people", "remove", one["id"].as_str().unwrap()]).remove(0);
    assert_eq!(removed["id"], one["id"]);
    assert!(session.people().is_empty());
}

fn cameras_go(session: &Session<'_>) {
    assert_eq!(session.done(&["camera", "remove", ADDED]), format!("removed {ADDED}\n"));
    session.refused(1, &["camera", "remove", ADDED]);
    let complaint = session.refused(1, &["camera", "remove", CONFIGURED]);
    assert!(complaint.contains("configuration file"), "{complaint}");
    let left = session.json(&["camera", "list"]);
    assert_eq!((left.len(), &left[0]["id"], &left[0]["read_only"]), (1, &json!(CONFIGURED), &json!(true)));
}
