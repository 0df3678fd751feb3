//! People over the real service and from the command line: what is acknowledged survives, what is refused says why.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sightline_testkit::process::{free_port, program};
use sightline_testkit::{clip, shared_or_skip};
use sightline_tests::{PATIENCE, Site, alone, frames_of, side_by_side, wait_until};
use tempfile::TempDir;

fn names(site: &Site) -> Vec<(String, u64)> {
    let people = site.fleet.api("GET", "/api/v1/people", None).unwrap();
    let row = |person: &Value| (person["name"].as_str().unwrap().to_owned(), person["templates"].as_u64().unwrap());
    people["people"].as_array().unwrap().iter().map(row).collect()
}

fn found(site: &Site, picture: &[u8]) -> Value {
    let (status, text) = site.upload("/api/v1/recognize?k=5", picture).unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn acknowledged_changes_survive_a_kill() {
    let _turn = alone();
    let mut site = Site::one_process("").unwrap();
    let men = [
        frames_of(&clip("cap12_edit").unwrap(), &[8.0, 24.0]).unwrap(),
        frames_of(&clip("franck").unwrap(), &[2.0]).unwrap(),
    ];
    let adam = site.enroll("Adam", &men[0]).unwrap();
    let frank = site.enroll("Frank", &men[1]).unwrap();
    let restart = |site: &mut Site| {
        site.fleet.kill(0).unwrap();
        site.fleet.restart(0).unwrap();
        wait_until("ready again", PATIENCE, || site.fleet.is_ready(0)).unwrap();
    };
    restart(&mut site);
    assert_eq!(names(&site), [("Adam".to_owned(), 2), ("Frank".to_owned(), 1)]);
    assert_eq!(found(&site, &men[1][0])["faces"][0]["people"][0]["name"], "Frank");

    site.fleet.api("PATCH", &format!("/api/v1/people/{frank}"), Some(&json!({"name": "Franck"}))).unwrap();
    restart(&mut site);
    assert_eq!(names(&site), [("Adam".to_owned(), 2), ("Franck".to_owned(), 1)]);

    site.fleet.api("POST", &format!("/api/v1/people/{frank}/merge"), Some(&json!({"into": adam}))).unwrap();
    restart(&mut site);
    assert_eq!(names(&site), [("Adam".to_owned(), 3)]);
    assert_eq!(found(&site, &men[1][0])["faces"][0]["people"][0]["name"], "Adam");

    site.fleet.api("DELETE", &format!("/api/v1/people/{adam}"), None).unwrap();
    restart(&mut site);
    assert!(names(&site).is_empty());
    let answer = found(&site, &men[0][0]);
    assert_eq!((&answer["faces"][0]["people"], &answer["faces"][0]["outcome"]), (&json!([]), &json!("unknown")));
}

#[test]
fn bad_pictures_are_refused_with_the_reason() {
    let _turn = alone();
    let site = Site::one_process("").unwrap();
    let person = site.add_person("Somebody").unwrap();
    let picture = frames_of(&clip("cap12_edit").unwrap(), &[8.0]).unwrap().remove(0);
    let path = format!("/api/v1/people/{person}/faces");
    let refused = |bytes: &[u8]| {
        let (status, text) = site.upload(&path, bytes).unwrap();
        let problem: Value = serde_json::from_str(&text).unwrap();
        (status, problem)
    };
    let mut cut = picture.clone();
    cut.truncate(picture.len() / 2);
    for (what, bytes) in [("cut off", cut.as_slice()), ("noise", b"not a picture at all".as_slice()), ("empty", b"")] {
        let (status, problem) = refused(bytes);
        assert!((400..500).contains(&status), "{what}: {status} {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{what}: {problem}");
    }
    // Only headers, of 65,535 x 65,535 pixels: refused before anything is decoded.
    for (what, bytes) in [("jpeg", huge_jpeg()), ("png", huge_png())] {
        let before = site.fleet.usage().unwrap().peak_rss_mb;
        let (status, problem) = refused(&bytes);
        assert!(status == 413 || status == 422, "{what}: {status} {problem}");
        assert!(site.fleet.usage().unwrap().peak_rss_mb < before + 50.0, "{what}");
    }
    let (status, text) = site.upload(&path, &picture).unwrap();
    assert_eq!(status, 201, "a good picture after the bad ones: {text}");
    assert_eq!(names(&site), [("Somebody".to_owned(), 1)]);
}

/// A frame header that promises 65,535 x 65,535 pixels.
fn huge_jpeg() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0xff, 0xff, 0xff, 0xff, 3];
    bytes.extend([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    bytes.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0, 0, 0, 0xff, 0xd9]);
    bytes
}

/// A header chunk that promises 65,535 x 65,535 pixels; CRC as zlib computes it.
fn huge_png() -> Vec<u8> {
    let mut bytes = vec![0x89, b'P', b'N', b'G', 13, 10, 26, 10, 0, 0, 0, 13];
    let chunk = [b"IHDR".as_slice(), &65_535_u32.to_be_bytes(), &65_535_u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let crc = chunk.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    });
    bytes.extend(chunk);
    bytes.extend((!crc).to_be_bytes());
    bytes
}

#[test]
fn pictures_without_one_face_are_refused_with_the_reason() {
    let Some(shared) = shared_or_skip("pictures_without_one_face_are_refused_with_the_reason") else { return };
    let _turn = alone();
    let site = Site::one_process("").unwrap();
    let person = site.add_person("Somebody").unwrap();
    let photos = shared.join("data/photos");
    for (file, reason) in [("noface/empty_room.jpg", "no_face"), ("test/obama_and_biden.jpg", "several_faces")] {
        let picture = std::fs::read(photos.join(file)).unwrap();
        let (status, text) = site.upload(&format!("/api/v1/people/{person}/faces"), &picture).unwrap();
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &problem["reason"]), (422, &json!(reason)), "{file}: {text}");
    }
    assert_eq!(names(&site), [("Somebody".to_owned(), 0)]);
}

