//! Why an address gives nothing. GStreamer hardly says, so the address is looked at once more after it has failed.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
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

/// Of a name's addresses none is tried any more after this.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

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

/// What somebody answers to a question without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// In the protocol.
    Spoken,
    /// In the protocol, that the question is a bad one (400): so do many who want TLS.
    Refused,
    /// Nothing, or something else.
    Other,
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
        let Ok(places) = (self.host.as_str(), port).to_socket_addrs() else {
            return Found::Nobody("the host name cannot be resolved: is it spelt right?".to_owned());
        };
        match connect(places) {
            None => Found::Nobody("the host name has no address".to_owned()),
            Some(Ok(stream)) => Found::Somebody(if self.tls { self.ask_over_tls(stream) } else { self.ask(stream) }),
            Some(Err(error)) => Found::Nobody(match error.kind() {
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
        let name = protocol.to_uppercase();
        let answer = self.answer(stream);
        if answer != Answer::Spoken && self.speaks_tls().is_ok() {
            return format!("port {port} speaks TLS: try {protocol}s:// instead of {protocol}://");
        }
        match answer {
            Answer::Other => format!("what listens on port {port} does not answer in {name}"),
            Answer::Spoken | Answer::Refused => format!("port {port} speaks {name}, but gives no video"),
        }
    }

    /// Whoever can be spoken to over TLS is not asked without: nobody is to be told to send a password in the clear.
    fn ask_over_tls(&self, stream: TcpStream) -> String {
        let Self { protocol, port, .. } = self;
        let place = stream.peer_addr();
        // Some cameras serve one connection at a time.
        drop(stream);
        match self.speaks_tls() {
            Ok(()) => return format!("port {port} speaks TLS, but gives no video"),
            Err(error) if error.matches(gio::TlsError::BadCertificate) => {
                return "the camera's certificate is not trusted by this system: add it with update-ca-certificates"
                    .to_owned();
            }
            Err(_) => {}
        }
        let again = place.and_then(|place| TcpStream::connect_timeout(&place, ANSWER_WITHIN));
        match again.map(|stream| self.answer(stream)) {
            Ok(Answer::Spoken) => format!("port {port} speaks no TLS: try {protocol}:// instead of {protocol}s://"),
            _ => format!("no TLS connection can be made with what listens on port {port}"),
        }
    }

    /// What comes back to a question without TLS.
    fn answer(&self, mut stream: TcpStream) -> Answer {
        let (question, beginning) = match self.protocol {
            "rtsp" => ("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", &b"RTSP/"[..]),
            _ => ("HEAD / HTTP/1.0\r\n\r\n", &b"HTTP/"[..]),
        };
        let asked = stream.set_read_timeout(Some(ANSWER_WITHIN)).and_then(|()| stream.write_all(question.as_bytes()));
        if asked.is_err() {
            return Answer::Other;
        }
        // As far as the end of the status; one that breaks off before it counts as far as it came.
        let mut answer = Vec::new();
        drop(stream.take(12).read_to_end(&mut answer));
        match answer.starts_with(beginning) {
            true if answer.ends_with(b" 400") => Answer::Refused,
            true => Answer::Spoken,
            false => Answer::Other,
        }
    }

    /// A handshake with whoever it is. A certificate that this system does not accept is a failure for those only of whom nobody has judged
    /// it before: over RTSP the pipeline has, and has accepted it.
    fn speaks_tls(&self) -> Result<(), glib::Error> {
        let client = gio::SocketClient::new();
        client.set_enable_proxy(false);
        client.set_tls(true);
        client.set_timeout(u32::try_from(ANSWER_WITHIN.as_secs()).unwrap_or(1));
        let place = gio::NetworkAddress::new(&self.host, self.port);
        let outcome = SocketClientExt::connect(&client, &place, gio::Cancellable::NONE).map(drop);
        match outcome {
            Err(error) if error.matches(gio::TlsError::BadCertificate) && !(self.tls && self.protocol == "http") => {
                Ok(())
            }
            outcome => outcome,
        }
    }
}

/// With the first of these addresses that takes a connection; else the last failure. `None` without addresses.
fn connect(places: impl IntoIterator<Item = SocketAddr>) -> Option<std::io::Result<TcpStream>> {
    let began = Instant::now();
    let mut last = None;
    for place in places {
        let outcome = TcpStream::connect_timeout(&place, ANSWER_WITHIN);
        let is_over = outcome.is_ok() || began.elapsed() >= CONNECT_WITHIN;
        last = Some(outcome);
        if is_over {
            break;
        }
    }
    last
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::connect;

    #[test]
    fn every_address_of_a_name_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        // Nobody listens there any more.
        let bad = TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap();
        for places in [[bad, good], [good, bad]] {
            assert_eq!(connect(places).unwrap().unwrap().peer_addr().unwrap(), good);
        }
        assert_eq!(connect([bad, bad]).unwrap().unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(connect([]).is_none());
    }
}
