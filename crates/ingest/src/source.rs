//! What a source's text means.

use std::path::PathBuf;

use sightline_wire::SourceUrl;
use url::Url;

/// A text that is no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The scheme is not one of ours.
    #[error("`{0}://` is no source: use rtsp, rtsps, file, v4l2, http, https or test, or a path")]
    Scheme(String),
    /// Not even a URL; the text may hold a password and is not repeated.
    #[error("the source is no valid URL: {0}")]
    Url(String),
    /// Something else is missing or wrong.
    #[error("the source is not usable: {0}")]
    Part(&'static str),
}

/// Where video comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// `rtsp` or `rtsps`; the URL is without user and password.
    Rtsp {
        /// Without credentials.
        url: String,
        /// User and password.
        login: Option<(String, String)>,
    },
    /// Any container that GStreamer reads.
    File(PathBuf),
    /// A video device.
    V4l2(PathBuf),
    /// MJPEG or any other stream over HTTP; the URL is without user and password.
    Http {
        /// Without credentials.
        url: String,
        /// User and password.
        login: Option<(String, String)>,
    },
    /// A synthetic picture.
    Test {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Frames a second.
        fps: u32,
    },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Some cameras want user and password in the query, others in the path.
            Self::Rtsp { url, .. } | Self::Http { url, .. } => {
                let host_end = url.match_indices(['/', '?', '#']).nth(2).map_or(url.len(), |(at, _)| at);
                f.write_str(&url[..host_end])
            }
            // Whoever forgets `rtsp://` has written a path.
            Self::File(path) => write!(f, "{}", SourceUrl::new(path.to_string_lossy())),
            Self::V4l2(path) => write!(f, "v4l2://{}", path.display()),
            Self::Test { width, height, fps } => write!(f, "test://?width={width}&height={height}&fps={fps}"),
        }
    }
}

impl Source {
    /// Reads a text whose references have been replaced.
    ///
    /// # Errors
    /// [`SourceError`], which never repeats a password.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.is_empty() { Err(SourceError::Part("it is empty")) } else { Ok(Self::File(text.into())) };
        };
        match scheme {
            "rtsp" | "rtsps" => {
                let (url, login) = without_login(text)?;
                Ok(Self::Rtsp { url, login })
            }
            "http" | "https" => {
                let (url, login) = without_login(text)?;
                Ok(Self::Http { url, login })
            }
            "file" => {
                let url = Url::parse(text).map_err(|error| SourceError::Url(error.to_string()))?;
                url.to_file_path().map(Self::File).map_err(|()| SourceError::Part("a file URL needs an absolute path"))
            }
            "v4l2" if rest.starts_with('/') => Ok(Self::V4l2(rest.into())),
            "v4l2" => Err(SourceError::Part("name the device, as in v4l2:///dev/video0")),
            "test" => test(text),
            other if other.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) => {
                Err(SourceError::Scheme(other.chars().take(20).collect()))
            }
            _ => Err(SourceError::Part("it begins with its scheme, as in rtsp://user:password@host/path")),
        }
    }

    /// It ends by itself, and its time is that of the file.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// The URL without user and password, and these decoded.
fn without_login(text: &str) -> Result<(String, Option<(String, String)>), SourceError> {
    let mut url = Url::parse(text).map_err(|error| SourceError::Url(error.to_string()))?;
    // The URL standard drops some of them: what is opened would not be what was written and shown.
    if text.contains(char::is_control) {
        return Err(SourceError::Part("there is a control character in it"));
    }
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    // With too many slashes the URL standard takes a part of an HTTP path as the host.
    if url.host_str().is_none_or(str::is_empty) || rest.starts_with(['/', '\\']) {
        return Err(SourceError::Part("the URL has no host"));
    }
    // Taken as it stands, a part of the password would be a host or a path, and be shown as one. The text itself is looked at: of the
    // path, `..` may have taken the '@' away.
    let behind_host = |c: char| matches!(c, '/' | '?' | '#') || (c == '\\' && text.starts_with("http"));
    if rest.split_once(behind_host).is_some_and(|(_, behind)| behind.contains('@')) || url.fragment().is_some() {
        return Err(SourceError::Part(
            "in a password write / as %2F, ? as %3F and # as %23, after the host write @ as %40",
        ));
    }
    let user = decoded(url.username());
    let password = decoded(url.password().unwrap_or_default());
    let login = (!user.is_empty() || !password.is_empty()).then_some((user, password));
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| SourceError::Part("the URL takes no user and password"))?;
    Ok((url.to_string(), login))
}

