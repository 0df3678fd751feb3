//! `collect` on real clips: whose faces go where, what is written about them, and what is left when something goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sightline_lab::dataset::Dataset;
use sightline_testkit::{RtspProcess, clip};
use sightline_vision::decode_still;
use tempfile::TempDir;

fn command(camera: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-lab"));
    command.args(["collect", "--camera", camera, "--out"]).arg(out).args(more);
    command.env("ORT_DYLIB_PATH", sightline_testkit::onnxruntime().unwrap()).env("SIGHTLINE_CACHE", cache());
    command
}

/// A cache of these tests' own, with the models: the user's keeps no faces of theirs.
fn cache() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("collect-cache");
    std::fs::create_dir_all(&cache).unwrap();
    // Another test may have made it already.
    std::os::unix::fs::symlink(sightline_testkit::cache_dir().join("models"), cache.join("models")).ok();
    assert!(cache.join("models").is_dir());
    cache
}

fn collect(camera: &str, out: &Path, more: &[&str]) -> Output {
    command(camera, out, more).output().unwrap()
}

fn succeeds(camera: &str, out: &Path, more: &[&str]) -> String {
    let output = collect(camera, out, more);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn fails(camera: &str, out: &Path, more: &[&str]) -> String {
    let output = collect(camera, out, more);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn clip_path(name: &str) -> String {
    clip(name).unwrap().to_str().unwrap().to_owned()
}

/// The lines of the log, each of a picture that is there; no picture is without one, and nothing unfinished lies about.
fn lines(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("faces.jsonl")).unwrap();
    assert!(text.ends_with('\n'));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: BTreeSet<PathBuf> = lines.iter().map(|line| out.join(line["file"].as_str().unwrap())).collect();
    let folders = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let there: BTreeSet<PathBuf> =
        folders.flat_map(|path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())).collect();
    assert_eq!(told, there);
    assert_eq!(told.len(), lines.len());
    for path in told {
        let picture = decode_still(&std::fs::read(&path).unwrap(), 1 << 20).unwrap();
        assert_eq!((picture.width(), picture.height()), (250, 250), "{}", path.display());
    }
    lines
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn check_line(line: &Value, size: (f64, f64)) {
    assert_eq!((number(&line["size"][0]), number(&line["size"][1])), size);
    let bbox: Vec<f64> = line["box"].as_array().unwrap().iter().map(number).collect();
    assert!(bbox[0] < bbox[2] && bbox[1] < bbox[3] && bbox[2] <= size.0 + 20.0 && bbox[3] <= size.1 + 20.0, "{line}");
    let landmarks = line["landmarks"].as_array().unwrap();
    assert_eq!(landmarks.len(), 5);
    for point in landmarks {
        let (x, y) = (number(&point[0]), number(&point[1]));
        assert!((bbox[0]..bbox[2]).contains(&x) && (bbox[1]..bbox[3]).contains(&y), "{line}");
    }
    for key in ["score", "quality", "frontality"] {
        assert!((0.0..=1.0).contains(&number(&line[key])), "{key}: {line}");
    }
    // Nobody knows when a file's pictures were taken.
    assert!(line.get("time").is_none() && number(&line["seconds"]) >= 0.0, "{line}");
    assert!(line["detector"].as_str().unwrap().starts_with("centerface@"));
}

#[test]
fn visits_of_one_man_go_to_one_folder_run_after_run() {
    let folder = TempDir::new().unwrap();
    let (out, report) = (folder.path().join("people"), folder.path().join("report.json"));
    let page = folder.path().join("report.html");
    let more = ["--fps", "2.5", "--json", report.to_str().unwrap(), "--html", page.to_str().unwrap()];
    let said = succeeds(&clip_path("cap12_edit"), &out, &more);
    let first = lines(&out);
    for line in &first {
        assert!(line["file"].as_str().unwrap().starts_with("person-001/person-001_"), "{line}");
        check_line(line, (400.0, 300.0));
    }
    let told: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    let results = &told["results"];
    assert_eq!((&told["complete"], &results["decoded"]), (&Value::Bool(true), &Value::from(1337)));
    assert_eq!(results["frames"], 134);
    assert!(number(&results["faces"]) >= 130.0, "{results}");
    // The counter, at its end.
    let (faces, saved) = (&results["faces"], first.len());
    assert!(
        said.contains(&if saved == 1 {
            format!("{faces} faces, 1 visit, 1 picture saved; frames: 134 done in ")
        } else {
            format!("{faces} faces, {saved} visits, {saved} pictures saved; frames: 134 done in ")
        }),
        "{said}"
    );
    assert_eq!(results["visits"].as_array().unwrap().len(), first.len());
    assert_eq!(results["files"].as_array().unwrap().len(), first.len());
    assert!(std::fs::read_to_string(&page).unwrap().contains("data:image/jpeg;base64"));
    // A person has put the right name to him; then he comes again, and somebody else.
    std::fs::rename(out.join("person-001"), out.join("alan")).unwrap();
    let said = succeeds(&clip_path("cap13_edit2"), &out, &more[..2]);
    assert!(said.contains("alan, 1 picture"), "{said}");
    assert!(!said.contains("of this file already"), "{said}");
    succeeds(&clip_path("franck"), &out, &["--fps", "0.5"]);
    let said = succeeds(&clip_path("franck"), &folder.path().join("people/."), &["--fps", "0.5"]);
    assert!(said.contains("of this file already: "), "{said}");
    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(dataset.classes(), ["alan", "person-002"]);
    assert!(dataset.skipped().is_empty() && dataset.counts()[0] > first.len());
    let text = std::fs::read_to_string(out.join("faces.jsonl")).unwrap();
    let again: Value = serde_json::from_str(text.lines().nth(first.len()).unwrap()).unwrap();
    assert_eq!(again["file"], "alan/alan_0001.jpg");
    assert!(number(&again["likeness"]) > 0.65, "{again}");
}

#[test]
fn more_of_a_visit_and_whole_frames_on_request() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("people");
    let more = ["--name", "Al an", "--every", "2", "--fps", "2.5", "--frames"];
    succeeds(&clip_path("cap13_edit2"), &out, &more);
    let lines = lines(&out);
    // 30.6 seconds of one man.
    assert!((10..=17).contains(&lines.len()), "{}", lines.len());
    for (number, line) in lines.iter().enumerate() {
        let name = format!("Al an/Al an_{:04}.jpg", number + 1);
        assert_eq!(line["file"], Value::from(name.clone()));
        let frame = folder.path().join("people-frames").join(name);
        assert_eq!(line["frame"], Value::from(frame.to_str().unwrap()));
        let picture = decode_still(&std::fs::read(frame).unwrap(), 1 << 20).unwrap();
        assert_eq!((picture.width(), picture.height()), (400, 300));
        check_line(line, (400.0, 300.0));
        assert!(line.get("likeness").is_none());
    }
    let times: Vec<f64> = lines.iter().map(|line| number(&line["seconds"])).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    // Whole frames are a data set, too.
    assert_eq!(Dataset::open(&folder.path().join("people-frames")).unwrap().samples().len(), lines.len());
}

