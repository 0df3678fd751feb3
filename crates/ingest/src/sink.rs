//! The end of a pipeline: decoded pictures, with their times, handed to whoever takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gst_app::AppSinkCallbacks;
use gst_video::{VideoFormat, VideoInfo, VideoMeta};
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

/// What pictures without a time and without a rate are taken for: 25 a second.
const USUAL_INTERVAL_NS: i64 = 40_000_000;

/// A decoded picture.
pub(crate) struct Picture {
    pub(crate) buffer: gst::Buffer,
    pub(crate) info: VideoInfo,
    /// In the stream's running time.
    pub(crate) pts_ns: i64,
}

/// Frames are taken for as long as this returns true.
pub(crate) type OnPicture = Box<dyn FnMut(Picture) -> bool + Send>;

/// A sink for planar pictures; `is_file` when their times do not come from a clock, `real_time` when it waits for them.
pub(crate) fn sink(
    on_picture: OnPicture,
    has_video: Arc<AtomicBool>,
    is_file: bool,
    real_time: bool,
) -> gst_app::AppSink {
    let formats = gst_video::VideoCapsBuilder::new().format_list([VideoFormat::I420, VideoFormat::Nv12]);
    let sink = gst_app::AppSink::builder().caps(&formats.build()).sync(is_file && real_time).max_buffers(1).build();
    if let Some(pad) = sink.static_pad("sink") {
        allow_strides(&pad);
    }
    let mut taker = Taker { on_picture, has_video, is_file, known: None, last_ns: None, enough: false };
    sink.set_callbacks(AppSinkCallbacks::builder().new_sample(move |sink| taker.take(sink)).build());
    sink
}

/// Takes samples on the decoder's thread.
struct Taker {
    on_picture: OnPicture,
    has_video: Arc<AtomicBool>,
    is_file: bool,
    /// The newest caps, read.
    known: Option<(gst::Caps, VideoInfo)>,
    last_ns: Option<i64>,
    enough: bool,
}

impl Taker {
    fn take(&mut self, sink: &gst_app::AppSink) -> Result<gst::FlowSuccess, gst::FlowError> {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        // A decoder hands over what it still holds even after it was told to end.
        if self.enough {
            return Err(gst::FlowError::Eos);
        }
        self.has_video.store(true, Ordering::Relaxed);
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let info = self.info(caps)?;
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let time = buffer.pts().or_else(|| buffer.dts());
        let running = segment.and_then(|segment| segment.to_running_time(time)).or(time);
        let stated = running.and_then(|time| i64::try_from(time.nseconds()).ok());
        let pts_ns = stated.unwrap_or_else(|| self.guess(sink, &info));
        self.last_ns = Some(pts_ns);
        self.enough = !(self.on_picture)(Picture { buffer, info, pts_ns });
        if self.enough { Err(gst::FlowError::Eos) } else { Ok(gst::FlowSuccess::Ok) }
    }

    fn info(&mut self, caps: gst::Caps) -> Result<VideoInfo, gst::FlowError> {
        if let Some((_, info)) = self.known.as_ref().filter(|(same, _)| *same == caps) {
            return Ok(info.clone());
        }
        let info = VideoInfo::from_caps(&caps).map_err(|_| gst::FlowError::NotNegotiated)?;
        self.known = Some((caps, info.clone()));
        Ok(info)
    }

    /// The time of a picture whose stream has none, as MJPEG often: now, or one interval after the last of a file.
    fn guess(&self, sink: &gst_app::AppSink, info: &VideoInfo) -> i64 {
        if !self.is_file {
            let now = sink.current_running_time();
            return now.and_then(|time| i64::try_from(time.nseconds()).ok()).unwrap_or(0);
        }
        let (frames, seconds) = (i64::from(info.fps().numer()), i64::from(info.fps().denom()));
        let interval_ns = if frames > 0 { seconds * 1_000_000_000 / frames } else { USUAL_INTERVAL_NS };
        self.last_ns.map_or(0, |last| last + interval_ns)
    }
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
