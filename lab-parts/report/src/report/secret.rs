//! Passwords kept out of reports: a camera's address on the command line carries one.

use serde_json::Value;

/// The text with what stands between `://` and `@`, and what follows a `?` in an address, hidden.
pub(crate) fn hide(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(hide_word).collect()
}

fn hide_word(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let host = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, host)| format!("***@{host}"));
    let shown = match host.split_once('?') {
        Some((path, query)) => format!("{path}?***{}", &query[query.trim_end().len()..]),
        None => host,
    };
    format!("{scheme}://{shown}")
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
    fn an_address_loses_its_password() {
        assert_eq!(hide("--camera rtsp://me:p@ss@host/1 --out x"), "--camera rtsp://***@host/1 --out x");
        assert_eq!(hide("http://host/video?user=a&password=b next"), "http://host/video?*** next");
        assert_eq!(hide("mail me@host, C:/x?y"), "mail me@host, C:/x?y");
    }

    #[test]
    fn settings_are_searched_in_depth() {
        let value = json!({"cameras": [{"url": "rtsp://a:b@c/d"}], "seed": 7});
        assert_eq!(hide_in(value), json!({"cameras": [{"url": "rtsp://***@c/d"}], "seed": 7}));
    }
}
