//! Files for camera tests, made on the spot.

use std::path::{Path, PathBuf};

use gst::prelude::*;
use gstreamer as gst;

/// A real clip: 400 x 300, 25 frames a second, 765 frames.
pub(crate) fn clip() -> PathBuf {
    sightline_testkit::clip("cap13_edit2").unwrap()
}

/// Runs a pipeline written as for `gst-launch` to its end.
pub(crate) fn launch(description: &str) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let wait = gst::ClockTime::from_seconds(60);
    let message = bus.timed_pop_filtered(wait, &[gst::MessageType::Eos, gst::MessageType::Error]).expect("no end");
    if let gst::MessageView::Error(error) = message.view() {
        panic!("{description}: {error:?}");
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

/// Encoded test pictures in a container: `frames` of them, 25 a second, a key frame every second.
pub(crate) fn video(file: &Path, (width, height): (u32, u32), frames: u32, muxer: &str) {
    launch(&format!(
        "videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,format=I420,width={width},height={height},framerate=25/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h264parse config-interval=-1 ! {muxer} \
         ! filesink location={}",
        file.display()
    ));
}
