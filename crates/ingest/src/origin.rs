//! The element that brings the bytes of a source.

use std::sync::{Arc, OnceLock};

use gio::prelude::*;
use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use sightline_wire::{CameraState, Transport};

use crate::outage::Outage;
use crate::pipeline::{broken, element};
use crate::source::Source;
use crate::trust::Trust;

/// Jitter that is smoothed: what it costs in delay it saves in broken pictures.
const RTSP_LATENCY_MS: u32 = 200;

/// The element, and whether its pads come later. `distrusted` says why, when a camera's certificate is refused.
pub(crate) fn origin(
    source: &Source,
    transport: Transport,
    trust: &Trust,
    distrusted: &Arc<OnceLock<&'static str>>,
) -> Result<(gst::Element, bool), Outage> {
    match source {
        Source::Rtsp { url, login } => {
            let element = rtsp(url, login.as_ref(), transport)?;
            judge_certificates(&element, trust, distrusted);
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
            // MJPEG carries no times of its own.
            element.set_property("do-timestamp", true);
            set_login(&element, login.as_ref());
            Ok((element, false))
        }
        Source::Test { .. } => Err(broken("test source")),
    }
}

fn rtsp(url: &str, login: Option<&(String, String)>, transport: Transport) -> Result<gst::Element, Outage> {
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
    Ok(element)
}

/// It is asked only about certificates that the system does not accept; the error that follows a refusal says nothing of it.
fn judge_certificates(element: &gst::Element, trust: &Trust, distrusted: &Arc<OnceLock<&'static str>>) {
    let (trust, distrusted) = (trust.clone(), Arc::clone(distrusted));
    element.connect("accept-certificate", false, move |values| {
        let verdict = judge(&trust, values);
        if let Err(reason) = verdict {
            // The first reason stays.
            let _first = distrusted.set(reason);
        }
        Some(verdict.is_ok().to_value())
    });
}

/// The signal's values are the element, the connection, the certificate and its flaws.
fn judge(trust: &Trust, values: &[glib::Value]) -> Result<(), &'static str> {
    let [_, connection, certificate, flaws] = values else { return Err("the camera's certificate cannot be read") };
    let connection = connection.get::<gio::TlsConnection>().ok();
    let client = connection.and_then(|connection| connection.dynamic_cast::<gio::TlsClientConnection>().ok());
    let server = client.and_then(|client| client.server_identity());
    match (certificate.get::<gio::TlsCertificate>(), flaws.get::<gio::TlsCertificateFlags>()) {
        (Ok(certificate), Ok(flaws)) => trust.judge(&certificate, server.as_ref(), flaws),
        _ => Err("the camera's certificate cannot be read"),
    }
}

fn set_login(element: &gst::Element, login: Option<&(String, String)>) {
    if let Some((user, password)) = login {
        element.set_property("user-id", user);
        element.set_property("user-pw", password);
    }
}
