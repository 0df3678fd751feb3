//! A gateway on a free port with its services, and a client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown as Half, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sightline_stage::Shutdown;
use sightline_stage::bus::Bus;
use sightline_stage::service::ServiceClient;
use tokio::task::JoinHandle;
use ureq::http::{HeaderMap, Request, Response};

use super::services::World;
use crate::{Gateway, Limits};

/// Longer than anything takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a picture that the test gateways take.
pub(super) const IMAGE_BYTES: usize = 100_000;

/// Small pictures, so that limits are reached quickly.
pub(super) fn limits() -> Limits {
    Limits { image_bytes: IMAGE_BYTES, ..Limits::default() }
}

/// The gateway, and what stands behind it.
pub(super) struct House {
    pub(super) world: Arc<World>,
    pub(super) bus: Bus,
    /// Ends the services.
    pub(super) services: Shutdown,
    /// Ends the gateway.
    pub(super) hang_up: Shutdown,
    pub(super) address: SocketAddr,
    pub(super) runtime: tokio::runtime::Runtime,
    http: JoinHandle<()>,
    agent: ureq::Agent,
}

impl House {
    pub(super) fn new() -> Self {
        Self::with(limits())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let house = Self::empty(limits);
        house.runtime.block_on(house.world.serve(&house.bus, &house.services));
        house
    }

    /// A gateway without services.
    pub(super) fn empty(limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (bus, hang_up) = (Bus::memory(), Shutdown::new());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Gateway::new(ServiceClient::new(&bus), limits).until(hang_up.clone()).router();
        let http = runtime.spawn(sightline_stage::http::serve(listener, router, hang_up.clone()));
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build();
        Self {
            world: Arc::default(),
            bus,
            services: Shutdown::new(),
            hang_up,
            address,
            runtime,
            http,
            agent: agent.into(),
        }
    }

    /// Sends a request and reads the answer to its end.
    pub(super) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut response = self.open(method, path, headers, body);
        let body = response.body_mut().read_to_vec().unwrap();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    /// Sends a request; the answer's body is not read yet.
    pub(super) fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response<ureq::Body> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match method {
            "GET" | "HEAD" | "OPTIONS" | "DELETE" => self.agent.run(request.body(()).unwrap()),
            _ => self.agent.run(request.body(body).unwrap()),
        };
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &[])
    }

    pub(super) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], &[])
    }

    pub(super) fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Uploads a picture as browsers do.
    pub(super) fn upload(&self, path: &str, picture: &[u8]) -> Answer {
        self.send("POST", path, &[FORM], &form("image", "face.jpg", picture))
    }

    /// Adds a person; returns the id.
    pub(super) fn person(&self, name: &str) -> String {
        let person = self.json("POST", "/api/v1/people", &serde_json::json!({"name": name})).json(201);
        person["id"].as_str().unwrap().to_owned()
    }

    /// A connection on which these bytes have been sent.
    pub(super) fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }

    /// Waits for the end of the gateway.
    pub(super) fn end(&mut self) {
        let (runtime, http) = (&self.runtime, &mut self.http);
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, http).await });
        ended.expect("connections keep the gateway from ending").unwrap();
    }
}

/// What a form is sent as.
pub(super) const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=EDGE");

/// A form with one file.
pub(super) fn form(name: &str, file: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--EDGE\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n--EDGE--\r\n"].concat()
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of an answer with this status, as JSON.
    pub(super) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem detail of an answer with this status.
    pub(super) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &"about:blank".into()));
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        let retry = matches!(status, 429 | 503).then_some("1").unwrap_or_default();
        assert_eq!(self.header("retry-after"), retry);
        problem
    }

    /// Done, with nothing to say.
    pub(super) fn nothing(&self) {
        assert_eq!((self.status, self.text()), (204, String::new()));
    }
}

/// Reads one answer from a connection.
pub(super) fn read_answer(stream: &TcpStream) -> Answer {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(ureq::http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    let length = headers.get("content-length").map_or(0, |value| value.to_str().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Answer { status, headers, body }
}

/// Whether the other side has ended the connection.
pub(super) fn is_closed(mut stream: &TcpStream) -> bool {
    drop(stream.shutdown(Half::Write));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).is_ok() && rest.is_empty()
}

/// Waits until something is so.
pub(super) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
