//! Why a camera delivers nothing: a closed list, used in state, log and metric alike.

use gstreamer as gst;
use gst::glib;
use sightline_wire::CameraState;

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

    /// From an error on the pipeline's bus. GStreamer's debug text may hold the URL, so nothing of it is shown.
    pub(crate) fn of(error: &glib::Error, debug: Option<&str>) -> Self {
        let debug = debug.unwrap_or_default();
        let says = |what: &str| debug.contains(what) || error.message().contains(what);
        if let Some(resource) = error.kind::<gst::ResourceError>() {
            return match resource {
                gst::ResourceError::NotAuthorized => Self::new(CameraState::Unauthorized, "user or password is wrong"),
                gst::ResourceError::NotFound => Self::new(CameraState::NotFound, "there is nothing at this address or path"),
                _ if says("401") || says("Unauthorized") => {
                    Self::new(CameraState::Unauthorized, "user or password is wrong")
                }
                _ if says("404") || says("Not Found") || says("No such file") => {
                    Self::new(CameraState::NotFound, "there is nothing at this address or path")
                }
                gst::ResourceError::Busy => Self::new(CameraState::Unreachable, "another program uses the device"),
                _ => Self::new(CameraState::Unreachable, "nobody answers at this address"),
            };
        }
        if let Some(stream) = error.kind::<gst::StreamError>() {
            return match stream {
                gst::StreamError::Failed => Self::new(CameraState::Stalled, "the stream broke off"),
                gst::StreamError::CodecNotFound | gst::StreamError::TypeNotFound => {
                    Self::new(CameraState::Unsupported, "no decoder for this stream is installed")
                }
                gst::StreamError::WrongType | gst::StreamError::Decode | gst::StreamError::Demux => {
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

#[cfg(test)]
mod tests {
    use gstreamer as gst;
    use gst::glib;
    use sightline_wire::CameraState;

    use super::Outage;

    #[test]
    fn causes_are_told_apart_and_addresses_not_repeated() {
        for (error, debug, state) in [
            (glib::Error::new(gst::ResourceError::NotAuthorized, "x"), "", CameraState::Unauthorized),
            (glib::Error::new(gst::ResourceError::OpenRead, "x"), "... 401 Unauthorized", CameraState::Unauthorized),
            (glib::Error::new(gst::ResourceError::NotFound, "x"), "", CameraState::NotFound),
            (glib::Error::new(gst::ResourceError::OpenRead, "x"), "rtsp://u:secret@h", CameraState::Unreachable),
            (glib::Error::new(gst::StreamError::TypeNotFound, "x"), "", CameraState::Unsupported),
            (glib::Error::new(gst::CoreError::MissingPlugin, "x"), "", CameraState::Unsupported),
        ] {
            let outage = Outage::of(&error, Some(debug));
            assert_eq!(outage.state, state, "{debug}");
            assert!(!outage.detail.contains("secret"));
        }
    }
}
