//! A camera as it should be: what the configuration file, the API and the bucket of desired state hold.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::CameraId;
use crate::message::CaptureMode;
use crate::source::SourceUrl;

/// How RTP reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Interleaved with RTSP: passes firewalls, loses nothing.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

/// Desired state of one camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSpec {
    /// Its id.
    pub id: CameraId,
    /// `rtsp://`, `rtsps://`, `file://`, a path, `v4l2://`, `http(s)://` (MJPEG) or `test://`.
    pub source: SourceUrl,
    /// Frames a second that are kept.
    #[serde(default = "default_fps")]
    pub fps: f64,
    /// Newest wins, or every sampled frame.
    #[serde(default)]
    pub mode: CaptureMode,
    /// For RTSP.
    #[serde(default)]
    pub transport: Transport,
    /// No frame for so long means tear down and reopen.
    #[serde(default = "default_stall", with = "human_duration")]
    pub stall: Duration,
}

/// What sources may begin with; anything else without `://` is a path.
const SCHEMES: [&str; 7] = ["rtsp", "rtsps", "file", "v4l2", "http", "https", "test"];

impl CameraSpec {
    /// Checks what serde does not: the ranges of the numbers, and the kind of the source.
    ///
    /// # Errors
    /// The key and its rule, in one line without secrets.
    pub fn check(&self) -> Result<(), String> {
        if !(self.fps > 0.0 && self.fps <= 60.0) {
            return Err(format!("fps: {} is not above 0 and up to 60", self.fps));
        }
        if !(Duration::from_millis(500)..=Duration::from_secs(3600)).contains(&self.stall) {
            return Err("stall: use 500ms to 1h".to_owned());
        }
        let source = self.source.expose();
        if source.is_empty() || source.len() > 2000 || source.contains(char::is_control) {
            return Err("source: 1 to 2000 characters, no control characters".to_owned());
        }
        match source.split_once("://") {
            Some((scheme, _)) if !SCHEMES.contains(&scheme) => Err(format!(
                "source: begin with one of {}, or give a path",
                SCHEMES.map(|s| format!("{s}://")).join(" ")
            )),
            _ => Ok(()),
        }
    }
}

/// Frigate's, Viseron's and our default: 5 frames a second are enough to recognise a passer-by.
fn default_fps() -> f64 {
    5.0
}

fn default_stall() -> Duration {
    Duration::from_secs(5)
}

/// Durations as people write them in the configuration: `500ms`, `5s`, `2m`, `1h`.
pub mod human_duration {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    /// Writes `5s` or `500ms`.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*value))
    }

    /// Reads a number with a unit.
    ///
    /// # Errors
    /// A text that is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("\"{text}\" is no duration: write a number with ms, s, m or h, as in 5s"))
        })
    }

    /// `5s`, `1500ms`.
    #[must_use]
    pub fn format(value: Duration) -> String {
        match value.as_millis() {
            ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
            ms => format!("{ms}ms"),
        }
    }

    /// The duration that `text` says, if it says one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Duration> {
        let text = text.trim();
        let split = text.find(|c: char| c.is_ascii_alphabetic())?;
        let number: f64 = text[..split].trim().parse().ok()?;
        let unit_ms = match &text[split..] {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        // Whole milliseconds, as they are written; up to here a floating point number has each of them.
        let ms = Some(number * unit_ms).filter(|ms| (0.0..=9e15).contains(ms))?;
        Some(Duration::from_millis(ms.round() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::{CameraSpec, human_duration};
    use std::time::Duration;

    #[test]
    fn durations_read_as_written() {
        assert_eq!(human_duration::parse("5s"), Some(Duration::from_secs(5)));
        assert_eq!(human_duration::parse("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(human_duration::parse("5"), None);
        assert_eq!(human_duration::parse("-5s"), None);
        assert_eq!(human_duration::format(Duration::from_millis(1500)), "1500ms");
        for (text, ms) in [("1.001s", 1001), ("0.7ms", 1), ("20000000001ms", 20_000_000_001), ("0.5h", 1_800_000)] {
            let read = human_duration::parse(text).unwrap();
            assert_eq!(read, Duration::from_millis(ms));
            assert_eq!(human_duration::parse(&human_duration::format(read)), Some(read));
        }
        for text in ["99999999999999h", "-0.1ms", "9e99ms"] {
            assert_eq!(human_duration::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_camera_needs_only_id_and_source() {
        let camera: CameraSpec = serde_json::from_str(r#"{"id":"a","source":"test://"}"#).unwrap();
        assert_eq!((camera.fps, camera.stall), (5.0, Duration::from_secs(5)));
        assert!(serde_json::from_str::<CameraSpec>(r#"{"id":"a","source":"x","stal":"5s"}"#).is_err());
    }

    #[test]
    fn numbers_and_schemes_are_checked() {
        let check = |json: &str| serde_json::from_str::<CameraSpec>(json).unwrap().check();
        assert_eq!(check(r#"{"id":"a","source":"clips/a.mp4"}"#), Ok(()));
        for (json, key) in [
            (r#"{"id":"a","source":"test://","fps":0}"#, "fps"),
            (r#"{"id":"a","source":"test://","fps":61}"#, "fps"),
            (r#"{"id":"a","source":"test://","stall":"1ms"}"#, "stall"),
            (r#"{"id":"a","source":""}"#, "source"),
            (r#"{"id":"a","source":"ftp://user:secret@x"}"#, "source"),
        ] {
            let message = check(json).unwrap_err();
            assert!(message.starts_with(key) && !message.contains("secret"), "{message}");
        }
    }
}
