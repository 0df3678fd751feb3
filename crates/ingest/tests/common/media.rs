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
    let message = bus.timed_pop_filtered(wait, &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    if let gst::MessageView::Error(error) = message.expect("no end").view() {
        panic!("{description}: {error:?}");
    }
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

/// Two files one after the other.
pub(crate) fn join(parts: &[&Path], whole: &Path) {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect();
    std::fs::write(whole, bytes).unwrap();
}

/// The first part of a file.
pub(crate) fn cut(file: &Path, part: f64, cut: &Path) {
    let bytes = std::fs::read(file).unwrap();
    let length = (bytes.len() as f64 * part) as usize;
    std::fs::write(cut, &bytes[..length]).unwrap();
}

/// Bytes without any meaning, the same every time.
pub(crate) fn noise(file: &Path, length: usize) {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::fs::write(file, (0..length).map(|_| next()).collect::<Vec<u8>>()).unwrap();
}

/// JPEG pictures in a container, 25 a second.
pub(crate) fn mjpeg(file: &Path, frames: u32) {
    launch(&format!(
        "videotestsrc num-buffers={frames} ! video/x-raw,width=320,height=240,framerate=25/1 ! jpegenc ! avimux \
         ! filesink location={}",
        file.display()
    ));
}

/// A file with a part of its bytes set to 0.
pub(crate) fn spoil(file: &Path, part: std::ops::Range<f64>, spoilt: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = |part: f64| (bytes.len() as f64 * part) as usize;
    let range = at(part.start)..at(part.end);
    bytes[range].fill(0);
    std::fs::write(spoilt, bytes).unwrap();
}
