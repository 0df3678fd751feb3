//! The command line as people and programs use it: output, exit codes, and errors that name the thing, the place and the way out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod broker;
mod doctor;
mod probe;
mod scripted;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sightline_testkit::process::program;
use sightline_testkit::{cache_dir, clip, shared_or_skip};
use sightline_tests::frames_of;
use tempfile::TempDir;

fn sightline(folder: &Path, words: &[&str]) -> Output {
    Command::new(program("sightline").unwrap()).current_dir(folder).args(words).output().unwrap()
}

/// A run whose standard output nobody reads.
fn unread(folder: &Path, words: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(program("sightline").unwrap());
    let command = command.current_dir(folder).args(words).stdout(writer).stderr(Stdio::piped());
    command.spawn().unwrap().wait_with_output().unwrap()
}

/// Exit code and standard error of a run that must fail.
fn refused(folder: &Path, words: &[&str]) -> (i32, String) {
    let output = sightline(folder, words);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Both outputs.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn usage_and_configuration_errors_leave_with_2() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    assert_eq!(refused(here, &["fly"]).0, 2);
    assert_eq!(refused(here, &["worker"]).0, 2);
    assert_eq!(refused(here, &["-c", "none.yaml", "run"]).0, 2);
    let (code, message) = refused(here, &["worker", "detect"]);
    assert!(code == 2 && message.contains("bus"), "{message}");
    std::fs::write(here.join("sightline.yaml"), "identfy: {min_face: 40}\n").unwrap();
    let (code, message) = refused(here, &["run"]);
    assert!(code == 2 && message.contains("identfy") && message.contains("did you mean `identify`?"), "{message}");
    std::fs::write(here.join("sightline.yaml"), "models: {profile: fast}\nidentify: {accept: 0.5}\n").unwrap();
    let (code, message) = refused(here, &["config", "check"]);
    assert!(code == 2 && message.contains("accept"), "{message}");
}

#[test]
fn a_configuration_prints_itself() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("sightline.yaml"), "site: demo\nmodels: {profile: fast}\n").unwrap();
    let output = sightline(folder.path(), &["config", "print"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("site: \"demo\"") && text.contains("accept: auto"), "{text}");
    std::fs::write(folder.path().join("again.yaml"), &text).unwrap();
    let again = sightline(folder.path(), &["-c", "again.yaml", "config", "print"]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
}

#[test]
fn a_port_in_use_is_named() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    std::fs::write(folder.path().join("sightline.yaml"), format!("http: {{listen: \"{address}\"}}\n")).unwrap();
    let (code, message) = refused(folder.path(), &["run"]);
    assert!(code == 1 && message.contains(&address) && message.contains("http.listen"), "{code} {message}");
}

#[test]
fn a_broker_that_is_away_is_named() {
    let folder = TempDir::new().unwrap();
    let text = "bus: {nats: {url: \"nats://user:s3cr3t@127.0.0.1:1\"}}\nhttp: {listen: \"127.0.0.1:0\"}\n";
    std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
    let (code, message) = refused(folder.path(), &["worker", "track"]);
    assert!(code == 1 && message.contains("127.0.0.1:1") && !message.contains("s3cr3t"), "{code} {message}");
}

/// A folder of models that is like the cache's, with links instead of copies.
fn models(folder: &Path) -> std::path::PathBuf {
    let models = folder.join("models");
    std::fs::create_dir(&models).unwrap();
    for entry in std::fs::read_dir(cache_dir().join("models")).unwrap() {
        let path = entry.unwrap().path();
        std::os::unix::fs::symlink(&path, models.join(path.file_name().unwrap())).unwrap();
    }
    let text = format!("models: {{dir: \"{}\"}}\nhttp: {{listen: \"127.0.0.1:0\"}}\n", models.display());
    std::fs::write(folder.join("sightline.yaml"), text).unwrap();
    models
}

#[test]
fn models_that_are_missing_or_changed_are_refused() {
    let folder = TempDir::new().unwrap();
    let models = models(folder.path());
    assert!(sightline(folder.path(), &["models", "verify"]).status.success());
    let file = models.join("centerface.onnx");
    let mut bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    for (words, what) in [(["models", "verify"].as_slice(), "verify"), (&["run"], "run")] {
        let output = sightline(folder.path(), words);
        assert!(output.status.code() == Some(1) && said(&output).contains("centerface"), "{what}: {}", said(&output));
    }
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for words in [["models", "verify"].as_slice(), &["run"]] {
        let output = sightline(folder.path(), words);
        let said = said(&output);
        assert!(output.status.code() == Some(1) && said.contains("centerface") && said.contains("sha256"), "{said}");
    }
}

#[test]
fn a_server_that_is_away_is_named() {
    let folder = TempDir::new().unwrap();
    for words in [["people", "list"].as_slice(), &["events"], &["camera", "list"]] {
        let all = [&["--server", "http://127.0.0.1:1"], words].concat();
        let (code, message) = refused(folder.path(), &all);
        assert!(code == 1 && message.contains("127.0.0.1:1") && message.contains("sightline run"), "{message}");
    }
}

