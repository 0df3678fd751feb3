//! One camera: opened, watched, and opened again for as long as it is wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sightline_stage::backoff::Backoff;
use sightline_wire::{CameraChange, CameraSpec, CameraState, CaptureMode, Frame, FrameId, Utc};
use tokio::sync::mpsc;

use crate::clock::CaptureClock;
use crate::epoch::Epochs;
use crate::manager::{IngestConfig, Resolve};
use crate::metrics::{CameraMetrics, Drop};
use crate::outage::Outage;
use crate::pipeline::{Pipeline, PipelineEvent, PlayOptions};
use crate::queue::FrameQueue;
use crate::sample;
use crate::sampler::Sampler;
use crate::sink::{OnPicture, Picture};
use crate::source::Source;

/// A camera is tried again after 1 to 2 s, at last after 15 to 30 s: the backoff draws between half and all of these.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// How often the thread looks whether frames still come and whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// A camera that sends, but nothing that a picture can begin with, is given so long: key frames may be ten seconds and more apart.
const KEY_FRAME_WITHIN: Duration = Duration::from_secs(30);

/// Everything the thread of a camera needs.
pub(crate) struct CameraThread {
    pub(crate) spec: CameraSpec,
    pub(crate) config: IngestConfig,
    pub(crate) resolve: Resolve,
    pub(crate) frames: FrameQueue<Frame>,
    pub(crate) changes: mpsc::Sender<CameraChange>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) metrics: CameraMetrics,
    pub(crate) epochs: Epochs,
    /// The one that is played, for the manager.
    pub(crate) epoch: Arc<AtomicU64>,
}

/// How an attempt ended.
enum Attempt {
    /// Nobody wants the camera any more.
    Stopped,
    /// A file came to its end, or to where it is broken.
    Ended(String),
    /// It failed; `delivered` when there had been frames.
    Failed { outage: Outage, delivered: bool },
}

/// Signs of life of one attempt.
pub(crate) struct Signs {
    opened: Instant,
    /// When the last one was noticed.
    last: Instant,
    pictures: u64,
    skipped: u64,
}

impl Signs {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { opened: now, last: now, pictures: 0, skipped: 0 }
    }

    /// Takes the counts of pictures and of what came before the first key frame; true for the first pictures.
    pub(crate) fn are_first(&mut self, pictures: u64, skipped: u64) -> bool {
        let first = self.pictures == 0 && pictures > 0;
        let waits_for_key_frame = pictures == 0 && skipped > self.skipped && self.opened.elapsed() < KEY_FRAME_WITHIN;
        if pictures > self.pictures || waits_for_key_frame {
            self.last = Instant::now();
        }
        (self.pictures, self.skipped) = (pictures, skipped);
        first
    }

    pub(crate) fn overdue(&self, stall: Duration, source: &Source) -> Option<Outage> {
        let detail = match self.pictures {
            0 if self.skipped > 0 => format!("no key frame within {:.0} s", self.opened.elapsed().as_secs_f64()),
            _ => format!("no frame for {stall:?}"),
        };
        let silence = || Outage { vague: self.skipped == 0 && self.pictures == 0, ..Outage::silence(source, detail) };
        (self.last.elapsed() >= stall).then(silence)
    }
}

impl CameraThread {
    /// Until it is stopped, or a file has ended.
    pub(crate) fn run(self) {
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        let mut since = Instant::now();
        let mut rest = Duration::ZERO;
        while let Some(epoch) = self.epochs.claim(&self.spec.id, &self.stop) {
            self.epoch.store(epoch, Ordering::Relaxed);
            self.say(epoch, CameraState::Connecting, "opening");
            match self.attempt(epoch, &mut since, &mut rest) {
                Attempt::Stopped => break,
                Attempt::Ended(detail) => {
                    self.say(epoch, CameraState::Ended, &detail);
                    break;
                }
                Attempt::Failed { outage, delivered } => {
                    if delivered {
                        since = Instant::now();
                        backoff.reset();
                    }
                    let delay = backoff.next_delay();
                    let detail = format!("{}; next attempt in {:.0} s", outage.detail, delay.as_secs_f64().ceil());
                    tracing::warn!(camera = %self.spec.id, state = outage.state.as_str(), detail, "no video");
                    self.say(epoch, outage.state, &detail);
                    self.metrics.reconnect(outage.state);
                    if !self.wait(delay, &mut since, &mut rest) {
                        break;
                    }
                }
            }
        }
        self.metrics.released();
        self.frames.close();
    }