/// Percent-decoding; what is no UTF-8 then stays as it was.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.filter(|_| first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn test(text: &str) -> Result<Source, SourceError> {
    // `test://?a=b` has no host, which the URL standard allows for schemes it does not know.
    let url = Url::parse(text).map_err(|error| SourceError::Url(error.to_string()))?;
    let (mut width, mut height, mut fps) = (640, 360, 25);
    for (key, value) in url.query_pairs() {
        let number = value.parse::<u32>().map_err(|_| SourceError::Part("test:// takes whole numbers"))?;
        match key.as_ref() {
            "width" => width = number,
            "height" => height = number,
            "fps" => fps = number,
            _ => return Err(SourceError::Part("test:// takes width, height and fps")),
        }
    }
    let fits = (16..=7680).contains(&width) && (16..=4320).contains(&height) && (1..=240).contains(&fps);
    if fits { Ok(Source::Test { width, height, fps }) } else { Err(SourceError::Part("test:// with such numbers")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Source, SourceError};

    #[test]
    fn every_kind_is_read() {
        let rtsp = Source::parse("rtsp://viewer:p%40ss@10.0.0.1:8554/stream?x=1").unwrap();
        let login = Some(("viewer".to_owned(), "p@ss".to_owned()));
        assert_eq!(rtsp, Source::Rtsp { url: "rtsp://10.0.0.1:8554/stream?x=1".to_owned(), login });
        assert!(!format!("{rtsp:?}").contains("p@ss") && !format!("{rtsp:?}").contains("viewer"));
        assert_eq!(Source::parse("clips/a.mp4").unwrap(), Source::File("clips/a.mp4".into()));
        assert_eq!(Source::parse("file:///a%20b.mp4").unwrap(), Source::File("/a b.mp4".into()));
        assert_eq!(Source::parse("v4l2:///dev/video0").unwrap(), Source::V4l2("/dev/video0".into()));
        assert_eq!(
            Source::parse("http://cam/mjpeg").unwrap(),
            Source::Http { url: "http://cam/mjpeg".to_owned(), login: None }
        );
        assert_eq!(Source::parse("test://").unwrap(), Source::Test { width: 640, height: 360, fps: 25 });
        assert_eq!(Source::parse("test://?width=320&fps=5").unwrap(), Source::Test { width: 320, height: 360, fps: 5 });
    }

    #[test]
    fn what_follows_the_host_is_used_and_not_shown() {
        for behind in [
            "/stream?user=admin&password=s3cret",
            "?pwd=s3cret",
            "/user=admin_password=s3cret_channel=1_stream=0.sdp?real",
            "/0/admin:s3cret/main",
        ] {
            let source = Source::parse(&format!("rtsp://10.0.0.1:8554{behind}")).unwrap();
            assert_eq!(format!("{source:?}"), "rtsp://10.0.0.1:8554");
            assert!(matches!(source, Source::Rtsp { url, .. } if url.ends_with(behind)));
        }
    }

    #[test]
    fn a_password_before_or_without_a_scheme_is_not_shown() {
        let forgotten = Source::parse("admin:s3cret@10.0.0.1/a").unwrap();
        assert_eq!(format!("{forgotten:?}"), "admin:***@10.0.0.1/a");
        let misplaced = Source::parse("admin:s3cret@rtsp://10.0.0.1/a").unwrap_err().to_string();
        assert!(misplaced.contains("rtsp://user:password@host") && !misplaced.contains("s3cret"), "{misplaced}");
    }

    #[test]
    fn what_is_no_source_is_refused() {
        assert_eq!(Source::parse("ftp://x/y"), Err(SourceError::Scheme("ftp".to_owned())));
        for bad in [
            "rtsp://viewer:p@ss/w:rd@10.0.0.1/a",
            "rtsp://viewer:12/ss@10.0.0.1/a",
            "http://viewer:12?ss@10.0.0.1/a",
            "http://viewer:12#ss@10.0.0.1/a",
            "http://viewer:12/x/ss@10.0.0.1/..",
            "http://viewer:12\\x\\ss@10.0.0.1/..",
        ] {
            let message = Source::parse(bad).unwrap_err().to_string();
            assert!(message.contains("%2F") && !message.contains("ss@"), "{message}");
        }
        for bad in [
            "",
            "rtsp://",
            "rtsp:///path",
            "http:///s3cret",
            "http://\\s3cret",
            "http://\t/s3cret",
            "rtsp://10.0.0.1/a\nb",
            "v4l2://video0",
            "test://?width=0",
            "test://?zoom=1",
            "test://?fps=fast",
        ] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_password_is_never_repeated(noise in "[ -~]{0,30}", scheme in "(rtsp|rtsps|http|ftp|x)") {
            let text = format!("{scheme}://user:s3cr3tword@{noise}");
            let shown = match Source::parse(&text) {
                Ok(source) => format!("{source:?}"),
                Err(error) => error.to_string(),
            };
            prop_assert!(!shown.contains("s3cr3tword") || noise.contains("s3cr3tword"), "{}", shown);
        }
    }
}
