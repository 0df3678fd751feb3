//! Addresses, methods, content types, broken JSON.

use serde_json::json;

use super::house::House;

const ID: &str = "0195e7a0-0000-7000-8000-000000000000";

/// Every address with the methods it takes.
fn routes() -> Vec<(String, Vec<&'static str>)> {
    vec![
        ("/api/v1/people".to_owned(), vec!["GET", "HEAD", "POST"]),
        (format!("/api/v1/people/{ID}"), vec!["DELETE", "GET", "HEAD", "PATCH"]),
        (format!("/api/v1/people/{ID}/merge"), vec!["POST"]),
        (format!("/api/v1/people/{ID}/faces"), vec!["POST"]),
        ("/api/v1/recognize".to_owned(), vec!["POST"]),
        ("/api/v1/events".to_owned(), vec!["GET", "HEAD"]),
        ("/api/v1/events/stream".to_owned(), vec!["GET", "HEAD"]),
        ("/api/v1/cameras".to_owned(), vec!["GET", "HEAD", "POST"]),
        ("/api/v1/cameras/lobby".to_owned(), vec!["DELETE", "GET", "HEAD", "PUT"]),
    ]
}

#[test]
fn methods_that_an_address_does_not_take_are_refused_with_those_it_takes() {
    let house = House::new();
    for (path, takes) in routes() {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            if takes.contains(&method) {
                continue;
            }
            let answer = house.send(method, &path, &[], &[]);
            answer.problem(405);
            let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
            allowed.sort_unstable();
            assert_eq!(allowed, takes, "{method} {path}");
        }
    }
}

#[test]
fn head_is_get_without_the_body() {
    let house = House::new();
    house.json("POST", "/api/v1/cameras", &json!({"id": "lobby", "source": "test://"})).json(201);
    for path in ["/api/v1/people", "/api/v1/events", "/api/v1/cameras", "/api/v1/cameras/lobby"] {
        let (head, get) = (house.send("HEAD", path, &[], &[]), house.get(path));
        assert_eq!((head.status, head.text()), (200, String::new()));
        for header in ["content-type", "content-length"] {
            assert_eq!(head.header(header), get.header(header), "{path}");
        }
    }
    let stream = house.send("HEAD", "/api/v1/events/stream", &[], &[]);
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"));
    assert_eq!(house.send("HEAD", "/nowhere", &[], &[]).status, 404);
}

#[test]
fn nothing_is_at_other_addresses() {
    let house = House::new();
    for path in ["/", "/api", "/api/v1", "/api/v1/", "/api/v1/people/", "/api/v2/people", "/api/v1/events/1", "/%ff"] {
        let problem = house.get(path).problem(404);
        assert!(problem["detail"].as_str().unwrap().contains(path), "{problem}");
        house.json("POST", path, &json!({})).problem(404);
    }
}

/// Every route that takes JSON, with a body that it takes.
fn json_routes() -> [(&'static str, String, String); 5] {
    let person = format!("/api/v1/people/{ID}");
    [
        ("POST", "/api/v1/people".to_owned(), r#"{"name":"Bob"}"#.to_owned()),
        ("PATCH", person.clone(), r#"{"name":"Bob"}"#.to_owned()),
        ("POST", format!("{person}/merge"), format!(r#"{{"into":"{ID}"}}"#)),
        ("POST", "/api/v1/cameras".to_owned(), r#"{"id":"a","source":"test://"}"#.to_owned()),
        ("PUT", "/api/v1/cameras/a".to_owned(), r#"{"source":"test://"}"#.to_owned()),
    ]
}

#[test]
fn bodies_are_sent_as_json() {
    let house = House::new();
    for (method, path, body) in json_routes() {
        for kind in ["text/plain", "application/jsonp", "application/x-www-form-urlencoded", "", "json"] {
            house.send(method, &path, &[("content-type", kind)], body.as_bytes()).problem(415);
        }
        house.send(method, &path, &[], body.as_bytes()).problem(415);
        for kind in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
            let status = house.send(method, &path, &[("content-type", kind)], body.as_bytes()).status;
            assert!(![400, 415, 422].contains(&status) || path.ends_with("merge"), "{method} {path}: {status}");
        }
    }
}

#[test]
fn what_is_no_json_is_told_from_json_of_another_form() {
    let house = House::new();
    let deep = [b"{\"name\":", &[b'['; 10_000][..]].concat();
    for (method, path, body) in json_routes() {
        let send = |body: &[u8]| house.send(method, &path, &[("content-type", "application/json")], body);
        for broken in ["", "{", "nonsense", "{'name':1}", "{1:2}", &body[..body.len() - 1], &body[1..]] {
            send(broken.as_bytes()).problem(400);
        }
        send(format!("{body} x").as_bytes()).problem(400);
        send(b"{\xff}").problem(400);
        send(&deep).problem(400);
        for other in ["null", "1", "\"Bob\"", "{}", "{\"what\":1}", "true"] {
            send(other.as_bytes()).problem(422);
        }
    }
}
