//! `/api/v1/people`.

use serde_json::json;

use super::house::House;
use super::services::{face, picture};

const PEOPLE: &str = "/api/v1/people";

#[test]
fn people_live_from_create_to_remove() {
    let house = House::new();
    assert_eq!(house.get(PEOPLE).json(200), json!({"people": [], "next": null}));
    let created = house.json("POST", PEOPLE, &json!({"name": "Zoë"})).json(201);
    assert_eq!((&created["name"], &created["templates"]), (&json!("Zoë"), &json!(0)));
    assert!(created["created"].as_str().unwrap().ends_with('Z'));
    house.person("Ann");
    let names: Vec<_> = house.get(PEOPLE).json(200)["people"].as_array().unwrap().clone();
    assert_eq!(names.iter().map(|person| person["name"].clone()).collect::<Vec<_>>(), ["Ann", "Zoë"]);

    let one = format!("{PEOPLE}/{}", created["id"].as_str().unwrap());
    assert_eq!(house.get(&one).json(200), created);
    let renamed = house.json("PATCH", &one, &json!({"name": "Zoe"})).json(200);
    assert_eq!((&renamed["id"], &renamed["name"]), (&created["id"], &json!("Zoe")));
    assert_eq!(house.get(&one).json(200), renamed);
    house.delete(&one).nothing();
    house.get(&one).problem(404);
    house.delete(&one).problem(404);
    house.json("PATCH", &one, &json!({"name": "Zoe"})).problem(404);
}

#[test]
fn somebody_who_is_to_be_removed_only_empty_stays_with_faces() {
    let house = House::new();
    let (ann, bob) = (house.person("Ann"), house.person("Bob"));
    house.upload(&format!("{PEOPLE}/{bob}/faces"), &picture(&[face(50.0, Some(vec![1.0, 0.0]))])).json(201);
    house.delete(&format!("{PEOPLE}/{ann}/if-empty")).nothing();
    house.delete(&format!("{PEOPLE}/{ann}/if-empty")).problem(404);
    house.delete(&format!("{PEOPLE}/{bob}/if-empty")).problem(409);
    assert_eq!(house.get(&format!("{PEOPLE}/{bob}")).json(200)["templates"], 1);
    house.delete(&format!("{PEOPLE}/{bob}")).nothing();
}

#[test]
fn people_come_in_pages_and_by_name() {
    let house = House::new();
    let names = ["Ann", "Bob & Co", "Zoë"];
    names.iter().for_each(|name| drop(house.person(name)));
    let page = |query: &str| {
        let page = house.get(&format!("{PEOPLE}{query}")).json(200);
        let names = page["people"].as_array().unwrap().iter().map(|person| person["name"].clone()).collect::<Vec<_>>();
        (json!(names), page["next"].clone())
    };
    assert_eq!(page(""), (json!(names), json!(null)));
    assert_eq!(page("?limit=2"), (json!(names[..2]), json!("Bob & Co")));
    assert_eq!(page("?limit=2&after=Bob%20%26%20Co"), (json!(names[2..]), json!(null)));
    assert_eq!(page("?name=Zo%C3%AB"), (json!(names[2..]), json!(null)));
    assert_eq!(page("?name=Zoe"), (json!([]), json!(null)));
    for i in 0..100 {
        house.person(&format!("Person {i}"));
    }
    assert_eq!(page("").0.as_array().unwrap().len(), 100, "a hundred unless asked otherwise");
    for query in ["?limit=-1", "?limit=x", "?page=2", "?name=a&name=b"] {
        house.get(&format!("{PEOPLE}{query}")).problem(422);
    }
}

#[test]
fn merging_leaves_one_person() {
    let house = House::new();
    let (from, into) = (house.person("Bob"), house.person("Robert"));
    let merge = |from: &str, body| house.json("POST", &format!("{PEOPLE}/{from}/merge"), &body);
    let merged = merge(&from, json!({"into": into})).json(200);
    assert_eq!((&merged["id"], &merged["name"]), (&json!(into), &json!("Robert")));
    house.get(&format!("{PEOPLE}/{from}")).problem(404);
    merge(&from, json!({"into": into})).problem(404);
    merge(&into, json!({"into": into})).problem(422);
    merge(&into, json!({"into": "Robert"})).problem(422);
    merge("Robert", json!({"into": into})).problem(404);
}

#[test]
fn a_name_is_given_once() {
    let house = House::new();
    let bob = house.person("Bob");
    house.person("Ann");
    let detail = house.json("POST", PEOPLE, &json!({"name": "Bob"})).problem(409)["detail"].clone();
    assert!(detail.as_str().unwrap().contains("\"Bob\""), "the service's own words: {detail}");
    house.json("PATCH", &format!("{PEOPLE}/{bob}"), &json!({"name": "Ann"})).problem(409);
}

#[test]
fn names_that_the_service_refuses_are_unprocessable() {
    let house = House::new();
    for name in ["", "  ", "a\nb", "a\u{0}b", &"x".repeat(201)] {
        house.json("POST", PEOPLE, &json!({"name": name})).problem(422);
    }
    assert_eq!(house.get(PEOPLE).json(200), json!({"people": [], "next": null}));
    house.json("POST", PEOPLE, &json!({"name": "ä".repeat(200)})).json(201);
}

#[test]
fn the_same_idempotency_key_creates_once() {
    let house = House::new();
    let create = |key: &str, name: &str| {
        let headers = [("content-type", "application/json"), ("Idempotency-Key", key)];
        house.send("POST", PEOPLE, &headers, json!({"name": name}).to_string().as_bytes())
    };
    let first = create("key 1", "Bob").json(201);
    assert_eq!(create("key 1", "Bob").json(201), first);
    assert_eq!(create("key 1", "Ann").problem(409)["reason"], "key_reused");
    create("key 2", "Bob").problem(409);
    create(&"k".repeat(200), "Ann").json(201);
    assert_eq!(house.get(PEOPLE).json(200)["people"].as_array().unwrap().len(), 2);
    for key in [&"k".repeat(201), "", "clé"] {
        let problem = create(key, "Eve").problem(422);
        assert!(problem["detail"].as_str().unwrap().contains("Idempotency-Key"), "{problem}");
    }
}

#[test]
fn what_cannot_be_an_id_is_not_found() {
    let house = House::new();
    for id in ["Bob", "1", "%00", "%ff", "..", "a%2Fb", "ein%20mensch", "0195e7a0"] {
        let path = format!("{PEOPLE}/{id}");
        house.get(&path).problem(404);
        house.delete(&path).problem(404);
        house.json("PATCH", &path, &json!({"name": "x"})).problem(404);
        house.upload(&format!("{path}/faces"), b"[]").problem(404);
    }
    house.get(&format!("{PEOPLE}/")).problem(404);
}

#[test]
fn fields_that_nobody_knows_are_refused() {
    let house = House::new();
    let bob = house.person("Bob");
    let problem = house.json("POST", PEOPLE, &json!({"name": "Ann", "nmae": "Bob"})).problem(422);
    assert!(problem["detail"].as_str().unwrap().contains("nmae"), "{problem}");
    house.json("PATCH", &format!("{PEOPLE}/{bob}"), &json!({"name": "Ann", "id": bob})).problem(422);
    house.json("POST", &format!("{PEOPLE}/{bob}/merge"), &json!({"into": bob, "keep": true})).problem(422);
    house.json("POST", PEOPLE, &json!({})).problem(422);
    house.json("POST", PEOPLE, &json!({"name": 5})).problem(422);
    // Fields in their order are no object, although serde would take them.
    house.json("POST", PEOPLE, &json!(["Ann"])).problem(422);
}
