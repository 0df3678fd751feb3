//! A camera as it should be: what the configuration file, the API and the bucket of desired state hold.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::CameraId;
use crate::message::CaptureMode;

/// A text that may hold a password: printing it shows `***` in place of what stands between `://` and `@`.
///
/// Serialising keeps the secret (the store and the bucket need it, see `sightline_stage::secret` for how it is sealed);
/// whatever people get to see is made with [`SourceUrl::redacted`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceUrl(String);

impl SourceUrl {
    /// Takes the text as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text with its secret, for opening the source and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text with `***` in place of passwords: `user:***@host`, `?password=***`.
    #[must_use]
    pub fn redacted(&self) -> String {
        without_query_secrets(&self.without_login_secret())
    }

    fn without_login_secret(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let Some((login, address)) = rest.rfind('@').map(|at| rest.split_at(at)) else { return self.0.clone() };
        match login.split_once(':') {
            None => self.0.clone(),
            Some((user, _)) if login.len() < authority_end => format!("{scheme}://{user}:***{address}"),
            // A password with a slash in it hides where it begins, one with a question mark may be of the query: then nothing of it is shown.
            Some(_) if login.contains('?') => format!("{scheme}://***"),
            Some(_) => format!("{scheme}://***{address}"),
        }
    }
}

/// Cameras of some makers take the password in the query.
fn without_query_secrets(url: &str) -> String {
    let Some((address, query)) = url.split_once('?').filter(|(address, _)| address.contains("://")) else {
        return url.to_owned();
    };
    let parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if !value.is_empty() && is_secret(name) => format!("{name}=***"),
        _ => parameter.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(parameter).collect();
    format!("{address}?{}", query.join("&"))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "token", "secret", "key", "auth"].iter().any(|part| name.contains(part))
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

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
    use super::{CameraSpec, SourceUrl, human_duration};
    use std::time::Duration;

    #[test]
    fn passwords_are_not_printed() {
        for (text, shown) in [
            ("rtsp://viewer:s3cret@10.0.0.1/a", "rtsp://viewer:***@10.0.0.1/a"),
            ("rtsp://viewer:p@ss@10.0.0.1/a", "rtsp://viewer:***@10.0.0.1/a"),
            ("rtsp://viewer:p/s@10.0.0.1/a", "rtsp://***@10.0.0.1/a"),
            ("rtsp://viewer:p@w/s@10.0.0.1/a", "rtsp://***@10.0.0.1/a"),
            ("rtsp://viewer:p?s@10.0.0.1/a", "rtsp://***"),
            ("http://10.0.0.1:80/a?password=s3c@ret", "http://***"),
            ("http://10.0.0.1/a@b", "http://10.0.0.1/a@b"),
            ("rtsp://10.0.0.1/a", "rtsp://10.0.0.1/a"),
            ("http://10.0.0.1/a?user=v&password=s3cret&ch=1", "http://10.0.0.1/a?user=v&password=***&ch=1"),
            ("rtsp://v:s3cret@10.0.0.1/a?Token=s3cret", "rtsp://v:***@10.0.0.1/a?Token=***"),
            ("test://?width=320", "test://?width=320"),
            ("clip.mp4", "clip.mp4"),
            ("what?password=is.mp4", "what?password=is.mp4"),
        ] {
            let url = SourceUrl::new(text);
            assert_eq!(url.redacted(), shown);
            assert_eq!(SourceUrl::new(shown).redacted(), shown);
            assert_eq!(format!("{url:?} {url}"), format!("{shown} {shown}"));
        }
    }

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
