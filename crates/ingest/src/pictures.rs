//! The pictures of a source one by one, for programs that are no stage of the pipeline: the laboratory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sightline_vision::Planes;
use sightline_wire::{CameraState, Stamp, Transport, Utc};

use crate::camera::Signs;
use crate::clock::CaptureClock;
use crate::outage::Outage;
use crate::pipeline::{Pipeline, PipelineEvent, PlayOptions};
use crate::queue::FrameQueue;
use crate::sample;
use crate::sampler::Sampler;
use crate::sink::{OnPicture, Picture};
use crate::source::Source;
use crate::trust::Trust;

/// How often it is looked whether pictures still come and are still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// A source that shows nothing for so long, or nothing more, is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file that ends so much earlier than it says it does, its sound included, is broken off: its demuxer takes that for the end.
const MISSING_NS: i64 = 1_000_000_000;

/// Sound that has not ended so long after the last picture goes on; that of a broken file ends with the pictures.
const SOUND_ENDS: Duration = Duration::from_millis(500);

/// How pictures are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PicturesConfig {
    /// Pictures a second that are handed over, as a camera keeps them; None hands over every one.
    pub fps: Option<f64>,
    /// For RTSP.
    pub transport: Transport,
    /// Threads of the decoder.
    pub decode_threads: u32,
}

impl Default for PicturesConfig {
    fn default() -> Self {
        Self { fps: None, transport: Transport::Tcp, decode_threads: 1 }
    }
}

/// Why no more pictures come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A file came to its end.
    Complete,
    /// The caller wanted no more.
    Stopped,
    /// A camera went away, or a file is broken: what came before is good.
    BrokeOff(Outage),
}

/// What there was to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Pictures decoded, those between the sampled ones included.
    pub decoded: u64,
    /// Pictures of a live source that the caller was too slow for.
    pub dropped: u64,
    /// Decoded pictures of no use.
    pub unusable: u64,
    /// How it ended.
    pub ending: Ending,
}

/// Hands the pictures of `source` to `take`, one by one and on this thread, until that returns false, `stopped` returns true (asked ten
/// times a second) or there are no more. A file waits for `take` and loses nothing; of a live source the newest is handed over. Blocks;
/// not to be called from a task.
///
/// # Errors
/// [`Outage`] when not one picture comes, with the reason.
pub fn pictures(
    source: &Source,
    config: &PicturesConfig,
    stopped: impl Fn() -> bool,
    mut take: impl FnMut(Planes, Stamp) -> bool,
) -> Result<Watched, Outage> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| Outage::new(CameraState::Unsupported, error.to_string()))?;
    let next = |queue: &FrameQueue<_>| runtime.block_on(async { tokio::time::timeout(LOOK, queue.pop()).await });
    let (queue, counts) = (FrameQueue::new(), Arc::new(Counts::default()));
    let trust = Trust::default();
    let PicturesConfig { transport, decode_threads, .. } = *config;
    let options = PlayOptions { transport, trust: &trust, decode_threads, real_time: false };
    let pipeline = Pipeline::play(source, options, on_picture(source, config.fps, queue.clone(), Arc::clone(&counts)))?;
    // Goes before the pipeline, whose thread may be waiting for room and could not be ended then.
    let queue = Closing(queue);
    let (mut signs, mut over) = (Signs::new(), None);
    let ending = loop {
        if over.is_none() {
            over = pipeline.next_event(Duration::ZERO);
            signs.are_first(counts.decoded.load(Ordering::Relaxed), pipeline.skipped());
        }
        if over.is_some() {
            // Everything decoded before the end is in the queue.
            queue.0.close();
        }
        match next(&queue.0) {
            Ok(Some((planes, stamp))) => {
                if stopped() || !take(planes, stamp) {
                    break Ending::Stopped;
                }
            }
            Ok(None) => break ending(over, source, || cut_off(&counts, &pipeline)),
            Err(_) if stopped() => break Ending::Stopped,
            // A file is read as fast as its medium gives it: slow is not broken, once there are pictures.
            Err(_) if source.is_file() && counts.decoded.load(Ordering::Relaxed) > 0 => {}
            Err(_) => {
                if let Some(outage) = signs.overdue(PATIENCE, source) {
                    break Ending::BrokeOff(outage);
                }
            }
        }
    };
    let watched = counts.watched(ending);
    match watched.ending {
        Ending::BrokeOff(outage) if watched.decoded == 0 => Err(outage),
        _ => Ok(watched),
    }
}

fn ending(over: Option<PipelineEvent>, source: &Source, cut_off: impl FnOnce() -> Option<Outage>) -> Ending {
    match over {
        Some(PipelineEvent::Failed(outage)) => Ending::BrokeOff(outage),
        Some(PipelineEvent::Ended) if !source.is_file() => {
            Ending::BrokeOff(Outage::new(CameraState::Stalled, "the camera ended its stream"))
        }
        _ => cut_off().map_or(Ending::Complete, Ending::BrokeOff),
    }
}

