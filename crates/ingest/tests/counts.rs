//! Every frame is counted: what is decoded is sampled away, dropped for a reason, or arrives. Alone in its process, whose metrics it
//! reads.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::time::Duration;

use common::{Cameras, PATIENCE, STALL, complete, live, media, rtsp, watched};
use sightline_testkit::prometheus::Metrics;
use sightline_wire::{CameraSpec, CameraState};

#[tokio::test(flavor = "multi_thread")]
async fn frames_in_are_frames_out_and_drops() {
    let handle = sightline_stage::metrics::install("test").unwrap();
    let read = || {
        let mut metrics = Metrics::default();
        metrics.add(&handle.render());
        metrics
    };
    slow_taker_of_live_frames(&read).await;
    slow_taker_of_a_recording(&read).await;
    outage(&read).await;
}

/// Takes five frames a second of the twenty that are asked for: the rest has to be dropped.
async fn slow_taker_of_live_frames(read: &impl Fn() -> Metrics) {
    let spec = CameraSpec { fps: 20.0, ..live("busy", "test://?width=320&height=240&fps=25") };
    let cameras = Cameras::start_with_pause(&[spec], Duration::from_millis(200)).await;
    let log = cameras.until("frames", PATIENCE, |log| log.count("busy") >= 12).await;
    assert!(log.frames("busy").windows(2).any(|pair| pair[1].id.seq > pair[0].id.seq + 1), "nothing was left out");
    let (_, log) = cameras.stop().await;
    let metrics = read();
    let of = |name: &str| metrics.count(name, &[("camera", "busy")]);
    let dropped = |reason: &str| {
        metrics.count("sightline_ingest_frames_dropped_total", &[("camera", "busy"), ("reason", reason)])
    };
    let (decoded, kept) = (of("sightline_ingest_decoded_frames_total"), of("sightline_ingest_frames_total"));
    assert_eq!(decoded, kept + dropped("rate") + dropped("decode"));
    assert!(dropped("rate") > 0 && dropped("decode") == 0);
    let in_queue = metrics.count("sightline_queue_dropped_total", &[("queue", "frames")]);
    let arrived = log.count("busy") as u64;
    assert!(in_queue > 10, "{in_queue}");
    assert_eq!(kept, arrived + in_queue + dropped("full"), "{arrived} arrived");
}

async fn slow_taker_of_a_recording(read: &impl Fn() -> Metrics) {
    let cameras = Cameras::start_with_pause(&[complete("clip", &media::clip())], Duration::from_millis(5)).await;
    cameras.until_state("clip", CameraState::Ended).await;
    let (_, log) = cameras.stop().await;
    let metrics = read();
    let of = |name: &str| metrics.count(name, &[("camera", "clip")]);
    assert_eq!((of("sightline_ingest_decoded_frames_total"), of("sightline_ingest_frames_total")), (765, 153));
    assert_eq!(of("sightline_ingest_frames_dropped_total"), 765 - 153);
    assert_eq!(log.count("clip"), 153);
    assert_eq!(metrics.count("sightline_queue_dropped_total", &[("queue", "recorded")]), 0);
}

async fn outage(read: &impl Fn() -> Metrics) {
    let up = || read().sum("sightline_ingest_camera_up", &[("camera", "lobby")]);
    let mut server = rtsp(&["lobby"]);
    let cameras = Cameras::start(&[watched("lobby", server.url("lobby"))]).await;
    cameras.until_state("lobby", CameraState::Online).await;
    assert_eq!(up(), 1.0);
    server.kill().unwrap();
    let twice =
        |log: &common::Log| log.states("lobby").iter().filter(|state| **state == CameraState::Unreachable).count() == 2;
    cameras.until("two failures", PATIENCE, twice).await;
    assert_eq!(up(), 0.0);
    server.restart().unwrap();
    let online = |log: &common::Log| log.events("lobby") == ["offline", "online"];
    let log = cameras.until("back", PATIENCE, online).await;
    assert_eq!(up(), 1.0);
    cameras.stop().await;
    assert_eq!(up(), 0.0);
    let metrics = read();
    let failed = |state: &CameraState| !matches!(state, CameraState::Connecting | CameraState::Online);
    let failures = log.states("lobby").iter().filter(|state| failed(state)).count() as u64;
    assert_eq!(metrics.count("sightline_ingest_reconnects_total", &[("camera", "lobby")]), failures);
    let unreachable = [("camera", "lobby"), ("reason", "unreachable")];
    assert!(metrics.count("sightline_ingest_reconnects_total", &unreachable) >= 2);
    let away = log.changes("lobby").iter().find(|change| change.state == CameraState::Stalled).map(|change| change.at);
    let back = log.last("lobby", CameraState::Online).unwrap().at;
    let outage_s = back.ns_since(away.expect("the killed server ended its stream")) as f64 / 1e9;
    let counted_s = metrics.sum("sightline_ingest_outage_seconds_total", &[("camera", "lobby")]);
    assert!(
        (outage_s - 2.0..=outage_s + 2.0).contains(&counted_s),
        "{counted_s} instead of {outage_s}, stall {STALL:?}"
    );
}
