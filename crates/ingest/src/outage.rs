//! Why a camera delivers nothing: a closed list, used in state, log and metric alike.

use std::net::IpAddr;
use std::path::Path;

use gst::glib;
use gstreamer as gst;
use sightline_wire::CameraState;

use crate::source::Source;

/// What went wrong, and the state that it puts the camera into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Never `Connecting` or `Online`.
    pub state: CameraState,
    /// One line for people, without secrets.
    pub detail: String,
    /// Nothing is known but that nothing came: a look at the address may tell why.
    pub(crate) vague: bool,
}

impl Outage {
    pub(crate) fn new(state: CameraState, detail: impl Into<String>) -> Self {
        Self { state, detail: detail.into(), vague: false }
    }

    fn vague(state: CameraState, detail: impl Into<String>) -> Self {
        Self { vague: true, ..Self::new(state, detail) }
    }

    pub(crate) fn no_video() -> Self {
        Self::new(CameraState::Unsupported, "there is no video in it")
    }

    /// Nothing came for too long. A file that gives nothing has nothing: it happens that decodebin loses a demuxer's error.
    pub(crate) fn silence(source: &Source, detail: String) -> Self {
        let state = if source.is_file() { CameraState::Unsupported } else { CameraState::Stalled };
        Self::vague(state, detail)
    }

    /// From an error on the pipeline's bus. GStreamer's debug text may hold the URL, so nothing of it is shown. `delivered` when there
    /// had been pictures.
    pub(crate) fn of(error: &glib::Error, debug: Option<&str>, source: &Source, delivered: bool) -> Self {
        let debug = debug.unwrap_or_default();
        let says = |what: &str| debug.contains(what) || error.message().contains(what);
        if let Some(resource) = error.kind::<gst::ResourceError>() {
            return match resource {
                gst::ResourceError::NotAuthorized => Self::unauthorized(source),
                gst::ResourceError::NotFound => Self::not_found(source),
                // Numbers are not looked for: the text is full of them.
                _ if says("Unauthorized") => Self::unauthorized(source),
                _ if says("Not Found") || says("No such file") => Self::not_found(source),
                gst::ResourceError::Busy => Self::new(CameraState::Unreachable, "another program uses the device"),
                _ if delivered => Self::new(CameraState::Unreachable, "the connection broke off"),
                _ => Self::vague(CameraState::Unreachable, unreachable(source)),
            };
        }
        if let Some(stream) = error.kind::<gst::StreamError>() {
            return match stream {
                gst::StreamError::Failed if source.is_file() => Self::no_video(),
                // All that is said of an address over HTTP where nobody answers.
                gst::StreamError::Failed if !delivered => Self::vague(CameraState::Unreachable, unreachable(source)),
                gst::StreamError::Failed => Self::new(CameraState::Stalled, "the stream broke off"),
                gst::StreamError::CodecNotFound => {
                    Self::new(CameraState::Unsupported, "no decoder for this stream is installed")
                }
                gst::StreamError::TypeNotFound
                | gst::StreamError::WrongType
                | gst::StreamError::Decode
                | gst::StreamError::Demux => {
                    Self::new(CameraState::Unsupported, "this is no video that can be decoded")
                }
                _ => Self::new(CameraState::Unsupported, "this stream cannot be used"),
            };
        }
        match error.kind::<gst::CoreError>() {
            Some(gst::CoreError::MissingPlugin) => {
                Self::new(CameraState::Unsupported, "a GStreamer plugin is missing: run `cargo xtask setup`")
            }
            _ => Self::new(CameraState::Unsupported, "GStreamer cannot play this source"),
        }
    }
}

impl Outage {
    fn unauthorized(source: &Source) -> Self {
        let detail = match source {
            Source::Rtsp { login: Some(_), .. } | Source::Http { login: Some(_), .. } => "user or password is wrong",
            _ => {
                "the camera asks for user and password: write them before the host, as in rtsp://user:password@host/path"
            }
        };
        Self::new(CameraState::Unauthorized, detail)
    }

    fn not_found(source: &Source) -> Self {
        let detail = match source {
            Source::File(path) if is_like_an_address(path) => {
                "there is no such file; if it is a camera's address, begin with its scheme, as in rtsp://host/path"
            }
            _ => "there is nothing at this address or path",
        };
        Self::new(CameraState::NotFound, detail)
    }
}

