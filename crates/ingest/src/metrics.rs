//! The metrics of cameras, one set for each.
#![expect(clippy::disallowed_macros, reason = "the one place of this crate where metrics are declared")]

use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge};
use sightline_wire::{CameraId, CameraState};

/// Why a decoded frame was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drop {
    /// More frames a second than asked for.
    Rate,
    /// The bus is slower than the camera, or away.
    Full,
    /// The decoder's picture could not be used.
    Decode,
}

/// Handles of one camera.
#[derive(Clone)]
pub(crate) struct CameraMetrics {
    camera: String,
    pub(crate) decoded: Counter,
    pub(crate) kept: Counter,
    drops: [Counter; 3],
    up: Gauge,
    owned: Gauge,
    outage: Counter,
}

impl CameraMetrics {
    pub(crate) fn new(camera: &CameraId) -> Self {
        let camera = camera.as_str().to_owned();
        let dropped = |reason: &'static str| counter!("sightline_ingest_frames_dropped_total", "camera" => camera.clone(), "reason" => reason);
        let metrics = Self {
            decoded: counter!("sightline_ingest_decoded_frames_total", "camera" => camera.clone()),
            kept: counter!("sightline_ingest_frames_total", "camera" => camera.clone()),
            drops: [dropped("rate"), dropped("full"), dropped("decode")],
            up: gauge!("sightline_ingest_camera_up", "camera" => camera.clone()),
            owned: gauge!("sightline_ingest_camera_owned", "camera" => camera.clone()),
            outage: counter!("sightline_ingest_outage_seconds_total", "camera" => camera.clone()),
            camera,
        };
        // There from the start, so that the first outage already shows as an increase.
        for state in CameraState::ALL.into_iter().filter(|state| state.is_outage()) {
            metrics.reconnects(state).increment(0);
        }
        metrics.owned.set(1.0);
        metrics.up(false);
        metrics
    }

    /// This worker does not have the camera any more; a series cannot be taken back, only set to zero.
    pub(crate) fn released(&self) {
        self.up(false);
        self.owned.set(0.0);
    }

    pub(crate) fn dropped(&self, why: Drop) {
        self.drops[why as usize].increment(1);
    }

    pub(crate) fn up(&self, up: bool) {
        self.up.set(if up { 1.0 } else { 0.0 });
    }

    /// Time without frames; counted in whole seconds, the rest is returned.
    pub(crate) fn outage(&self, time: Duration) -> Duration {
        self.outage.increment(time.as_secs());
        Duration::from_nanos(u64::from(time.subsec_nanos()))
    }

    /// One more attempt to open, after this state.
    pub(crate) fn reconnect(&self, after: CameraState) {
        self.reconnects(after).increment(1);
    }

    fn reconnects(&self, after: CameraState) -> Counter {
        counter!("sightline_ingest_reconnects_total", "camera" => self.camera.clone(), "reason" => after.as_str())
    }
}

impl std::fmt::Debug for CameraMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CameraMetrics({})", self.camera)
    }
}
