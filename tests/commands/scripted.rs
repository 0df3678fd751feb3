//! The commands that talk to a server, beside one that answers what the test wants.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use sightline_tests::{PATIENCE, wait_until};
use tempfile::TempDir;

use crate::{said, sightline, unread};

/// A server that gives these answers, one to a connection, and hands out what it was asked.
fn scripted(answers: Vec<(u16, String)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Whoever does not ask lets the test fail, not hang.
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let answer = |(status, body): (u16, String)| {
            let mut asking = None;
            wait_until("a connection", PATIENCE, || listener.accept().map(|(stream, _)| asking = Some(stream)).is_ok())
                .unwrap();
            let mut stream = asking.unwrap();
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let (mut asked, mut buffer) = (Vec::new(), [0; 65_536]);
            while !is_whole(&asked) {
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0, "a request that broke off");
                asked.extend_from_slice(&buffer[..count]);
            }
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all((head + &body).as_bytes()).unwrap();
            String::from_utf8_lossy(&asked).to_ascii_lowercase()
        };
        answers.into_iter().map(answer).collect()
    };
    (url, std::thread::spawn(serve))
}

/// Whether a request has arrived with its body.
fn is_whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let end = asked.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) => asked.len() >= end + length,
        None => !head.contains("chunked") || asked.ends_with(b"0\r\n\r\n"),
    }
}

#[test]
fn an_enrollment_that_breaks_off_reports_what_was_done_and_can_be_repeated() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.jpg"), "first").unwrap();
    std::fs::write(folder.path().join("b.jpg"), "second").unwrap();
    let id = "0197a3b0-0000-7000-8000-000000000001";
    let people = json!({"people": [{"id": id, "name": "Ann", "templates": 0, "created": "2025-01-01T00:00:00.000Z"}]});
    let face = json!({"id": 1, "person": id, "box": [0.0, 0.0, 9.0, 9.0], "quality": 0.5});
    let broken = json!({"detail": "the disk is full"});
    let keys: Vec<String> = [0, 1]
        .map(|_| {
            let answers = vec![(200, people.to_string()), (201, face.to_string()), (503, broken.to_string())];
            let (url, server) = scripted(answers);
            let words = ["--server", &url, "-o", "json", "people", "enroll", "--name", "Ann", "a.jpg", "b.jpg"];
            let output = sightline(folder.path(), &words);
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            assert!(String::from_utf8_lossy(&output.stderr).contains("the disk is full"), "{}", said(&output));
            let text = String::from_utf8(output.stdout).unwrap();
            let reports: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(reports.len() == 1 && reports[0]["file"] == "a.jpg", "{text}");
            let asked = server.join().unwrap();
            let key = |asked: &String| {
                asked.lines().find_map(|line| line.strip_prefix("idempotency-key:")).map(str::to_owned)
            };
            let keys: Vec<String> = asked.iter().filter_map(key).collect();
            assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
            assert!(keys.iter().all(|key| key.contains(id) && key.trim().len() <= 200), "{keys:?}");
            keys.concat()
        })
        .to_vec();
    assert_eq!(keys[0], keys[1]);
}

/// A page with one person.
fn page(name: &str, next: Option<&str>) -> (u16, String) {
    let id = "0197a3b0-0000-7000-8000-000000000001";
    let person = json!({"id": id, "name": name, "templates": 0, "created": "2025-01-01T00:00:00.000Z"});
    (200, json!({"people": [person], "next": next}).to_string())
}

#[test]
fn all_pages_of_people_are_listed_and_a_name_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let (url, server) = scripted(vec![page("Ann & Bob", Some("Ann & Bob")), page("Zoe", None)]);
    let output = sightline(folder.path(), &["--server", &url, "-o", "json", "people", "list"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let listed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.iter().map(|person| person["name"].clone()).collect::<Vec<_>>(), ["Ann & Bob", "Zoe"]);
    let asked = server.join().unwrap();
    assert!(asked[0].contains("after=&") && asked[1].contains("after=ann%20%26%20bob&"), "{asked:?}");

    let (url, server) = scripted(vec![page("Zoë", None), (204, String::new())]);
    let output = sightline(folder.path(), &["--server", &url, "people", "remove", "Zoë"]);
    assert!(output.status.success(), "{}", said(&output));
    let asked = server.join().unwrap();
    assert!(asked[0].contains("/people?name=zo%c3%ab "), "{asked:?}");
    assert!(asked[1].starts_with("delete /api/v1/people/0197a3b0"), "{asked:?}");
}

