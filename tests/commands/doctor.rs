//! `sightline doctor` and `config check`: what is amiss is found, named, and said with the way out.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use sightline_store::Store;
use sightline_tests::{PATIENCE, Site, wait_until};
use sightline_wire::Utc;
use sightline_wire::service::{NewPerson, NewTemplate};
use tempfile::TempDir;

use crate::{models, refused, said, sightline, unread};

/// The findings of `sightline doctor`, what is amiss among them, and whether it left with success.
pub(crate) fn doctor(folder: &Path, words: &[&str]) -> (Vec<Value>, Vec<(String, String)>, bool) {
    let output = sightline(folder, &[&["-o", "json"], words, &["doctor"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let findings: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text_of = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let bad = findings.iter().filter(|finding| finding["ok"] == false);
    let bad = bad.map(|finding| (text_of(finding, "what"), text_of(finding, "detail"))).collect();
    (findings, bad, output.status.success())
}

/// The one thing that is amiss.
pub(crate) fn doctor_mends(folder: &Path, words: &[&str], what: &str) -> String {
    let (findings, bad, well) = doctor(folder, words);
    assert!(!well && bad.len() == 1 && bad[0].0 == what, "{findings:#?}");
    bad[0].1.clone()
}

/// Nobody listens there.
pub(crate) const NOWHERE: [&str; 2] = ["--server", "http://127.0.0.1:1"];

#[test]
fn the_doctor_says_what_to_mend() {
    let folder = TempDir::new().unwrap();
    let _models = models(folder.path());
    let text = std::fs::read_to_string(folder.path().join("sightline.yaml")).unwrap();
    std::fs::write(folder.path().join("sightline.yaml"), text + "bus: {nats: {url: \"nats://127.0.0.1:1\"}}\n")
        .unwrap();
    let detail = doctor_mends(folder.path(), &NOWHERE, "NATS");
    assert!(detail.contains("127.0.0.1:1") && detail.contains("start nats-server"), "{detail}");
}

#[test]
fn the_doctor_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (findings, bad, well) = doctor(folder.path(), &NOWHERE);
    assert!(well && bad.is_empty(), "{findings:#?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    std::fs::write(folder.path().join("sightline.yaml"), "data_dir: sightline.yaml/data\n").unwrap();
    let detail = doctor_mends(folder.path(), &NOWHERE, "data_dir");
    assert!(detail.contains("give another data_dir"), "{detail}");
}

#[test]
fn a_camera_whose_password_is_not_there_is_found_before_the_start() {
    let folder = TempDir::new().unwrap();
    let text = "cameras:\n  - {id: yard, source: \"test://\"}\n  - {id: lobby, source: \"rtsp://u:${LOBBY_PASSWORD}@127.0.0.1/a\"}\n\
                \x20 - {id: door, source: \"rtsp://u:${file:none/door}@127.0.0.1/a\"}\n";
    std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
    let (code, message) = refused(folder.path(), &["config", "check"]);
    let wanted = ["cameras[1].source", "\"lobby\"", "`LOBBY_PASSWORD` is not set", "cameras[2].source", "none/door"];
    assert!(code == 2 && wanted.iter().all(|part| message.contains(part)), "{code} {message}");
    assert!(!message.contains("yard"), "{message}");
    for part in ["is not set: set it where this camera is ingested", "does no harm"] {
        assert!(message.contains(part), "{message}");
    }
    let (findings, bad, well) = doctor(folder.path(), &NOWHERE);
    assert!(!well && bad.len() == 2 && bad.iter().all(|(what, _)| what == "camera"), "{findings:#?}");
    assert!(bad[0].1.contains("`LOBBY_PASSWORD` is not set: set it") && bad[1].1.contains("none/door"), "{bad:?}");
    std::fs::write(
        folder.path().join("sightline.yaml"),
        "cameras: [{id: lobby, source: \"rtsp://u:${file:door}@h/a\"}]\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("door"), "s3cr3t\n").unwrap();
    assert!(sightline(folder.path(), &["config", "check"]).status.success());
    assert!(doctor(folder.path(), &NOWHERE).2);
}

#[test]
fn a_file_of_a_camera_that_is_not_there_is_found_before_the_start() {
    let folder = TempDir::new().unwrap();
    let (there, text) = (folder.path().join("there.mp4"), "cameras:\n  - {id: a, source: there.mp4}\n");
    std::fs::write(&there, "").unwrap();
    let url = format!("  - {{id: b, source: \"file://{}\"}}\n", there.display());
    std::fs::write(folder.path().join("sightline.yaml"), format!("{text}{url}")).unwrap();
    assert!(sightline(folder.path(), &["config", "check"]).status.success());
    assert!(doctor(folder.path(), &NOWHERE).2);
    let missing = "  - {id: door, source: missing/none.mp4}\n";
    std::fs::write(folder.path().join("sightline.yaml"), format!("{text}{url}{missing}")).unwrap();
    let detail = doctor_mends(folder.path(), &NOWHERE, "camera");
    let (code, message) = refused(folder.path(), &["config", "check"]);
    assert_eq!(code, 2);
    for text in [detail, message] {
        assert!(text.contains("cameras[2].source") && text.contains("there is no file missing/none.mp4"), "{text}");
    }
}

#[test]
fn certificates_that_are_not_here_may_be_elsewhere() {
    let folder = TempDir::new().unwrap();
    let text = "ingest: {trust: none.pem}\ncameras: [{id: a, source: \"rtsps://u:${NOBODY}@127.0.0.1/a\"}]\n";
    std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
    let (code, message) = refused(folder.path(), &["config", "check"]);
    // All that is amiss is said at once.
    let wanted = ["ingest.trust: none.pem", "put it where cameras are ingested", "`NOBODY` is not set", "does no harm"];
    assert!(code == 2 && wanted.iter().all(|part| message.contains(part)), "{code} {message}");
    let (findings, bad, _) = doctor(folder.path(), &NOWHERE);
    let trust = bad.iter().find(|(what, _)| what == "trust");
    assert!(trust.is_some_and(|(_, detail)| detail.contains("put it where cameras are ingested")), "{findings:#?}");
}

#[test]
fn no_password_is_shown_where_something_is_amiss() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("sightline.yaml"), "cameras: [\"rtsp://viewer:hunter2@10.0.0.5/a\"]\n").unwrap();
    let detail = doctor_mends(folder.path(), &NOWHERE, "configuration");
    assert!(detail.contains("cameras[0]: a text is not a group of keys") && !detail.contains("hunter2"), "{detail}");
}

#[test]
fn what_is_amiss_is_a_failure_although_nobody_reads_of_it() {
    let folder = TempDir::new().unwrap();
    for output in ["json", "table"] {
        let words = [&NOWHERE, ["-o", output].as_slice(), &["doctor"]].concat();
        std::fs::write(folder.path().join("sightline.yaml"), "").unwrap();
        let well = unread(folder.path(), &words);
        assert!(well.status.code() == Some(0) && !said(&well).contains("sightline: "), "{}", said(&well));
        std::fs::write(folder.path().join("sightline.yaml"), "data_dir: sightline.yaml/data\n").unwrap();
        let amiss = unread(folder.path(), &words);
        assert!(amiss.status.code() == Some(1) && said(&amiss).contains("1 thing needs mending"), "{}", said(&amiss));
    }
}

#[test]
fn one_camera_without_its_password_does_not_take_the_others_with_it() {
    let cameras = "cameras:\n  - {id: lobby, source: \"rtsp://u:${LOBBY_PASSWORD}@127.0.0.1/a\"}\n  - {id: yard, source: \"test://\"}\n";
    let site = Site::one_process(cameras).unwrap();
    let mut states = Value::Null;
    wait_until("the cameras have been tried", PATIENCE, || {
        states = site.fleet.api("GET", "/api/v1/cameras", None).unwrap()["cameras"].take();
        states[0]["detail"].is_string() && states[1]["state"] == "online"
    })
    .unwrap_or_else(|error| panic!("{error}: {states}"));
    let detail = states[0]["detail"].as_str().unwrap();
    assert!(states[0]["state"] != "online" && detail.contains("`LOBBY_PASSWORD` is not set"), "{states}");
}

#[test]
fn the_doctor_compares_the_gallery_with_the_embedder() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("data/sightline.db")).unwrap();
    let (now, name) = (Utc::from_unix_ns(0), "Ada".to_owned());
    let person = store.create_person(&NewPerson { name, idempotency_key: None }, now).unwrap().id;
    let vector = std::iter::once(1.0).chain(std::iter::repeat_n(0.0, 127)).collect();
    let (embedder, origin) = ("dlib@000000000000".to_owned(), "a.jpg".to_owned());
    let template = NewTemplate { person, embedder, vector, quality: 1.0, origin, idempotency_key: None };
    store.add_template(&template, now).unwrap();
    // While somebody has it open, and when nobody has.
    let detail = doctor_mends(folder.path(), &NOWHERE, "gallery");
    assert!(
        detail.contains("dlib@000000000000") && detail.contains("facenet@") && detail.contains("data_dir"),
        "{detail}"
    );
    drop(store);
    let files = || {
        let entries = std::fs::read_dir(folder.path().join("data")).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect::<BTreeMap<_, _>>()
    };
    let before = files();
    doctor_mends(folder.path(), &NOWHERE, "gallery");
    assert_eq!(before.keys().collect::<Vec<_>>(), files().keys().collect::<Vec<_>>());
    assert!(before == files(), "the database was changed");
    std::fs::write(folder.path().join("data/sightline.db"), "no database, but long enough to be read as one").unwrap();
    assert!(doctor_mends(folder.path(), &NOWHERE, "gallery").contains("sightline.db"));
}

