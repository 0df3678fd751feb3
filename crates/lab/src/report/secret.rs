//! Passwords kept out of reports: a camera's address on the command line carries one.

use serde_json::Value;
use sightline_wire::SourceUrl;

/// A word of the command line or a setting as people may see it: by the rules of [`SourceUrl::redacted`], which is made for any text.
pub(crate) fn hide(text: &str) -> String {
    match text.split_once('=') {
        // `--camera=ADDRESS` is one word.
        Some((option, value)) if option.starts_with("--") => format!("{option}={}", SourceUrl::new(value).redacted()),
        _ => SourceUrl::new(text).redacted(),
    }
}

/// The same for every text in a JSON value.
pub(crate) fn hide_in(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(hide(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(hide_in).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(key, item)| (key, hide_in(item))).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{hide, hide_in};

    #[test]
    fn no_password_is_seen_wherever_it_stands() {
        for address in [
            "rtsp://me:s3cret@host/1",
            "rtsp://me:p@s3cret@host/1",
            "rtsp://me:p:s3cret@host/1",
            "rtsp://me:p/s3cret@host/1",
            "rtsp://me:p?s3cret@host/1",
            "rtsp://me:p#s3cret@host/1",
            "rtsp://me:p s3cret@host/1",
            "me:s3cret@host/1",
            "http://host/video?user=a&password=s3cret",
            "http://host/video?password=s3cret&user=a",
            "http://host/video?pwd=@/?#s3cret",
            "rtsp://host/user=me_password=s3cret_channel=1",
            "rtsp://host/0/me:s3cret/main",
        ] {
            for text in [address.to_owned(), format!("--camera={address}")] {
                let shown = hide(&text);
                assert!(shown.contains("***") && !shown.contains("s3cret"), "{text}: {shown}");
            }
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        assert_eq!(hide("--camera=rtsp://me:s3cret@host/1"), "--camera=rtsp://me:***@host/1");
        for text in ["--out=heads/a.onnx", "--seed=3", "--frames", "lfw/data", "/data/a:b@c", "me@host", "C:/x?y"] {
            assert_eq!(hide(text), text);
        }
    }

    #[test]
    fn settings_are_searched_in_depth() {
        let value = json!({"cameras": [{"url": "rtsp://a:b@c/d"}], "seed": 7});
        assert_eq!(hide_in(value), json!({"cameras": [{"url": "rtsp://a:***@c/d"}], "seed": 7}));
    }
}
