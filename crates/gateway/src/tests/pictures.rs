//! `/api/v1/people/{id}/faces` and `/api/v1/recognize`.

use serde_json::{Value, json};
use sightline_wire::Outcome;

use super::house::{FORM, House, form};
use super::services::{EMBEDDER, face, flawed, picture};
use crate::api::{Recognition, RecognizedFace};

const RECOGNIZE: &str = "/api/v1/recognize";

fn faces_of(person: &str) -> String {
    format!("/api/v1/people/{person}/faces")
}

#[test]
fn the_one_face_of_a_picture_is_enrolled() {
    let house = House::new();
    let bob = house.person("Bob");
    let pixels = picture(&[face(50.0, Some(vec![0.6, 0.8]))]);
    let sent = form("image", "C:\\photos\\bob\u{85}.jpg", &pixels);
    let enrolled = house.send("POST", &faces_of(&bob), &[FORM, ("Idempotency-Key", "k-1")], &sent).json(201);
    let expected = json!({"id": 1, "person": bob, "box": [10.0, 20.0, 60.0, 70.0], "quality": 0.8, "resembles": null});
    assert_eq!(enrolled, expected);
    let template = house.world.templates.lock().unwrap()[0].clone();
    assert_eq!((&*template.embedder, template.vector), (EMBEDDER, vec![0.6, 0.8]));
    assert_eq!((template.person.to_string(), template.quality), (bob.clone(), 0.8));
    assert_eq!((&*template.origin, template.idempotency_key.as_deref()), ("bob.jpg", Some("k-1")));
    assert_eq!(house.get(&format!("/api/v1/people/{bob}")).json(200)["templates"], 1);
}

#[test]
fn a_face_that_would_be_taken_for_somebody_else_is_enrolled_and_told() {
    let (house, [ann, _]) = inhabited();
    let path = faces_of(&house.person("Zoe"));
    let enroll = |vector: [f32; 2]| house.upload(&path, &picture(&[face(50.0, Some(vector.to_vec()))])).json(201);
    let resembles = enroll([0.8, -0.6])["resembles"].clone();
    assert_eq!((&resembles["id"], &resembles["name"]), (&json!(ann), &json!("Ann")));
    assert!((resembles["score"].as_f64().unwrap() - 0.8).abs() < 1e-6, "{resembles}");
    assert_eq!(enroll([-0.6, -0.8])["resembles"], json!(null));
}

#[test]
fn faces_that_cannot_be_enrolled_are_refused_with_their_reason() {
    let house = House::new();
    let path = faces_of(&house.person("Bob"));
    let good = || face(50.0, Some(vec![1.0, 0.0]));
    for (faces, reason) in [
        (vec![], "no_face"),
        (vec![good(), good()], "several_faces"),
        (vec![good(), flawed("small", None), good()], "several_faces"),
        (vec![flawed("small", Some(vec![1.0, 0.0]))], "small"),
        (vec![flawed("blurred", Some(vec![1.0, 0.0]))], "blurred"),
        (vec![face(50.0, None)], "not_aligned"),
    ] {
        let problem = house.upload(&path, &picture(&faces)).problem(422);
        assert_eq!(problem["reason"], reason, "{problem}");
    }
    let problem = house.upload(&path, &picture(&[good(), good(), good()])).problem(422);
    assert!(problem["detail"].as_str().unwrap().contains("3 faces"), "{problem}");
    assert!(house.world.templates.lock().unwrap().is_empty());
}

#[test]
fn a_gallery_of_another_model_conflicts() {
    let house = House::new();
    let path = faces_of(&house.person("Bob"));
    house.upload(&path, b"other model").problem(409);
    house.upload(RECOGNIZE, b"other model").problem(409);
}

#[test]
fn somebody_who_is_missing_cannot_be_enrolled() {
    let house = House::new();
    let nobody = faces_of("0195e7a0-0000-7000-8000-000000000000");
    house.upload(&nobody, &picture(&[face(50.0, Some(vec![1.0, 0.0]))])).problem(404);
    let path = faces_of(&house.person("Bob"));
    let headers = [FORM, ("Idempotency-Key", &*"k".repeat(201))];
    house.send("POST", &path, &headers, &form("image", "a", b"[]")).problem(422);
}

