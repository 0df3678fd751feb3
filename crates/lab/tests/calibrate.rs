//! `sightline-lab calibrate` on real pictures: thresholds, a misfiled picture, the piece of configuration, and bad data.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sightline_testkit::shared_or_skip;
use tempfile::TempDir;

const PEOPLE: [&str; 7] = [
    "Ariel_Sharon",
    "Colin_Powell",
    "Donald_Rumsfeld",
    "George_W_Bush",
    "Gerhard_Schroeder",
    "Hugo_Chavez",
    "Tony_Blair",
];

fn lab(words: &[&str]) -> Command {
    let library = sightline_testkit::onnxruntime().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-lab"));
    command.arg("calibrate").args(words).env("ORT_DYLIB_PATH", library);
    command
}

fn fails(words: &[&str]) -> String {
    let output = lab(words).arg("--no-cache").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Pictures of a person, in order.
fn pictures(shared: &Path, person: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(shared.join("data/lfw-people70").join(person)).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Copies pictures into a person's folder.
fn file_under(root: &Path, person: &str, files: &[PathBuf]) {
    let to = root.join(person);
    std::fs::create_dir_all(&to).unwrap();
    for file in files {
        std::fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Lines of what is kept.
fn kept_lines(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| std::fs::read_to_string(file).unwrap().lines().count()).sum()
}

/// The pipeline's own check of the piece of configuration, where the pipeline is built.
fn pipeline_takes(fragment: &str) {
    let Ok(sightline) = sightline_testkit::process::program("sightline") else {
        return sightline_testkit::skip("calibrate::pipeline_takes", "the binary sightline");
    };
    let output = Command::new(sightline).args(["config", "check", "--config", fragment]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn thresholds_from_people_and_a_misfiled_picture() {
    let Some(shared) = shared_or_skip("calibrate::thresholds_from_people_and_a_misfiled_picture") else { return };
    let (data, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for person in PEOPLE {
        file_under(data.path(), person, &pictures(&shared, person)[..10]);
    }
    // One of somebody else's among the pictures of Tony Blair, and a person with one picture.
    file_under(data.path(), "Tony_Blair", &pictures(&shared, "George_W_Bush")[20..21]);
    file_under(data.path(), "Somebody", &pictures(&shared, "Hugo_Chavez")[30..31]);
    let at = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let (results, page, fragment) = (at("results.json"), at("page.html"), at("identify.yaml"));
    let root = data.path().to_str().unwrap();
    let rate = ["--false-accept-rate", "0.1"];
    let files = ["--json", &results, "--html", &page, "--write", &fragment];
    // What the pictures show is kept, in a cache of the test's own.
    let cache = out.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::os::unix::fs::symlink(sightline_testkit::cache_dir().join("models"), cache.join("models")).unwrap();
    let run = || lab(&[&[root][..], &rate, &files].concat()).env("SIGHTLINE_CACHE", &cache).output().unwrap();
    let output = run();
    let (table, beside) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{beside}");
    assert!(beside.contains("Somebody has one picture"), "{beside}");
    let read = || -> Value { serde_json::from_str(&std::fs::read_to_string(&results).unwrap()).unwrap() };
    let results = &read()["results"];
    assert!(run().status.success());
    assert_eq!(results, &read()["results"], "the same again from what was kept");
    assert_eq!(kept_lines(&cache.join("lab")), 72, "each picture was looked at once");
    // Ten or eleven pictures, a few of them turned too far, are three visits and some templates; the single picture is one that only a
    // stranger can have.
    assert_eq!(results["made"], serde_json::json!({"visits": 22, "known": 0, "shorter": 1, "of_strangers_only": 1}));
    let calibration = &results["calibration"];
    let of = |name: &str| calibration["thresholds"][name].as_f64().unwrap();
    assert!(of("unknown") <= of("accept") && of("accept") <= of("cluster"), "{calibration}");
    assert!((0.3..=0.9).contains(&of("accept")) && of("margin") >= 0.08);
    // Two of 22 may pass, and eight people allow no more than a weak figure, and none below the embedder's own threshold.
    let (passed, people) = (&calibration["false_accepts"], &calibration["false_accept_people"]);
    assert_eq!((&passed["trials"], &people["trials"]), (&Value::from(22), &Value::from(8)));
    assert!(passed["events"].as_u64().unwrap() <= 2 && people["high"].as_f64().unwrap() > 0.3, "{people}");
    assert_eq!(calibration["evidence"], "weak");
    assert!(of("accept") > 0.6 || calibration["bases"]["accept"] == "given", "{calibration}");
    assert!(of("accept") >= 0.6 && of("cluster") >= 0.65, "{calibration}");
    let right = calibration["known"]["right"]["rate"].as_f64().unwrap();
    assert!(right > 0.6, "FaceNet knows these people: {calibration}");
    let misfiled = results["templates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|warning| warning["template"].as_str().unwrap().starts_with("Tony_Blair/George_W_Bush"));
    assert_eq!(misfiled.unwrap()["nearer_to"], "George_W_Bush");
    let told = beside.lines().find(|line| line.contains("is nearer to George_W_Bush")).unwrap();
    assert!(told.contains("Tony_Blair/George_W_Bush") && told.contains("than to Tony_Blair's others"), "{told}");
    pipeline_takes(&fragment);
    let fragment = std::fs::read_to_string(fragment).unwrap();
    for name in ["accept", "unknown", "margin", "cluster"] {
        assert!(fragment.contains(&format!("\n  {name}: {:.3} #", of(name))), "{name}: {fragment}");
        assert!(table.contains(&format!("{:.3}", of(name))), "{name}: {table}");
    }
    let page = std::fs::read_to_string(page).unwrap();
    for part in ["Fused scores of visits with people", "is nearer to George_W_Bush", "data:image/jpeg;base64,"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn visits_that_faces_jsonl_tells_of_are_visits() {
    let Some(shared) = shared_or_skip("calibrate::visits_that_faces_jsonl_tells_of_are_visits") else { return };
    let data = TempDir::new().unwrap();
    let mut lines = String::from("not JSON\n");
    // Two visits of four pictures each of the first, whose folder was renamed since, and one visit of the second.
    for (person, folder, visits) in [("Tony_Blair", "Tony", 2), ("Hugo_Chavez", "Hugo_Chavez", 1)] {
        let files = &pictures(&shared, person)[..4 * visits];
        file_under(data.path(), folder, files);
        for (index, file) in files.iter().enumerate() {
            let (name, visit) = (file.file_name().unwrap().to_str().unwrap(), index / 4);
            lines += &format!("{{\"file\": \"{person}/{name}\", \"visit\": \"{person}-{visit}\"}}\n");
        }
    }
    std::fs::write(data.path().join("faces.jsonl"), lines).unwrap();
    let (root, json) = (data.path().to_str().unwrap(), data.path().join("results.json"));
    let mut command = lab(&[root, "--false-accept-rate", "0.4", "--no-cache", "--json", json.to_str().unwrap()]);
    let output = command.output().unwrap();
    let (table, beside) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{beside}");
    assert!(beside.contains("Hugo_Chavez has one visit: that counts as a stranger's"), "{beside}");
    assert!(table.contains("3; known from faces.jsonl 3, the others drawn; of fewer than 3 pictures 0"), "{table}");
    let results: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let results = &results["results"];
    let made = serde_json::json!({"visits": 3, "known": 3, "shorter": 0, "of_strangers_only": 1});
    assert_eq!((&results["made"], &results["calibration"]["known"]["right"]["trials"]), (&made, &Value::from(2)));
}

#[test]
fn what_cannot_be_calibrated_says_why() {
    let Some(shared) = shared_or_skip("calibrate::what_cannot_be_calibrated_says_why") else { return };
    let data = TempDir::new().unwrap();
    let root = data.path().to_str().unwrap();
    assert!(fails(&[root]).contains("is empty: expected a folder for each person"));
    std::fs::create_dir(data.path().join("notes")).unwrap();
    std::fs::write(data.path().join("notes/a.txt"), "text").unwrap();
    let told = fails(&[root]);
    assert!(told.contains("no picture in them") && told.contains("notes/a.txt: not a picture by its name"), "{told}");
    std::fs::remove_dir_all(data.path().join("notes")).unwrap();
    file_under(data.path(), "Tony_Blair", &pictures(&shared, "Tony_Blair")[..4]);
    // Before anything is looked at.
    let config = data.path().join("sightline.yaml");
    std::fs::write(&config, "secret_key: abc").unwrap();
    assert!(fails(&[root, "--write", config.to_str().unwrap()]).contains("is not replaced"));
    assert!(fails(&[root]).contains("need two or more"));
    file_under(data.path(), "Hugo_Chavez", &pictures(&shared, "Hugo_Chavez")[..1]);
    let told = fails(&[root]);
    assert!(told.contains("a rate of 0.001 cannot be measured with 3 visits"), "{told}");
    assert!(told.contains("Hugo_Chavez has one picture") && told.contains("can show is 0.334"), "{told}");
    // Only one of the two has a face: found out after the pictures were looked at.
    std::fs::remove_dir_all(data.path().join("Hugo_Chavez")).unwrap();
    let blank = sightline_vision::RgbImage::filled(200, 200, [120; 3]);
    let bytes = sightline_vision::encode_rgb(&blank, 90, sightline_vision::Subsampling::Half).unwrap();
    std::fs::create_dir(data.path().join("Nobody")).unwrap();
    std::fs::write(data.path().join("Nobody/1.jpg"), bytes).unwrap();
    let told = fails(&[root, "--false-accept-rate", "0.4"]);
    assert!(told.contains("Nobody/1.jpg: no face") && told.contains("need two or more"), "{told}");
}