#[test]
fn faces_are_detected_and_embedded_without_a_server() {
    let folder = TempDir::new().unwrap();
    let picture = frames_of(&clip("cap12_edit").unwrap(), &[8.0]).unwrap().remove(0);
    std::fs::write(folder.path().join("a.jpg"), picture).unwrap();
    std::fs::write(folder.path().join("b.jpg"), "no picture").unwrap();
    let found = lines(&sightline(folder.path(), &["-o", "json", "detect", "a.jpg"]));
    assert_eq!(
        (&found[0]["file"], &found[0]["width"], &found[0]["height"]),
        (&"a.jpg".into(), &400.into(), &300.into())
    );
    let faces = found[0]["faces"].as_array().unwrap();
    assert_eq!(faces.len(), 1);
    assert_eq!((faces[0]["box"].as_array().unwrap().len(), faces[0]["landmarks"].as_array().unwrap().len()), (4, 5));
    for (embedder, dimension) in [("facenet", 512), ("dlib", 128)] {
        let found = lines(&sightline(folder.path(), &["-o", "json", "embed", "a.jpg", "--embedder", embedder]));
        let embedding: Vec<f64> = serde_json::from_value(found[0]["faces"][0]["embedding"].clone()).unwrap();
        let length = embedding.iter().map(|value| value * value).sum::<f64>().sqrt();
        assert!(
            embedding.len() == dimension && (length - 1.0).abs() < 1e-5,
            "{embedder}: {} {length}",
            embedding.len()
        );
    }
    // The bad picture is named, and the good one beside it is still answered.
    let output = sightline(folder.path(), &["-o", "json", "detect", "b.jpg", "a.jpg"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.jpg"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("a.jpg"));
}

/// Pictures of a golden file of which there are exact copies: the path of the copy, and the file's record.
fn golden(file: &str, test: &str) -> Option<Vec<(PathBuf, Value)>> {
    let folder = shared_or_skip(test)?.join("golden");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let images = golden["images"].as_array().unwrap().iter();
    Some(images.filter_map(|record| Some((folder.join(record["png"].as_str()?), record.clone()))).collect())
}

/// One call for all pictures; what is found in each must be what the reference found, within the tolerances of the golden files'
/// description. Returns the number of faces.
fn assert_golden(
    folder: &Path,
    pictures: &[(PathBuf, Value)],
    extra: &[&str],
    expected: &dyn Fn(&Value) -> Value,
) -> usize {
    let mut words = vec!["-o", "json", "detect"];
    words.extend(pictures.iter().map(|(path, _)| path.to_str().unwrap()));
    words.extend(extra);
    let found = lines(&sightline(folder, &words));
    assert_eq!(found.len(), pictures.len());
    let mut checked = 0;
    for (found, (path, record)) in found.iter().zip(pictures) {
        let (expected, what) = (expected(record), format!("{} {extra:?}", path.display()));
        let faces = found["faces"].as_array().unwrap();
        let boxes = expected["boxes"].as_array().unwrap();
        assert_eq!(faces.len(), boxes.len(), "{what}: number of faces");
        let scores = expected.get("scores").or(expected.get("probs")).unwrap();
        for (index, bbox) in boxes.iter().enumerate() {
            let overlap = |face: &Value| iou(&numbers(&face["box"]), &numbers(bbox));
            let face = faces.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b))).unwrap();
            assert!(overlap(face) >= 0.999, "{what}: {face} instead of {bbox}");
            let score = (face["score"].as_f64().unwrap(), scores[index].as_f64().unwrap());
            assert!((score.0 - score.1).abs() <= 1e-4, "{what}: {score:?}");
            for at in 0..5 {
                let (a, b) = (numbers(&face["landmarks"][at]), numbers(&expected["landmarks"][index][at]));
                assert!((a[0] - b[0]).hypot(a[1] - b[1]) <= 0.05, "{what}: {a:?} instead of {b:?}");
            }
            checked += 1;
        }
    }
    checked
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn iou(a: &[f64], b: &[f64]) -> f64 {
    let area = |r: [f64; 4]| (r[2] - r[0]).max(0.0) * (r[3] - r[1]).max(0.0);
    let common = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    common / (area([a[0], a[1], a[2], a[3]]) + area([b[0], b[1], b[2], b[3]]) - common)
}

#[test]
fn centerface_finds_what_its_reference_finds() {
    let Some(pictures) = golden("centerface.json", "centerface_finds_what_its_reference_finds") else { return };
    let folder = TempDir::new().unwrap();
    for (key, width) in [("full", "0"), ("w640", "640")] {
        let extra = ["--detector", "centerface", "--width", width];
        let checked = assert_golden(folder.path(), &pictures, &extra, &|record| record[key].clone());
        assert!(checked >= 28, "{key}: {checked}");
    }
}

