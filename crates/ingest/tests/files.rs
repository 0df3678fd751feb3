//! Recordings: whole, in real time, changing, and broken in every way.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Cameras, Log, PATIENCE, assert_in_order, complete, live, media, rate};
use sightline_wire::{CameraSpec, CameraState, ClockSource};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// 765 frames at 25 a second; whoever takes the kept ones is slower than the decoder.
#[tokio::test(flavor = "multi_thread")]
async fn every_sampled_frame_of_a_recording_arrives() {
    let spec = complete("clip", &media::clip());
    let cameras = Cameras::start_with_pause(&[spec], Duration::from_millis(10)).await;
    cameras.until_state("clip", CameraState::Ended).await;
    let (_, log) = cameras.stop().await;
    let frames = log.frames("clip");
    assert_eq!(frames.len(), 153);
    assert_in_order(&frames);
    assert!(
        frames.windows(2).all(|pair| (pair[1].stamp.pts_ns - pair[0].stamp.pts_ns - 200_000_000).abs() < 5_000_000)
    );
    assert!(frames.iter().all(|note| note.stamp.clock == ClockSource::File));
    assert_eq!(log.states("clip"), [CameraState::Connecting, CameraState::Online, CameraState::Ended]);
    assert_eq!(log.events("clip"), ["offline"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_file_plays_in_real_time() {
    let folder = tempfile::tempdir().unwrap();
    media::video(&folder.path().join("short.mp4"), (320, 240), 75, "mp4mux");
    let file = folder.path().join("three seconds.mp4");
    std::fs::rename(folder.path().join("short.mp4"), &file).unwrap();
    let url = format!("file://{}", text(&file).replace(' ', "%20"));
    let cameras = Cameras::start(&[live("url", url), live("path", text(&file))]).await;
    for camera in ["url", "path"] {
        cameras.until_state(camera, CameraState::Ended).await;
    }
    let (_, log) = cameras.stop().await;
    for camera in ["url", "path"] {
        let frames = log.frames(camera);
        assert_in_order(&frames);
        assert_eq!(frames.len(), 15, "{camera}");
        assert!((rate(&frames) - 5.0).abs() < 0.1);
        let took_s = frames[14].arrived.ns_since(frames[0].arrived) as f64 / 1e9;
        assert!((2.0..9.0).contains(&took_s), "2.8 s of video took {took_s} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_may_change_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for (kind, muxer) in [("ts", "mpegtsmux"), ("h264", "video/x-h264,stream-format=byte-stream")] {
        let parts = [file(&format!("small.{kind}")), file(&format!("large.{kind}"))];
        media::video(&parts[0], (320, 240), 50, muxer);
        media::video(&parts[1], (640, 480), 50, muxer);
        media::join(&[&parts[0], &parts[1]], &file(&format!("both.{kind}")));
    }
    let specs = [
        CameraSpec { fps: 25.0, ..complete("ts", &file("both.ts")) },
        CameraSpec { fps: 25.0, ..complete("h264", &file("both.h264")) },
        live("live", text(&file("both.ts"))),
    ];
    let cameras = Cameras::start(&specs).await;
    for camera in ["ts", "h264", "live"] {
        cameras.until_state(camera, CameraState::Ended).await;
    }
    let (_, log) = cameras.stop().await;
    for camera in ["ts", "h264", "live"] {
        let frames = log.frames(camera);
        assert_in_order(&frames);
        let mut sizes: Vec<_> = frames.iter().map(|note| note.size).collect();
        let all = sizes.len();
        sizes.dedup();
        assert_eq!(sizes, [(320, 240), (640, 480)], "{camera}");
        let expected = if camera == "live" { 18..=22 } else { 98..=100 };
        assert!(expected.contains(&all), "{camera}: {all} frames");
        assert_eq!(log.epochs(camera).len(), 1, "{camera}");
    }
}

/// Files that are no video, each with the state they put their camera into.
fn useless_files(folder: &Path) -> Vec<(&'static str, String, CameraState)> {
    let file = |name: &str| folder.join(name);
    media::launch(&format!("audiotestsrc num-buffers=50 ! wavenc ! filesink location={}", text(&file("sound.wav"))));
    let sound =
        format!("audiotestsrc num-buffers=50 ! avenc_aac ! mp4mux ! filesink location={}", text(&file("sound.mp4")));
    media::launch(&sound);
    media::video(&file("none.mkv"), (320, 240), 0, "matroskamux");
    media::video(&file("none.mp4"), (320, 240), 0, "mp4mux");
    media::video(&file("whole.mp4"), (320, 240), 50, "mp4mux");
    media::cut(&file("whole.mp4"), 0.6, &file("cut.mp4"));
    media::noise(&file("noise.mp4"), 100_000);
    std::fs::write(file("empty.mp4"), b"").unwrap();
    std::fs::write(file("words.mp4"), "no video at all\n".repeat(500)).unwrap();
    let unsupported = |name: &'static str, of: &str| (name, text(&file(of)), CameraState::Unsupported);
    vec![
        unsupported("sound", "sound.wav"),
        unsupported("sound-mp4", "sound.mp4"),
        unsupported("no-frames", "none.mkv"),
        unsupported("no-frames-mp4", "none.mp4"),
        unsupported("cut", "cut.mp4"),
        unsupported("noise", "noise.mp4"),
        unsupported("empty", "empty.mp4"),
        unsupported("words", "words.mp4"),
        ("missing", text(&file("nowhere.mp4")), CameraState::NotFound),
        ("folder", text(folder), CameraState::Unreachable),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn useless_files_are_named_and_stop_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let useless = useless_files(folder.path());
    for complete in [false, true] {
        let mut specs: Vec<_> = useless.iter().map(|(id, path, _)| live(id, path.as_str())).collect();
        if complete {
            specs = useless.iter().map(|(id, path, _)| common::complete(id, Path::new(path))).collect();
        }
        specs.push(live("good", "test://?width=320&height=240&fps=10"));
        let cameras = Cameras::start(&specs).await;
        let told = |log: &Log| useless.iter().all(|(id, _, state)| log.states(id).get(1) == Some(state));
        let log = cameras.until("a state for every file", PATIENCE, told).await;
        cameras.until_more("good", 3).await;
        let (took, end) = cameras.stop().await;
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(end.epochs("good").len(), 1);
        for (id, _, state) in &useless {
            let detail = log.last(id, *state).unwrap().detail;
            assert!(log.frames(id).is_empty() && detail.len() > 20, "{id}: {detail}");
            assert!(!detail.contains("nobody answers"), "{id}: {detail}");
        }
    }
}

/// Pictures one after the other, as some tools write them: without a container, and so without times.
#[tokio::test(flavor = "multi_thread")]
async fn pictures_without_times_are_taken_for_25_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pictures.mjpeg");
    media::launch(&format!(
        "videotestsrc num-buffers=50 ! video/x-raw,width=320,height=240,framerate=25/1 ! jpegenc ! filesink location={}",
        text(&file)
    ));
    let cameras = Cameras::start(&[complete("pictures", &file)]).await;
    cameras.until_state("pictures", CameraState::Ended).await;
    let (_, log) = cameras.stop().await;
    assert_in_order(&log.frames("pictures"));
    assert_eq!(log.count("pictures"), 10);
}

/// What there is of a recording is used, once: it is not played again from its start.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_breaks_off_ends_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    media::cut(&media::clip(), 0.5, &file("half.mp4"));
    media::mjpeg(&file("whole.avi"), 50);
    media::spoil(&file("whole.avi"), 0.5..0.8, &file("spoilt.avi"));
    let raw = "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! y4menc";
    media::launch(&format!("{raw} ! filesink location={}", text(&file("whole.y4m"))));
    media::spoil(&file("whole.y4m"), 0.5..0.8, &file("torn.y4m"));
    let names = ["half.mp4", "spoilt.avi", "torn.y4m"];
    let cameras = Cameras::start(&names.map(|name| complete(&name.replace('.', "-"), &file(name)))).await;
    let names = names.map(|name| name.replace('.', "-"));
    for camera in &names {
        cameras.until_state(camera, CameraState::Ended).await;
    }
    let (_, log) = cameras.stop().await;
    for (camera, frames, detail) in [
        (&names[0], 75..=75, "the file has ended"),
        (&names[1], 7..=9, "the file has ended"),
        (&names[2], 4..=6, "the file breaks off: this is no video that can be decoded"),
    ] {
        assert_eq!(log.states(camera), [CameraState::Connecting, CameraState::Online, CameraState::Ended]);
        assert_eq!(log.last(camera, CameraState::Ended).unwrap().detail, detail);
        assert_in_order(&log.frames(camera));
        assert!(frames.contains(&log.count(camera)), "{camera}: {}", log.count(camera));
    }
}