/// Whether the file ends before it should, by how long it says it is. That may be how long its sound is: pictures alone may end earlier.
fn cut_off(counts: &Counts, pipeline: &Pipeline) -> Option<Outage> {
    let (end_ns, duration_ns) = (counts.end_ns.load(Ordering::Relaxed), pipeline.duration_ns()?);
    let is_missing = |end_ns: i64| duration_ns - end_ns > MISSING_NS;
    if !is_missing(end_ns) {
        return None;
    }
    let asked = Instant::now();
    while pipeline.sound_end_ns().is_none() && asked.elapsed() < SOUND_ENDS {
        std::thread::sleep(SOUND_ENDS / 50);
    }
    let seconds = |ns: i64| ns as f64 / 1e9;
    let detail = format!("its pictures end after {:.1} of {:.1} seconds", seconds(end_ns), seconds(duration_ns));
    pipeline.sound_end_ns().filter(|sound_ns| is_missing(*sound_ns)).map(|_| Outage::new(CameraState::Stalled, detail))
}

/// What the decoder's thread does with every picture.
fn on_picture(source: &Source, fps: Option<f64>, queue: FrameQueue<(Planes, Stamp)>, counts: Arc<Counts>) -> OnPicture {
    let is_file = source.is_file();
    let mut sampler = fps.map(Sampler::new);
    let mut clock = if is_file { CaptureClock::file(Utc::now()) } else { CaptureClock::live() };
    let mut last_ns = 0;
    Box::new(move |picture: Picture| {
        counts.decoded.fetch_add(1, Ordering::Relaxed);
        // A picture is shown until the next one; the last one as long as the one before it.
        counts.end_ns.store(picture.pts_ns + (picture.pts_ns - last_ns), Ordering::Relaxed);
        last_ns = picture.pts_ns;
        if sampler.as_mut().is_some_and(|sampler| !sampler.keep(picture.pts_ns)) {
            return true;
        }
        let stamp = clock.stamp(picture.pts_ns, sample::ntp_ns(&picture.buffer), Utc::now());
        let Ok(planes) = sample::planes(picture.buffer, &picture.info) else {
            counts.unusable.fetch_add(1, Ordering::Relaxed);
            return true;
        };
        if is_file {
            return queue.push_waiting((planes, stamp));
        }
        if queue.push_newest((planes, stamp)) {
            counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        true
    })
}

/// Closes the queue when it goes, however that comes about.
struct Closing(FrameQueue<(Planes, Stamp)>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the decoder's thread counts.
#[derive(Debug, Default)]
struct Counts {
    decoded: AtomicU64,
    dropped: AtomicU64,
    unusable: AtomicU64,
    /// Where the pictures end.
    end_ns: AtomicI64,
}

impl Counts {
    fn watched(&self, ending: Ending) -> Watched {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (decoded, dropped, unusable) = (count(&self.decoded), count(&self.dropped), count(&self.unusable));
        Watched { decoded, dropped, unusable, ending }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use gst::prelude::*;
    use gstreamer as gst;
    use sightline_wire::{CameraState, ClockSource};

    use super::{Ending, PicturesConfig, Watched, pictures};
    use crate::source::Source;

    const NEVER: fn() -> bool = || false;

    fn clip() -> Source {
        Source::File(sightline_testkit::clip("cap13_edit2").unwrap())
    }

    #[test]
    fn a_file_waits_and_loses_nothing() {
        let mut times = Vec::new();
        let watched = pictures(&clip(), &PicturesConfig::default(), NEVER, |planes, stamp| {
            assert_eq!((planes.width(), planes.height(), stamp.clock), (400, 300, ClockSource::File));
            if times.len() % 100 == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            times.push(stamp.pts_ns);
            true
        });
        let whole = Watched { decoded: 765, dropped: 0, unusable: 0, ending: Ending::Complete };
        assert_eq!(watched, Ok(whole));
        assert!(times.len() == 765 && times.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn as_many_are_handed_over_as_a_camera_keeps() {
        let config = PicturesConfig { fps: Some(5.0), ..PicturesConfig::default() };
        let mut kept = 0;
        let watched = pictures(&clip(), &config, NEVER, |_, _| {
            kept += 1;
            true
        });
        assert_eq!((watched.unwrap().decoded, kept), (765, 153));
    }

    #[test]
    fn it_ends_when_the_caller_says_so() {
        let (mut left, config) = (3, PicturesConfig::default());
        let watched = pictures(&clip(), &config, NEVER, |_, _| {
            left -= 1;
            left > 0
        });
        assert_eq!((watched.unwrap().ending, left), (Ending::Stopped, 0));
        let seen = Cell::new(0);
        let live = Source::parse("test://?width=64&height=64&fps=25").unwrap();
        let watched = pictures(
            &live,
            &config,
            || seen.get() >= 5,
            |_, _| {
                seen.set(seen.get() + 1);
                true
            },
        );
        assert_eq!((watched.unwrap().ending, seen.get()), (Ending::Stopped, 5));
    }

    #[test]
    fn of_a_live_source_the_newest_comes() {
        let live = Source::parse("test://?width=64&height=64&fps=100").unwrap();
        let mut times = Vec::new();
        let watched = pictures(&live, &PicturesConfig::default(), NEVER, |_, stamp| {
            std::thread::sleep(Duration::from_millis(100));
            times.push(stamp.pts_ns);
            times.len() < 5
        });
        let watched = watched.unwrap();
        assert!(watched.dropped > 10 && watched.decoded > watched.dropped, "{watched:?}");
        assert!(times.windows(2).skip(1).all(|pair| pair[1] - pair[0] > 50_000_000), "{times:?}");
    }

    #[test]
    fn what_shows_nothing_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let noise = folder.path().join("noise.mp4");
        std::fs::write(&noise, [7; 5000]).unwrap();
        let config = PicturesConfig::default();
        let state = |source: &Source| pictures(source, &config, NEVER, |_, _| true).unwrap_err().state;
        assert_eq!(state(&Source::File(noise)), CameraState::Unsupported);
        assert_eq!(state(&Source::File(folder.path().join("none.mp4"))), CameraState::NotFound);
        // Nobody listens on the discard port.
        assert_eq!(state(&Source::parse("rtsp://127.0.0.1:9/a").unwrap()), CameraState::Unreachable);
    }

    #[test]
    fn a_file_that_ends_too_early_is_broken_off() {
        let whole = std::fs::read(sightline_testkit::clip("cap13_edit2").unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let half = folder.path().join("half.mp4");
        std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
        let mut seen = 0;
        let watched = pictures(&Source::File(half), &PicturesConfig::default(), NEVER, |_, _| {
            seen += 1;
            true
        });
        let watched = watched.unwrap();
        assert!((200..600).contains(&seen) && watched.decoded == seen, "{watched:?}");
        let Ending::BrokeOff(outage) = watched.ending else { panic!("{watched:?}") };
        assert!(outage.detail.contains(" of 30.6 seconds"), "{outage:?}");
    }

    /// Two seconds of pictures and six of sound.
    fn with_sound(file: &Path) {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers=50 ! video/x-raw,width=64,height=64,framerate=25/1 ! jpegenc ! matroskamux name=all \
             ! filesink location={} audiotestsrc num-buffers=60 samplesperbuffer=800 ! audio/x-raw,rate=8000,channels=1 ! all.",
            file.display()
        ));
        let pipeline = pipeline.unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    }

    #[test]
    fn sound_that_goes_on_after_the_pictures_is_no_break_and_a_file_that_breaks_off_with_its_sound_is() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, half) = (folder.path().join("whole.mkv"), folder.path().join("half.mkv"));
        with_sound(&whole);
        let bytes = std::fs::read(&whole).unwrap();
        std::fs::write(&half, &bytes[..bytes.len() / 3]).unwrap();
        let watched = |file| pictures(&Source::File(file), &PicturesConfig::default(), NEVER, |_, _| true).unwrap();
        let all = Watched { decoded: 50, dropped: 0, unusable: 0, ending: Ending::Complete };
        assert_eq!(watched(whole), all);
        let broken = watched(half);
        let Ending::BrokeOff(outage) = &broken.ending else { panic!("{broken:?}") };
        assert!(outage.detail.contains(" of 6.0 seconds") && broken.decoded < 50, "{broken:?}");
    }

    #[test]
    fn a_camera_that_goes_away_breaks_off() {
        let clip = sightline_testkit::clip("cap13_edit2").unwrap();
        let mut server = sightline_testkit::RtspProcess::start(&[("lobby".to_owned(), clip)]).unwrap();
        let source = Source::parse(&server.url("lobby")).unwrap();
        let (mut seen, begun) = (0, Instant::now());
        let watched = pictures(&source, &PicturesConfig::default(), NEVER, |_, stamp| {
            seen += 1;
            assert_ne!(stamp.clock, ClockSource::File);
            if seen == 5 {
                server.kill().unwrap();
            }
            true
        });
        let watched = watched.unwrap();
        assert!(matches!(watched.ending, Ending::BrokeOff(_)) && watched.decoded >= 5, "{watched:?}");
        assert!(begun.elapsed() < Duration::from_secs(40));
    }
}