    /// Opens once and stays until something ends it.
    fn attempt(&self, epoch: u64, since: &mut Instant, rest: &mut Duration) -> Attempt {
        let failed = |outage| Attempt::Failed { outage, delivered: false };
        let unusable = |reason: String| failed(Outage::new(CameraState::Unsupported, reason));
        let text = match (self.resolve)(&self.spec.source) {
            Ok(text) => text,
            Err(reason) => return unusable(reason),
        };
        let source = match Source::parse(&text) {
            Ok(source) => source,
            Err(error) => return unusable(error.to_string()),
        };
        let progress = Arc::new(AtomicU64::new(0));
        let options = PlayOptions {
            transport: self.spec.transport,
            trust: &self.config.trust,
            decode_threads: self.config.decode_threads,
            real_time: self.spec.mode == CaptureMode::Live,
        };
        let pipeline = match Pipeline::play(&source, options, self.on_picture(&source, epoch, Arc::clone(&progress))) {
            Ok(pipeline) => pipeline,
            Err(outage) => return failed(self.explained(outage, &source)),
        };
        let attempt = self.watch(epoch, &pipeline, &source, &progress, (since, rest));
        // Some cameras serve one connection at a time.
        drop(pipeline);
        match attempt {
            Attempt::Failed { outage, delivered: false } => failed(self.explained(outage, &source)),
            other => other,
        }
    }

    fn explained(&self, outage: Outage, source: &Source) -> Outage {
        outage.explained(source, || !self.stop.load(Ordering::Relaxed))
    }

    fn watch(
        &self,
        epoch: u64,
        pipeline: &Pipeline,
        source: &Source,
        progress: &AtomicU64,
        (since, rest): (&mut Instant, &mut Duration),
    ) -> Attempt {
        let mut signs = Signs::new();
        loop {
            let event = pipeline.next_event(LOOK);
            if self.stop.load(Ordering::Relaxed) {
                return Attempt::Stopped;
            }
            if signs.are_first(progress.load(Ordering::Relaxed), pipeline.skipped()) {
                self.outage_passed(since, rest);
                self.metrics.up(true);
                self.say(epoch, CameraState::Online, "delivers video");
                tracing::info!(camera = %self.spec.id, ?source, "delivers video");
            }
            let (is_file, delivered) = (source.is_file(), signs.pictures > 0);
            let outage = match event {
                Some(PipelineEvent::Ended) if is_file => return Attempt::Ended("the file has ended".to_owned()),
                Some(PipelineEvent::Ended) => Some(Outage::new(CameraState::Stalled, "the camera ended its stream")),
                // Once more from its start would show the same people a second time.
                Some(PipelineEvent::Failed(outage)) if is_file && delivered => {
                    return Attempt::Ended(format!("the file breaks off: {}", outage.detail));
                }
                Some(PipelineEvent::Failed(outage)) => Some(outage),
                // A recording waits for its own times and for the detectors.
                None if is_file && delivered => None,
                // It is us who keep the camera waiting.
                None if self.frames.is_pausing() => {
                    signs.last = Instant::now();
                    None
                }
                None => signs.overdue(self.spec.stall, source),
            };
            if let Some(outage) = outage {
                self.metrics.up(false);
                return Attempt::Failed { outage, delivered };
            }
        }
    }

