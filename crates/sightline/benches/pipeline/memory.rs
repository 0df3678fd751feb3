//! Peak memory of four live cameras in one process, with one detect and one embed thread.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::options::Settings;
use crate::run::{Layout, Site};

/// Cameras at once.
const CAMERAS: u64 = 4;

/// Long enough for every kind of buffer to have been full.
const WATCH: Duration = Duration::from_secs(40);

/// What four cameras need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) cameras: u64,
    pub(crate) peak_mb: f64,
    pub(crate) frames: u64,
    /// Frames that were sampled and not analysed: the machine was too slow for four cameras.
    pub(crate) dropped: u64,
    /// Of all cores, 1 is one core.
    pub(crate) cores_busy: f64,
}

/// Plays the recording on four cameras in real time.
pub(crate) fn measure(settings: &Settings) -> Result<Memory> {
    println!("\nmemory: {CAMERAS} live cameras for {} s", WATCH.as_secs());
    let mut site = Site::start(settings, Layout::OneProcess)?;
    let before = site.usage()?;
    let started = Instant::now();
    for camera in 0..CAMERAS {
        site.add_camera(settings, &format!("bench-{camera}"), settings.fps, "live")?;
    }
    while started.elapsed() < WATCH {
        site.fleet.check_alive()?;
        std::thread::sleep(Duration::from_millis(500));
    }
    let (usage, elapsed) = (site.usage()?, started.elapsed());
    let metrics = site.metrics()?;
    let kept = metrics.count("sightline_ingest_frames_total", &[]);
    let frames = metrics.count("sightline_track_frames_total", &[("result", "ok")]);
    site.fleet.stop()?;
    let cpu = |all: &[(String, u32, _)]| {
        all.iter().map(|(_, _, usage): &(String, u32, sightline_testkit::fleet::Usage)| usage.cpu_seconds).sum::<f64>()
    };
    Ok(Memory {
        cameras: CAMERAS,
        peak_mb: usage.iter().map(|(_, _, usage)| usage.peak_rss_mb).sum(),
        frames,
        // A frame or two of each camera are under way.
        dropped: kept.saturating_sub(frames + 2 * CAMERAS),
        cores_busy: (cpu(&usage) - cpu(&before)) / elapsed.as_secs_f64(),
    })
}