#[test]
fn forms_without_a_picture_are_refused() {
    let house = House::new();
    let enroll = faces_of(&house.person("Bob"));
    for path in [&*enroll, RECOGNIZE] {
        let send = |kind: &str, body: &[u8]| house.send("POST", path, &[("content-type", kind)], body);
        let problem = send(FORM.1, &form("picture", "a.jpg", b"[]")).problem(422);
        assert!(problem["detail"].as_str().unwrap().contains("`image`"), "{problem}");
        send(FORM.1, b"--EDGE--\r\n").problem(422);
        send(FORM.1, b"").problem(400);
        send(FORM.1, b"hello").problem(400);
        send(FORM.1, &form("image", "a.jpg", b"[]")[..60]).problem(400);
        send("multipart/form-data", &form("image", "a.jpg", b"[]")).problem(415);
        send("image/jpeg", b"[]").problem(415);
        send("application/json", b"[]").problem(415);
        house.send("POST", path, &[], b"[]").problem(415);
        // Neither a JPEG nor a PNG, as the analysis says.
        send(FORM.1, &form("image", "a.jpg", b"GIF89a")).problem(422);
        send(FORM.1, &form("image", "a.jpg", b"")).problem(422);
    }
}

#[test]
fn the_picture_is_the_first_part_called_image_or_file() {
    let house = House::new();
    let wide = |width| picture(&[face(width, None)]);
    let joined = |parts: &[(&str, &[u8])]| {
        let one = |(name, bytes): &(&str, &[u8])| {
            let form = form(name, "a.jpg", bytes);
            form[..form.len() - b"--EDGE--\r\n".len()].to_vec()
        };
        [parts.iter().map(one).collect::<Vec<_>>().concat(), b"--EDGE--\r\n".to_vec()].concat()
    };
    let width = |body: &[u8]| {
        let answer = house.send("POST", RECOGNIZE, &[FORM], body).json(200);
        answer["faces"][0]["box"][2].as_f64().unwrap() - 10.0
    };
    let (a, b) = (wide(30.0), wide(40.0));
    assert_eq!(width(&joined(&[("note", b"hello"), ("file", &a), ("image", &b)])), 30.0);
    assert_eq!(width(&joined(&[("image", &b), ("image", &a)])), 40.0);
    // No file name, as programs send it.
    let plain = [b"--EDGE\r\nContent-Disposition: form-data; name=image\r\n\r\n", &a[..], b"\r\n--EDGE--\r\n"];
    assert_eq!(width(&plain.concat()), 30.0);
}

/// A house where Ann and Bob are enrolled, with the ids of both.
fn inhabited() -> (House, [String; 2]) {
    let house = House::new();
    let ids = ["Ann", "Bob"].map(|name| house.person(name));
    for (id, vector) in ids.iter().zip([vec![1.0, 0.0], vec![0.0, 1.0]]) {
        house.upload(&faces_of(id), &picture(&[face(50.0, Some(vector))])).json(201);
    }
    (house, ids)
}

