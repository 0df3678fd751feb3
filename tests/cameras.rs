//! Cameras that fail, come, go and move, with real streams.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::time::Duration;

use serde_json::{Value, json};
use sightline_testkit::RtspProcess;
use sightline_testkit::clip;
use sightline_testkit::rtsp::{Certificate, with_key_frames};
use sightline_tests::{
    ONE_OF_EACH, PATIENCE, Site, alone, brief, camera_events, rtsp_cameras, side_by_side, visits, wait_until,
};

/// A camera's kept frames so far.
fn frames(site: &Site, camera: &str) -> f64 {
    site.metric("sightline_ingest_frames_total", &format!("camera=\"{camera}\"")).unwrap_or(0.0)
}

fn wait_for_frames(site: &Site, camera: &str, more: f64) -> Duration {
    let before = frames(site, camera);
    wait_until(camera, PATIENCE, || frames(site, camera) >= before + more).unwrap()
}

fn state_of(site: &Site, camera: &str) -> Value {
    site.fleet.api("GET", &format!("/api/v1/cameras/{camera}"), None).unwrap()
}

#[test]
fn video_resumes_when_the_server_comes_back() {
    let _turn = side_by_side();
    let mut cameras = rtsp_cameras(&[("entrance", "cap12_edit")]).unwrap();
    let mut site = Site::one_process("").unwrap();
    site.add_camera("entrance", &cameras.url("entrance")).unwrap();
    site.wait_for_events("a visit", |events| visits(events).next().is_some()).unwrap();

    cameras.kill().unwrap();
    site.wait_for_events("offline", |events| camera_events(events, "entrance").contains(&"offline")).unwrap();
    assert_ne!(state_of(&site, "entrance")["state"], "online");
    // Long enough for several attempts, each of which fails.
    let attempts = |site: &Site| site.metric("sightline_ingest_reconnects_total", "camera=\"entrance\"").unwrap();
    wait_until("attempts", PATIENCE, || attempts(&site) >= 3.0).unwrap();

    cameras.restart().unwrap();
    site.wait_for_events("online again", |events| camera_events(events, "entrance").contains(&"online")).unwrap();
    wait_for_frames(&site, "entrance", 5.0);
    let events = site
        .wait_for_events("a new visit", |events| visits(events).filter(|event| event["type"] == "new").count() == 2)
        .unwrap();
    assert_eq!(camera_events(&events, "entrance"), ["offline", "online"]);
    let end = visits(&events).find(|event| event["type"] == "end").unwrap();
    assert_eq!(end["reason"], "camera_stopped", "{}", brief(end));
    assert!(site.metric("sightline_ingest_outage_seconds_total", "camera=\"entrance\"").unwrap() > 1.0);
    site.fleet.stop().unwrap();
}

#[test]
fn cameras_come_and_go_while_others_run() {
    let _turn = side_by_side();
    let cameras = rtsp_cameras(&[("entrance", "cap12_edit"), ("parking", "franck")]).unwrap();
    let mut site = Site::one_process("").unwrap();
    site.add_camera("entrance", &cameras.url("entrance")).unwrap();
    wait_for_frames(&site, "entrance", 3.0);
    for _ in 0..2 {
        site.add_camera("parking", &cameras.url("parking")).unwrap();
        wait_for_frames(&site, "parking", 3.0);
        wait_for_frames(&site, "entrance", 3.0);
        let changed = json!({"id": "parking", "source": cameras.url("parking"), "fps": 2});
        site.fleet.api("PUT", "/api/v1/cameras/parking", Some(&changed)).unwrap();
        wait_for_frames(&site, "parking", 3.0);
        site.fleet.api("DELETE", "/api/v1/cameras/parking", None).unwrap();
        assert_eq!(site.fleet.request("GET", "/api/v1/cameras/parking", None).unwrap().0, 404);
        wait_for_frames(&site, "entrance", 3.0);
    }
    // Nothing of this has touched the other camera: one stream, one visit, no outage.
    let events = site.events().unwrap();
    assert!(camera_events(events, "entrance").is_empty(), "{events:?}");
    assert_eq!(visits(events).filter(|e| e["camera"] == "entrance" && e["type"] == "new").count(), 1);
    assert!(visits(events).all(|e| e["camera"] != "entrance" || e["type"] != "end"));
    site.fleet.stop().unwrap();
}

