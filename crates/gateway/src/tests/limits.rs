//! What is refused before it costs anything: size, number, slowness.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use super::house::{FORM, House, IMAGE_BYTES, eventually, form, is_closed, limits, read_answer};
use crate::Limits;

const PEOPLE: &str = "/api/v1/people";
const RECOGNIZE: &str = "/api/v1/recognize";

/// The head of a request.
fn head(method: &str, path: &str, headers: &[&str]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nhost: a\r\n{headers}\r\n").into_bytes()
}

const JSON: &str = "content-type: application/json";
const MULTIPART: &str = "content-type: multipart/form-data; boundary=EDGE";
const CHUNKED: &str = "transfer-encoding: chunked";

#[test]
fn a_length_above_the_limit_is_refused_before_the_body_comes() {
    let house = House::new();
    let enroll = format!("{PEOPLE}/{}/faces", house.person("Bob"));
    for (method, path, kind) in [
        ("POST", PEOPLE, JSON),
        ("PUT", "/api/v1/cameras/a", JSON),
        ("POST", RECOGNIZE, MULTIPART),
        ("POST", &enroll, MULTIPART),
    ] {
        for length in ["content-length: 10000000000", "content-length: 200000"] {
            let stream = house.connect(&head(method, path, &[kind, length]));
            read_answer(&stream).problem(413);
            // A client that asks first is not told to go on.
            let stream = house.connect(&head(method, path, &[kind, length, "expect: 100-continue"]));
            read_answer(&stream).problem(413);
        }
    }
}

/// Sends chunks until the other side has enough of it, or all of them.
fn send_chunks(stream: &mut TcpStream, chunk: &[u8], count: usize) {
    let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    for _ in 0..count {
        if stream.write_all(&chunk).is_err() {
            return;
        }
    }
}

#[test]
fn a_body_of_unstated_length_is_refused_where_it_passes_the_limit() {
    let house = House::new();
    for (path, kind, begin) in [(PEOPLE, JSON, &b" "[..]), (RECOGNIZE, MULTIPART, &form("image", "a", b"")[..60])] {
        let mut stream = house.connect(&head("POST", path, &[kind, CHUNKED]));
        send_chunks(&mut stream, begin, 1);
        send_chunks(&mut stream, &[b' '; 10_000], 30);
        // The last chunk is never sent: the answer does not wait for it.
        read_answer(&stream).problem(413);
    }
}

#[test]
fn form_parts_that_are_skipped_count_too() {
    let house = House::new();
    let mut sent = form("note", "a", &vec![b'x'; 2 * IMAGE_BYTES]);
    sent.truncate(sent.len() - b"--EDGE--\r\n".len());
    sent.extend(form("image", "a.jpg", b"[]"));
    let mut stream = house.connect(&head("POST", RECOGNIZE, &[MULTIPART, CHUNKED]));
    for part in sent.chunks(10_000) {
        send_chunks(&mut stream, part, 1);
    }
    read_answer(&stream).problem(413);
}

#[test]
fn the_limits_are_where_they_are_said_to_be() {
    let house = House::new();
    let padded = |length: usize| format!("[]{}", " ".repeat(length - 2)).into_bytes();
    house.upload(RECOGNIZE, &padded(IMAGE_BYTES)).json(200);
    let problem = house.upload(RECOGNIZE, &padded(IMAGE_BYTES + 1)).problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("100000"), "{problem}");
    let body = |length: usize| format!("{{\"name\":\"Bob\"{}}}", " ".repeat(length - 14)).into_bytes();
    let create = |length| house.send("POST", PEOPLE, &[("content-type", "application/json")], &body(length));
    create(64 * 1024).json(201);
    create(64 * 1024 + 1).problem(413);
}

#[test]
fn who_sends_all_of_it_before_listening_still_reads_the_refusal() {
    let house = House::with(Limits { analyses: 0, ..limits() });
    let large = vec![b' '; 20_000_000];
    for _ in 0..3 {
        house.upload(RECOGNIZE, &large[..IMAGE_BYTES]).problem(429);
        house.upload("/api/v1/nowhere", &large).problem(404);
        house.upload(PEOPLE, &large).problem(415);
        house.upload(RECOGNIZE, &large).problem(413);
        house.send("PUT", PEOPLE, &[FORM], &large).problem(405);
    }
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let house = House::with(Limits { receive: Duration::from_millis(200), ..limits() });
    let begun = &form("image", "a", b"[]")[..70];
    for (path, kind, length, begin) in [
        (PEOPLE, JSON, "content-length: 20", &b"{\"name\""[..]),
        (PEOPLE, JSON, CHUNKED, b"5\r\n{\"na"),
        (RECOGNIZE, MULTIPART, "content-length: 5000", begun),
        (RECOGNIZE, MULTIPART, "content-length: 5000", b""),
    ] {
        let stream = house.connect(&[&head("POST", path, &[kind, length]), begin].concat());
        read_answer(&stream).problem(408);
        assert!(is_closed(&stream));
    }
}

