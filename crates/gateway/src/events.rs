//! `/api/v1/events`: a page after a cursor, or a stream of server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use bytes::Bytes;
use futures::stream::{self, Stream};
use serde::Deserialize;
use sightline_wire::EventRecord;
use sightline_wire::service::{EventPage, Events, EventsAfter};

use crate::problem::Problem;
use crate::{CALL_DEADLINE, Gateway};

/// Longest wait for the first event of a page, milliseconds.
const LONGEST_WAIT_MS: u32 = 20_000;

/// Events that a stream fetches at once.
const STREAM_PAGE: u32 = 200;

/// After a failure of the services a stream asks again so much later.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    after: u64,
    #[serde(default = "hundred")]
    limit: u32,
    /// Milliseconds.
    #[serde(default)]
    wait: u32,
}

const fn hundred() -> u32 {
    100
}

pub(crate) async fn page(
    State(gateway): State<Gateway>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<EventPage>, Problem> {
    let Query(asked) = asked.map_err(|rejection| Problem::new(422, rejection.body_text()))?;
    fetch(&gateway, asked.after, asked.limit, asked.wait.min(LONGEST_WAIT_MS)).await.map(Json)
}

async fn fetch(gateway: &Gateway, after: u64, limit: u32, wait_ms: u32) -> Result<EventPage, Problem> {
    let deadline = CALL_DEADLINE + Duration::from_millis(u64::from(wait_ms));
    Ok(gateway.services.call::<Events>(&EventsAfter { after, limit, wait_ms }, Bytes::new(), deadline).await?)
}

/// Where a stream stands.
struct Cursor {
    gateway: Gateway,
    after: u64,
    fetched: VecDeque<EventRecord>,
}

/// From `Last-Event-ID`, which a client sends when it comes back, else from `after`. Outages of the services are waited for.
pub(crate) async fn stream(
    State(gateway): State<Gateway>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Query(asked) = asked.map_err(|rejection| Problem::new(422, rejection.body_text()))?;
    let after = match headers.get("last-event-id") {
        None => asked.after,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Problem::new(422, "Last-Event-ID is the `seq` of an event"))?,
    };
    let cursor = Cursor { gateway, after, fetched: VecDeque::new() };
    Ok(Sse::new(stream::unfold(cursor, |cursor| async move { Some(next(cursor).await) })).keep_alive(KeepAlive::default()))
}

async fn next(mut cursor: Cursor) -> (Result<Event, Infallible>, Cursor) {
    loop {
        if let Some(record) = cursor.fetched.pop_front() {
            cursor.after = record.seq();
            match Event::default().id(record.seq().to_string()).json_data(&record) {
                Ok(event) => return (Ok(event), cursor),
                Err(error) => tracing::error!(%error, seq = record.seq(), "an event cannot be written"),
            }
            continue;
        }
        match fetch(&cursor.gateway, cursor.after, STREAM_PAGE, LONGEST_WAIT_MS).await {
            Ok(page) => cursor.fetched = page.events.into(),
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}