#[test]
fn everybody_in_a_picture_is_looked_up() {
    let (house, [ann, bob]) = inhabited();
    let faces = [
        face(90.0, Some(vec![0.28, 0.96])),
        face(80.0, None),
        face(70.0, Some(vec![0.96, 0.28])),
        face(60.0, Some(vec![-1.0, 0.0])),
        flawed("small", Some(vec![1.0, 0.0])),
        flawed("blurred", Some(vec![0.0, 1.0])),
        flawed("small", None),
    ];
    let answer = house.upload(RECOGNIZE, &picture(&faces)).json(200);
    let shown = answer["faces"][0].as_object().unwrap();
    let members = ["box", "flaw", "landmarks", "outcome", "people", "quality", "score"];
    assert_eq!(shown.keys().collect::<Vec<_>>(), members, "vectors are not given away");

    let answer: Recognition = serde_json::from_value(answer).unwrap();
    assert_eq!((answer.width, answer.height), (640, 480));
    assert_eq!((&*answer.model.detector, &*answer.model.embedder), ("finder@1", EMBEDDER));
    let best = |face: &RecognizedFace| (face.outcome, face.people.first().map(|best| best.name.clone()));
    let expected = [
        (Outcome::Known, Some("Bob")),
        (Outcome::Unknown, None),
        (Outcome::Known, Some("Ann")),
        (Outcome::Unknown, Some("Bob")),
        (Outcome::TooSmall, Some("Ann")),
        (Outcome::Known, Some("Bob")),
        (Outcome::TooSmall, None),
    ];
    let expected = expected.map(|(outcome, name)| (outcome, name.map(str::to_owned)));
    assert_eq!(answer.faces.iter().map(best).collect::<Vec<_>>(), expected);
    let people = answer.faces[0].people.iter().map(|found| (found.id.to_string(), found.score));
    assert_eq!(people.collect::<Vec<_>>(), [(bob, 0.96), (ann, 0.28)]);
    for (answered, analysed) in answer.faces.iter().zip(&faces) {
        assert_eq!((answered.bbox, answered.landmarks), (analysed.bbox, analysed.landmarks));
        assert_eq!((answered.score, answered.quality), (analysed.score, analysed.quality));
        assert_eq!(answered.flaw, analysed.flaw);
    }
}

#[test]
fn as_many_people_come_back_as_asked_for() {
    let (house, _) = inhabited();
    let sent = form("image", "a.jpg", &picture(&[face(50.0, Some(vec![1.0, 0.0]))]));
    let ask = |query: &str| house.send("POST", &format!("{RECOGNIZE}{query}"), &[FORM], &sent);
    for (query, asked, people) in [("", 5, 2), ("?k=1", 1, 1), ("?k=0", 1, 1), ("?k=4000000000", 100, 2)] {
        let answer = ask(query).json(200);
        assert_eq!(answer["faces"][0]["people"].as_array().unwrap().len(), people, "{query}");
        assert_eq!(house.world.searches.lock().unwrap().last().unwrap().k, asked, "{query}");
    }
    for query in ["?k=-1", "?k=x", "?k=", "?k=99999999999", "?n=1", "?k=1&k=2"] {
        ask(query).problem(422);
    }
}

#[test]
fn a_picture_without_faces_needs_no_search() {
    let house = House::new();
    assert_eq!(house.upload(RECOGNIZE, &picture(&[])).json(200)["faces"], json!([]));
    let answer = house.upload(RECOGNIZE, &picture(&[face(50.0, None)])).json(200);
    assert_eq!((&answer["faces"][0]["outcome"], &answer["faces"][0]["people"]), (&json!("unknown"), &json!([])));
    assert!(house.world.searches.lock().unwrap().is_empty());
}

#[test]
fn a_crowd_is_looked_up_in_parts() {
    let (house, _) = inhabited();
    let vector = |index: usize| {
        if index.is_multiple_of(2) { vec![1.0, 0.0] } else { vec![0.0, 1.0] }
    };
    let crowd: Vec<_> = (0..150).map(|index| face(50.0, (index % 5 != 0).then(|| vector(index)))).collect();
    let answer = house.upload(RECOGNIZE, &picture(&crowd)).json(200);
    for (index, face) in answer["faces"].as_array().unwrap().iter().enumerate() {
        let expected = match (index % 5, index % 2) {
            (0, _) => Value::Null,
            (_, 0) => json!("Ann"),
            _ => json!("Bob"),
        };
        assert_eq!(face["people"][0]["name"], expected, "face {index}");
    }
    let searches = house.world.searches.lock().unwrap();
    assert_eq!(searches.iter().map(|search| search.vectors.len()).collect::<Vec<_>>(), [64, 56]);
}