#[test]
fn what_is_wrong_with_a_camera_is_told_and_its_password_is_not() {
    let _turn = side_by_side();
    let mounts = [("door".to_owned(), clip("cap13_edit2").unwrap())];
    let cameras = RtspProcess::start_with_login(&mounts, "viewer", "s3cr3t-word").unwrap();
    let site = Site::one_process("").unwrap();
    site.add_camera("right", &cameras.url_with_login("door", "viewer", "s3cr3t-word")).unwrap();
    site.add_camera("wrong", &cameras.url_with_login("door", "viewer", "an0ther-word")).unwrap();
    site.add_camera("lost", &cameras.url_with_login("nowhere", "viewer", "s3cr3t-word")).unwrap();
    site.add_camera("closed", "rtsp://viewer:s3cr3t-word@127.0.0.1:1/door").unwrap();
    for (camera, state) in
        [("right", "online"), ("wrong", "unauthorized"), ("lost", "not_found"), ("closed", "unreachable")]
    {
        wait_until(&format!("{camera} {state}"), PATIENCE, || state_of(&site, camera)["state"] == state).unwrap();
    }
    wait_for_frames(&site, "right", 5.0);
    for (camera, reason) in [("wrong", "unauthorized"), ("lost", "not_found"), ("closed", "unreachable")] {
        let labels = format!("camera=\"{camera}\",reason=\"{reason}\"");
        assert!(site.metric("sightline_ingest_reconnects_total", &labels).unwrap() >= 1.0, "{labels}");
    }
    // An update that sends the starred source back keeps the password.
    let mut spec = state_of(&site, "right");
    assert!(spec["source"].as_str().unwrap().contains("***"), "{spec}");
    for key in ["read_only", "state", "detail"] {
        spec.as_object_mut().unwrap().remove(key);
    }
    spec["fps"] = json!(2);
    site.fleet.api("PUT", "/api/v1/cameras/right", Some(&spec)).unwrap();
    wait_for_frames(&site, "right", 3.0);

    let mut everything = site.fleet.log(0) + &site.fleet.metrics(0).unwrap();
    for path in ["/api/v1/cameras", "/api/v1/events?after=0&limit=1000", "/readyz?verbose"] {
        everything += &site.fleet.request("GET", path, None).unwrap().1;
    }
    site.fleet.stop().unwrap();
    for secret in ["s3cr3t-word", "an0ther-word"] {
        assert!(!everything.contains(secret), "{everything}");
        for file in ["data/sightline.db", "data/sightline.db-wal"] {
            let bytes = std::fs::read(site.folder.path().join(file)).unwrap_or_default();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{file}");
        }
    }
}

#[test]
fn cameras_move_when_their_worker_is_killed() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let mount = |(camera, name): (&str, &str)| {
        let path = folder.path().join(format!("{camera}.mp4"));
        with_key_frames(&clip(name).unwrap(), 25, &path).unwrap();
        (camera.to_owned(), path)
    };
    let cameras = RtspProcess::start(&[("entrance", "cap12_edit"), ("corridor", "cap13_edit2")].map(mount)).unwrap();
    let mut workers = vec!["ingest"];
    workers.extend(ONE_OF_EACH);
    let mut site = Site::over_nats(&workers, "").unwrap();
    let ids: Vec<String> = (0..6).map(|number| format!("camera-{number}")).collect();
    for (id, source) in ids.iter().zip(["entrance", "corridor"].iter().cycle()) {
        site.put_camera(&json!({"id": id, "source": cameras.url(source), "fps": 2})).unwrap();
    }
    let owners = |site: &Site, worker: usize| -> Vec<String> {
        let text = site.fleet.metrics(worker).unwrap_or_default();
        let up = |id: &&String| {
            sightline_tests::metric_of(&text, "sightline_ingest_camera_up", &format!("camera=\"{id}\"")) > 0.0
        };
        ids.iter().filter(up).cloned().collect()
    };
    wait_until("every camera has one owner", PATIENCE, || owners(&site, 0).len() + owners(&site, 1).len() == ids.len())
        .unwrap();
    let seen_on = |events: &[Value], id: &str| visits(events).any(|event| event["camera"] == id);
    site.wait_for_events("a visit on every camera", |events| ids.iter().all(|id| seen_on(events, id))).unwrap();
    // Six cameras on two workers: with random ids either may have none, once in 32 times; then the other one is killed.
    let (victim, heir) = if owners(&site, 0).is_empty() { (1, 0) } else { (0, 1) };
    site.fleet.kill(victim).unwrap();
    // The cameras send a key frame every second, so that what is measured is the workers and not the cameras.
    let took = wait_until("the cameras have moved", PATIENCE, || owners(&site, heir).len() == ids.len()).unwrap();
    assert!(took < Duration::from_secs(10), "the cameras moved after {took:?}");
    site.fleet.restart(victim).unwrap();
    wait_until("the worker is back", PATIENCE, || site.fleet.is_ready(victim)).unwrap();
    let shared = || owners(&site, victim).len() + owners(&site, heir).len() == ids.len();
    wait_until("every camera has one owner again", PATIENCE, shared).unwrap();
}

/// A file with the certificate of a camera, for `ingest.trust`.
fn trust_file(folder: &std::path::Path) -> std::path::PathBuf {
    let file = folder.join("trust.pem");
    std::fs::write(&file, Certificate::Loopback.pem()).unwrap();
    file
}

