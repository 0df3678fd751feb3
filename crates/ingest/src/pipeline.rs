//! One GStreamer pipeline: a source, whatever decodes it, and our sink for planar pictures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gst::prelude::*;
use gst_app::AppSinkCallbacks;
use gst_video::{VideoInfo, VideoMeta};
use sightline_wire::{CameraState, Transport};

use crate::decoder::decoder;
use crate::outage::Outage;
use crate::source::Source;

/// Jitter that is smoothed: what it costs in delay it saves in broken pictures.
const RTSP_LATENCY_MS: u32 = 200;

/// How a source is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlayOptions {
    pub(crate) transport: Transport,
    /// Of the decoder.
    pub(crate) decode_threads: u32,
    /// A file in real time instead of as fast as its frames are taken.
    pub(crate) real_time: bool,
}

/// What the sink delivers.
pub(crate) struct Picture {
    pub(crate) buffer: gst::Buffer,
    pub(crate) info: VideoInfo,
    /// In the stream's running time.
    pub(crate) pts_ns: i64,
}

/// What happened on a pipeline.
#[derive(Debug)]
pub(crate) enum PipelineEvent {
    /// It came to its end.
    Ended,
    /// It failed.
    Failed(Outage),
}

/// Frames are taken for as long as this returns true.
pub(crate) type OnPicture = Box<dyn FnMut(Picture) -> bool + Send>;

/// A playing pipeline; dropping it tears it down.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pipeline: gst::Pipeline,
    source: Source,
    has_video: Arc<AtomicBool>,
    /// Coded pictures before the first key frame.
    skipped: Arc<AtomicU64>,
}

impl Pipeline {
    /// Builds and starts it. `on_picture` is called on the decoder's thread.
    pub(crate) fn play(source: &Source, options: PlayOptions, on_picture: OnPicture) -> Result<Self, Outage> {
        gst::init().map_err(|_| Outage::new(CameraState::Unsupported, "GStreamer is not installed properly"))?;
        let pipeline = gst::Pipeline::new();
        let built = Self { pipeline, source: source.clone(), has_video: Arc::default(), skipped: Arc::default() };
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
        match message.view() {
            gst::MessageView::Error(error) => {
                Some(PipelineEvent::Failed(Outage::of(&error.error(), error.debug().as_deref(), &self.source)))
            }
            _ if self.source.is_file() && !self.has_video.load(Ordering::Relaxed) => {
                Some(PipelineEvent::Failed(Outage::no_video()))
            }
            _ => Some(PipelineEvent::Ended),
        }
    }