/// `10.0.0.5/stream1`, `user:password@host:554/x`, `camera.local:554`: said only where there is no such file.
fn is_like_an_address(path: &Path) -> bool {
    let Some(text) = path.to_str().filter(|text| !text.starts_with(['/', '.', '~'])) else { return false };
    let (host, behind) = text.split_once(['/', '?']).unwrap_or((text, ""));
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let has_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_domain = name == "localhost" || name.rsplit_once('.').is_some_and(|(_, last)| !last.is_empty());
    text.contains('@') || host.parse::<IpAddr>().is_ok() || has_port || (is_domain && !behind.is_empty())
}

const fn unreachable(source: &Source) -> &'static str {
    match source {
        Source::File(_) => "the file cannot be read",
        Source::V4l2(_) => "the device cannot be used",
        _ => "nobody answers at this address",
    }
}

#[cfg(test)]
mod tests {
    use gst::glib;
    use gstreamer as gst;
    use sightline_wire::CameraState;

    use super::Outage;
    use crate::source::Source;

    #[test]
    fn causes_are_told_apart_and_addresses_not_repeated() {
        let source = Source::parse("rtsp://u:secret@h").unwrap();
        for (error, debug, state) in [
            (glib::Error::new(gst::ResourceError::NotAuthorized, "x"), "", CameraState::Unauthorized),
            (glib::Error::new(gst::ResourceError::OpenRead, "x"), "... 401 Unauthorized", CameraState::Unauthorized),
            (glib::Error::new(gst::ResourceError::NotFound, "x"), "", CameraState::NotFound),
            (
                glib::Error::new(gst::ResourceError::OpenRead, "x"),
                "file.c(4040): pipeline401",
                CameraState::Unreachable,
            ),
            (glib::Error::new(gst::StreamError::Failed, "x"), "", CameraState::Unreachable),
            (glib::Error::new(gst::ResourceError::OpenRead, "x"), "rtsp://u:secret@h", CameraState::Unreachable),
            (glib::Error::new(gst::StreamError::TypeNotFound, "x"), "", CameraState::Unsupported),
            (glib::Error::new(gst::CoreError::MissingPlugin, "x"), "", CameraState::Unsupported),
        ] {
            let outage = Outage::of(&error, Some(debug), &source, false);
            assert_eq!(outage.state, state, "{debug}");
            assert!(!outage.detail.contains("secret"));
        }
        let lost = glib::Error::new(gst::ResourceError::Read, "x");
        assert_eq!(Outage::of(&lost, None, &source, true).detail, "the connection broke off");
        let broken = glib::Error::new(gst::StreamError::Failed, "x");
        assert_eq!(Outage::of(&broken, None, &source, true).state, CameraState::Stalled);
    }

    #[test]
    fn a_missing_login_is_not_a_wrong_one() {
        let refused = glib::Error::new(gst::ResourceError::NotAuthorized, "x");
        let said = |source: &str| Outage::of(&refused, None, &Source::parse(source).unwrap(), false).detail;
        assert!(said("rtsp://h/a").contains("asks for user and password"));
        assert!(said("http://h/a").contains("asks for user and password"));
        assert_eq!(said("rtsp://u:p@h/a"), "user or password is wrong");
    }

    #[test]
    fn an_address_without_its_scheme_is_recognised_where_there_is_no_such_file() {
        let missing = glib::Error::new(gst::ResourceError::NotFound, "x");
        let said = |source: &str| Outage::of(&missing, None, &Source::parse(source).unwrap(), false).detail;
        for address in [
            "10.0.0.5",
            "10.0.0.5/stream1",
            "10.0.0.5:554/stream1",
            "viewer:s3cret@host:554/x",
            "viewer:s3c/ret@host/x",
            "camera.local/stream1",
            "camera.local:554",
            "localhost:8554/lobby",
        ] {
            let said = said(address);
            assert!(said.contains("as in rtsp://") && !said.contains("s3c"), "{address}: {said}");
        }
        for path in ["clip.mp4", "clips/lobby.mp4", "/10.0.0.5/stream1", "./a.b/c@d.mp4", "rtsp://10.0.0.5/stream1"] {
            assert_eq!(said(path), "there is nothing at this address or path", "{path}");
        }
    }
}