    /// What the decoder's thread does with every picture.
    fn on_picture(&self, source: &Source, epoch: u64, progress: Arc<AtomicU64>) -> OnPicture {
        let mut sampler = Sampler::new(self.spec.fps);
        let mut clock = if source.is_file() { CaptureClock::file(Utc::now()) } else { CaptureClock::live() };
        let (camera, mode) = (self.spec.id.clone(), self.spec.mode);
        let (frames, metrics, stop) = (self.frames.clone(), self.metrics.clone(), Arc::clone(&self.stop));
        let mut seq = 0;
        Box::new(move |picture: Picture| {
            progress.fetch_add(1, Ordering::Relaxed);
            metrics.decoded.increment(1);
            if !sampler.keep(picture.pts_ns) {
                metrics.dropped(Drop::Rate);
                return !stop.load(Ordering::Relaxed);
            }
            let stamp = clock.stamp(picture.pts_ns, sample::ntp_ns(&picture.buffer), Utc::now());
            let planes = match sample::planes(picture.buffer, &picture.info) {
                Ok(planes) => planes,
                Err(error) => {
                    tracing::debug!(%camera, %error, "a decoded picture cannot be used");
                    metrics.dropped(Drop::Decode);
                    return !stop.load(Ordering::Relaxed);
                }
            };
            let id = FrameId { camera: camera.clone(), epoch, seq };
            seq += 1;
            metrics.kept.increment(1);
            let frame = Frame { id, stamp, mode, planes };
            let open = match mode {
                CaptureMode::Complete => frames.push_waiting(frame),
                CaptureMode::Live => {
                    if frames.push_newest(frame) {
                        metrics.dropped(Drop::Full);
                    }
                    true
                }
            };
            open && !stop.load(Ordering::Relaxed)
        })
    }

    fn say(&self, epoch: u64, state: CameraState, detail: &str) {
        let change =
            CameraChange { camera: self.spec.id.clone(), epoch, state, at: Utc::now(), detail: detail.to_owned() };
        // While the bus is away the last words wait here; more than fit are worth less than the newest that come later.
        if self.changes.try_send(change).is_err() {
            tracing::debug!(camera = %self.spec.id, state = state.as_str(), "a change of state was not passed on");
        }
    }

    /// Sleeps, unless it is stopped: then false.
    fn wait(&self, delay: Duration, since: &mut Instant, rest: &mut Duration) -> bool {
        let until = Instant::now() + delay;
        while Instant::now() < until {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        self.outage_passed(since, rest);
        true
    }

    /// Adds the time since `since` to the counted outage.
    fn outage_passed(&self, since: &mut Instant, rest: &mut Duration) {
        let now = Instant::now();
        *rest = self.metrics.outage(*rest + now.duration_since(*since));
        *since = now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use sightline_stage::backoff::Backoff;
    use sightline_wire::CameraState;

    use super::{FIRST_RETRY, KEY_FRAME_WITHIN, LAST_RETRY, Signs};
    use crate::source::Source;

    #[test]
    fn a_camera_is_tried_again_after_1_to_30_seconds() {
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        let delays: Vec<f64> = (0..50).map(|_| backoff.next_delay().as_secs_f64()).collect();
        assert!(delays.iter().all(|delay| (1.0..=30.0).contains(delay)), "{delays:?}");
        assert!(delays[0] <= 2.0 && delays[20..].iter().all(|delay| *delay >= 15.0), "{delays:?}");
        assert!(delays[20..].windows(2).any(|pair| pair[0] != pair[1]), "no jitter: {delays:?}");
    }

    #[test]
    fn silence_is_an_outage_and_waiting_for_a_key_frame_is_not() {
        let source = Source::parse("rtsp://10.0.0.1/a").unwrap();
        let stall = Duration::from_millis(500);
        let long_ago = |signs: &mut Signs, by: Duration| signs.last = Instant::now().checked_sub(by).unwrap();
        let mut signs = Signs::new();
        assert_eq!(signs.overdue(stall, &source), None);
        long_ago(&mut signs, stall);
        let outage = signs.overdue(stall, &source).unwrap();
        assert_eq!((outage.state, outage.detail.as_str()), (CameraState::Stalled, "no frame for 500ms"));
        // Something came that no picture can begin with.
        assert!(!signs.are_first(0, 10));
        assert_eq!(signs.overdue(stall, &source), None);
        // More of it does not help for ever.
        signs.opened = Instant::now().checked_sub(KEY_FRAME_WITHIN).unwrap();
        long_ago(&mut signs, stall);
        assert!(!signs.are_first(0, 20));
        assert_eq!(signs.overdue(stall, &source).unwrap().detail, "no key frame within 30 s");
        assert!(signs.are_first(1, 20) && !signs.are_first(2, 20));
        assert_eq!(signs.overdue(stall, &source), None);
        let file = Source::parse("a.mp4").unwrap();
        long_ago(&mut signs, stall);
        assert_eq!(signs.overdue(stall, &file).unwrap().state, CameraState::Unsupported);
    }
}