    /// How many coded pictures came and had to be left out, because there was no key frame before them.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    fn add_tail(&self, source: &Source, options: PlayOptions, on_picture: OnPicture) -> Result<gst::Element, Outage> {
        let convert = element("videoconvert")?;
        let sink = gst_app::AppSink::builder()
            .caps(&gst_video::VideoCapsBuilder::new().format_list([gst_video::VideoFormat::I420, gst_video::VideoFormat::Nv12]).build())
            .sync(source.is_file() && options.real_time)
            .max_buffers(1)
            .build();
        if let Some(pad) = sink.static_pad("sink") {
            allow_strides(&pad);
        }
        sink.set_callbacks(callbacks(on_picture, Arc::clone(&self.has_video)));
        let sink = sink.upcast::<gst::Element>();
        add(&self.pipeline, &[&convert, &sink])?;
        convert.link(&sink).map_err(|_| broken("videoconvert and appsink"))?;
        Ok(convert)
    }

    fn add_source(&self, source: &Source, options: PlayOptions, tail: &gst::Element) -> Result<(), Outage> {
        if let Source::Test { width, height, fps } = *source {
            return self.add_test(width, height, fps, tail);
        }
        let (origin, dynamic) = origin(source, options)?;
        let decoder = decoder(options.decode_threads, &self.skipped)?;
        add(&self.pipeline, &[&origin, &decoder])?;
        if dynamic {
            link_when_there(&origin, &decoder, "video");
        } else {
            origin.link(&decoder).map_err(|_| broken("source and decoder"))?;
        }
        link_when_there(&decoder, tail, "video");
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

/// The element that brings the bytes, and whether its pads come later.
fn origin(source: &Source, options: PlayOptions) -> Result<(gst::Element, bool), Outage> {
    match source {
        Source::Rtsp { url, login } => {
            let element = element("rtspsrc")?;
            element.set_property("location", url);
            element.set_property("latency", RTSP_LATENCY_MS);
            element.set_property_from_str("protocols", if options.transport == Transport::Tcp { "tcp" } else { "udp" });
            element.set_property("add-reference-timestamp-meta", true);
            if let Some((user, password)) = login {
                element.set_property("user-id", user);
                element.set_property("user-pw", password);
            }
            // Sound would only cost.
            element.connect("select-stream", false, |values| {
                let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
                let media = caps.and_then(|caps| caps.structure(0)?.get::<String>("media").ok());
                Some((media.as_deref() == Some("video")).to_value())
            });
            Ok((element, true))
        }
        Source::File(path) => {
            let element = element("filesrc")?;
            let path = path.to_str().ok_or_else(|| Outage::new(CameraState::NotFound, "the path is no UTF-8"))?;
            element.set_property("location", path);
            Ok((element, false))
        }
        Source::V4l2(path) => {
            let element = element("v4l2src")?;
            element.set_property("device", path.to_str().unwrap_or_default());
            Ok((element, false))
        }
        Source::Http { url, login } => {
            let element = element("souphttpsrc")?;
            element.set_property("location", url);
            element.set_property("is-live", true);
            if let Some((user, password)) = login {
                element.set_property("user-id", user);
                element.set_property("user-pw", password);
            }
            Ok((element, false))
        }
        Source::Test { .. } => Err(broken("test source")),
    }
}

fn callbacks(mut on_picture: OnPicture, has_video: Arc<AtomicBool>) -> AppSinkCallbacks {
    let mut known: Option<(gst::Caps, VideoInfo)> = None;
    let mut enough = false;
    AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            // A decoder hands over what it still holds even after it was told to end.
            if enough {
                return Err(gst::FlowError::Eos);
            }
            has_video.store(true, Ordering::Relaxed);
            let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) else {
                return Ok(gst::FlowSuccess::Ok);
            };
            let info = match &known {
                Some((same, info)) if *same == caps => info.clone(),
                _ => {
                    let info = VideoInfo::from_caps(&caps).map_err(|_| gst::FlowError::NotNegotiated)?;
                    known = Some((caps, info.clone()));
                    info
                }
            };
            let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
            let time = buffer.pts().or_else(|| buffer.dts());
            let running = segment.and_then(|segment| segment.to_running_time(time)).or(time);
            let Some(pts_ns) = running.and_then(|time| i64::try_from(time.nseconds()).ok()) else {
                return Ok(gst::FlowSuccess::Ok);
            };
            enough = !on_picture(Picture { buffer, info, pts_ns });
            if enough { Err(gst::FlowError::Eos) } else { Ok(gst::FlowSuccess::Ok) }
        })
        .build()
}

/// Tells decoders that pictures may have padding, which saves a copy of each.
fn allow_strides(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        if let Some(query) = info.query_mut()
            && let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
        {
            allocation.add_allocation_meta::<VideoMeta>(None);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Links the first pad of video that appears.
fn link_when_there(from: &gst::Element, to: &gst::Element, kind: &'static str) {
    let to = to.downgrade();
    from.connect_pad_added(move |_, pad| {
        let Some(sink) = to.upgrade().and_then(|to| to.static_pad("sink")).filter(|sink| !sink.is_linked()) else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let name = caps.structure(0).map(|structure| structure.name().to_string()).unwrap_or_default();
        let wanted = name.starts_with(kind) || name.starts_with("application/x-rtp") || name.starts_with("image");
        if wanted && pad.link(&sink).is_err() {
            tracing::debug!(pad = %pad.name(), "a stream could not be linked");
        }
    });
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

fn broken(what: &str) -> Outage {
    Outage::new(CameraState::Unsupported, format!("GStreamer cannot join {what}"))
}
