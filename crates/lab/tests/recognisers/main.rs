//! The commands that compare recognisers, on real pictures.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]
#![allow(clippy::print_stdout, reason = "the figures are what one wants to see when it fails")]

mod classify;
mod verify_identify;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn lab(words: &[&str]) -> Output {
    let library = sightline_testkit::onnxruntime().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-lab"));
    command.args(words).arg("--no-cache").env("ORT_DYLIB_PATH", library).output().unwrap()
}

/// What was printed: the tables, and what stands beside them.
fn succeeds(words: &[&str]) -> (String, String) {
    let output = lab(words);
    let beside = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words:?}: {beside}");
    (String::from_utf8(output.stdout).unwrap(), beside)
}

fn fails(words: &[&str]) -> String {
    let output = lab(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