#[test]
fn cameras_with_certificates_of_their_own_are_trusted_by_the_file() {
    let _turn = side_by_side();
    let mounts = [("door".to_owned(), clip("cap13_edit2").unwrap())];
    let serve = |certificate| RtspProcess::start_with_tls(&mounts, certificate).unwrap();
    let (known, stranger) = (serve(Certificate::Loopback), serve(Certificate::Signed));
    let folder = tempfile::tempdir().unwrap();
    let trust = trust_file(folder.path());
    let site = Site::one_process(&format!("ingest: {{trust: \"{}\"}}", trust.display())).unwrap();
    site.add_camera("known", &known.url("door")).unwrap();
    site.add_camera("stranger", &stranger.url("door")).unwrap();
    wait_for_frames(&site, "known", 3.0);
    wait_until("refused", PATIENCE, || state_of(&site, "stranger")["state"] == "unreachable").unwrap();
    let detail = state_of(&site, "stranger")["detail"].to_string();
    assert!(detail.contains("not trusted") && detail.contains("ingest.trust"), "{detail}");
    site.fleet.stop().unwrap();
}

/// The command, in a folder without a configuration of its own.
fn sightline(folder: &std::path::Path, arguments: &[&str]) -> std::process::Output {
    let program = sightline_testkit::process::program("sightline").unwrap();
    std::process::Command::new(program).current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn probes_say_what_is_wrong_and_use_the_configuration() {
    let _turn = side_by_side();
    let mounts = [("door".to_owned(), clip("cap13_edit2").unwrap())];
    let camera = RtspProcess::start_with_tls(&mounts, Certificate::Loopback).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trust = trust_file(folder.path());
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("trusting.yaml", format!("ingest: {{trust: \"{}\"}}", trust.display()));
    write("missing.yaml", "ingest: {trust: /nowhere/trust.pem}".to_owned());
    let said = |arguments: &[&str]| {
        let output = sightline(folder.path(), arguments);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let url = camera.url("door");
    let plain = url.replacen("rtsps", "rtsp", 1);
    let (code, text) = said(&["-c", "trusting.yaml", "camera", "probe", &url]);
    assert!(code == Some(0) && text.contains("400x300"), "{code:?}: {text}");
    for (arguments, expected, words) in [
        (vec!["camera", "probe", &url], 1, ["unreachable", "ingest.trust"]),
        (vec!["camera", "probe", &plain], 1, ["unreachable", "try rtsps://"]),
        (vec!["camera", "probe", "10.0.0.5/stream1"], 1, ["not_found", "as in rtsp://"]),
        (vec!["-c", "missing.yaml", "camera", "probe", &url], 2, ["ingest.trust", "/nowhere/trust.pem"]),
        (vec!["-c", "missing.yaml", "run"], 2, ["ingest.trust", "/nowhere/trust.pem"]),
    ] {
        let (code, text) = said(&arguments);
        assert!(
            code == Some(expected) && words.iter().all(|word| text.contains(word)),
            "{arguments:?}: {code:?}: {text}"
        );
    }
}

#[test]
fn a_worker_with_another_key_leaves_cameras_to_those_who_can_open_them() {
    let _turn = alone();
    let mounts = [("door".to_owned(), clip("cap13_edit2").unwrap())];
    let cameras = RtspProcess::start_with_login(&mounts, "viewer", "s3cr3t-word").unwrap();
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=").unwrap();
    let mut workers = vec!["ingest"];
    workers.extend(ONE_OF_EACH);
    let configuration = format!("secret_key: \"${{file:{}}}\"", key.display());
    let mut site = Site::over_nats(&workers, &configuration).unwrap();
    // The first worker comes back with a key that is nobody else's.
    site.fleet.kill(0).unwrap();
    std::fs::write(&key, "YW5vdGhlci1hbm90aGVyLWFub3RoZXItYW5vdGhlci0=").unwrap();
    site.fleet.restart(0).unwrap();
    wait_until("the worker is back", PATIENCE, || site.fleet.is_ready(0)).unwrap();
    // So many that the first worker would have some of them, had they no passwords.
    let ids: Vec<String> = (0..8).map(|number| format!("camera-{number}")).collect();
    for id in &ids {
        let source = cameras.url_with_login("door", "viewer", "s3cr3t-word");
        site.put_camera(&json!({"id": id, "source": source, "fps": 1})).unwrap();
    }
    site.put_camera(&json!({"id": "plain", "source": "test://", "fps": 1})).unwrap();
    wait_until("all are online", PATIENCE, || ids.iter().all(|id| state_of(&site, id)["state"] == "online")).unwrap();
    wait_until("all are online", PATIENCE, || state_of(&site, "plain")["state"] == "online").unwrap();
    let events = site.wait_for_events("a visit", |events| visits(events).next().is_some()).unwrap();
    assert!(ids.iter().all(|id| camera_events(&events, id).is_empty()), "{events:?}");
    let said = site.readiness(0).unwrap();
    assert!(!site.fleet.is_ready(0) && said.contains("secret_key") && said.contains("every machine"), "{said}");
    assert!(site.fleet.is_ready(1));

    // Without the other, it takes them and says what is wrong.
    site.fleet.kill(1).unwrap();
    let sealed = |site: &Site, id: &String| state_of(site, id)["detail"].to_string().contains("another key");
    wait_until("all say what is wrong", PATIENCE, || ids.iter().all(|id| sealed(&site, id))).unwrap();
}