/// The same command, started as a shell starts what runs in the background: with Ctrl-C ignored.
fn in_background(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

fn until_there(picture: &Path, running: &mut Child) {
    let begun = Instant::now();
    while !picture.exists() {
        assert!(begun.elapsed() < Duration::from_secs(120) && running.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn ctrl_c_and_term_leave_a_whole_data_set() {
    // A camera for each: who comes late waits for the next key frame.
    let signals = ["INT", "TERM"];
    let server = RtspProcess::start(&signals.map(|name| (name.to_owned(), clip("cap12_edit").unwrap()))).unwrap();
    let started = signals.map(|signal| {
        let folder = TempDir::new().unwrap();
        let more = ["--name", "alan", "--every", "0.5"];
        let running = in_background(&command(&server.url(signal), folder.path(), &more)).spawn().unwrap();
        (signal, folder, running)
    });
    for (signal, folder, mut running) in started {
        until_there(&folder.path().join("alan/alan_0003.jpg"), &mut running);
        sightline_testkit::process::signal(running.id(), signal).unwrap();
        let output = running.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{signal}: {said} {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("when it was told to"), "{signal}: {said}");
        let lines = lines(folder.path());
        assert!(
            lines.len() >= 3 && lines.iter().all(|line| line["time"].as_str().unwrap().ends_with('Z')),
            "{lines:?}"
        );
    }
}

#[test]
fn a_camera_that_goes_away_leaves_what_there_is() {
    let mut server = RtspProcess::start(&[("lobby".to_owned(), clip("cap12_edit").unwrap())]).unwrap();
    let folder = TempDir::new().unwrap();
    let more = ["--name", "alan", "--every", "0.5"];
    let mut running = in_background(&command(&server.url("lobby"), folder.path(), &more)).spawn().unwrap();
    until_there(&folder.path().join("alan/alan_0002.jpg"), &mut running);
    server.kill().unwrap();
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("ended"), "{said}");
    assert!(!said.contains("when it was told to") && !said.contains("at the end of the file"), "{said}");
    assert!(lines(folder.path()).len() >= 2);
}

/// Two seconds of grey, 25 pictures a second, as a file that needs no encoder.
fn grey(path: &Path) {
    let mut bytes = b"YUV4MPEG2 W320 H240 F25:1 Ip A1:1 C420\n".to_vec();
    for _ in 0..50 {
        bytes.extend_from_slice(b"FRAME\n");
        bytes.extend(std::iter::repeat_n(128, 320 * 240 * 3 / 2));
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn where_there_is_no_face_it_is_said_and_nothing_is_left() {
    let folder = TempDir::new().unwrap();
    let (video, out) = (folder.path().join("grey.y4m"), folder.path().join("people"));
    grey(&video);
    let said = fails(video.to_str().unwrap(), &out, &[]);
    assert!(said.contains("nothing was collected") && said.contains("there was no face"), "{said}");
    assert!(!out.exists());
    // The man's face is 72 to 140 pixels wide.
    let said = fails(&clip_path("cap13_edit2"), &out, &["--min-face", "200", "--name", "alan"]);
    assert!(said.contains("small") && said.contains("200 pixels"), "{said}");
    assert!(!out.exists());
}

#[test]
fn a_source_that_cannot_be_opened_says_why_and_hides_its_password() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("people");
    let missing = folder.path().join("none.mp4");
    let said = fails(missing.to_str().unwrap(), &out, &["--name", "a"]);
    assert!(said.contains("none.mp4: there is nothing at this address or path"), "{said}");
    let said = fails("rtsp://me:s3cret@127.0.0.1:9/user=me_password=s3cret_channel=1", &out, &["--name", "a"]);
    assert!(
        said.contains("nobody answers") && said.contains("me:***@127.0.0.1:9") && !said.contains("s3cret"),
        "{said}"
    );
    let said = fails("rtsp://me:12/s3cret@127.0.0.1:9/a", &out, &["--name", "a"]);
    assert!(said.contains("%2F") && !said.contains("s3cret"), "{said}");
    let said = fails("/dev/video97", &out, &["--name", "a"]);
    assert!(said.contains("/dev/video97"), "{said}");
    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "no video\n".repeat(1000)).unwrap();
    let said = fails(text.to_str().unwrap(), &out, &["--name", "a"]);
    assert!(said.contains("text.mp4: "), "{said}");
    assert!(!out.exists());
    let said = fails(&clip_path("cap13_edit2"), &out, &["--detector", "nobody"]);
    assert!(said.contains("known detectors"), "{said}");
    assert!(!out.exists());
}

/// A file system of its own, gone when the test ends.
struct Small(TempDir);

impl Small {
    /// None where this may not be done.
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(self.0.path()).status();
        assert!(status.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_ends_it_and_leaves_what_there_is() {
    let Some(small) = Small::mount() else {
        return sightline_testkit::skip("collect::a_full_disk_ends_it_and_leaves_what_there_is", "the right to mount");
    };
    let out = small.0.path().join("people");
    let said = fails(&clip_path("cap13_edit2"), &out, &["--name", "alan", "--every", "0"]);
    let lines = lines(&out);
    assert!(said.contains("No space left on device") && said.contains("cannot write"), "{said}");
    assert!(said.contains(&format!(": {} pictures", lines.len())) && lines.len() >= 3, "{said}");
}
