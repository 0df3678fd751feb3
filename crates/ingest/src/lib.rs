//! Cameras: decode, sample, number; the only crate that knows GStreamer.
//!
//! One thread for each camera opens its source, watches it and opens it again when it fails; the decoder's own thread hands frames
//! over as they are (planar YUV, no copy, no conversion). What is kept is decided by presentation time in `sampler`, where a frame waits for the
//! bus in a queue that keeps the newest (or makes the decoder wait, for recordings). [`run`] starts and stops cameras as the table of desired
//! cameras and the list of live workers change.

mod camera;
mod clock;
mod decode;
mod decoder;
mod epoch;
mod manager;
mod metrics;
mod origin;
mod outage;
mod pictures;
mod pipeline;
mod probe;
mod queue;
mod reach;
mod sample;
mod sampler;
mod sink;
mod source;
mod trust;

use gstreamer as gst;

/// Elements that every kind of camera needs, and the Debian package of each.
const ELEMENTS: [(&str, &str); 7] = [
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("rtspsrc", "gstreamer1.0-plugins-good"),
    ("souphttpsrc", "gstreamer1.0-plugins-good"),
    ("v4l2src", "gstreamer1.0-plugins-good"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("avdec_h264", "gstreamer1.0-libav"),
];

/// The version of GStreamer, if everything that cameras need is installed.
///
/// # Errors
/// What is missing, and the package that has it.
pub fn installed() -> Result<String, String> {
    gst::init().map_err(|error| format!("cannot be started: {error}"))?;
    for (element, package) in ELEMENTS {
        if gst::ElementFactory::find(element).is_none() {
            return Err(format!("the element {element} is missing: install {package}"));
        }
    }
    Ok(gst::version_string().to_string())
}

pub use decode::{DecodeError, decode_file, sample_file};
pub use epoch::Claim;
pub use manager::{IngestConfig, IngestLinks, Resolve, bears_key_of, run, worker_id};
pub use outage::Outage;
pub use pictures::{Ending, PicturesConfig, Watched, pictures};
pub use probe::{ProbeReport, probe};
pub use source::{Source, SourceError};
pub use trust::Trust;
