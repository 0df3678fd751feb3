//! Where a camera is: a text that may hold a password, and what of it people get to see.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that may hold a password: printing it shows `***` in place of what is, or may be, one.
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

    /// The text with `***` in place of passwords: `user:***@host`, `?password=***`, `/user=admin_password=***_channel=1`,
    /// `/0/user:***/main`.
    #[must_use]
    pub fn redacted(&self) -> String {
        // What begins like this is a path, in which nothing is a password. Anything else may be an address without its scheme.
        if self.0.starts_with(['/', '.']) && !self.0.starts_with("//") {
            return self.0.clone();
        }
        let (scheme, rest) = scheme_and_rest(&self.0);
        let rest = without_path_secrets(&without_query_secrets(&without_login_secret(rest)));
        let kind = scheme.to_ascii_lowercase();
        if kind.starts_with("rtsp") || kind.starts_with("http") {
            format!("{scheme}{}", without_path_logins(&rest))
        } else {
            format!("{scheme}{rest}")
        }
    }
}

/// `rtsp://` and what follows it.
fn scheme_and_rest(text: &str) -> (&str, &str) {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    match text.find("://") {
        Some(end) if is_scheme(&text[..end]) => text.split_at(end + 3),
        _ => ("", text),
    }
}

fn without_login_secret(rest: &str) -> String {
    let Some((login, address)) = rest.rfind('@').map(|at| rest.split_at(at)) else { return rest.to_owned() };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match login.split_once(':') {
        None => rest.to_owned(),
        Some((user, _)) if login.len() < host_end => format!("{user}:***{address}"),
        // With a slash or a question mark in a password nobody can say where it begins and ends.
        Some(_) => "***".to_owned(),
    }
}

/// Cameras of many makers take the password in the query.
fn without_query_secrets(rest: &str) -> String {
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let end = |value: &str| value.find('&').unwrap_or(value.len());
    path.to_owned() + &starred(query, '=', |name, value| Some(if is_secret(name) { end(value) } else { 0 }))
}

/// Recorders of the Xiongmai kind take it in the path, beside the channel and the stream.
fn without_path_secrets(rest: &str) -> String {
    let end = |value: &str| next_parameter(path_of(value)).unwrap_or(value.len());
    starred(rest, '=', |name, value| is_path(name).then(|| if is_secret(name) { end(value) } else { 0 }))
}

/// Those of the Zmodo kind take user and password as a part of the path.
fn without_path_logins(rest: &str) -> String {
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let end = |password: &str| path_of(password).find('/').unwrap_or(password.len());
    host.to_owned() + &starred(path, ':', |user, password| is_path(user).then(|| end(password)))
}

/// Up to the query. A secret that is the last of the path may go on in what looks like one, and is hidden to the very end.
fn path_of(text: &str) -> &str {
    text.split('?').next().unwrap_or_default()
}

fn is_path(text: &str) -> bool {
    !text.contains('?')
}

/// The text with `***` for secrets that follow a `mark`. `secret` is given what stands before and behind a mark, and says how much of the
/// latter is one, or that none follows any more.
fn starred(text: &str, mark: char, secret: impl Fn(&str, &str) -> Option<usize>) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once(mark) {
        let Some(end) = secret(before, behind) else { break };
        shown.extend([before, mark.encode_utf8(&mut [0; 4])]);
        if end > 0 {
            shown.push_str("***");
        }
        rest = &behind[end..];
    }
    shown + rest
}

/// What stands before a `=` ends in a name that is used for passwords: `pwd`, `psw`, `loginpas`, `Token`, `access_key_id`.
fn is_secret(before: &str) -> bool {
    let name = before.rsplit(['?', '&', '/', ';']).next().unwrap_or_default().to_ascii_lowercase();
    let part = ["pas", "pw", "psw", "token", "jwt", "secret", "key", "auth", "cred", "session", "sig", "hash"];
    part.iter().any(|part| name.contains(part)) || name == "p"
}

