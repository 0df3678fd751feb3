//! RTSP cameras, from a real server process: what they deliver, and what is said when they deliver nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{Cameras, PATIENCE, STALL, assert_in_order, live, rate, rtsp, spread, watched};
use sightline_ingest::{Source, Trust, probe};
use sightline_testkit::process::free_port;
use sightline_wire::{CameraSpec, CameraState, CaptureMode, ClockSource, Transport};

async fn delivers_at_its_rate(transport: Transport, fps: f64) {
    let server = rtsp(&["lobby"]);
    let cameras = Cameras::start(&[CameraSpec { fps, transport, ..live("lobby", server.url("lobby")) }]).await;
    let log = cameras.until("frames", PATIENCE, |log| log.count("lobby") >= (5.0 * fps) as usize).await;
    let (took, _) = cameras.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(log.epochs("lobby").len(), 1);
    assert_eq!(log.states("lobby"), [CameraState::Connecting, CameraState::Online]);
    let frames = log.frames("lobby");
    assert_in_order(&frames);
    assert!(frames.iter().all(|note| note.size == (400, 300)));
    let rate = rate(&frames);
    assert!((0.8 * fps..1.2 * fps).contains(&rate), "{rate} instead of {fps}");
    for note in &frames {
        let age_s = note.arrived.ns_since(note.stamp.capture) as f64 / 1e9;
        assert!(matches!(note.stamp.clock, ClockSource::Rtcp | ClockSource::Arrival), "{note:?}");
        assert!((-1.0..5.0).contains(&age_s), "{note:?} is {age_s} s old");
    }
    for pair in frames.windows(2) {
        assert!(pair[0].stamp.capture < pair[1].stamp.capture, "{pair:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_over_tcp() {
    delivers_at_its_rate(Transport::Tcp, 5.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_over_udp() {
    delivers_at_its_rate(Transport::Udp, 10.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cameras_have_numbers_of_their_own() {
    let server = rtsp(&["lobby", "gate"]);
    let specs = [live("lobby", server.url("lobby")), CameraSpec { fps: 10.0, ..live("gate", server.url("gate")) }];
    let cameras = Cameras::start(&specs).await;
    let enough = |log: &common::Log| log.count("lobby") >= 10 && log.count("gate") >= 20;
    let log = cameras.until("frames of both", PATIENCE, enough).await;
    cameras.stop().await;
    for camera in ["lobby", "gate"] {
        assert_in_order(&log.frames(camera));
        assert_eq!(log.states(camera), [CameraState::Connecting, CameraState::Online], "{camera}");
    }
}

/// The clip has a key frame every ten seconds, and the stall is two.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_comes_late_waits_for_a_whole_picture() {
    let server = rtsp(&["lobby"]);
    let first = watched("first", server.url("lobby"));
    let cameras = Cameras::start(std::slice::from_ref(&first)).await;
    cameras.until_more("first", 5).await;
    let url = server.url("lobby");
    let look = move || probe(&Source::parse(&url).unwrap(), Transport::Tcp, &Trust::default(), PATIENCE);
    let probing = tokio::task::spawn_blocking(look);
    cameras.want(&[first, watched("second", server.url("lobby"))]);
    let log = cameras.until("the second viewer", PATIENCE, |log| log.count("second") >= 3).await;
    let report = probing.await.unwrap().unwrap();
    cameras.stop().await;
    assert_eq!(log.states("second"), [CameraState::Connecting, CameraState::Online]);
    assert_eq!((log.epochs("first").len(), log.epochs("second").len()), (1, 1));
    // Differences painted on grey have a spread of about 1, the clip one of about 25.
    let spread = spread(&report.picture);
    assert!(spread > 12.0, "{spread}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_apart() {
    let server = rtsp(&["lobby"]);
    let nobody = format!("rtsp://127.0.0.1:{}/lobby", free_port().unwrap());
    let specs = [
        watched("lobby", server.url("lobby")),
        watched("elsewhere", server.url("attic")),
        watched("closed", nobody),
        watched("nameless", "rtsp://camera.invalid/lobby"),
    ];
    let cameras = Cameras::start(&specs).await;
    let expected = [
        ("elsewhere", CameraState::NotFound, "nothing at this address or path"),
        ("closed", CameraState::Unreachable, "nobody listens on port"),
        ("nameless", CameraState::Unreachable, "the host name cannot be resolved"),
    ];
    // Twice each: they are tried again.
    let enough = |log: &common::Log| expected.iter().all(|(camera, ..)| log.states(camera).len() >= 4);
    let log = cameras.until("two attempts of each", PATIENCE, enough).await;
    cameras.until_more("lobby", 3).await;
    let (_, end) = cameras.stop().await;
    for (camera, state, detail) in expected {
        assert_eq!(
            log.states(camera)[..4],
            [CameraState::Connecting, state, CameraState::Connecting, state],
            "{camera}"
        );
        assert_eq!(log.events(camera), ["offline"], "{camera}");
        let said = log.last(camera, state).unwrap().detail;
        assert!(said.contains(detail) && said.contains("next attempt in"), "{camera}: {said}");
    }
    assert_eq!(end.epochs("lobby").len(), 1, "the good camera goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_stays_silent_is_given_up_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = std::thread::spawn(move || {
        // Kept open, without a word: of one attempt there are three, two of which are looks at the reason.
        [(); 4].map(|()| listener.accept().unwrap()).len()
    });
    let started = Instant::now();
    let cameras = Cameras::start(&[watched("mute", format!("rtsp://127.0.0.1:{port}/lobby"))]).await;
    let silent = |state| matches!(state, CameraState::Stalled | CameraState::Unreachable);
    cameras.until("given up", PATIENCE, |log| log.states("mute").last().copied().is_some_and(silent)).await;
    let took = started.elapsed();
    assert!(took >= STALL && took < STALL * 3, "{took:?}");
    let log = cameras.until("given up twice", PATIENCE, |log| log.states("mute").len() >= 4).await;
    let (took, _) = cameras.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(log.events("mute"), ["offline"]);
    assert_eq!(connections.join().unwrap(), 4);
}

/// Every frame of it counts, and whoever takes them is slow: the camera waits for us, not we for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_we_keep_waiting_is_not_stalled() {
    let server = rtsp(&["lobby"]);
    let spec = CameraSpec { mode: CaptureMode::Complete, fps: 25.0, ..watched("lobby", server.url("lobby")) };
    // A burst of six frames takes longer than the camera may be silent.
    let cameras = Cameras::start_with_pause(&[spec], STALL / 2).await;
    let log = cameras.until("slow frames", PATIENCE, |log| log.count("lobby") >= 7).await;
    cameras.stop().await;
    assert_eq!(log.states("lobby"), [CameraState::Connecting, CameraState::Online]);
}
