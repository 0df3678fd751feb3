//! `/api/v1/cameras`.

use serde_json::json;

use super::house::House;

const CAMERAS: &str = "/api/v1/cameras";
const SECRET: &str = "s3cret";

fn source() -> String {
    format!("rtsp://viewer:{SECRET}@10.0.0.11/stream1")
}

#[test]
fn cameras_live_from_create_to_remove() {
    let house = House::new();
    assert_eq!(house.get(CAMERAS).json(200), json!({"cameras": []}));
    let lobby = json!({"id": "lobby", "source": "test://"});
    let created = house.json("POST", CAMERAS, &lobby).json(201);
    let expected = json!({
        "id": "lobby", "source": "test://", "fps": 5.0, "mode": "live", "transport": "tcp", "stall": "5s",
        "read_only": false, "state": null, "detail": null,
    });
    assert_eq!(created, expected);
    let gate = json!({"source": "clips/gate.mp4", "fps": 2.5, "mode": "complete", "stall": "10s"});
    let put = house.json("PUT", &format!("{CAMERAS}/gate"), &gate).json(200);
    assert_eq!((&put["id"], &put["fps"], &put["mode"]), (&json!("gate"), &json!(2.5), &json!("complete")));
    assert_eq!(house.get(CAMERAS).json(200), json!({"cameras": [put, created]}));

    let path = format!("{CAMERAS}/lobby");
    let faster = json!({"id": "lobby", "source": "test://", "fps": 10});
    assert_eq!(house.json("PUT", &path, &faster).json(200)["fps"], 10.0);
    assert_eq!(house.get(&path).json(200)["fps"], 10.0);
    house.delete(&path).nothing();
    house.get(&path).problem(404);
    house.delete(&path).problem(404);
}

#[test]
fn creating_does_not_overwrite() {
    let house = House::new();
    house.json("POST", CAMERAS, &json!({"id": "lobby", "source": "test://"})).json(201);
    house.json("POST", CAMERAS, &json!({"id": "lobby", "source": "other.mp4"})).problem(409);
    assert_eq!(house.get(&format!("{CAMERAS}/lobby")).json(200)["source"], "test://");
}

#[test]
fn address_and_body_name_the_same_camera() {
    let house = House::new();
    let path = format!("{CAMERAS}/lobby");
    for id in [json!("gate"), json!("LOBBY"), json!(1), json!(null)] {
        house.json("PUT", &path, &json!({"id": id, "source": "test://"})).problem(422);
    }
    assert_eq!(house.get(CAMERAS).json(200), json!({"cameras": []}));
    for id in ["a.b", "%ff", "%2e", &"x".repeat(65), "%C3%A4"] {
        let path = format!("{CAMERAS}/{id}");
        house.get(&path).problem(404);
        house.delete(&path).problem(404);
        house.json("PUT", &path, &json!({"source": "test://"})).problem(404);
    }
}

#[test]
fn passwords_do_not_come_back() {
    let house = House::new();
    let shown = "rtsp://viewer:***@10.0.0.11/stream1";
    let path = format!("{CAMERAS}/lobby");
    let created = house.json("POST", CAMERAS, &json!({"id": "lobby", "source": source()})).json(201);
    let put = house.json("PUT", &path, &json!({"source": source(), "fps": 1})).json(200);
    let all = house.get(CAMERAS).json(200);
    let one = house.get(&path).json(200);
    for camera in [&created, &put, &all["cameras"][0], &one] {
        assert_eq!(camera["source"], shown);
    }
    assert_eq!(house.world.source("lobby"), source(), "the service gets it as it is");
}

#[test]
fn what_is_wrong_with_a_camera_is_said_without_its_password() {
    let house = House::new();
    for (wrong, named) in [
        (json!({"id": "a b", "source": source()}), "camera id"),
        (json!({"id": "a", "source": source(), "fsp": 5}), "fsp"),
        (json!({"id": "a", "source": source(), "fps": 0}), "fps"),
        (json!({"id": "a", "source": source(), "fps": "5"}), "f64"),
        (json!({"id": "a", "source": source(), "stall": "5"}), "duration"),
        (json!({"id": "a", "source": source(), "mode": "fast"}), "fast"),
        (json!({"id": "a", "source": [source()]}), "string"),
        (json!({"id": "a", "source": format!("ftp://a:{SECRET}@b")}), "source"),
        (json!({"source": source()}), "id"),
        (json!({"id": "a"}), "source"),
        (json!({"id": "a", "source": "x".repeat(2001)}), "source"),
    ] {
        let mut answers = vec![house.json("POST", CAMERAS, &wrong)];
        if wrong["id"] == "a" {
            answers.push(house.json("PUT", &format!("{CAMERAS}/a"), &wrong));
        }
        for answer in answers {
            let detail = answer.problem(422)["detail"].to_string();
            assert!(detail.contains(named) && !detail.contains(SECRET), "{wrong}: {detail}");
        }
    }
    house.json("PUT", &format!("{CAMERAS}/a"), &json!([])).problem(422);
    assert_eq!(house.get(CAMERAS).json(200), json!({"cameras": []}));
}
