//! Cameras over TLS: whose certificates are accepted, and what is said of the others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::path::Path;

use common::{Cameras, PATIENCE, media, watched};
use sightline_ingest::{Source, Trust, probe};
use sightline_testkit::RtspProcess;
use sightline_testkit::rtsp::{AUTHORITY, Certificate};
use sightline_wire::{CameraState, Transport};

fn serve(certificate: Certificate) -> RtspProcess {
    RtspProcess::start_with_tls(&[("lobby".to_owned(), media::clip())], certificate).unwrap()
}

/// A file with these certificates, read.
fn trust(pem: &str) -> Trust {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trust.pem");
    std::fs::write(&file, pem).unwrap();
    Trust::read(&file).unwrap()
}

/// It delivers.
async fn is_accepted(server: &RtspProcess, trust: Trust) {
    let cameras = Cameras::start_trusting(&[watched("lobby", server.url("lobby"))], trust).await;
    cameras.until_more("lobby", 3).await;
    let (_, log) = cameras.stop().await;
    assert_eq!(log.states("lobby"), [CameraState::Connecting, CameraState::Online]);
}

/// It is refused with this word, and nothing comes.
async fn is_refused(server: &RtspProcess, trust: Trust, reason: &str) {
    let cameras = Cameras::start_trusting(&[watched("lobby", server.url("lobby"))], trust.clone()).await;
    let log = cameras.until_state("lobby", CameraState::Unreachable).await;
    cameras.stop().await;
    let said = log.last("lobby", CameraState::Unreachable).unwrap().detail;
    assert!(said.contains(reason) && said.contains("ingest.trust"), "{said}");
    assert_eq!(log.count("lobby"), 0);
    let source = Source::parse(&server.url("lobby")).unwrap();
    let probing = tokio::task::spawn_blocking(move || probe(&source, Transport::Tcp, &trust, PATIENCE));
    let outage = probing.await.unwrap().unwrap_err();
    assert!(outage.detail.contains(reason), "{outage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_certificate_is_refused() {
    let server = serve(Certificate::Loopback);
    // The server itself is in order: whoever does not look at the certificate gets the picture.
    media::launch(&format!(
        "rtspsrc location={} protocols=tcp tls-validation-flags=0 ! rtph264depay ! h264parse ! fakesink num-buffers=5",
        server.url("lobby")
    ));
    is_refused(&server, Trust::default(), "certificate is not trusted").await;
    is_refused(&server, trust(AUTHORITY), "certificate is not trusted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_file_is_accepted() {
    // With its key, and what people write around it.
    is_accepted(&serve(Certificate::Loopback), trust(Certificate::Loopback.pem())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_one_of_the_file_has_signed_is_accepted() {
    let server = serve(Certificate::Signed);
    is_refused(&server, trust(Certificate::Loopback.pem()), "certificate is not trusted").await;
    is_accepted(&server, trust(&[Certificate::Loopback.pem(), AUTHORITY].concat())).await;
}

/// Of what one of the file has signed, the name must be right. Of the very certificate it need not be: it is good for every camera's address.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_accepted_only_if_it_is_in_the_file_itself() {
    let server = serve(Certificate::Elsewhere);
    is_refused(&server, trust(AUTHORITY), "for another name").await;
    is_accepted(&server, trust(Certificate::Elsewhere.pem())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_accept_what_cameras_accept() {
    let server = serve(Certificate::Loopback);
    let source = Source::parse(&server.url("lobby")).unwrap();
    let own = trust(Certificate::Loopback.pem());
    let probing = tokio::task::spawn_blocking(move || probe(&source, Transport::Tcp, &own, PATIENCE));
    assert_eq!(probing.await.unwrap().unwrap().size, (400, 300));
}

#[test]
fn files_without_certificates_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        Trust::read(&file).unwrap_err()
    };
    let half = AUTHORITY.rsplit_once("-----END").unwrap().0;
    let broken = AUTHORITY.replacen("MII", "IIM", 1);
    for (name, text, reason) in [
        ("empty.pem", "", "no certificate in it"),
        ("text.pem", "10.0.0.5", "no certificate in it"),
        ("half.pem", half, "certificate 1 cannot be read"),
        ("second.pem", &format!("{AUTHORITY}{broken}"), "certificate 2 cannot be read"),
    ] {
        let message = refused(name, text);
        assert!(message.contains(name) && message.contains(reason), "{message}");
    }
    let missing = Trust::read(Path::new("/nowhere/trust.pem")).unwrap_err();
    assert!(missing.contains("/nowhere/trust.pem") && missing.contains("No such file"), "{missing}");
    assert!(Trust::read(folder.path()).is_err());
}
