//! Cameras come, go and change while others run, and belong to one worker.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::time::Duration;

use common::{Cameras, PATIENCE, assert_in_order, live, rtsp};
use sightline_stage::members::owner_of;
use sightline_wire::{CameraSpec, CameraState};

const NAMES: [&str; 3] = ["gate", "lobby", "yard"];

#[tokio::test(flavor = "multi_thread")]
async fn adding_removing_and_changing_touches_no_other_camera() {
    let server = rtsp(&NAMES);
    let [gate, lobby, yard] = NAMES.map(|name| live(name, server.url(name)));
    let cameras = Cameras::start(&[gate.clone(), lobby.clone()]).await;
    cameras.until("two cameras", PATIENCE, |log| log.count("gate") > 2 && log.count("lobby") > 2).await;

    cameras.want(&[gate.clone(), lobby.clone(), yard.clone()]);
    cameras.until("a third camera", PATIENCE, |log| log.count("yard") > 2).await;

    let faster = CameraSpec { fps: 10.0, ..lobby.clone() };
    cameras.want(&[gate.clone(), faster.clone(), yard.clone()]);
    let log = cameras.until("a new epoch", PATIENCE, |log| log.epochs("lobby").len() == 2).await;
    assert!(log.epochs("lobby")[0] < log.epochs("lobby")[1]);
    let log = cameras.until("a second of it", PATIENCE, |log| log.newest("lobby").len() >= 20).await;
    let rate = common::rate(&log.newest("lobby"));
    assert!((8.0..12.0).contains(&rate), "{rate}");

    cameras.want(&[gate.clone(), yard.clone()]);
    // Whatever was on its way has arrived when the others have sent more.
    cameras.until_more("gate", 3).await;
    let gone = cameras.log().count("lobby");
    cameras.until_more("gate", 5).await;
    assert_eq!(cameras.log().count("lobby"), gone, "a removed camera still sends");

    cameras.want(&[gate, faster, yard]);
    cameras.until("it is back", PATIENCE, |log| log.epochs("lobby").len() == 3).await;
    let (took, log) = cameras.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let epochs = log.epochs("lobby");
    assert!(epochs.windows(2).all(|pair| pair[0] < pair[1]), "{epochs:?}");
    for camera in ["gate", "yard"] {
        assert_in_order(&log.frames(camera));
        assert_eq!(log.epochs(camera).len(), 1, "{camera}");
        assert_eq!(log.states(camera), [CameraState::Connecting, CameraState::Online], "{camera}");
    }
    // Changing a camera is no outage.
    assert!(NAMES.iter().all(|camera| log.events(camera).is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_a_camera_can_be_changed() {
    let server = rtsp(&["lobby"]);
    let first = live("lobby", server.url("lobby"));
    let cameras = Cameras::start(std::slice::from_ref(&first)).await;
    cameras.until_more("lobby", 1).await;
    let changes: [CameraSpec; 2] = [
        CameraSpec { source: live("x", "test://?width=320&height=240").source, ..first.clone() },
        CameraSpec { stall: Duration::from_secs(7), ..first.clone() },
    ];
    for (round, spec) in changes.iter().enumerate() {
        cameras.want(std::slice::from_ref(spec));
        cameras.until("a new epoch", PATIENCE, |log| log.epochs("lobby").len() == round + 2).await;
    }
    // The same once more changes nothing.
    cameras.want(&changes[1..]);
    cameras.until_more("lobby", 5).await;
    let (_, log) = cameras.stop().await;
    assert_eq!(log.epochs("lobby").len(), 3);
    let sizes: Vec<_> = log
        .epochs("lobby")
        .iter()
        .map(|epoch| log.frames("lobby").into_iter().find(|note| note.id.epoch == *epoch).map(|note| note.size))
        .collect();
    assert_eq!(sizes, [Some((400, 300)), Some((320, 240)), Some((400, 300))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_runs_the_cameras_that_are_its_own() {
    let names: Vec<String> = (0..6).map(|number| format!("camera-{number}")).collect();
    let specs: Vec<CameraSpec> = names.iter().map(|name| live(name, "test://?width=160&height=120")).collect();
    let cameras = Cameras::start(&specs).await;
    cameras.until("all alone", PATIENCE, |log| names.iter().all(|name| log.count(name) > 1)).await;

    let both = ["one".to_owned(), "two".to_owned()];
    let (ours, theirs): (Vec<_>, Vec<_>) = names.iter().partition(|name| owner_of(name, &both) == Some("one"));
    assert!(!ours.is_empty() && !theirs.is_empty());
    cameras.workers(&["one", "two"]);
    cameras.until_more(ours[0], 5).await;
    let before = cameras.log();
    cameras.until_more(ours[0], 5).await;
    let after = cameras.log();
    for name in &theirs {
        assert_eq!(before.count(name), after.count(name), "{name} belongs to the other worker");
    }

    cameras.workers(&["one"]);
    let back = |log: &common::Log| theirs.iter().all(|name| log.epochs(name).len() == 2);
    cameras.until("they are back", PATIENCE, back).await;
    let (_, log) = cameras.stop().await;
    for name in ours {
        assert_eq!(log.epochs(name).len(), 1, "{name} never moved");
    }
}
