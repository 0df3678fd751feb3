//! GStreamer's decodebin, with what cameras need set on the elements that it picks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::prelude::*;
use gstreamer as gst;

use crate::outage::Outage;
use crate::pipeline::element;

/// An element that decodes whatever it is given. `skipped` counts the coded pictures that came before the first key frame.
pub(crate) fn decoder(threads: u32, skipped: &Arc<AtomicU64>) -> Result<gst::Element, Outage> {
    let decoder = element("decodebin")?;
    keep_audio_encoded(&decoder);
    let Some(bin) = decoder.downcast_ref::<gst::Bin>() else {
        return Ok(decoder);
    };
    let threads = i32::try_from(threads).unwrap_or(1);
    let skipped = Arc::clone(skipped);
    bin.connect_deep_element_added(move |_, _, element| {
        // avdec_h264 and its kind; others have one thread or no choice.
        if element.find_property("max-threads").is_some_and(|property| property.value_type() == i32::static_type()) {
            element.set_property("max-threads", threads);
        }
        // MJPEG over HTTP is one stream; without this word decodebin waits for more before it shows anything.
        if element.find_property("single-stream").is_some() {
            element.set_property("single-stream", true);
        }
        let video = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
        if element.factory().is_some_and(|factory| factory.has_type(video)) {
            begin_with_a_key_frame(element, Arc::clone(&skipped));
        }
    });
    Ok(decoder)
}

/// Whoever joins a camera between two key frames gets differences to pictures that were never seen; libav paints them on grey and says
/// nothing. They are left out.
fn begin_with_a_key_frame(decoder: &gst::Element, skipped: Arc<AtomicU64>) {
    let Some(pad) = decoder.static_pad("sink") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if info.buffer().is_some_and(|buffer| buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)) {
            skipped.fetch_add(1, Ordering::Relaxed);
            // Not `Drop`: with that the bindings and the library both give the buffer back.
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Remove
    });
}

/// Sound is passed on as it is, to nobody.
fn keep_audio_encoded(decoder: &gst::Element) {
    decoder.connect("autoplug-continue", false, |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let is_audio = caps.and_then(|caps| Some(caps.structure(0)?.name().starts_with("audio/"))).unwrap_or(false);
        Some((!is_audio).to_value())
    });
}
