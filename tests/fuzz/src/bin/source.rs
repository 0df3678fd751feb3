//! What users write as a camera's source. A password in it is never shown, whatever stands around it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::seed;
use sightline_ingest::Source;
use sightline_wire::SourceUrl;

const SCHEMES: [&str; 8] = ["rtsp", "rtsps", "http", "https", "file", "v4l2", "test", "x"];
const SECRET: &str = "s3cr3tw0rd";

fuzz_target!(
    init: seed([
        "viewer\n\n\n10.0.0.1:8554/stream?x=1",
        "1viewer\np%40@\n/x\n10.0.0.1:8554/stream?x=1",
        "2viewer\np?\n#x:\nhost/a@b",
        "test://?width=320&fps=5",
        "3h/a\np\nx",
        "4h\np/?\n_stream=0.sdp?real",
        "file:///a%20b.mp4",
        "v4l2:///dev/video0",
    ]),
    |bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        look_at(text);
        if text.contains(SECRET) {
            return;
        }
        let scheme = SCHEMES[text.len() % SCHEMES.len()];
        let parts: Vec<&str> = text.splitn(4, '\n').collect();
        if let [user, before, after, rest] = parts[..] {
            let login = format!("{user}:{before}{SECRET}{after}@{rest}");
            no_secret(&format!("{scheme}://{login}"));
            // Forgotten, the scheme changes nothing, unless what is left reads as a path, or the user as a scheme.
            if !login.starts_with(['/', '.']) && !before.starts_with("//") {
                no_secret(&login);
            }
        }
        if let [host, before, after] = parts[..]
            && !host.contains('?')
        {
            behind_host(scheme, host, (before, after));
        }
    }
);

/// A password in the query ends at the next `&`, one in the path at the next parameter or at the end of its part.
fn behind_host(scheme: &str, host: &str, (before, after): (&str, &str)) {
    if !before.contains('&') {
        no_secret(&format!("{scheme}://{host}?password={before}{SECRET}{after}"));
    }
    if !before.contains('=') {
        no_secret(&format!("{scheme}://{host}/user=admin_password={before}{SECRET}{after}_channel=1"));
    }
    // With a parameter on either side of the colon, nobody can say which of them it belongs to.
    let mixed = host.contains('=') && before.contains('=');
    if !before.contains('/') && !mixed && (scheme.starts_with("rtsp") || scheme.starts_with("http")) {
        no_secret(&format!("{scheme}://{host}/0/admin:{before}{SECRET}{after}/main"));
    }
}

/// Reading keeps its promises.
fn look_at(text: &str) {
    let url = SourceUrl::new(text);
    assert_eq!(url.expose(), text);
    assert_eq!(SourceUrl::new(url.redacted()).redacted(), url.redacted(), "shown twice");
    match Source::parse(text) {
        Ok(Source::Rtsp { url, .. } | Source::Http { url, .. }) => {
            // It stands for the same address without its login.
            let again = Source::parse(&url).expect("an address that was read");
            assert!(
                matches!(again, Source::Rtsp { url: same, login: None } | Source::Http { url: same, login: None } if same == url)
            );
        }
        Ok(Source::Test { width, height, fps }) => assert!(width <= 7680 && height <= 4320 && fps <= 240),
        Ok(Source::File(path) | Source::V4l2(path)) => assert!(!path.as_os_str().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn no_secret(text: &str) {
    look_at(text);
    let url = SourceUrl::new(text);
    let shown = match Source::parse(text) {
        // In a path, nothing is a password; only the address is looked at.
        Ok(Source::File(_) | Source::V4l2(_)) => format!("{url} {url:?}"),
        Ok(source) => format!("{url} {url:?} {source:?}"),
        Err(error) => format!("{url} {url:?} {error} {error:?}"),
    };
    assert!(!shown.contains(SECRET), "{text:?} is shown as {shown}");
}