/// A dozen of MTCNN's, first those where its settings find different numbers of faces: else one could stand for another unseen.
fn golden_of_mtcnn(test: &str) -> Option<Vec<(PathBuf, Value)>> {
    let mut pictures = golden("mtcnn.json", test)?;
    let count = |record: &Value, key: &str| record["results"][key]["boxes"].as_array().unwrap().len();
    pictures.sort_by_key(|(_, record)| count(record, "default") == count(record, "strict"));
    assert_ne!(count(&pictures[0].1, "default"), count(&pictures[0].1, "strict"));
    pictures.truncate(12);
    Some(pictures)
}

#[test]
fn mtcnn_finds_what_its_reference_finds_for_every_setting() {
    let name = "mtcnn_finds_what_its_reference_finds_for_every_setting";
    let Some(pictures) = golden_of_mtcnn(name) else { return };
    let folder = TempDir::new().unwrap();
    for (key, extra) in [
        ("default", [].as_slice()),
        ("min40", &["--min-face-size", "40"]),
        ("strict", &["--min-face-size", "20", "--thresholds", "0.7,0.8,0.9", "--factor", "0.6"]),
    ] {
        let extra = [&["--detector", "mtcnn"], extra].concat();
        let checked = assert_golden(folder.path(), &pictures, &extra, &|record| record["results"][key].clone());
        assert!(checked >= 10, "{key}: {checked}");
    }
}

#[test]
fn the_parameters_of_mtcnn_start_from_its_manifest() {
    let name = "the_parameters_of_mtcnn_start_from_its_manifest";
    let Some(pictures) = golden_of_mtcnn(name) else { return };
    let folder = TempDir::new().unwrap();
    let manifests = folder.path().join("manifests");
    std::fs::create_dir(&manifests).unwrap();
    let shipped = include_str!("../../models/mtcnn.toml");
    let strict = shipped.replace("[0.6, 0.7, 0.7]", "[0.7, 0.8, 0.9]").replace("factor = 0.709", "factor = 0.6");
    std::fs::write(manifests.join("mtcnn.toml"), strict).unwrap();
    std::fs::write(folder.path().join("sightline.yaml"), "models: {manifests: manifests}\n").unwrap();
    let extra = ["--detector", "mtcnn"];
    assert_golden(folder.path(), &pictures, &extra, &|record| record["results"]["strict"].clone());
}

#[test]
fn what_a_model_does_not_take_is_a_usage_error() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    for (extra, wanted) in [
        (["--detector", "nope"].as_slice(), ["--detector", "known detectors"]),
        (&["--threshold", "1.5"], ["--threshold: 1.5", "from 0 to 1"]),
        (&["--width", "32"], ["--width: 32", "from 64"]),
        (&["--detector", "mtcnn", "--thresholds", "2,0,0"], ["--thresholds: [2", "from 0 to 1"]),
        (&["--detector", "mtcnn", "--factor", "1.5"], ["--factor: 1.5", "between 0 and 1"]),
        (&["--detector", "mtcnn", "--min-face-size", "5"], ["--min-face-size: 5", "12"]),
        (&["--detector", "mtcnn", "--width", "640"], ["--width", "mtcnn"]),
    ] {
        let (code, message) = refused(here, &[&["detect", "none.png"], extra].concat());
        assert!(code == 2 && wanted.iter().all(|part| message.contains(part)), "{extra:?}: {code} {message}");
    }
    assert_eq!(refused(here, &["embed", "none.png", "--embedder", "nope"]).0, 2);
    // Nothing is searched for in a picture that is the crop already.
    for extra in [["--detector", "mtcnn"], ["--threshold", "0.5"], ["--width", "640"], ["--min-face-size", "20"]] {
        let (code, message) = refused(here, &[&["embed", "none.png", "--aligned"], extra.as_slice()].concat());
        assert!(
            code == 2 && message.contains("--aligned") && message.contains(extra[0]),
            "{extra:?}: {code} {message}"
        );
    }
    for (text, wanted) in [
        ("detect: {threshold: 1.5}", ["detect.threshold: 1.5", "from 0 to 1"]),
        ("detect: {width: 32}", ["detect.width: 32", "from 64"]),
        ("detect: {min_face: -1}", ["detect.min_face: -1", "0 or more"]),
        ("site: a b", ["site: \"a b\"", "letters"]),
        ("models: {device: cuda}", ["models.device", "--features cuda"]),
        ("models: {detector: mtcnn}\ndetect: {threshold: 0.6}", ["detect.threshold: 0.6", "mtcnn"]),
        ("secret_key: short", ["secret_key", "32 bytes"]),
        ("ingest: {trust: none.pem}", ["ingest.trust", "none.pem"]),
    ] {
        std::fs::write(here.join("sightline.yaml"), text).unwrap();
        for words in [["config", "check"].as_slice(), &["run"]] {
            let (code, message) = refused(here, words);
            assert!(code == 2 && wanted.iter().all(|part| message.contains(part)), "{text}: {code} {message}");
        }
    }
}
