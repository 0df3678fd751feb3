//! Whatever is sent: an answer comes, and it is never our fault.

use std::io::Write as _;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::house::{Answer, FORM, House, form, limits, read_answer};
use crate::Limits;

/// The answer is one of those in the API's description.
fn sane(answer: &Answer) -> Result<(), TestCaseError> {
    prop_assert!(answer.status < 500, "{}: {}", answer.status, answer.text());
    let kind = match answer.status {
        204 => "",
        200..300 => "application/json",
        _ => "application/problem+json",
    };
    prop_assert_eq!(answer.header("content-type"), kind);
    prop_assert!(answer.status == 204 || serde_json::from_slice::<Value>(&answer.body).is_ok());
    Ok(())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Mostly the names of real fields, so that many bodies are nearly right.
fn key() -> impl Strategy<Value = String> {
    let known = ["name", "into", "id", "source", "fps", "mode", "transport", "stall"];
    prop_oneof![8 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn text() -> impl Strategy<Value = String> {
    let known = ["a", "test://", "5s", "live", "tcp", "rtsp://a:b@c", "0195e7a0-0000-7000-8000-000000000000", ""];
    prop_oneof![3 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 2 => any::<String>()]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        4 => text().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((key(), inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let object = vec((key(), value.clone()), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect()));
    prop_oneof![4 => object, 1 => value]
}

#[test]
fn random_json_is_answered() {
    let house = House::new();
    let bob = house.person("Bob");
    let person = format!("/api/v1/people/{bob}");
    let routes = [
        ("POST", "/api/v1/people".to_owned()),
        ("PATCH", person.clone()),
        ("POST", format!("{person}/merge")),
        ("POST", "/api/v1/cameras".to_owned()),
        ("PUT", "/api/v1/cameras/a".to_owned()),
    ];
    let strategy = (json(), vec(any::<u8>(), 0..20), any::<proptest::sample::Index>());
    let outcome = runner(300).run(&strategy, |(value, noise, at)| {
        let good = value.to_string().into_bytes();
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad.splice(at..at, noise);
        for (method, path) in &routes {
            for body in [&good, &bad] {
                sane(&house.send(method, path, &[("content-type", "application/json")], body))?;
            }
        }
        Ok(())
    });
    outcome.unwrap();
    house.get("/api/v1/people").json(200);
}

/// Pieces of forms in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<Vec<u8>> = [
        "--EDGE\r\n",
        "--EDGE--\r\n",
        "\r\n",
        "\r\n--EDGE",
        "--",
        "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n",
        "Content-Disposition: form-data; name=\"image\"; filename*=utf-8''%ff\r\n",
        "Content-Disposition: form-data; name=\"note\"\r\n",
        "Content-Disposition: attachment\r\n\r\n",
        "Content-Type: image/jpeg\r\n",
        "Content-Type: ???\r\n",
        "Content-Length: 99999999999\r\n\r\n",
        "[]",
    ]
    .map(|piece| piece.as_bytes().to_vec())
    .into();
    let piece = prop_oneof![6 => proptest::sample::select(known), 1 => vec(any::<u8>(), 0..40)];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn random_forms_are_answered() {
    let house = House::new();
    let faces = format!("/api/v1/people/{}/faces", house.person("Bob"));
    let whole = form("image", "a.jpg", b"[]");
    let strategy = (pieces(), vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4));
    let outcome = runner(400).run(&strategy, |(random, flips)| {
        let mut nearly = whole.clone();
        for (index, value) in flips {
            let at = index.index(nearly.len());
            nearly[at] = value;
        }
        for path in ["/api/v1/recognize", &faces] {
            sane(&house.send("POST", path, &[FORM], &random))?;
            sane(&house.send("POST", path, &[FORM], &nearly))?;
        }
        Ok(())
    });
    outcome.unwrap();
    house.upload("/api/v1/recognize", b"[]").json(200);
}

#[test]
fn random_content_types_are_answered() {
    let house = House::new();
    let beginning = proptest::sample::select(&["", "multipart/form-data", "application/json", "multipart/"][..]);
    let outcome = runner(200).run(&(beginning, "[ -~]{0,40}"), |(beginning, rest)| {
        let kind = format!("{beginning}{rest}");
        for path in ["/api/v1/recognize", "/api/v1/people"] {
            sane(&house.send("POST", path, &[("content-type", kind.trim())], &form("image", "a", b"[]")))?;
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn random_addresses_are_answered() {
    let house = House::new();
    let part = prop_oneof![
        proptest::sample::select(&["api", "v1", "people", "cameras", "events", "stream", "recognize", "merge"][..])
            .prop_map(str::to_owned),
        "[a-zA-Z0-9._~%-]{0,20}".prop_map(|text| text.replace('%', "%e4")),
    ];
    let outcome = runner(300).run(&(vec(part, 0..6), "[a-z0-9=&%+]{0,12}"), |(parts, query)| {
        let path = format!("/{}", parts.join("/"));
        prop_assume!(path != "/api/v1/events/stream");
        let query = query.replace('%', "%ff");
        for path in [format!("{path}?{query}"), format!("/api/v1/{}?{query}", parts.concat())] {
            for method in ["GET", "DELETE", "OPTIONS"] {
                sane(&house.send(method, &path, &[], &[]))?;
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn random_chunks_are_answered() {
    let house = House::with(Limits { receive: Duration::from_millis(100), ..limits() });
    let piece = prop_oneof![
        Just(b"5\r\n--EDG\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"ffffffffffffffff\r\n".to_vec()),
        Just(b"2;extension=1\r\n{}\r\n".to_vec()),
        vec(any::<u8>(), 0..12),
    ];
    let outcome = runner(60).run(&vec(piece, 0..6), |pieces| {
        for (path, kind) in [("/api/v1/people", "application/json"), ("/api/v1/recognize", FORM.1)] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let mut stream = house.connect(head.as_bytes());
            // Refused in the middle, the rest may find nobody.
            drop(stream.write_all(&pieces.concat()));
            sane(&read_answer(&stream))?;
        }
        Ok(())
    });
    outcome.unwrap();
}
