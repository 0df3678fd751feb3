//! The binary on real pictures: the reference figures, the same again from what was kept, and bad data.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sightline_testkit::shared_or_skip;
use tempfile::TempDir;

fn lab(words: &[&str]) -> Output {
    let library = sightline_testkit::onnxruntime().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-lab"));
    command.args(words).env("ORT_DYLIB_PATH", library).output().unwrap()
}

fn succeeds(words: &[&str]) -> String {
    let output = lab(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(words: &[&str]) -> String {
    let output = lab(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// `verify` on the development set of LFW, held against the reference: accuracy .004, mean scores .005.
fn verify(shared: &Path, models: &[&str], golden: &Value, results: &Path) {
    let data = shared.join("data/lfw-dev");
    let pairs = data.join("pairs.txt");
    let mut words = vec!["verify", data.to_str().unwrap(), "--pairs", pairs.to_str().unwrap(), "--no-cache"];
    words.extend(models);
    words.extend(["--json", results.to_str().unwrap()]);
    let table = succeeds(&words);
    assert!(table.contains("600 of the same person, 600 of different people"), "{table}");
    let results = &json(results)["results"];
    assert_eq!(results["missed"], serde_json::json!({"same": 0, "different": 0}));
    for (what, found, golden, tolerance) in [
        ("accuracy", &results["accuracy"]["spread"]["mean"], &golden["accuracy_mean"], 0.004),
        ("same", &results["same"]["mean"], &golden["same_mean_sd"][0], 0.005),
        ("different", &results["different"]["mean"], &golden["different_mean_sd"][0], 0.005),
    ] {
        let (found, golden) = (found.as_f64().unwrap(), golden.as_f64().unwrap());
        assert!((found - golden).abs() <= tolerance, "{models:?}: {what} {found} instead of {golden}");
    }
}

#[test]
fn both_pipelines_verify_as_the_reference_does() {
    let Some(shared) = shared_or_skip("commands::both_pipelines_verify_as_the_reference_does") else { return };
    let golden = json(&shared.join("golden/lfw-dev.json"));
    let folder = TempDir::new().unwrap();
    let mtcnn = ["--detector", "mtcnn", "--min-face", "40", "--embedder", "facenet"];
    verify(&shared, &mtcnn, &golden["pipelines"]["mtcnn+facenet"], &folder.path().join("mtcnn.json"));
    // An embedder of the pipeline gives unit vectors: their cosines are what is compared.
    let centerface = ["--detector", "centerface", "--threshold", "0.5", "--width", "0", "--embedder", "dlib"];
    verify(
        &shared,
        &centerface,
        &golden["pipelines"]["centerface+dlib"]["cos"],
        &folder.path().join("centerface.json"),
    );
}