#[test]
fn a_folder_of_people_is_enrolled_and_found() {
    let Some(shared) = shared_or_skip("a_folder_of_people_is_enrolled_and_found") else { return };
    let _turn = alone();
    let site = Site::one_process("").unwrap();
    let run = |words: &[&str]| {
        let server = site.fleet.base_url();
        let words = [&["--server", &server, "-o", "json"], words].concat();
        let mut command = Command::new(program("sightline").unwrap());
        let output = command.current_dir(site.folder.path()).args(words).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code(), rows)
    };
    let train = shared.join("data/photos/train");
    let (status, report) = run(&["people", "enroll", train.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{report:?}");
    assert_eq!(report.len(), 9, "{report:?}");
    let (_, people) = run(&["people", "list"]);
    assert_eq!(people.len(), 5);
    // Again, and once more from files of other names: nobody has more templates for that.
    let copies = copied_under_other_names(&train);
    for folder in [train.as_path(), copies.path()] {
        let (status, report) = run(&["people", "enroll", folder.to_str().unwrap()]);
        assert_eq!((status, report.len()), (Some(0), 9), "{report:?}");
        assert_eq!(run(&["people", "list"]).1, people, "{report:?}");
    }
    let test = shared.join("data/photos/test");
    for (file, name) in
        [("obama1.jpg", "obama"), ("johnsnow_test1.jpg", "kit_harington"), ("alex_lacamoire1.jpg", "alex_lacamoire")]
    {
        let (status, answer) = run(&["search", test.join(file).to_str().unwrap(), "-k", "2"]);
        assert_eq!(status, Some(0));
        let people = answer[0]["faces"][0]["people"].as_array().unwrap();
        assert_eq!((people.len(), &people[0]["name"]), (2, &json!(name)), "{file}: {answer:?}");
    }
}

#[test]
fn stills_are_not_seen_in_the_width_of_the_cameras() {
    let Some(shared) = shared_or_skip("stills_are_not_seen_in_the_width_of_the_cameras") else { return };
    let _turn = side_by_side();
    // Its cameras are looked at in 320 pixels.
    let site = Site::one_process("models: {profile: fast}\n").unwrap();
    let photos = shared.join("data/photos");
    for (file, faces) in [("group/solvay_conference_1927.png", 29), ("single/obama3.jpg", 1)] {
        let answer = found(&site, &std::fs::read(photos.join(file)).unwrap());
        assert_eq!(answer["faces"].as_array().unwrap().len(), faces, "{file}");
    }
}

#[test]
fn a_process_has_few_arenas() {
    let _turn = side_by_side();
    let site = Site::one_process("").unwrap();
    let picture = frames_of(&clip("cap12_edit").unwrap(), &[8.0]).unwrap().remove(0);
    site.enroll("Adam", &[picture]).unwrap();
    let (_, process) = site.fleet.processes().remove(0);
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let (threads, heaps) = (std::fs::read_dir(format!("/proc/{process}/task")).unwrap().count(), heaps(&maps));
    println!("{threads} threads, {heaps} heaps");
    // Beside the main one there is one arena, whose heaps hold 64 MiB each. With an arena for each thread there are 11.
    assert!(threads > 8 && heaps <= 6, "{heaps} heaps of arenas for {threads} threads");
}

/// How many heaps of glibc's arenas there are: they begin at multiples of 64 MiB, a used and a reserved part that fill 64 MiB together.
fn heaps(maps: &str) -> usize {
    const HEAP: u64 = 64 << 20;
    let mut parts: Vec<(u64, u64)> = Vec::new();
    for line in maps.lines().filter(|line| line.split_whitespace().count() == 5) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        parts.push((number(from), number(to)));
    }
    let whole =
        |pair: &[(u64, u64)]| pair[0].0.is_multiple_of(HEAP) && pair[0].1 == pair[1].0 && pair[1].1 - pair[0].0 == HEAP;
    parts.windows(2).filter(|pair| whole(pair)).count()
}

/// A folder of people with the same pictures.
fn copied_under_other_names(people: &Path) -> TempDir {
    let copies = TempDir::new().unwrap();
    for person in std::fs::read_dir(people).unwrap() {
        let person = person.unwrap().path();
        let folder = copies.path().join(person.file_name().unwrap());
        std::fs::create_dir(&folder).unwrap();
        for picture in std::fs::read_dir(&person).unwrap() {
            let picture = picture.unwrap().path();
            let name = format!("copy-{}", picture.file_name().unwrap().to_str().unwrap());
            std::fs::write(folder.join(name), std::fs::read(&picture).unwrap()).unwrap();
        }
    }
    copies
}

#[test]
fn a_second_process_leaves_the_gallery_to_the_first() {
    let _turn = side_by_side();
    let site = Site::one_process("").unwrap();
    let mut second = Command::new(program("sightline").unwrap());
    let second = second.current_dir(site.folder.path()).arg("run").stderr(Stdio::piped());
    let mut second = second.env("SIGHTLINE_PORT", free_port().unwrap().to_string()).spawn().unwrap();
    let ended = wait_until("it is refused", PATIENCE, || second.try_wait().unwrap().is_some());
    second.kill().unwrap();
    let output = second.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(ended.is_ok() && output.status.code() == Some(1), "{ended:?}: {said}");
    assert!(said.contains("in use by another sightline") && said.contains("data_dir"), "{said}");
    assert!(site.fleet.is_ready(0));
}
