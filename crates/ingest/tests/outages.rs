//! Cameras that go away and come back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::time::{Duration, Instant};

use common::{Cameras, Log, PATIENCE, STALL, assert_in_order, rtsp, watched};
use sightline_wire::{CameraSpec, CameraState, Transport};

/// One outage: online, away, online again, in a new epoch.
fn assert_one_outage(log: &Log, camera: &str) {
    let states = log.states(camera);
    assert_eq!(states[..2], [CameraState::Connecting, CameraState::Online], "{states:?}");
    assert!(matches!(states[2], CameraState::Stalled | CameraState::Unreachable), "{states:?}");
    assert_eq!(states.last(), Some(&CameraState::Online), "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == CameraState::Online).count(), 2, "{states:?}");
    assert_eq!(log.events(camera), ["offline", "online"]);
    let epochs = log.epochs(camera);
    assert!(epochs.len() == 2 && epochs[0] < epochs[1], "{epochs:?}");
    let online = log.last(camera, CameraState::Online).unwrap();
    assert_eq!(online.epoch, epochs[1]);
    for epoch in epochs {
        let frames: Vec<_> = log.frames(camera).into_iter().filter(|note| note.id.epoch == epoch).collect();
        assert_in_order(&frames);
    }
}

async fn survives_a_killed_server(transport: Transport) {
    let mut server = rtsp(&["lobby"]);
    let cameras = Cameras::start(&[CameraSpec { transport, ..watched("lobby", server.url("lobby")) }]).await;
    cameras.until_more("lobby", 5).await;
    let before = cameras.log().epochs("lobby");
    server.kill().unwrap();
    let away = |log: &Log| log.events("lobby") == ["offline"];
    cameras.until("offline", STALL * 4, away).await;
    // At least one attempt while nobody listens.
    cameras.until("tried again", PATIENCE, |log| log.last("lobby", CameraState::Unreachable).is_some()).await;
    server.restart().unwrap();
    cameras.until("video again", PATIENCE, |log| log.epochs("lobby").len() > before.len()).await;
    cameras.until_more("lobby", 5).await;
    let (_, log) = cameras.stop().await;
    assert_one_outage(&log, "lobby");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_over_tcp() {
    survives_a_killed_server(Transport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_over_udp() {
    survives_a_killed_server(Transport::Udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_noticed_by_the_own_watchdog() {
    let server = rtsp(&["lobby"]);
    let cameras = Cameras::start(&[watched("lobby", server.url("lobby"))]).await;
    cameras.until_more("lobby", 5).await;
    server.freeze().unwrap();
    let frozen = Instant::now();
    let log = cameras.until_state("lobby", CameraState::Stalled).await;
    let took = frozen.elapsed();
    assert!(took < STALL * 3, "{took:?}");
    let detail = log.last("lobby", CameraState::Stalled).unwrap().detail;
    assert!(detail.starts_with("no frame for 2s"), "{detail}");
    // It goes on trying while the other side is as good as dead.
    let tries = |log: &Log| log.states("lobby").iter().filter(|state| **state == CameraState::Connecting).count();
    cameras.until("another attempt", PATIENCE, |log| tries(log) >= 2).await;
    server.thaw().unwrap();
    cameras.until("video again", PATIENCE, |log| log.epochs("lobby").len() == 2).await;
    cameras.until_more("lobby", 5).await;
    let (took, log) = cameras.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_one_outage(&log, "lobby");
}

#[tokio::test(flavor = "multi_thread")]
async fn cameras_stop_at_once_while_they_are_away() {
    let mut server = rtsp(&["frozen", "killed"]);
    let names = ["frozen", "killed"];
    let cameras = Cameras::start(&names.map(|name| watched(name, server.url(name)))).await;
    cameras.until("both", PATIENCE, |log| names.iter().all(|name| log.count(name) > 0)).await;
    server.freeze().unwrap();
    cameras.until_state("frozen", CameraState::Stalled).await;
    let (took, _) = cameras.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    server.kill().unwrap();
}
