//! One face over time: a candidate at first, a visit with a public id once it is confirmed.

use std::sync::Arc;
use std::time::Duration;

use sightline_stage::{Monotonic, Outbox};
use sightline_vision::{Quality, Rect};
use sightline_wire::{Crop, CropId, EndReason, Face, FrameFaces, FrameSize, Stamp, VisitHead, VisitId, VisitNote};

use crate::associate::{Expected, Sight};
use crate::camera::Shared;
use crate::config::TrackConfig;
use crate::look::Look;
use crate::motion::Motion;
use crate::output::TrackOutput;
use crate::shots::{Shot, Shots, flaw_of};

/// A candidate becomes a visit with its second sight, this long after the first, nanoseconds: as long at 25 frames a
/// second as at 5, so that the number of visits does not depend on the rate.
const CONFIRM_NS: i64 = 150_000_000;
/// A candidate is given up when it was not seen for so long, nanoseconds, and in [`CANDIDATE_MISSES`] frames.
const CANDIDATE_NS: i64 = 500_000_000;
/// See [`CANDIDATE_NS`].
const CANDIDATE_MISSES: u32 = 2;
/// Time between two signs of life. The promise is ten seconds; ticks and the way take some of it.
const NOTE_EVERY: Duration = Duration::from_secs(8);

/// A moment of one camera: the process's time and the frames' own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The process's time.
    pub(crate) now: Monotonic,
    /// The frame clock, nanoseconds.
    pub(crate) frame_ns: i64,
}

/// The face shown in events.
#[derive(Clone, Debug)]
struct BestFace {
    flawless: bool,
    bbox: Rect,
    score: f32,
    quality: Quality,
    size: FrameSize,
}

impl BestFace {
    fn of(face: &Face, flawless: bool, size: FrameSize) -> Self {
        Self { flawless, bbox: face.bbox, score: face.score, quality: face.quality, size }
    }

    fn beats(&self, other: &Self) -> bool {
        match (self.flawless, other.flawless) {
            (true, false) => true,
            (false, true) => false,
            _ => self.quality.score > other.quality.score,
        }
    }
}

/// A face that is followed.
#[derive(Debug)]
pub(crate) struct Track {
    head: VisitHead,
    detector: Arc<str>,
    motion: Motion,
    look: Look,
    first_ns: i64,
    last_ns: i64,
    last_seen: Stamp,
    sights: u32,
    misses: u32,
    confirmed: bool,
    shots: Shots,
    best: BestFace,
    notes: u32,
    last_note: Monotonic,
}

impl Track {
    /// Begins with a face of `frame`.
    pub(crate) fn begin(sight: &Sight<'_>, frame: &FrameFaces, moment: Moment, shared: &Shared) -> Self {
        let face = sight.face;
        let head = VisitHead {
            visit: VisitId::new(&frame.frame, sight.index),
            camera: frame.frame.camera.clone(),
            first_seen: frame.stamp.capture,
            tracker: shared.tracker.clone(),
        };
        let mut track = Self {
            head,
            detector: frame.detector.clone(),
            motion: Motion::new(moment.frame_ns, &face.bbox),
            look: sight.look.clone(),
            first_ns: moment.frame_ns,
            last_ns: moment.frame_ns,
            last_seen: frame.stamp,
            sights: 1,
            misses: 0,
            confirmed: false,
            shots: Shots::default(),
            best: BestFace::of(face, false, frame.size),
            notes: 0,
            last_note: moment.now,
        };
        track.judge(face, frame, &shared.config);
        track
    }

