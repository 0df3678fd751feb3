//! What clients send: JSON bodies, pictures as multipart, ids, idempotency keys.

use std::fmt::Display;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures::stream::{Stream, StreamExt as _};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::Gateway;
use crate::problem::Problem;

/// Bytes of a JSON body; names and cameras are far below.
pub(crate) const LARGEST_JSON: usize = 64 * 1024;

/// Longest idempotency key.
const LONGEST_KEY: usize = 200;

/// How long the rest of a body is taken in after its request has been answered.
const LINGER: Duration = Duration::from_secs(5);

/// A JSON body. Another content type is 415, text that is no JSON 400, JSON of another form 422.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Gateway> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Problem> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(415, "send the body as application/json"));
        }
        refuse_large(request.headers(), LARGEST_JSON)?;
        let body = in_time(gateway, Bytes::from_request(request, gateway)).await?;
        let body = body.map_err(|rejection| match rejection.status().as_u16() {
            413 => too_large(LARGEST_JSON),
            _ => Problem::new(400, "the body broke off"),
        })?;
        let refused = |error: serde_json::Error| {
            let status = if error.is_data() { 422 } else { 400 };
            Problem::new(status, format!("the body: {error}"))
        };
        // Alone: else a wrong form would be noticed before a syntax error behind it.
        serde_json::from_slice::<IgnoredAny>(&body).map_err(refused)?;
        let value = serde_json::from_slice(&body).map_err(refused)?;
        // A list of the fields' values would do for serde.
        match body.trim_ascii_start().starts_with(b"{") {
            true => Ok(Self(value)),
            false => Err(Problem::new(422, "the body: send an object")),
        }
    }
}

/// A picture with its name, from the first part of the form that is called `image` or `file`.
pub(crate) struct Upload {
    pub(crate) bytes: Bytes,
    pub(crate) name: String,
}

impl Upload {
    /// Reads the form in time; stops as soon as the picture is too large.
    pub(crate) async fn receive(request: Request, gateway: &Gateway) -> Result<Self, Problem> {
        in_time(gateway, Self::read(request, gateway.limits.image_bytes)).await?
    }

    async fn read(request: Request, limit: usize) -> Result<Self, Problem> {
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|rejection| Problem::new(415, format!("send the picture as multipart/form-data: {rejection}")))?;
        while let Some(mut field) = form.next_field().await.map_err(|error| broken_form(&error))? {
            if !matches!(field.name(), Some("image" | "file")) {
                continue;
            }
            // Of a path that a browser may send, the last part.
            let name = field.file_name().unwrap_or("upload").rsplit(['/', '\\']).next().unwrap_or("upload");
            let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
            let mut bytes = BytesMut::new();
            while let Some(part) = field.chunk().await.map_err(|error| broken_form(&error))? {
                if bytes.len() + part.len() > limit {
                    return Err(Problem::new(413, format!("the picture has more than {limit} bytes")));
                }
                bytes.extend_from_slice(&part);
            }
            return Ok(Self { bytes: bytes.freeze(), name });
        }
        Err(Problem::new(422, "the form has no part called `image` or `file`"))
    }
}

/// A form that breaks off is the client's fault, whatever axum makes of it.
fn broken_form(error: &MultipartError) -> Problem {
    let status = if error.status().is_client_error() { error.status().as_u16() } else { 400 };
    Problem::new(status, format!("the form: {}", error.body_text()))
}

/// The id in the path; one that cannot be an id is 404: nothing has it.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|rejection| Problem::new(404, rejection.body_text()))?;
        text.parse().map(Self).map_err(|error: T::Err| Problem::new(404, error.to_string()))
    }
}

/// The `Idempotency-Key` header.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= LONGEST_KEY => Ok(Some(text.to_owned())),
        _ => Err(Problem::new(422, "Idempotency-Key: 1 to 200 printable ASCII characters")),
    }
}

/// Refuses a body by its stated length, before anything of it is read.
pub(crate) fn refuse_large(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match stated.is_some_and(|stated| stated > limit as u64) {
        true => Err(too_large(limit)),
        false => Ok(()),
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(413, format!("the body has more than {limit} bytes"))
}

/// A client that sends slower than anybody needs to would keep a connection, and a picture's place, for ever.
async fn in_time<T>(gateway: &Gateway, receive: impl Future<Output = T>) -> Result<T, Problem> {
    let limit = gateway.limits.receive;
    let late = |_| Problem::new(408, format!("the body did not arrive within {limit:?}"));
    tokio::time::timeout(limit, receive).await.map_err(late)
}

/// Hands a request on so that what is left of its body, when it has been answered, is still taken in for a moment.
/// A client that is sending when its connection is closed sees a broken pipe and may never read why it was refused.
pub(crate) async fn linger(request: Request) -> Request {
    request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::from_stream(Lingering(Some(body.into_data_stream()))),
    })
}

/// A body that is read to its end after it was dropped.
struct Lingering(Option<BodyDataStream>);

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rest) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let part = ready!(rest.poll_next_unpin(context));
        if !matches!(part, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(part)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let (Some(mut rest), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(tokio::time::timeout(LINGER, async move { while let Some(Ok(_)) = rest.next().await {} }));
    }
}
