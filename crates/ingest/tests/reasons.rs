//! Why an address gives no video: what is told apart, in the camera's detail and by the probe.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use common::{Cameras, Log, PATIENCE, STALL, media, rtsp, watched};
use gio::prelude::*;
use sightline_ingest::{Outage, Source, Trust, probe};
use sightline_testkit::RtspProcess;
use sightline_testkit::process::free_port;
use sightline_testkit::rtsp::Certificate;
use sightline_wire::{CameraState, Transport};

/// In every address, and in no word about it.
const SECRET: &str = "s3cr3t";

/// A listener that nobody reaches any more: whoever comes waits for a place among those that wait.
struct Full {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Full {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&place, Duration::from_millis(300)) {
            assert!(waiting.len() < 10_000, "there is always room");
            waiting.push(stream);
        }
        Self { listener, _waiting: waiting }
    }

    fn place(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

/// Answers everybody with this.
fn answering(with: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut question = [0; 4096];
            if stream.read(&mut question).is_ok_and(|count| count > 0) {
                drop(stream.write_all(with.as_bytes()));
            }
        }
    });
    place
}

/// Speaks TLS and says nothing more; whoever comes without is told, without TLS, that the request is a bad one: as web servers do.
fn tls_or_bad_request() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || meet(stream));
        }
    });
    place
}

fn meet(mut stream: TcpStream) {
    // A handshake begins with this byte.
    let mut first = [0];
    if !stream.peek(&mut first).is_ok_and(|count| count == 1) || first != [22] {
        drop(stream.read(&mut [0; 4096]));
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        return;
    }
    let socket = gio::Socket::from_fd(OwnedFd::from(stream)).unwrap();
    let certificate = gio::TlsCertificate::from_pem(Certificate::Loopback.pem()).unwrap();
    let connection = gio::TlsServerConnection::new(&socket.connection_factory_create_connection(), Some(&certificate));
    let connection = connection.unwrap();
    // Until the other side has gone.
    while connection.input_stream().read(&mut [0; 4096][..], gio::Cancellable::NONE).is_ok_and(|count| count > 0) {}
}

async fn look(source: String) -> Outage {
    look_trusting(source, Trust::default()).await
}

