//! User and password: the right ones work, the wrong ones are told apart, and neither is ever shown. Alone in its process, whose log it
//! reads.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use std::io::{Read as _, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use common::{Cameras, Log, PATIENCE, live, media};
use sightline_ingest::{Source, Trust, probe};
use sightline_testkit::RtspProcess;
use sightline_wire::{CameraState, Transport};

const RIGHT: &str = "c0rrect+h0rse";
const WRONG: &str = "wr0ng-st4ple";
/// What a URL needs to be escaped.
const AWKWARD: &str = "p@ss/w:rd%";
const AWKWARD_ESCAPED: &str = "p%40ss%2Fw%3Ard%25";

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn start() -> Self {
        let written = Self::default();
        let writer = written.clone();
        let log = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
        log.with_writer(move || writer.clone()).init();
        written
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn assert_silent(what: &str, text: &str) {
    for secret in [RIGHT, WRONG, AWKWARD, AWKWARD_ESCAPED] {
        assert!(!text.contains(secret), "{what} holds a password: {text}");
    }
}

/// What the server says to somebody without a password.
fn asked_for(url: &str) -> String {
    let host = url.split('/').nth(2).unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n").unwrap();
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "{answer}");
        answer += std::str::from_utf8(&bytes[..count]).unwrap();
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_open_cameras_and_are_never_shown() {
    let written = Written::start();
    let clip = media::clip();
    let serve =
        |password| RtspProcess::start_with_login(&[("lobby".to_owned(), clip.clone())], "viewer", password).unwrap();
    let (plain, awkward) = (serve(RIGHT), serve(AWKWARD));
    let digest = RtspProcess::start_with_digest(&[("lobby".to_owned(), clip.clone())], "viewer", RIGHT).unwrap();
    assert!(asked_for(&digest.url("lobby")).contains("WWW-Authenticate: Digest"));
    assert!(asked_for(&plain.url("lobby")).contains("WWW-Authenticate: Basic"));
    let nobody = format!("rtsp://viewer:{RIGHT}@127.0.0.1:{}/lobby", sightline_testkit::process::free_port().unwrap());
    let specs = [
        live("right", plain.url_with_login("lobby", "viewer", RIGHT)),
        live("wrong", plain.url_with_login("lobby", "viewer", WRONG)),
        live("stranger", plain.url_with_login("lobby", "somebody", RIGHT)),
        live("nameless", plain.url("lobby")),
        live("awkward", awkward.url_with_login("lobby", "viewer", AWKWARD_ESCAPED)),
        live("digest", digest.url_with_login("lobby", "viewer", RIGHT)),
        live("digest-wrong", digest.url_with_login("lobby", "viewer", WRONG)),
        live("digest-nameless", digest.url("lobby")),
        live("missing", plain.url_with_login("attic", "viewer", RIGHT)),
        live("closed", nobody),
        live("scheme", format!("ftp://viewer:{RIGHT}@127.0.0.1/lobby")),
        live("broken", format!("rtsp://viewer:{AWKWARD}@127.0.0.1:99999/lobby")),
    ];
    let cameras = Cameras::start(&specs).await;
    let expected = [
        ("right", CameraState::Online),
        ("wrong", CameraState::Unauthorized),
        ("stranger", CameraState::Unauthorized),
        ("nameless", CameraState::Unauthorized),
        ("awkward", CameraState::Online),
        ("digest", CameraState::Online),
        ("digest-wrong", CameraState::Unauthorized),
        ("digest-nameless", CameraState::Unauthorized),
        ("missing", CameraState::NotFound),
        ("closed", CameraState::Unreachable),
        ("scheme", CameraState::Unsupported),
        ("broken", CameraState::Unsupported),
    ];
    let told = |log: &Log| expected.iter().all(|(camera, state)| log.states(camera).get(1) == Some(state));
    cameras.until("all states", PATIENCE, told).await;
    cameras.until_more("right", 3).await;
    cameras.until_more("awkward", 3).await;
    cameras.until_more("digest", 3).await;
    let probed = Source::parse(&plain.url_with_login("lobby", "viewer", WRONG)).unwrap();
    let shown = format!("{probed:?} {probed:#?}");
    let outage = tokio::task::spawn_blocking(move || probe(&probed, Transport::Tcp, &Trust::default(), PATIENCE))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(outage.state, CameraState::Unauthorized);
    let (_, log) = cameras.stop().await;
    for (camera, reason) in [
        ("wrong", "user or password is wrong"),
        ("stranger", "user or password is wrong"),
        ("nameless", "the camera asks for user and password"),
        ("digest-wrong", "user or password is wrong"),
        ("digest-nameless", "the camera asks for user and password"),
    ] {
        let said = log.last(camera, CameraState::Unauthorized).unwrap().detail;
        assert!(said.starts_with(reason), "{camera}: {said}");
    }
    assert_silent("a source", &shown);
    assert_silent("an outage", &format!("{outage:?}"));
    assert_silent("a spec", &format!("{specs:?} {specs:#?}"));
    assert_silent("a change", &format!("{:?}", log.changes));
    let text = written.text();
    assert!(text.contains("no video") && text.contains("delivers video"), "nothing was logged: {text}");
    assert_silent("the log", &text);
}
