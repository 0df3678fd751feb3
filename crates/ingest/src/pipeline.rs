//! One GStreamer pipeline: a source, whatever decodes it, and our sink for planar pictures.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;
use sightline_wire::{CameraState, Transport};

use crate::decoder::decoder;
use crate::origin::origin;
use crate::outage::Outage;
use crate::sink::{OnPicture, sink};
use crate::source::Source;
use crate::trust::Trust;

/// How a source is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlayOptions<'a> {
    pub(crate) transport: Transport,
    /// Certificates that are accepted beside the system's.
    pub(crate) trust: &'a Trust,
    /// Of the decoder.
    pub(crate) decode_threads: u32,
    /// A file in real time instead of as fast as its frames are taken.
    pub(crate) real_time: bool,
}

/// What happened on a pipeline.
#[derive(Debug)]
pub(crate) enum PipelineEvent {
    /// It came to its end.
    Ended,
    /// It failed.
    Failed(Outage),
}

/// A playing pipeline; dropping it tears it down.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pipeline: gst::Pipeline,
    source: Source,
    has_video: Arc<AtomicBool>,
    /// Coded pictures before the first key frame.
    skipped: Arc<AtomicU64>,
    /// Why the camera's certificate was refused.
    distrusted: Arc<OnceLock<&'static str>>,
    sound: Arc<Sound>,
}

/// The streams of a file that are not shown.
#[derive(Debug, Default)]
struct Sound {
    /// How many have not ended.
    going: AtomicUsize,
    /// How far they have come.
    end_ns: AtomicI64,
}

impl Pipeline {
    /// Builds and starts it. `on_picture` is called on the decoder's thread.
    pub(crate) fn play(source: &Source, options: PlayOptions<'_>, on_picture: OnPicture) -> Result<Self, Outage> {
        gst::init().map_err(|_| Outage::new(CameraState::Unsupported, "GStreamer is not installed properly"))?;
        let pipeline = gst::Pipeline::new();
        let (has_video, skipped, distrusted) = (Arc::default(), Arc::default(), Arc::default());
        let built = Self { pipeline, source: source.clone(), has_video, skipped, distrusted, sound: Arc::default() };
        let tail = built.add_tail(source, options, on_picture)?;
        built.add_source(source, options, &tail)?;
        // The error itself is on the bus.
        if built.pipeline.set_state(gst::State::Playing).is_err() {
            let failed = built.next_event(Duration::from_millis(200));
            return match failed {
                Some(PipelineEvent::Failed(outage)) => Err(outage),
                _ => Err(Outage::new(CameraState::Unreachable, "the source cannot be started")),
            };
        }
        Ok(built)
    }

