//! All faces of one camera.

use std::sync::Arc;

use sightline_stage::{Monotonic, Outbox};
use sightline_wire::{CameraId, CaptureMode, EndReason, FrameFaces, FrameSize, Utc};

use crate::associate::{Sight, associate};
use crate::config::TrackConfig;
use crate::look::Look;
use crate::metrics::CameraMetrics;
use crate::order::{Arrival, Released, Sequencer};
use crate::output::TrackOutput;
use crate::shots::flaw_of;
use crate::visit::{Moment, Track};

/// Most faces of a frame that are looked at, the same number at which detect stops.
const MAX_FACES: usize = 256;
/// Most faces followed at once; further ones are not begun. Two full frames of strangers.
const MAX_TRACKS: usize = 512;

/// What all cameras share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: TrackConfig,
    pub(crate) tracker: Arc<str>,
}

/// The camera's own time: its presentation times, joined from epoch to epoch by capture time. Unlike capture time it
/// never goes back when a clock is corrected.
#[derive(Debug, Default)]
struct FrameClock {
    epoch: Option<u64>,
    /// What to add to the presentation times of this epoch.
    offset_ns: i64,
    now_ns: i64,
    capture: Utc,
}

impl FrameClock {
    /// Goes to `frame`. Returns the distance to the frame before in capture time when an epoch begins.
    fn go_to(&mut self, frame: &FrameFaces) -> Option<i64> {
        let gap = match self.epoch {
            Some(epoch) if epoch == frame.frame.epoch => None,
            Some(_) => Some(frame.stamp.capture.ns_since(self.capture)),
            None => Some(0),
        };
        if let Some(gap) = gap {
            self.epoch = Some(frame.frame.epoch);
            self.offset_ns = self.now_ns.saturating_add(gap.max(0)).saturating_sub(frame.stamp.pts_ns);
        }
        self.now_ns = self.now_ns.max(frame.stamp.pts_ns.saturating_add(self.offset_ns));
        self.capture = frame.stamp.capture;
        gap
    }
}

/// One camera.
#[derive(Debug)]
pub(crate) struct Camera {
    order: Sequencer,
    clock: FrameClock,
    size: Option<FrameSize>,
    tracks: Vec<Track>,
    last_arrival: Monotonic,
    mode: CaptureMode,
    metrics: CameraMetrics,
}

impl Camera {
    /// A camera that was not heard of before.
    pub(crate) fn new(camera: &CameraId, config: &TrackConfig, now: Monotonic) -> Self {
        Self {
            order: Sequencer::new(config.reorder_frames, config.reorder_wait),
            clock: FrameClock::default(),
            size: None,
            tracks: Vec::new(),
            last_arrival: now,
            mode: CaptureMode::Live,
            metrics: CameraMetrics::new(camera),
        }
    }

    /// A frame has come.
    pub(crate) fn receive(
        &mut self,
        frame: &FrameFaces,
        now: Monotonic,
        shared: &Shared,
        out: &mut Outbox<TrackOutput>,
    ) {
        let (arrival, released) = self.order.offer(frame, now);
        match arrival {
            Arrival::Taken => (self.last_arrival, self.mode) = (now, frame.mode),
            Arrival::Late => self.metrics.frames_late.increment(1),
            Arrival::Duplicate => self.metrics.frames_duplicate.increment(1),
        }
        self.handle(released, now, shared, out);
    }

    /// Time goes by.
    pub(crate) fn tick(&mut self, now: Monotonic, shared: &Shared, out: &mut Outbox<TrackOutput>) {
        let overdue = self.order.expire(now);
        self.handle(overdue, now, shared, out);
        let silent = shared.config.lost_after.saturating_add(crate::tracker::silence(self.mode));
        if !self.tracks.is_empty() && now.since(self.last_arrival) >= silent {
            self.stop(EndReason::CameraStopped, now, shared, out);
        }
        for track in &mut self.tracks {
            track.remind(now, out);
        }
    }

    /// Ends every visit.
    pub(crate) fn stop(&mut self, reason: EndReason, now: Monotonic, shared: &Shared, out: &mut Outbox<TrackOutput>) {
        let waiting = self.order.flush();
        self.handle(waiting, now, shared, out);
        self.end_all(reason, now, out);
    }