#[test]
fn a_picture_that_was_enrolled_before_is_known_by_the_reason() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.jpg"), "a picture").unwrap();
    for (reason, status, reported) in [("key_reused", 0, "enrolled_before"), ("other_model", 1, "in whatever words")] {
        let conflict = json!({"detail": "in whatever words", "reason": reason});
        let (url, server) = scripted(vec![page("Ann", None), (409, conflict.to_string())]);
        let words = ["--server", &url, "-o", "json", "people", "enroll", "--name", "Ann", "a.jpg"];
        let output = sightline(folder.path(), &words);
        server.join().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &report["rejected"]), (Some(status), &json!(reported)), "{}", said(&output));
    }
}

#[test]
fn a_person_of_whom_nothing_was_accepted_does_not_stay() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.jpg"), "a picture").unwrap();
    let nobody = (200, json!({"people": [], "next": null}).to_string());
    let id = "0197a3b0-0000-7000-8000-000000000001";
    let created = json!({"id": id, "name": "Ann", "templates": 0, "created": "2025-01-01T00:00:00.000Z"});
    let problem = |detail: &str, status: u16| (status, json!({"detail": detail, "reason": "no_face"}).to_string());
    // Whatever the failure was, the first is told. The server may know of others' pictures, or that the person is gone.
    for (failure, removal, told) in [
        (problem("in words", 422), (204, String::new()), "no picture was accepted of: Ann"),
        (problem("in words", 422), problem("there are templates", 409), "no picture was accepted of: Ann"),
        (problem("in words", 422), problem("gone", 404), "no picture was accepted of: Ann"),
        (
            problem("in words", 422),
            problem("the disk is full", 503),
            "\"Ann\" stays without a picture: the disk is full",
        ),
        (problem("the disk is full", 503), (204, String::new()), "the disk is full"),
    ] {
        let answers = vec![nobody.clone(), (201, created.to_string()), failure, removal];
        let (url, server) = scripted(answers);
        let output = sightline(folder.path(), &["--server", &url, "people", "enroll", "--name", "Ann", "a.jpg"]);
        let asked = server.join().unwrap();
        assert!(asked[3].starts_with(&format!("delete /api/v1/people/{id}/if-empty ")), "{asked:?}");
        assert!(output.status.code() == Some(1) && said(&output).contains(told), "{}", said(&output));
    }
}

#[test]
fn a_reader_that_has_gone_ends_a_command_quietly() {
    let folder = TempDir::new().unwrap();
    for words in [&["people", "list"][..], &["-o", "json", "people", "list"], &["config", "print"], &["--help"]] {
        let asks = words.contains(&"people");
        let (url, server) = scripted(if asks { vec![page("Ann", None)] } else { Vec::new() });
        let output = unread(folder.path(), &[&["--server", &url], words].concat());
        assert!(output.status.code() == Some(0) && output.stderr.is_empty(), "{words:?}: {}", said(&output));
        server.join().unwrap();
    }
}

#[test]
fn an_enrollment_that_fails_is_a_failure_although_nobody_reads_of_it() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.jpg"), "first").unwrap();
    std::fs::write(folder.path().join("b.jpg"), "second").unwrap();
    let id = "0197a3b0-0000-7000-8000-000000000001";
    let face = json!({"id": 1, "person": id, "box": [0.0, 0.0, 9.0, 9.0], "quality": 0.5}).to_string();
    let broken = (503, json!({"detail": "the disk is full"}).to_string());
    let no_face = (422, json!({"detail": "in words", "reason": "no_face"}).to_string());
    for output in ["json", "table"] {
        for (answers, told) in [
            (vec![page("Ann", None), (201, face.clone()), broken.clone()], "the disk is full"),
            (vec![page("Ann", None), no_face.clone(), no_face.clone()], "no picture was accepted of: Ann"),
        ] {
            let (url, server) = scripted(answers);
            let words = ["--server", &url, "-o", output, "people", "enroll", "--name", "Ann", "a.jpg", "b.jpg"];
            let output = unread(folder.path(), &words);
            server.join().unwrap();
            assert!(output.status.code() == Some(1) && said(&output).contains(told), "{}", said(&output));
        }
    }
}

#[test]
fn a_connection_that_breaks_is_a_failure() {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let output = sightline(folder.path(), &["--server", &url, "people", "list"]);
    server.join().unwrap();
    assert!(output.status.code() == Some(1) && said(&output).contains(&url), "{}", said(&output));
}
