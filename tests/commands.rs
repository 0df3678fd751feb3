//! The command line as people and programs use it: output, exit codes, and errors that name the thing, the place and the way out.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sightline_testkit::process::program;
use sightline_testkit::{cache_dir, clip, shared_or_skip};
use sightline_tests::frames_of;
use tempfile::TempDir;

fn sightline(folder: &Path, words: &[&str]) -> Output {
    Command::new(program("sightline").unwrap()).current_dir(folder).args(words).output().unwrap()
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

#[test]
fn the_parameters_of_mtcnn_change_what_is_found() {
    let Some(shared) = shared_or_skip("the_parameters_of_mtcnn_change_what_is_found") else { return };
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(shared.join("golden/mtcnn.json")).unwrap()).unwrap();
    let folder = TempDir::new().unwrap();
    let photo = shared.join("data/photos/group/sample3.jpg");
    let count = |extra: &[&str]| {
        let words = [&["-o", "json", "detect", photo.to_str().unwrap(), "--detector", "mtcnn"], extra].concat();
        lines(&sightline(folder.path(), &words))[0]["faces"].as_array().unwrap().len()
    };
    assert!(golden.is_object());
    assert!(count(&["--min-face-size", "20"]) >= count(&["--min-face-size", "200"]));
    assert!(count(&["--thresholds", "0.6,0.7,0.7"]) >= count(&["--thresholds", "0.9,0.99,0.9999"]));
}

#[test]
fn cameras_are_probed_without_a_server() {
    let folder = TempDir::new().unwrap();
    let file = clip("cap13_edit2").unwrap();
    let found = lines(&sightline(folder.path(), &["-o", "json", "camera", "probe", file.to_str().unwrap()]));
    assert_eq!((&found[0]["width"], &found[0]["height"]), (&400.into(), &300.into()));
    assert!((found[0]["fps"].as_f64().unwrap() - 25.0).abs() < 3.0, "{found:?}");
    let (code, message) = refused(folder.path(), &["camera", "probe", "rtsp://u:s3cr3t@127.0.0.1:1/x"]);
    assert!(code == 1 && message.contains("unreachable") && !message.contains("s3cr3t"), "{message}");
}

#[test]
fn the_doctor_says_what_to_mend() {
    let folder = TempDir::new().unwrap();
    let _models = models(folder.path());
    let text = std::fs::read_to_string(folder.path().join("sightline.yaml")).unwrap();
    std::fs::write(folder.path().join("sightline.yaml"), text + "bus: {nats: {url: \"nats://127.0.0.1:1\"}}\n")
        .unwrap();
    let output = sightline(folder.path(), &["-o", "json", "--server", "http://127.0.0.1:1", "doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let findings: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad: Vec<&str> = findings.iter().filter(|f| f["ok"] == false).map(|f| f["what"].as_str().unwrap()).collect();
    assert_eq!(bad, ["NATS"], "{findings:?}");
}
