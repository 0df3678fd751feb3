//! Ten outages leave neither threads nor open files behind. Alone in its process, whose counts it looks at.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::time::{Duration, Instant};

use common::{Cameras, PATIENCE, STALL, rtsp};
use sightline_wire::CameraSpec;

/// Thread pools give idle threads back after a while.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

fn count(of: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{of}")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_leave_no_threads_and_no_open_files() {
    let mut server = rtsp(&["lobby"]);
    let spec = CameraSpec { stall: STALL / 2, ..common::live("lobby", server.url("lobby")) };
    let cameras = Cameras::start(&[spec]).await;
    let mut before = (0, 0);
    for cycle in 0..11 {
        cameras.until("video", PATIENCE, |log| log.epochs("lobby").len() == cycle + 1).await;
        // The first round loads plugins and fills pools; what comes after it must not add up.
        if cycle == 1 {
            before = (count("task"), count("fd"));
        }
        let outage = |log: &common::Log| log.outages("lobby") == cycle + 1;
        if cycle % 2 == 0 {
            server.freeze().unwrap();
            cameras.until("stalled", PATIENCE, outage).await;
            server.thaw().unwrap();
        } else {
            server.kill().unwrap();
            cameras.until("gone", PATIENCE, outage).await;
            server.restart().unwrap();
        }
    }
    cameras.until("video after all", PATIENCE, |log| log.epochs("lobby").len() == 12).await;
    let deadline = Instant::now() + SETTLED_WITHIN;
    let settled = || (count("task"), count("fd"));
    while settled().0 > before.0 + 2 || settled().1 > before.1 + 2 {
        assert!(Instant::now() < deadline, "threads and files: {before:?} before, {:?} after", settled());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cameras.stop().await;
    let deadline = Instant::now() + SETTLED_WITHIN;
    let named = |name: &str| {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        tasks
            .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name)))
            .count()
    };
    while named("camera-") > 0 {
        assert!(Instant::now() < deadline, "the camera's thread is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
