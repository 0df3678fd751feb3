//! `sightline camera probe`: without a server, whatever configuration happens to lie here.

use sightline_testkit::clip;
use tempfile::TempDir;

use crate::{lines, refused, said, sightline};

#[test]
fn cameras_are_probed_without_a_server() {
    let folder = TempDir::new().unwrap();
    let file = clip("cap13_edit2").unwrap();
    let found = lines(&sightline(folder.path(), &["-o", "json", "camera", "probe", file.to_str().unwrap()]));
    assert_eq!((&found[0]["width"], &found[0]["height"]), (&400.into(), &300.into()));
    assert!((found[0]["fps"].as_f64().unwrap() - 25.0).abs() < 3.0, "{found:?}");
    let (code, message) = refused(folder.path(), &["camera", "probe", "rtsp://u:s3cr3t@127.0.0.1:1/x"]);
    assert!(code == 1 && message.contains("unreachable") && !message.contains("s3cr3t"), "{message}");
}

#[test]
fn what_happens_to_lie_here_does_not_keep_anybody_from_probing() {
    let folder = TempDir::new().unwrap();
    for text in ["ingest: {trust: none.pem}\n", "sight: hall\n", "site: [\n"] {
        std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
        let output = sightline(folder.path(), &["-o", "json", "camera", "probe", "test://"]);
        assert!(said(&output).contains("(probing without it)"), "{text}: {}", said(&output));
        assert_eq!(lines(&output)[0]["source"], "test://", "{text}");
        // Whoever names it wants it.
        let (code, message) = refused(folder.path(), &["-c", "sightline.yaml", "camera", "probe", "test://"]);
        assert!(code == 2 && !message.contains("probing without it"), "{text}: {code} {message}");
    }
}
