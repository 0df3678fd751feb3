//! Talking to a running server over its HTTP API.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sightline_gateway::api::EnrolledFace;
use sightline_wire::PersonId;
use sightline_wire::service::{PeoplePage, Person};
use ureq::http::Response;
use ureq::typestate::WithBody;
use ureq::unversioned::multipart::{Form, Part};
use ureq::{Body, RequestBuilder};

use crate::args::Arguments;

/// Longer than the server takes for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// People of one request.
const PAGE: u32 = 500;

/// A server.
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
}

/// What the server said instead of doing it.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) detail: String,
    /// Which of several refusals it is, for programs.
    pub(crate) reason: Option<String>,
}

/// Whether the server may well answer the same question later: it cannot be reached, its answer broke off, or it cannot answer now.
pub(crate) fn is_away(error: &anyhow::Error) -> bool {
    use ureq::Error::{ConnectionFailed, HostNotFound, Io, Protocol, Timeout};
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return refused.status >= 500 || refused.status == 429;
    }
    let broken = error.downcast_ref::<ureq::Error>();
    matches!(broken, Some(Io(_) | Timeout(_) | HostNotFound | ConnectionFailed | Protocol(_)))
}

/// Of a server, without the slash at its end; `localhost:8080` will do.
pub(crate) fn address(server: &str) -> String {
    let scheme = if server.contains("://") { "" } else { "http://" };
    format!("{scheme}{}", server.trim_end_matches('/'))
}

impl Client {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build();
        Self { agent: agent.into(), base: format!("{}/api/v1", address(&arguments.server)) }
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.read(self.agent.get(self.url(path)).call())
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.read(self.agent.post(self.url(path)).send_json(body))
    }

    pub(crate) fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.read(self.agent.put(self.url(path)).send_json(body))
    }

    pub(crate) fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.read(self.agent.patch(self.url(path)).send_json(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.check(self.agent.delete(self.url(path)).call()).map(|_| ())
    }

    /// Sends a picture from a file.
    pub(crate) fn upload<T: DeserializeOwned>(&self, path: &str, picture: &Path) -> Result<T> {
        self.send(self.agent.post(self.url(path)), picture, &read(picture)?)
    }

    /// Enrolls a picture from a file. The same file for the same person is one request, however often it is sent.
    pub(crate) fn enroll(&self, person: PersonId, picture: &Path) -> Result<EnrolledFace> {
        let bytes = read(picture)?;
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let request = self.agent.post(self.url(&format!("/people/{person}/faces")));
        self.send(request.header("Idempotency-Key", format!("{person}-{sum}")), picture, &bytes)
    }

    fn send<T: DeserializeOwned>(&self, request: RequestBuilder<WithBody>, picture: &Path, bytes: &[u8]) -> Result<T> {
        let name = picture.file_name().unwrap_or_default().to_string_lossy();
        let form = Form::new().part("image", Part::bytes(bytes).file_name(&name));
        self.read(request.send(form))
    }

    /// By id, or by name.
    pub(crate) fn person(&self, named: &str) -> Result<Person> {
        if let Ok(id) = named.parse::<PersonId>() {
            return self.get(&format!("/people/{id}"));
        }
        let found = self.person_named(named)?;
        found.ok_or_else(|| anyhow!("there is no person named \"{named}\"; `sightline people list` shows all"))
    }

    /// The person of exactly this name.
    pub(crate) fn person_named(&self, name: &str) -> Result<Option<Person>> {
        let page: PeoplePage = self.read(self.agent.get(self.url("/people")).query("name", name).call())?;
        // A server that did not look for the name would have sent others.
        Ok(page.people.into_iter().find(|person| person.name == name))
    }

    /// Everybody, by name, page by page.
    pub(crate) fn people(&self) -> Result<Vec<Person>> {
        let (mut people, mut after) = (Vec::new(), String::new());
        loop {
            let asked = self.agent.get(self.url("/people")).query("after", &after).query("limit", PAGE.to_string());
            let page: PeoplePage = self.read(asked.call())?;
            people.extend(page.people);
            match page.next {
                // Names only rise; a server that went round in circles would keep us for ever.
                Some(next) if next > after => after = next,
                _ => return Ok(people),
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn read<T: DeserializeOwned>(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<T> {
        let text = self.check(answer)?;
        serde_json::from_str(&text).with_context(|| format!("{} does not answer as a Sightline server", self.base))
    }

    fn check(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<String> {
        let mut response = answer.with_context(|| {
            format!(
                "the server at {} cannot be reached: start `sightline run`, or say where it is with --server",
                self.base
            )
        })?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().context("the server's answer broke off")?;
        if (200..300).contains(&status) {
            return Ok(text);
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let text_of = |key: &str| problem[key].as_str().map(str::to_owned);
        let detail = text_of("detail").unwrap_or_else(|| format!("the server answered with status {status}"));
        Err(Refused { status, detail, reason: text_of("reason") }.into())
    }
}

fn read(picture: &Path) -> Result<Vec<u8>> {
    std::fs::read(picture).with_context(|| picture.display().to_string())
}