/// Answers every request like this until the test is over, and says where.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = std::io::BufReader::new(&mut stream).lines();
            while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    address
}

#[test]
fn the_doctor_does_not_take_any_answer_for_a_server_that_is_well() {
    let folder = TempDir::new().unwrap();
    // Without a scheme, as people type it.
    let unready = answering(
        "503 Service Unavailable",
        r#"{"site":"default","ready":false,"live":true,"hanging":[],
            "checks":{"gallery":{"ok":false,"detail":"the disk is full"},"models":{"ok":true,"detail":"warm"}}}"#,
    );
    let detail = doctor_mends(folder.path(), &["--server", &unready], "server");
    assert!(detail.contains("gallery: the disk is full") && !detail.contains("models"), "{detail}");
    let another = answering("200 OK", "<html>It works!</html>");
    let detail = doctor_mends(folder.path(), &["--server", &another], "server");
    assert!(detail.contains("is no Sightline server") && detail.contains("--server"), "{detail}");
}

#[test]
fn the_doctor_knows_a_server_of_another_site_and_addresses_without_a_scheme() {
    let site = Site::one_process("").unwrap();
    let folder = TempDir::new().unwrap();
    let base = site.fleet.base_url();
    let bare = base.strip_prefix("http://").unwrap();
    let listed = sightline(folder.path(), &["--server", bare, "people", "list"]);
    assert!(listed.status.success(), "{}", said(&listed));
    let detail = doctor_mends(folder.path(), &["--server", bare], "server");
    assert!(detail.contains("of site \"test\"") && detail.contains("of \"default\""), "{detail}");
    std::fs::write(folder.path().join("sightline.yaml"), "site: test\n").unwrap();
    let (findings, _, well) = doctor(folder.path(), &["--server", bare]);
    assert!(well, "{findings:#?}");
}

#[test]
fn the_doctor_asks_the_gateway_whether_it_serves() {
    let site = Site::over_nats(&["gateway"], "").unwrap();
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("sightline.yaml"), "site: test\n").unwrap();
    let detail = doctor_mends(folder.path(), &["--server", &site.fleet.base_url()], "server");
    assert!(detail.contains("camera.list") && detail.contains("identify"), "{detail}");
}

#[test]
fn configuration_errors_are_said_once_and_with_their_line() {
    let folder = TempDir::new().unwrap();
    let (code, message) = refused(folder.path(), &["-c", "none.yaml", "config", "check"]);
    assert_eq!((code, message.trim_end()), (2, "sightline: none.yaml: there is no such file"));
    std::fs::write(folder.path().join("sightline.yaml"), "site: hall\ndetect:\n  workers: two\n").unwrap();
    let (code, message) = refused(folder.path(), &["config", "check"]);
    assert_eq!(code, 2);
    assert!(
        message.contains("sightline.yaml:3: detect.workers: \"two\" is not a whole number, 0 or more"),
        "{message}"
    );
    assert!(sightline(folder.path(), &["-c", "none.yaml", "doctor"]).status.code() == Some(1));
}
