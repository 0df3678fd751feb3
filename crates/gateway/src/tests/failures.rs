//! When the services fail, are away, or do not answer.

use std::time::Duration;

use serde_json::json;
use sightline_wire::service::{Analyse, Failure, FailureKind, ListPeople};

use super::house::{House, limits};
use crate::Limits;

const ID: &str = "0195e7a0-0000-7000-8000-000000000000";

#[test]
fn without_services_every_route_is_unavailable() {
    let house = House::empty(limits());
    let (people, cameras) = ("/api/v1/people", "/api/v1/cameras");
    let (person, camera) = (format!("{people}/{ID}"), format!("{cameras}/a"));
    let named = json!({"name": "Bob"});
    let answers = [
        house.get(people),
        house.json("POST", people, &named),
        house.get(&person),
        house.json("PATCH", &person, &named),
        house.delete(&person),
        house.json("POST", &format!("{person}/merge"), &json!({"into": ID})),
        house.upload(&format!("{person}/faces"), b"[]"),
        house.upload("/api/v1/recognize", b"[]"),
        house.get("/api/v1/events"),
        house.get("/api/v1/events?wait=20000"),
        house.get(cameras),
        house.json("POST", cameras, &json!({"id": "a", "source": "test://"})),
        house.get(&camera),
        house.json("PUT", &camera, &json!({"source": "test://"})),
        house.delete(&camera),
    ];
    for answer in answers {
        answer.problem(503);
    }
}

#[test]
fn services_that_come_back_are_found() {
    let house = House::new();
    house.person("Bob");
    house.services.trigger();
    super::house::eventually("the services end", || house.get("/api/v1/people").status == 503);
    house.runtime.block_on(house.world.serve(&house.bus, &sightline_stage::Shutdown::new()));
    assert_eq!(house.get("/api/v1/people").json(200)["people"][0]["name"], "Bob");
}

#[test]
fn a_service_that_does_not_answer_times_out() {
    let short = Duration::from_millis(100);
    let house = House::empty(Limits { call: short, analysis: short, ..limits() });
    let stop = &house.services;
    house.runtime.block_on(async {
        let never = |_, _| std::future::pending();
        house.bus.serve::<ListPeople, _, _>(never, stop.clone()).await.unwrap();
        let never = |_, _| std::future::pending();
        house.bus.serve::<Analyse, _, _>(never, stop.clone()).await.unwrap();
    });
    let problem = house.get("/api/v1/people").problem(504);
    assert!(problem["detail"].as_str().unwrap().contains("people.list"), "{problem}");
    house.upload("/api/v1/recognize", b"[]").problem(504);
}

#[test]
fn every_kind_of_failure_has_its_status() {
    for (kind, status) in [
        (FailureKind::NotFound, 404),
        (FailureKind::Conflict, 409),
        (FailureKind::Invalid, 422),
        (FailureKind::TooLarge, 413),
        (FailureKind::Unavailable, 503),
        (FailureKind::Timeout, 504),
        (FailureKind::Internal, 500),
    ] {
        let house = House::empty(limits());
        let fails = move |_, _| async move { Err(Failure::new(kind, "what the service says")) };
        house.runtime.block_on(house.bus.serve::<ListPeople, _, _>(fails, house.services.clone())).unwrap();
        assert_eq!(house.get("/api/v1/people").problem(status)["detail"], "what the service says");
    }
}
