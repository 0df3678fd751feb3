//! The other kinds of sources: MJPEG over HTTP, devices, the test picture, and what is none; and the probe of `sightline camera probe`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::http::{Manners, MjpegCamera};
use common::{Cameras, Log, PATIENCE, STALL, assert_in_order, live, media, rate, rtsp, watched};
use sightline_ingest::{Outage, ProbeReport, Source, Trust, probe};
use sightline_testkit::process::free_port;
use sightline_wire::{CameraState, ClockSource, Transport};

/// `viewer` and `tr0ub4dor&3`.
const LOGIN: &str = "Basic dmlld2VyOnRyMHViNGRvciYz";

const FOR_EVER: Manners = Manners { login: None, pictures: usize::MAX };

#[tokio::test(flavor = "multi_thread")]
async fn mjpeg_comes_over_http() {
    let camera = MjpegCamera::start(FOR_EVER);
    let cameras = Cameras::start(&[live("door", camera.url("mjpeg"))]).await;
    let log = cameras.until("frames", PATIENCE, |log| log.count("door") >= 20).await;
    let (took, _) = cameras.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let frames = log.frames("door");
    assert_in_order(&frames);
    assert!(frames.iter().all(|note| note.size == (320, 240) && note.stamp.clock == ClockSource::Arrival));
    let rate = rate(&frames);
    assert!((4.0..6.0).contains(&rate), "{rate}");
    let ages = frames.iter().map(|note| note.arrived.ns_since(note.stamp.capture) as f64 / 1e9);
    assert!(ages.clone().all(|age_s| (-1.0..3.0).contains(&age_s)), "{:?}", ages.collect::<Vec<_>>());
    assert_eq!(log.states("door"), [CameraState::Connecting, CameraState::Online]);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_failures_are_told_apart() {
    let open = MjpegCamera::start(FOR_EVER);
    let guarded = MjpegCamera::start(Manners { login: Some(LOGIN), ..FOR_EVER });
    let guarded_url = |login: &str| guarded.url("mjpeg").replacen("//", &format!("//{login}@"), 1);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let specs = [
        watched("elsewhere", open.url("attic")),
        watched("stranger", guarded_url("viewer:wr0ng")),
        watched("nameless", guarded.url("mjpeg")),
        watched("closed", format!("http://127.0.0.1:{}/mjpeg", free_port().unwrap())),
        watched("silent", format!("http://{}/mjpeg", silent.local_addr().unwrap())),
        watched("known", guarded_url("viewer:tr0ub4dor%263")),
    ];
    let cameras = Cameras::start(&specs).await;
    let expected = [
        ("elsewhere", CameraState::NotFound),
        ("stranger", CameraState::Unauthorized),
        ("nameless", CameraState::Unauthorized),
        ("closed", CameraState::Unreachable),
        ("closed", CameraState::Unreachable),
        ("silent", CameraState::Stalled),
        ("known", CameraState::Online),
    ];
    let told = |log: &Log| expected.iter().all(|(camera, state)| log.states(camera).get(1) == Some(state));
    cameras.until("all states", PATIENCE, told).await;
    cameras.until_more("known", 3).await;
    let (took, _) = cameras.stop().await;
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_stream_that_ends_is_opened_again() {
    let camera = MjpegCamera::start(Manners { pictures: 30, ..FOR_EVER });
    let cameras = Cameras::start(&[watched("door", camera.url("mjpeg"))]).await;
    let log = cameras.until("a second epoch", PATIENCE, |log| log.epochs("door").len() == 2).await;
    cameras.stop().await;
    assert_eq!(log.events("door")[0], "offline");
    assert_eq!(log.states("door")[..3], [CameraState::Connecting, CameraState::Online, CameraState::Stalled]);
    assert!(camera.connections() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_picture_is_as_asked_for() {
    let cameras =
        Cameras::start(&[live("plain", "test://"), live("small", "test://?width=320&height=240&fps=10")]).await;
    let log = cameras.until("frames", PATIENCE, |log| log.count("plain") >= 15 && log.count("small") >= 15).await;
    cameras.stop().await;
    for (camera, size) in [("plain", (640, 360)), ("small", (320, 240))] {
        let frames = log.frames(camera);
        assert_in_order(&frames);
        assert!(frames.iter().all(|note| note.size == size), "{camera}");
        let rate = rate(&frames);
        assert!((4.0..6.0).contains(&rate), "{camera}: {rate}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_source_is_said_and_stops_nobody_else() {
    let specs = [
        live("good", "test://"),
        live("device", "v4l2:///dev/video99"),
        live("no-device", "v4l2:///dev/null"),
        live("scheme", "ftp://viewer:s3cret@10.0.0.1/a"),
        live("host", "rtsp:///lobby"),
        live("query", "test://?zoom=2"),
    ];
    let expected = [
        ("device", CameraState::NotFound, "nothing at this address or path"),
        ("no-device", CameraState::Unreachable, "the device cannot be used"),
        ("scheme", CameraState::Unsupported, "`ftp://` is no source"),
        ("host", CameraState::Unsupported, "the URL has no host"),
        ("query", CameraState::Unsupported, "test:// takes"),
    ];
    let cameras = Cameras::start(&specs).await;
    let told = |log: &Log| expected.iter().all(|(camera, state, _)| log.last(camera, *state).is_some());
    let log = cameras.until("all states", PATIENCE, told).await;
    cameras.until_more("good", 3).await;
    cameras.stop().await;
    for (camera, state, detail) in expected {
        let said = log.last(camera, state).unwrap().detail;
        assert!(said.contains(detail) && !said.contains("s3cret"), "{camera}: {said}");
    }
}

async fn look(source: String, transport: Transport, patience: Duration) -> Result<ProbeReport, Outage> {
    let source = Source::parse(&source).unwrap();
    tokio::task::spawn_blocking(move || probe(&source, transport, &Trust::default(), patience)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn good_sources_are_probed() {
    let server = rtsp(&["lobby"]);
    let door = MjpegCamera::start(FOR_EVER);
    let clip = media::clip().to_str().unwrap().to_owned();
    for (source, transport, size, fps) in [
        (server.url("lobby"), Transport::Tcp, (400, 300), 25.0),
        (server.url("lobby"), Transport::Udp, (400, 300), 25.0),
        (door.url("mjpeg"), Transport::Tcp, (320, 240), 10.0),
        ("test://?width=320&height=240&fps=10".to_owned(), Transport::Tcp, (320, 240), 10.0),
        (clip, Transport::Tcp, (400, 300), 25.0),
    ] {
        let report = look(source.clone(), transport, PATIENCE).await.unwrap();
        assert_eq!((report.size, report.picture.width()), (size, size.0), "{source}");
        assert!((0.7 * fps..1.3 * fps).contains(&report.fps), "{source}: {}", report.fps);
        assert!(report.first_frame < PATIENCE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_sources_are_probed_and_given_up() {
    let server = rtsp(&["lobby"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let noise = folder.path().join("noise.mp4");
    media::noise(&noise, 50_000);
    for (source, state) in [
        (server.url("attic"), CameraState::NotFound),
        (format!("rtsp://127.0.0.1:{}/lobby", free_port().unwrap()), CameraState::Unreachable),
        (format!("rtsp://{}/lobby", silent.local_addr().unwrap()), CameraState::Stalled),
        (noise.to_str().unwrap().to_owned(), CameraState::Unsupported),
        ("/nowhere.mp4".to_owned(), CameraState::NotFound),
        ("v4l2:///dev/video99".to_owned(), CameraState::NotFound),
    ] {
        let started = Instant::now();
        let outage = look(source.clone(), Transport::Tcp, STALL).await.unwrap_err();
        assert_eq!(outage.state, state, "{source}: {}", outage.detail);
        assert!(started.elapsed() < STALL * 3, "{source}: {:?}", started.elapsed());
    }
}
