//! What clients send: JSON bodies, pictures as multipart, ids, idempotency keys.

use axum::extract::{FromRequest, Multipart, Path, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Longest idempotency key.
const LONGEST_KEY: usize = 200;

/// A JSON body. Another content type is 415, text that is no JSON 400, JSON of another form 422.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Problem::new(415, "send the body as application/json"));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            Problem::new(rejection.status().as_u16(), "the body is too large or broke off")
        })?;
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let status = if error.is_data() { 422 } else { 400 };
            Problem::new(status, format!("the body: {error}"))
        })
    }
}

/// A picture with its name, from the first part of the form that is called `image` or `file`.
pub(crate) struct Upload {
    pub(crate) bytes: Bytes,
    pub(crate) name: String,
}

impl Upload {
    /// Reads the form; stops as soon as the picture is larger than `limit` bytes.
    pub(crate) async fn read(request: Request, limit: usize) -> Result<Self, Problem> {
        let broken = |status: u16, why: String| Problem::new(status, format!("the form: {why}"));
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|rejection| Problem::new(415, format!("send the picture as multipart/form-data: {rejection}")))?;
        loop {
            let field = form.next_field().await.map_err(|error| broken(error.status().as_u16(), error.body_text()))?;
            let Some(mut field) = field else {
                return Err(Problem::new(422, "the form has no part called `image` or `file`"));
            };
            if !matches!(field.name(), Some("image" | "file")) {
                continue;
            }
            // Of a path that a browser may send, the last part.
            let name = field.file_name().unwrap_or("upload").rsplit(['/', '\\']).next().unwrap_or("upload");
            let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
            let mut bytes = BytesMut::new();
            while let Some(part) = field.chunk().await.map_err(|error| broken(error.status().as_u16(), error.body_text()))? {
                if bytes.len() + part.len() > limit {
                    return Err(Problem::new(413, format!("the picture has more than {limit} bytes")));
                }
                bytes.extend_from_slice(&part);
            }
            return Ok(Self { bytes: bytes.freeze(), name });
        }
    }
}

/// The id in the path; one that cannot be an id is 404: nothing has it.
pub(crate) fn id<T: std::str::FromStr>(Path(text): Path<String>) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Problem::new(404, format!("{error}")))
}

/// The `Idempotency-Key` header.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= LONGEST_KEY => Ok(Some(text.to_owned())),
        _ => Err(Problem::new(422, "Idempotency-Key: 1 to 200 printable ASCII characters")),
    }
}