    /// It is a visit, and the world knows of it.
    pub(crate) const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Where it should be seen now.
    pub(crate) fn expected(&self, frame_ns: i64) -> Expected<'_> {
        Expected {
            bbox: self.motion.expected(frame_ns),
            seconds: self.motion.seconds_until(frame_ns),
            missed: self.misses > 0,
            speed_known: self.sights > 1,
            look: &self.look,
        }
    }

    /// The frames changed their size by these factors.
    pub(crate) fn scale(&mut self, x: f32, y: f32) {
        self.motion.scale(x, y);
    }

    /// A face of `frame` is it. Sends what is due; returns whether it became a visit with this.
    pub(crate) fn seen(
        &mut self,
        sight: &Sight<'_>,
        frame: &FrameFaces,
        moment: Moment,
        config: &TrackConfig,
        out: &mut Outbox<TrackOutput>,
    ) -> bool {
        self.motion.correct(moment.frame_ns, &sight.face.bbox);
        self.look = sight.look.clone();
        self.sights = self.sights.saturating_add(1);
        self.misses = 0;
        self.last_ns = moment.frame_ns;
        self.last_seen = frame.stamp;
        self.judge(sight.face, frame, config);
        let begins = !self.confirmed && self.last_ns.saturating_sub(self.first_ns) >= CONFIRM_NS;
        self.confirmed |= begins;
        if self.confirmed
            && let Some(shot) = self.shots.due(moment.frame_ns, config)
        {
            self.send(shot, out);
        }
        if begins {
            self.note(None, moment.now, out);
        }
        begins
    }

    /// It was not found in a frame.
    pub(crate) const fn missed(&mut self) {
        self.misses = self.misses.saturating_add(1);
    }

    /// Not seen for so long that it is over.
    pub(crate) fn is_over(&self, frame_ns: i64, config: &TrackConfig) -> bool {
        let unseen = frame_ns.saturating_sub(self.last_ns);
        let gone = unseen > config.lost_after_ns();
        gone || (!self.confirmed && unseen > CANDIDATE_NS && self.misses >= CANDIDATE_MISSES)
    }

    /// A sign of life, when one is due.
    pub(crate) fn remind(&mut self, now: Monotonic, out: &mut Outbox<TrackOutput>) {
        if self.confirmed && now.since(self.last_note) >= NOTE_EVERY {
            self.note(None, now, out);
        }
    }

    /// The last word about a visit. Returns how many crops were sent.
    pub(crate) fn end(mut self, reason: EndReason, moment: Moment, out: &mut Outbox<TrackOutput>) -> u32 {
        if let Some(shot) = self.shots.last(moment.frame_ns) {
            self.send(shot, out);
        }
        self.note(Some(reason), moment.now, out);
        self.shots.sent()
    }

    /// Takes note of how good a face is.
    fn judge(&mut self, face: &Face, frame: &FrameFaces, config: &TrackConfig) {
        let flaw = flaw_of(face, config);
        match flaw {
            Some(flaw) => self.shots.refuse(flaw),
            None => self.shots.consider(face, frame, config),
        }
        let new = BestFace::of(face, flaw.is_none(), frame.size);
        if new.beats(&self.best) {
            self.best = new;
        }
    }

    /// Puts out a picture that `shots` has just counted as sent.
    fn send(&self, shot: Shot, out: &mut Outbox<TrackOutput>) {
        out.emit(TrackOutput::Crop(Box::new(Crop {
            id: CropId { visit: self.head.visit.clone(), index: self.shots.sent().saturating_sub(1) },
            head: self.head.clone(),
            stamp: shot.stamp,
            size: shot.size,
            bbox: shot.bbox,
            score: shot.score,
            quality: shot.quality,
            detector: self.detector.clone(),
            picture: shot.picture,
        })));
    }

    fn note(&mut self, end: Option<EndReason>, now: Monotonic, out: &mut Outbox<TrackOutput>) {
        out.emit(TrackOutput::Note(Box::new(VisitNote {
            head: self.head.clone(),
            note: self.notes,
            last_seen: self.last_seen,
            crops_sent: self.shots.sent(),
            size: self.best.size,
            best_box: self.best.bbox,
            best_score: self.best.score,
            best_quality: self.best.quality,
            flaw: self.shots.main_flaw(),
            detector: self.detector.clone(),
            end,
        })));
        self.notes = self.notes.saturating_add(1);
        self.last_note = now;
    }
}