/// Where a password in a path ends. Only at names that recorders have: a password may look like others.
fn next_parameter(value: &str) -> Option<usize> {
    let names = ["channel=", "chn=", "ch=", "stream=", "subtype=", "user=", "username="];
    let begins = |text: &str, name: &str| text.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    let mut marks = value.match_indices(['_', '&']).map(|(at, _)| at);
    marks.find(|at| names.iter().any(|name| begins(&value[at + 1..], name)))
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

#[cfg(test)]
mod tests {
    use super::SourceUrl;

    fn shown_as(cases: &[(&str, &str)]) {
        for (text, shown) in cases {
            let url = SourceUrl::new(*text);
            assert_eq!(url.redacted(), *shown);
            assert_eq!(SourceUrl::new(*shown).redacted(), *shown);
            assert_eq!(format!("{url:?} {url}"), format!("{shown} {shown}"));
            assert_eq!(url.expose(), *text);
        }
    }

    #[test]
    fn passwords_before_the_host_are_not_printed() {
        shown_as(&[
            ("rtsp://viewer:s3cret@10.0.0.1/a", "rtsp://viewer:***@10.0.0.1/a"),
            ("rtsp://viewer:p@ss@10.0.0.1/a", "rtsp://viewer:***@10.0.0.1/a"),
            ("rtsp://viewer:p/s@10.0.0.1/a", "rtsp://***"),
            ("rtsp://viewer:p@w/s@10.0.0.1/a", "rtsp://***"),
            ("rtsp://viewer:p?s@10.0.0.1/a", "rtsp://***"),
            ("http://10.0.0.1/a@b", "http://10.0.0.1/a@b"),
            ("rtsp://viewer@10.0.0.1/a", "rtsp://viewer@10.0.0.1/a"),
            ("rtsp://10.0.0.1:554/a", "rtsp://10.0.0.1:554/a"),
            ("rtsp://[fe80::1]:554/a", "rtsp://[fe80::1]:554/a"),
            ("nats://u:s3cret@h:4222", "nats://u:***@h:4222"),
            ("//viewer:s3cret@10.0.0.1/a", "***"),
            ("test://?width=320", "test://?width=320"),
        ]);
    }

    #[test]
    fn an_address_without_its_scheme_keeps_its_secret_and_a_path_has_none() {
        shown_as(&[
            ("viewer:s3cret@10.0.0.1/a", "viewer:***@10.0.0.1/a"),
            ("viewer:s3cret@rtsp://10.0.0.1/a", "viewer:***@rtsp://10.0.0.1/a"),
            ("10.0.0.1/a?pwd=s3cret", "10.0.0.1/a?pwd=***"),
            ("clip.mp4", "clip.mp4"),
            ("clips/a b=c.mp4", "clips/a b=c.mp4"),
            ("/clips/a:b@c?password=is.mp4", "/clips/a:b@c?password=is.mp4"),
            ("../a:b@c.mp4", "../a:b@c.mp4"),
            ("file:///clips/lobby.mp4", "file:///clips/lobby.mp4"),
            ("v4l2:///dev/video0", "v4l2:///dev/video0"),
        ]);
    }

    #[test]
    fn passwords_in_queries_are_not_printed() {
        for name in [
            "psw",
            "pw",
            "loginpas",
            "pwd",
            "-pwd",
            "pass",
            "passwd",
            "PassWord",
            "token",
            "auth",
            "p",
            "access_key_id",
        ] {
            let shown = format!("http://10.0.0.1:80/a.cgi?user=v&{name}=***&channel=1&{name}=***");
            shown_as(&[(&shown.replace("***", "s3cret_stream=/?:=x"), &shown)]);
        }
        shown_as(&[
            ("rtsp://v:s3cret@10.0.0.1/a?Token=s3cret", "rtsp://v:***@10.0.0.1/a?Token=***"),
            ("rtsp://10.0.0.1/a?pwd=&ch=1", "rtsp://10.0.0.1/a?pwd=&ch=1"),
            ("http://10.0.0.1/?user=v_password=s3cret_channel=1", "http://10.0.0.1/?user=v_password=***"),
            ("http://10.0.0.1:80/a?password=s3c@ret", "http://***"),
        ]);
    }

    #[test]
    fn passwords_in_paths_are_not_printed() {
        shown_as(&[
            (
                "rtsp://10.0.0.1:554/user=admin_password=s3_c=r:e/t_channel=1",
                "rtsp://10.0.0.1:554/user=admin_password=***_channel=1",
            ),
            (
                "rtsp://10.0.0.1/user=admin_password=s3cret_channel=1_stream=0&onvif=0.sdp?real_stream",
                "rtsp://10.0.0.1/user=admin_password=***_channel=1_stream=0&onvif=0.sdp?real_stream",
            ),
            (
                "rtsp://10.0.0.1/user=admin&password=s3cret&channel=1&stream=0.sdp?",
                "rtsp://10.0.0.1/user=admin&password=***&channel=1&stream=0.sdp?",
            ),
            ("RTSP://10.0.0.1/0/admin:s3cret/main", "RTSP://10.0.0.1/0/admin:***/main"),
            ("rtsp://10.0.0.1/user=admin_password=_channel=1", "rtsp://10.0.0.1/user=admin_password=_channel=1"),
            ("rtsp://10.0.0.1/user=admin_password=s3c?ret_channel=1", "rtsp://10.0.0.1/user=admin_password=***"),
            ("rtsp://10.0.0.1/user=admin_password=?s3cret", "rtsp://10.0.0.1/user=admin_password=***"),
            ("rtsp://10.0.0.1/user=admin_password=s3cret?pwd=s3cret", "rtsp://10.0.0.1/user=admin_password=***"),
            ("rtsp://10.0.0.1/psw=_channel?pwd=_ch=s3cret", "rtsp://10.0.0.1/psw=***"),
            ("rtsp://10.0.0.1:554/user=admin_password=s3c@ret_channel=1", "rtsp://***"),
            ("rtsp://10.0.0.1:554/0/admin:s3c:ret/main", "rtsp://10.0.0.1:554/0/admin:***/main"),
            ("rtsp://10.0.0.1:554/0/admin:s3c?ret/main", "rtsp://10.0.0.1:554/0/admin:***"),
            ("rtsp://u:s3cret@10.0.0.1/0/u:s3cret/main?a=b:c", "rtsp://u:***@10.0.0.1/0/u:***/main?a=b:c"),
            (
                "rtsp://10.0.0.1/cam/realmonitor?channel=1&subtype=0",
                "rtsp://10.0.0.1/cam/realmonitor?channel=1&subtype=0",
            ),
            ("rtsp://10.0.0.1/chID=1&streamType=main", "rtsp://10.0.0.1/chID=1&streamType=main"),
        ]);
    }
}