    /// Waits for the next thing that ends the pipeline.
    pub(crate) fn next_event(&self, wait: Duration) -> Option<PipelineEvent> {
        const ENDS: [gst::MessageType; 2] = [gst::MessageType::Eos, gst::MessageType::Error];
        let bus = self.pipeline.bus()?;
        let wait = gst::ClockTime::from_mseconds(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        // A wait of nothing would not even look.
        let message = bus.pop_filtered(&ENDS).or_else(|| bus.timed_pop_filtered(wait, &ENDS))?;
        let has_video = self.has_video.load(Ordering::Relaxed);
        Some(match message.view() {
            gst::MessageView::Error(error) => PipelineEvent::Failed(match self.distrusted.get() {
                Some(reason) => Outage::new(CameraState::Unreachable, *reason),
                None => Outage::of(&error.error(), error.debug().as_deref(), &self.source, has_video),
            }),
            _ if self.source.is_file() && !has_video => PipelineEvent::Failed(Outage::no_video()),
            _ => PipelineEvent::Ended,
        })
    }

    /// How many coded pictures came and had to be left out, because there was no key frame before them.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Where a file's sound ends, 0 without any; None when it still goes on.
    pub(crate) fn sound_end_ns(&self) -> Option<i64> {
        (self.sound.going.load(Ordering::Acquire) == 0).then(|| self.sound.end_ns.load(Ordering::Relaxed))
    }

    /// How long a file says it is: of most containers, its longest stream.
    pub(crate) fn duration_ns(&self) -> Option<i64> {
        let duration = self.pipeline.query_duration::<gst::ClockTime>()?;
        i64::try_from(duration.nseconds()).ok()
    }

    fn add_tail(
        &self,
        source: &Source,
        options: PlayOptions<'_>,
        on_picture: OnPicture,
    ) -> Result<gst::Element, Outage> {
        let convert = element("videoconvert")?;
        let sink = sink(on_picture, Arc::clone(&self.has_video), source.is_file(), options.real_time);
        let sink = sink.upcast::<gst::Element>();
        add(&self.pipeline, &[&convert, &sink])?;
        convert.link(&sink).map_err(|_| broken("videoconvert and appsink"))?;
        Ok(convert)
    }

    fn add_source(&self, source: &Source, options: PlayOptions<'_>, tail: &gst::Element) -> Result<(), Outage> {
        if let Source::Test { width, height, fps } = *source {
            return self.add_test(width, height, fps, tail);
        }
        let (origin, dynamic) = origin(source, options.transport, options.trust, &self.distrusted)?;
        let decoder = decoder(options.decode_threads, &self.skipped)?;
        add(&self.pipeline, &[&origin, &decoder])?;
        if dynamic {
            link_when_there(&origin, &decoder, "video");
        } else {
            origin.link(&decoder).map_err(|_| broken("source and decoder"))?;
        }
        link_when_there(&decoder, tail, "video");
        if source.is_file() {
            follow_sound(&decoder, &self.sound);
        }
        self.watch_for_video(&decoder, tail);
        Ok(())
    }

    fn add_test(&self, width: u32, height: u32, fps: u32, tail: &gst::Element) -> Result<(), Outage> {
        let origin = element("videotestsrc")?;
        origin.set_property("is-live", true);
        origin.set_property_from_str("pattern", "ball");
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let caps = gst_video::VideoCapsBuilder::new()
            .width(number(width))
            .height(number(height))
            .framerate(gst::Fraction::new(number(fps), 1))
            .build();
        add(&self.pipeline, &[&origin])?;
        origin.link_filtered(tail, &caps).map_err(|_| broken("test source"))
    }

    /// A source whose streams are all known and none of which is video will never deliver anything.
    fn watch_for_video(&self, decoder: &gst::Element, tail: &gst::Element) {
        let (tail, has_video) = (tail.downgrade(), Arc::clone(&self.has_video));
        decoder.connect_no_more_pads(move |decoder| {
            let linked = tail.upgrade().and_then(|tail| tail.static_pad("sink")).is_some_and(|pad| pad.is_linked());
            if !linked && !has_video.load(Ordering::Relaxed) {
                gst::element_error!(decoder, gst::StreamError::WrongType, ("there is no video in it"));
            }
        });
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // It is thrown away whether or not it goes down in order.
        let _either = self.pipeline.set_state(gst::State::Null);
    }
}

/// Notes how far the streams come that are not shown.
fn follow_sound(decoder: &gst::Element, sound: &Arc<Sound>) {
    let sound = Arc::clone(sound);
    decoder.connect_pad_added(move |_, pad| {
        if kind_of(pad).starts_with("video") {
            return;
        }
        sound.going.fetch_add(1, Ordering::Release);
        let sound = Arc::clone(&sound);
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
            if let Some(buffer) = info.buffer() {
                let end = buffer.pts().map(|begin| begin + buffer.duration().unwrap_or_default());
                let segment = pad.sticky_event::<gst::event::Segment>(0);
                let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<gst::ClockTime>());
                let running = segment.and_then(|segment| segment.to_running_time(end)).or(end);
                let end_ns = running.and_then(|end| i64::try_from(end.nseconds()).ok()).unwrap_or_default();
                sound.end_ns.fetch_max(end_ns, Ordering::Relaxed);
            }
            if info.event().is_some_and(|event| event.type_() == gst::EventType::Eos) {
                sound.going.fetch_sub(1, Ordering::Release);
                return gst::PadProbeReturn::Remove;
            }
            gst::PadProbeReturn::Ok
        });
    });
}

/// Links the first pad of video that appears.
fn link_when_there(from: &gst::Element, to: &gst::Element, kind: &'static str) {
    let to = to.downgrade();
    from.connect_pad_added(move |_, pad| {
        let Some(sink) = to.upgrade().and_then(|to| to.static_pad("sink")).filter(|sink| !sink.is_linked()) else {
            return;
        };
        let name = kind_of(pad);
        let wanted = name.starts_with(kind) || name.starts_with("application/x-rtp") || name.starts_with("image");
        if wanted && pad.link(&sink).is_err() {
            tracing::debug!(pad = %pad.name(), "a stream could not be linked");
        }
    });
}

/// The media type on a pad.
fn kind_of(pad: &gst::Pad) -> String {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    caps.structure(0).map(|structure| structure.name().to_string()).unwrap_or_default()
}

pub(crate) fn element(name: &'static str) -> Result<gst::Element, Outage> {
    gst::ElementFactory::make(name).build().map_err(|_| {
        let detail = format!("GStreamer's element {name} is not installed: run `cargo xtask setup`");
        Outage::new(CameraState::Unsupported, detail)
    })
}

fn add(pipeline: &gst::Pipeline, elements: &[&gst::Element]) -> Result<(), Outage> {
    pipeline.add_many(elements.iter().copied()).map_err(|_| broken("pipeline"))
}

pub(crate) fn broken(what: &str) -> Outage {
    Outage::new(CameraState::Unsupported, format!("GStreamer cannot join {what}"))
}
