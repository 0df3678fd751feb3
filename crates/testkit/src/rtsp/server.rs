//! The server itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::gio;
use gstreamer_rtsp_server::prelude::*;

use super::certificate::Certificate;
use super::clip::Clip;

/// What is played under a camera's name.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Path of the URL.
    pub camera: String,
    /// An mp4 file with H.264.
    pub clip: PathBuf,
}

/// Who may watch, in the terms of the server library.
const ROLE: &str = "viewer";

/// Whom the server lets watch, and how it speaks with them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners<'a> {
    /// User and password; everybody may watch without.
    pub login: Option<(&'a str, &'a str)>,
    /// The password is asked for by digest (RFC 2617), in which it is not sent.
    pub digest: bool,
    /// `rtsps`.
    pub tls: Option<Certificate>,
}

/// Serves the mounts on loopback until the process ends; calls `listening` once it does.
///
/// # Errors
/// When a clip cannot be read or the port is taken.
pub fn serve(port: u16, mounts: &[Mount], login: Option<(&str, &str)>, listening: impl FnOnce()) -> Result<()> {
    serve_with(port, mounts, Manners { login, ..Manners::default() }, listening)
}

/// The same with these manners.
///
/// # Errors
/// As [`serve`].
pub fn serve_with(port: u16, mounts: &[Mount], manners: Manners<'_>, listening: impl FnOnce()) -> Result<()> {
    gst::init()?;
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&port.to_string());
    let points = server.mount_points().context("a server without mount points")?;
    let guarded = manners.login.is_some() || manners.tls.is_some();
    for mount in mounts {
        let clip = Arc::new(Clip::read(&mount.clip)?);
        points.add_factory(&format!("/{}", mount.camera), factory(clip, guarded));
    }
    if guarded {
        server.set_auth(Some(&auth(manners)?));
    }
    server.attach(None).with_context(|| format!("port {port} cannot be listened on"))?;
    listening();
    glib::MainLoop::new(None, false).run();
    Ok(())
}

fn auth(manners: Manners<'_>) -> Result<gst_rtsp_server::RTSPAuth> {
    let auth = gst_rtsp_server::RTSPAuth::new();
    let mut viewer =
        gst_rtsp_server::RTSPToken::builder().field(gst_rtsp_server::RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE).build();
    match manners.login {
        Some((user, password)) if manners.digest => {
            auth.set_supported_methods(gst_rtsp_server::gst_rtsp::RTSPAuthMethod::Digest);
            auth.add_digest(user, password, &viewer);
        }
        Some((user, password)) => {
            auth.add_basic(gst_rtsp_server::RTSPAuth::make_basic(user, password).as_str(), &viewer);
        }
        None => auth.set_default_token(Some(&mut viewer)),
    }
    if let Some(certificate) = manners.tls {
        let certificate = gio::TlsCertificate::from_pem(certificate.pem()).context("the certificate cannot be used")?;
        auth.set_tls_certificate(Some(&certificate));
    }
    Ok(auth)
}

/// One stream for all who watch.
fn factory(clip: Arc<Clip>, guarded: bool) -> gst_rtsp_server::RTSPMediaFactory {
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(
        "( appsrc name=clip is-live=true format=time \
         caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! rtph264pay name=pay0 pt=96 )",
    );
    factory.set_shared(true);
    if guarded {
        let role = gst::Structure::builder(ROLE)
            .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
            .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true)
            .build();
        factory.add_role_from_structure(&role);
    }
    factory.connect_media_configure(move |_, media| {
        let bin = media.element().downcast::<gst::Bin>().ok();
        let source = bin.and_then(|bin| bin.by_name_recurse_up("clip")).and_downcast::<gst_app::AppSrc>();
        if let Some(source) = source {
            let clip = Arc::clone(&clip);
            std::thread::spawn(move || play(&clip, &source));
        }
    });
    factory
}

/// Sends the pictures in real time until nobody watches.
fn play(clip: &Clip, source: &gst_app::AppSrc) {
    let started = Instant::now();
    for round in 0_u64.. {
        let offset_ns = round * clip.duration_ns;
        for unit in &clip.units {
            let due = Duration::from_nanos(offset_ns + unit.dts_ns);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            let mut data = unit.data.copy();
            if let Some(data) = data.get_mut() {
                data.set_pts(gst::ClockTime::from_nseconds(offset_ns + unit.pts_ns));
                data.set_dts(gst::ClockTime::from_nseconds(offset_ns + unit.dts_ns));
            }
            if source.push_buffer(data).is_err() {
                return;
            }
        }
    }
}