    /// Nothing has come for `long` and nobody is followed: it can be forgotten.
    pub(crate) fn is_forgotten(&self, now: Monotonic, long: std::time::Duration) -> bool {
        self.tracks.is_empty() && now.since(self.last_arrival) >= long
    }

    fn handle(&mut self, released: Released, now: Monotonic, shared: &Shared, out: &mut Outbox<TrackOutput>) {
        self.metrics.frames_lost.increment(released.lost);
        for frame in released.frames {
            self.metrics.frames_ok.increment(1);
            self.follow(&frame, now, shared, out);
        }
    }

    /// The frame that is next in line.
    fn follow(&mut self, frame: &FrameFaces, now: Monotonic, shared: &Shared, out: &mut Outbox<TrackOutput>) {
        let gap = self.clock.go_to(frame);
        if gap.is_some_and(|gap| gap.saturating_abs() > shared.config.lost_after_ns()) {
            self.end_all(EndReason::CameraStopped, now, out);
        }
        self.fit_to(frame.size);
        let moment = Moment { now, frame_ns: self.clock.now_ns };
        self.end_over(moment, &shared.config, out);
        self.link(frame, moment, shared, out);
        self.end_over(moment, &shared.config, out);
        self.publish_count();
    }

    /// Gives each known face its face of this frame, and begins candidates with the rest.
    fn link(&mut self, frame: &FrameFaces, moment: Moment, shared: &Shared, out: &mut Outbox<TrackOutput>) {
        let usable = frame.faces.iter().enumerate().take(MAX_FACES).filter(|(_, face)| face.bbox.is_valid());
        let sights: Vec<Sight<'_>> =
            usable.map(|(index, face)| Sight { index, face, look: Look::of(&face.crop) }).collect();
        let expected: Vec<_> = self.tracks.iter().map(|track| track.expected(moment.frame_ns)).collect();
        let found = associate(&expected, &sights);
        let mut free = vec![true; sights.len()];
        for (track, found) in self.tracks.iter_mut().zip(found) {
            let Some(found) = found else {
                track.missed();
                continue;
            };
            free[found] = false;
            if track.seen(&sights[found], frame, moment, &shared.config, out) {
                self.metrics.visits.increment(1);
            }
        }
        for (sight, _) in sights.iter().zip(free).filter(|&(_, free)| free) {
            if self.tracks.len() < MAX_TRACKS {
                self.tracks.push(Track::begin(sight, frame, moment, shared));
            }
        }
        for flaw in sights.iter().filter_map(|sight| flaw_of(sight.face, &shared.config)) {
            self.metrics.reject(flaw);
        }
    }

    fn end_over(&mut self, moment: Moment, config: &TrackConfig, out: &mut Outbox<TrackOutput>) {
        let over: Vec<Track> = self.tracks.extract_if(.., |track| track.is_over(moment.frame_ns, config)).collect();
        for track in over {
            self.end(track, EndReason::Left, moment, out);
        }
    }

    fn end_all(&mut self, reason: EndReason, now: Monotonic, out: &mut Outbox<TrackOutput>) {
        let moment = Moment { now, frame_ns: self.clock.now_ns };
        for track in std::mem::take(&mut self.tracks) {
            self.end(track, reason, moment, out);
        }
        self.publish_count();
    }

    fn end(&self, track: Track, reason: EndReason, moment: Moment, out: &mut Outbox<TrackOutput>) {
        if track.is_confirmed() {
            let crops = track.end(reason, moment, out);
            self.metrics.embeds_per_visit.record(f64::from(crops));
        } else {
            self.metrics.unconfirmed.increment(1);
        }
    }

    /// The stream changed its resolution: what is known is scaled along.
    fn fit_to(&mut self, size: FrameSize) {
        if let Some(old) = self.size.replace(size).filter(|&old| old != size) {
            let factor = |new: u32, old: u32| new as f32 / old.max(1) as f32;
            let (x, y) = (factor(size.width, old.width), factor(size.height, old.height));
            for track in &mut self.tracks {
                track.scale(x, y);
            }
        }
    }

    fn publish_count(&self) {
        self.metrics.active.set(self.tracks.iter().filter(|track| track.is_confirmed()).count() as f64);
    }
}
