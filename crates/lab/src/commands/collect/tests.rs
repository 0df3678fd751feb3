//! What the command line may say, and what of it is repeated.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use sightline_ingest::Source;

use super::{Arguments, source};

#[derive(clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(more: &[&str]) -> Arguments {
    let words = ["collect", "--camera", "a.mp4", "--out", "people/"];
    CommandLine::try_parse_from(words.iter().chain(more)).unwrap().arguments
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    assert!(arguments(&[]).check().is_ok());
    for (words, key) in [
        (["--fps", "0"], "--fps"),
        (["--fps", "nan"], "--fps"),
        (["--every", "inf"], "--every"),
        (["--every=-1", "--udp"], "--every"),
        (["--min-face", "nan"], "--min-face"),
        (["--name", ""], "--name"),
        (["--name", "a/b"], "--name"),
        (["--name", ".."], "--name"),
        (["--name", "a\n"], "--name"),
        (["--name", " a"], "--name"),
        (["--name", "faces.jsonl"], "--name"),
        (["--name", &"a".repeat(101)], "--name"),
        // 246 bytes, and the file's name would have 255 at least.
        (["--name", &"王".repeat(82)], "--name"),
        (["--frames=people/frames", "--udp"], "--frames"),
        (["--frames=people", "--udp"], "--frames"),
    ] {
        let error = arguments(&words).check().unwrap_err().to_string();
        assert!(error.starts_with(key), "{words:?}: {error}");
    }
    for name in ["Anna Müller", "王小明", "a.b", &"王".repeat(80), &"ü".repeat(100)] {
        assert!(arguments(&["--name", name]).check().is_ok(), "{name}");
    }
}

#[test]
fn frames_go_beside_the_crops() {
    assert_eq!(arguments(&[]).frames_folder(), None);
    assert_eq!(arguments(&["--frames"]).frames_folder(), Some(PathBuf::from("people-frames")));
    assert_eq!(arguments(&["--frames=x/y"]).frames_folder(), Some(PathBuf::from("x/y")));
    assert!(arguments(&["--frames"]).check().is_ok());
}

#[test]
fn a_device_is_no_file() {
    let of = |text: &str| source(&sightline_wire::SourceUrl::new(text));
    assert_eq!(of("/dev/video97").unwrap(), Source::V4l2("/dev/video97".into()));
    assert_eq!(of("/dev/null").unwrap(), Source::V4l2("/dev/null".into()));
    assert_eq!(of("clips/a.mp4").unwrap(), Source::File(Path::new("clips/a.mp4").to_owned()));
    assert!(of("").is_err() && of("ftp://a/b").is_err());
}

#[test]
fn passwords_are_not_repeated() {
    let secrets = ["rtsp://me:s3cret@10.0.0.1/a", "rtsp://10.0.0.1/user=me_password=s3cret_channel=1"];
    for secret in secrets {
        let arguments = CommandLine::try_parse_from(["collect", "--camera", secret, "--out", "x"]).unwrap().arguments;
        let shown = format!("{arguments:?} {}", serde_json::to_string(&arguments).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
