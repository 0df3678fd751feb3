//! The element that brings the bytes of a source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gstreamer as gst;
use sightline_wire::{CameraState, Transport};

use crate::outage::Outage;
use crate::pipeline::{broken, element};
use crate::source::Source;

/// Jitter that is smoothed: what it costs in delay it saves in broken pictures.
const RTSP_LATENCY_MS: u32 = 200;

/// The element, and whether its pads come later. `distrusted` is set when a camera shows a certificate that this system does not
/// trust; it is then refused.
pub(crate) fn origin(
    source: &Source,
    transport: Transport,
    distrusted: &Arc<AtomicBool>,
) -> Result<(gst::Element, bool), Outage> {
    match source {
        Source::Rtsp { url, login } => Ok((rtsp(url, login.as_ref(), transport, distrusted)?, true)),
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
            // MJPEG carries no times of its own.
            element.set_property("do-timestamp", true);
            set_login(&element, login.as_ref());
            Ok((element, false))
        }
        Source::Test { .. } => Err(broken("test source")),
    }
}

fn rtsp(
    url: &str,
    login: Option<&(String, String)>,
    transport: Transport,
    distrusted: &Arc<AtomicBool>,
) -> Result<gst::Element, Outage> {
    let element = element("rtspsrc")?;
    element.set_property("location", url);
    element.set_property("latency", RTSP_LATENCY_MS);
    element.set_property_from_str("protocols", if transport == Transport::Tcp { "tcp" } else { "udp" });
    element.set_property("add-reference-timestamp-meta", true);
    set_login(&element, login);
    // Sound would only cost.
    element.connect("select-stream", false, |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let media = caps.and_then(|caps| caps.structure(0)?.get::<String>("media").ok());
        Some((media.as_deref() == Some("video")).to_value())
    });
    // Asked only about certificates that do not pass; the error that follows says nothing of it.
    let distrusted = Arc::clone(distrusted);
    element.connect("accept-certificate", false, move |_| {
        distrusted.store(true, Ordering::Relaxed);
        Some(false.to_value())
    });
    Ok(element)
}

fn set_login(element: &gst::Element, login: Option<&(String, String)>) {
    if let Some((user, password)) = login {
        element.set_property("user-id", user);
        element.set_property("user-pw", password);
    }
}