async fn look_trusting(source: String, trust: Trust) -> Outage {
    let source = Source::parse(&source).unwrap();
    let probing = tokio::task::spawn_blocking(move || probe(&source, Transport::Tcp, &trust, STALL));
    probing.await.unwrap().unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn causes_are_told_apart_and_the_address_is_not_repeated() {
    let mounts = [("lobby".to_owned(), media::clip())];
    let (plain, tls) =
        (RtspProcess::start(&mounts).unwrap(), RtspProcess::start_with_tls(&mounts, Certificate::Signed).unwrap());
    let (full, silent) = (Full::start(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = |server: &RtspProcess| server.url("lobby").split(['/', ':']).nth(4).unwrap().to_owned();
    let (plain_port, tls_port, nobody) = (port(&plain), port(&tls), free_port().unwrap());
    let web = answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let both = tls_or_bad_request();
    let at = |scheme: &str, place: &str| format!("{scheme}://viewer:{SECRET}@{place}/{SECRET}");
    let local = |port: &str| format!("127.0.0.1:{port}");
    let cases = [
        (at("rtsp", "camera.invalid"), CameraState::Unreachable, "host name cannot be resolved"),
        (at("http", "camera.invalid"), CameraState::Unreachable, "host name cannot be resolved"),
        (at("rtsp", &local(&nobody.to_string())), CameraState::Unreachable, "nobody listens on port"),
        (at("rtsps", &local(&nobody.to_string())), CameraState::Unreachable, "connection refused"),
        (at("http", &local(&nobody.to_string())), CameraState::Unreachable, "connection refused"),
        (at("rtsp", &full.place().to_string()), CameraState::Unreachable, "does not answer on port"),
        (at("rtsp", &silent.local_addr().unwrap().to_string()), CameraState::Stalled, "does not answer in RTSP"),
        (at("rtsp", &local(&tls_port)), CameraState::Unreachable, "speaks TLS: try rtsps://"),
        (at("http", &local(&tls_port)), CameraState::Unreachable, "speaks TLS: try https://"),
        (at("rtsps", &local(&plain_port)), CameraState::Unreachable, "speaks no TLS: try rtsp://"),
        (at("https", &web.to_string()), CameraState::Unreachable, "speaks no TLS: try http://"),
        (at("https", &local(&tls_port)), CameraState::Unreachable, "certificate is not trusted"),
        (at("rtsp", &web.to_string()), CameraState::Unreachable, "does not answer in RTSP"),
        // Nobody is told to send a password in the clear where there is TLS.
        (at("https", &both.to_string()), CameraState::Unreachable, "certificate is not trusted"),
        (at("http", &both.to_string()), CameraState::Unreachable, "speaks TLS: try https://"),
        (format!("127.0.0.1:{nobody}/{SECRET}"), CameraState::NotFound, "as in rtsp://"),
        (format!("viewer:{SECRET}@127.0.0.1/lobby"), CameraState::NotFound, "as in rtsp://"),
    ];
    let ids: Vec<String> = (0..cases.len()).map(|number| format!("c{number}")).collect();
    let specs: Vec<_> = ids.iter().zip(&cases).map(|(id, (source, ..))| watched(id, source.clone())).collect();
    let cameras = Cameras::start(&specs).await;
    let told = |log: &Log| ids.iter().all(|id| log.states(id).len() >= 2);
    let log = cameras.until("a word on each", PATIENCE, told).await;
    cameras.stop().await;
    for (id, (source, state, reason)) in ids.iter().zip(cases) {
        let word = &log.changes(id)[1];
        let probed = look(source.clone()).await;
        for (state_said, said) in [(word.state, &word.detail), (probed.state, &probed.detail)] {
            assert!(said.contains(reason) && state_said == state, "{source}: {state_said:?}: {said}");
            assert!(!said.contains(SECRET) && !said.contains("viewer"), "{source}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_camera_that_stays_silent_is_not_called_untrusted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trust.pem");
    std::fs::write(&file, Certificate::Loopback.pem()).unwrap();
    let source = format!("rtsps://{}/lobby", tls_or_bad_request());
    let silent = look_trusting(source.clone(), Trust::read(&file).unwrap()).await;
    assert_eq!(silent.state, CameraState::Stalled, "{silent:?}");
    assert!(silent.detail.contains("speaks TLS, but gives no video"), "{silent:?}");
    // The same one where it is not trusted.
    let refused = look(source).await;
    assert!(refused.detail.contains("certificate is not trusted"), "{refused:?}");
}

/// The clip has a key frame every ten seconds: whoever comes just after one waits longer than a probe does.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_without_a_key_frame_is_not_one_that_gives_no_video() {
    let server = rtsp(&["lobby"]);
    let cameras = Cameras::start(&[watched("lobby", server.url("lobby"))]).await;
    cameras.until_more("lobby", 3).await;
    let outage = look(server.url("lobby")).await;
    cameras.stop().await;
    assert_eq!((outage.state, outage.detail.as_str()), (CameraState::Stalled, "no key frame within 2 s"));
}

/// What is taken from the camera's stop is bounded, whatever the address does.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_stops_while_its_address_is_looked_at() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap();
    let cameras = Cameras::start(&[watched("mute", format!("rtsp://{place}/lobby"))]).await;
    // The second connection is the look of our own.
    let connected = tokio::task::spawn_blocking(move || [silent.accept().unwrap(), silent.accept().unwrap()]);
    let streams = tokio::time::timeout(PATIENCE, connected).await.unwrap().unwrap();
    let (took, log) = cameras.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(log.states("mute").first(), Some(&CameraState::Connecting));
    drop(streams);
}
