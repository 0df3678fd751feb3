//! Why a camera delivers nothing: a closed list, used in state, log and metric alike.

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
}

impl Outage {
    pub(crate) fn new(state: CameraState, detail: impl Into<String>) -> Self {
        Self { state, detail: detail.into() }
    }

    pub(crate) fn no_video() -> Self {
        Self::new(CameraState::Unsupported, "there is no video in it")
    }

    /// Nothing came for too long. A file that gives nothing has nothing: it happens that decodebin loses a demuxer's error.
    pub(crate) fn silence(source: &Source, detail: String) -> Self {
        let state = if source.is_file() { CameraState::Unsupported } else { CameraState::Stalled };
        Self { state, detail }
    }

    /// From an error on the pipeline's bus. GStreamer's debug text may hold the URL, so nothing of it is shown. `delivered` when there
    /// had been pictures.
    pub(crate) fn of(error: &glib::Error, debug: Option<&str>, source: &Source, delivered: bool) -> Self {
        let debug = debug.unwrap_or_default();
        let says = |what: &str| debug.contains(what) || error.message().contains(what);
        if let Some(resource) = error.kind::<gst::ResourceError>() {
            return match resource {
                gst::ResourceError::NotAuthorized => Self::new(CameraState::Unauthorized, "user or password is wrong"),
                gst::ResourceError::NotFound => {
                    Self::new(CameraState::NotFound, "there is nothing at this address or path")
                }
                // Numbers are not looked for: the text is full of them.
                _ if says("Unauthorized") => Self::new(CameraState::Unauthorized, "user or password is wrong"),
                _ if says("Not Found") || says("No such file") => {
                    Self::new(CameraState::NotFound, "there is nothing at this address or path")
                }
                gst::ResourceError::Busy => Self::new(CameraState::Unreachable, "another program uses the device"),
                _ => Self::new(CameraState::Unreachable, unreachable(source)),
            };
        }
        if let Some(stream) = error.kind::<gst::StreamError>() {
            return match stream {
                gst::StreamError::Failed if source.is_file() => Self::no_video(),
                // All that is said of an address over HTTP where nobody answers.
                gst::StreamError::Failed if !delivered => Self::new(CameraState::Unreachable, unreachable(source)),
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
        let broken = glib::Error::new(gst::StreamError::Failed, "x");
        assert_eq!(Outage::of(&broken, None, &source, true).state, CameraState::Stalled);
    }
}