#[test]
fn a_body_that_trickles_is_not_waited_for_either() {
    let house = House::with(Limits { receive: Duration::from_millis(300), ..limits() });
    let mut stream = house.connect(&head("POST", PEOPLE, &[JSON, "content-length: 60000"]));
    let mut writer = stream.try_clone().unwrap();
    let trickle = std::thread::spawn(move || {
        // Ends when the connection does.
        while writer.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    read_answer(&stream).problem(408);
    stream.flush().unwrap();
    trickle.join().unwrap();
}

#[test]
fn a_body_that_breaks_off_or_is_no_http_is_the_clients_fault() {
    let house = House::new();
    for (path, kind) in [(PEOPLE, JSON), (RECOGNIZE, MULTIPART)] {
        let stream = house.connect(&[&head("POST", path, &[kind, CHUNKED])[..], b"ZZZ\r\n"].concat());
        read_answer(&stream).problem(400);
        let stream = house.connect(&[&head("POST", path, &[kind, "content-length: 50"])[..], b"--EDGE\r\n"].concat());
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        read_answer(&stream).problem(400);
    }
}

#[test]
fn more_pictures_than_there_is_room_for_are_refused_until_there_is_room() {
    let house = House::with(Limits { analyses: 2, ..limits() });
    house.world.open.send_replace(false);
    std::thread::scope(|scope| {
        let waiting = [0, 1].map(|_| scope.spawn(|| house.upload(RECOGNIZE, b"[]")));
        eventually("two analyses", || house.world.analysing.load(Ordering::SeqCst) == 2);
        house.upload(RECOGNIZE, b"[]").problem(429);
        let bob = house.person("Bob");
        house.upload(&format!("{PEOPLE}/{bob}/faces"), b"[]").problem(429);
        house.world.open.send_replace(true);
        for answer in waiting {
            answer.join().unwrap().json(200);
        }
    });
    house.upload(RECOGNIZE, b"[]").json(200);
}

#[test]
fn a_client_that_goes_away_leaves_its_place() {
    let house = House::with(Limits { analyses: 1, ..limits() });
    let body = form("image", "a", b"[]");
    let length = format!("content-length: {}", body.len());
    // One goes while it sends, one while its picture is analysed.
    let send = || house.connect(&[&head("POST", RECOGNIZE, &[MULTIPART, &length]), &body[..40]].concat());
    let sending = RefCell::new(send());
    eventually("the place is taken", || {
        let taken = house.upload(RECOGNIZE, b"[]").status == 429;
        if !taken {
            // The upload that asked may have had the place just when the other one came, which then was refused.
            sending.replace(send());
        }
        taken
    });
    drop(sending);
    eventually("the place is free", || house.upload(RECOGNIZE, b"[]").status == 200);
    house.world.open.send_replace(false);
    let waiting = house.connect(&[&head("POST", RECOGNIZE, &[MULTIPART, &length]), &body[..]].concat());
    eventually("it is analysed", || house.world.analysing.load(Ordering::SeqCst) == 1);
    drop(waiting);
    house.world.open.send_replace(true);
    eventually("the place is free again", || house.upload(RECOGNIZE, b"[]").status == 200);
}

#[test]
fn a_connection_is_used_again_after_an_upload() {
    let house = House::new();
    let body = form("image", "a", b"[]");
    let chunked = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let mut stream = house.connect(&[]);
    for _ in 0..3 {
        stream.write_all(&[head("POST", RECOGNIZE, &[MULTIPART, CHUNKED]), chunked.clone()].concat()).unwrap();
        read_answer(&stream).json(200);
        // Refused before its body was looked at.
        let length = format!("content-length: {}", body.len());
        stream.write_all(&[head("POST", PEOPLE, &[MULTIPART, &length]), body.clone()].concat()).unwrap();
        read_answer(&stream).problem(415);
        stream.write_all(&head("GET", PEOPLE, &[])).unwrap();
        assert_eq!(read_answer(&stream).json(200), json!({"people": [], "next": null}));
    }
}
