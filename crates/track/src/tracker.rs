//! The stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sightline_stage::{Fault, Monotonic, Outbox, Stage};
use sightline_wire::{CameraId, CaptureMode, EndReason, FrameFaces};

use crate::camera::{Camera, Shared};
use crate::config::{ConfigError, TrackConfig};
use crate::output::TrackOutput;

/// A camera that sends nothing for `lost_after` and this long has stopped.
const SILENCE: Duration = Duration::from_secs(1);
/// A recording of which every frame counts waits for its detectors, also until what one that died had taken comes again.
const SILENCE_OF_A_RECORDING: Duration = Duration::from_secs(15);
/// A camera that sends nothing for so long is forgotten. Longer than any redelivery.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// How long beyond `lost_after` nothing may come.
pub(crate) const fn silence(mode: CaptureMode) -> Duration {
    match mode {
        CaptureMode::Live => SILENCE,
        CaptureMode::Complete => SILENCE_OF_A_RECORDING,
    }
}

/// Follows the faces of all cameras.
#[derive(Debug)]
pub struct Tracker {
    shared: Shared,
    now: Monotonic,
    /// Ordered, so that the same input gives the same output in the same order.
    cameras: BTreeMap<CameraId, Camera>,
}

impl Tracker {
    /// A tracker that signs its visits with `tracker`, a random id of this process.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot work.
    pub fn new(config: TrackConfig, tracker: Arc<str>) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { shared: Shared { config, tracker }, now: Monotonic::default(), cameras: BTreeMap::new() })
    }
}

impl Stage for Tracker {
    const NAME: &'static str = "track";
    type In = FrameFaces;
    type Out = TrackOutput;

    fn process(&mut self, batch: &[FrameFaces], out: &mut Outbox<TrackOutput>) -> Result<(), Fault> {
        for frame in batch {
            let id = &frame.frame.camera;
            if !self.cameras.contains_key(id) {
                self.cameras.insert(id.clone(), Camera::new(id, &self.shared.config, self.now));
            }
            if let Some(camera) = self.cameras.get_mut(id) {
                camera.receive(frame, self.now, &self.shared, out);
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Monotonic, out: &mut Outbox<TrackOutput>) -> Result<(), Fault> {
        self.now = now;
        for camera in self.cameras.values_mut() {
            camera.tick(now, &self.shared, out);
        }
        self.cameras.retain(|_, camera| !camera.is_forgotten(now, FORGET_AFTER));
        Ok(())
    }

    fn finish(&mut self, out: &mut Outbox<TrackOutput>) -> Result<(), Fault> {
        for camera in self.cameras.values_mut() {
            camera.stop(EndReason::Shutdown, self.now, &self.shared, out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
