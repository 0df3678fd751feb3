//! Why an address gives nothing. GStreamer hardly says, so the address is looked at once more after it has failed.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use gio::prelude::*;
use gst::glib;
use gstreamer as gst;
use sightline_wire::CameraState;
use url::{Host, Url};

use crate::outage::Outage;
use crate::source::Source;

/// Whoever neither takes a connection nor answers on it within this does not answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A name server that stays silent does not keep a camera from its next attempt.
const LOOK_WITHIN: Duration = Duration::from_secs(4);

/// Where a source is asked for.
#[derive(Debug)]
struct Address {
    /// `rtsp` or `http`, whether or not over TLS.
    protocol: &'static str,
    tls: bool,
    host: String,
    port: u16,
}

/// How far a look came.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// No connection.
    Nobody(String),
    /// Somebody who may well be something else.
    Somebody(String),
}

impl Outage {
    /// The same with the reason, where only the address can tell it. `wanted` says whether anybody still waits for it. Nothing is shown
    /// of the address but its port.
    pub(crate) fn explained(self, source: &Source, wanted: impl Fn() -> bool) -> Self {
        let address = if self.vague { Address::of(source) } else { None };
        match address.and_then(|address| look(address, wanted)) {
            Some(found) => self.with(found),
            None => self,
        }
    }

    fn with(self, found: Found) -> Self {
        let (state, reason) = match found {
            Found::Nobody(reason) => (CameraState::Unreachable, reason),
            Found::Somebody(reason) => (self.state, reason),
        };
        // Of silence is said how long it was.
        let detail = if self.state == CameraState::Stalled { format!("{}: {reason}", self.detail) } else { reason };
        Self::new(state, detail)
    }
}

impl Address {
    fn of(source: &Source) -> Option<Self> {
        let (Source::Rtsp { url, .. } | Source::Http { url, .. }) = source else { return None };
        let url = Url::parse(url).ok()?;
        // GStreamer takes this port for rtsps as well.
        let (protocol, tls, port) = match url.scheme() {
            "rtsp" => ("rtsp", false, 554),
            "rtsps" => ("rtsp", true, 554),
            "http" => ("http", false, 80),
            _ => ("http", true, 443),
        };
        let host = match url.host()? {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        Some(Self { protocol, tls, host, port: url.port().unwrap_or(port) })
    }

    /// Blocks until the name server, then the host, has answered or not.
    fn look(&self) -> Found {
        let port = self.port;
        let Ok(mut places) = (self.host.as_str(), port).to_socket_addrs() else {
            return Found::Nobody("the host name cannot be resolved: is it spelt right?".to_owned());
        };
        let Some(place) = places.next() else {
            return Found::Nobody("the host name has no address".to_owned());
        };
        match TcpStream::connect_timeout(&place, ANSWER_WITHIN) {
            Ok(stream) => Found::Somebody(self.ask(stream)),
            Err(error) => Found::Nobody(match error.kind() {
                ErrorKind::ConnectionRefused => format!("nobody listens on port {port} (connection refused)"),
                ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                    format!("the host does not answer on port {port} (timeout)")
                }
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    "there is no way to the host from this machine".to_owned()
                }
                other => format!("no connection to port {port}: {other}"),
            }),
        }
    }

    /// Asks for nothing in the protocol itself first: not every camera bears the beginning of TLS.
    fn ask(&self, stream: TcpStream) -> String {
        let Self { protocol, port, .. } = self;
        if self.answers(stream).unwrap_or(false) {
            return match self.tls {
                true => format!("port {port} speaks no TLS: try {protocol}:// instead of {protocol}s://"),
                false => format!("port {port} speaks {}, but gives no video", protocol.to_uppercase()),
            };
        }
        match (self.tls, self.speaks_tls()) {
            (false, Ok(())) => format!("port {port} speaks TLS: try {protocol}s:// instead of {protocol}://"),
            (false, Err(_)) => format!("what listens on port {port} does not answer in {}", protocol.to_uppercase()),
            (true, Ok(())) => format!("port {port} speaks TLS, but gives no video"),
            (true, Err(error)) if error.matches(gio::TlsError::BadCertificate) => {
                "the camera's certificate is not trusted by this system: add it with update-ca-certificates".to_owned()
            }
            (true, Err(_)) => format!("no TLS connection can be made with what listens on port {port}"),
        }
    }

    /// Whether the answer to a question without TLS is one of the protocol.
    fn answers(&self, mut stream: TcpStream) -> std::io::Result<bool> {
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        let (question, beginning) = match self.protocol {
            "rtsp" => ("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"RTSP/"),
            _ => ("HEAD / HTTP/1.0\r\n\r\n", b"HTTP/"),
        };
        stream.write_all(question.as_bytes())?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == beginning)
    }

    /// A handshake with whoever it is; a certificate that is refused comes from somebody who speaks TLS.
    fn speaks_tls(&self) -> Result<(), glib::Error> {
        let client = gio::SocketClient::new();
        client.set_enable_proxy(false);
        client.set_tls(true);
        client.set_timeout(u32::try_from(ANSWER_WITHIN.as_secs()).unwrap_or(1));
        let place = gio::NetworkAddress::new(&self.host, self.port);
        let outcome = SocketClientExt::connect(&client, &place, gio::Cancellable::NONE).map(drop);
        match outcome {
            Err(error) if !self.tls && error.matches(gio::TlsError::BadCertificate) => Ok(()),
            outcome => outcome,
        }
    }
}

/// On a thread of its own: nothing bounds how long a name is resolved.
fn look(address: Address, wanted: impl Fn() -> bool) -> Option<Found> {
    let (sender, found) = mpsc::sync_channel(1);
    let work = move || {
        // Too late, nobody waits for it.
        drop(sender.send(address.look()));
    };
    std::thread::Builder::new().name("look".to_owned()).spawn(work).ok()?;
    let deadline = Instant::now() + LOOK_WITHIN;
    while wanted() && Instant::now() < deadline {
        match found.recv_timeout(Duration::from_millis(50)) {
            Ok(found) => return Some(found),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    None
}
