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
use futures::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use sightline_wire::EventRecord;
use sightline_wire::service::{EventPage, Events, EventsAfter};
use tokio::time::Instant;

use crate::Gateway;
use crate::lookout::RETRY;
use crate::problem::Problem;

/// Longest wait for the first event of a page.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Events that a stream fetches at once.
const STREAM_PAGE: u32 = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
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
    wait_for_page(&gateway, asked.after, asked.limit, Duration::from_millis(asked.wait.into())).await.map(Json)
}

/// Events after a cursor; waits for the first one if asked to.
async fn wait_for_page(gateway: &Gateway, after: u64, limit: u32, wait: Duration) -> Result<EventPage, Problem> {
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    let mut news = None;
    loop {
        let page = fetch(gateway, after, limit).await?;
        if !page.events.is_empty() || gateway.stop.is_cancelled() || Instant::now() >= deadline {
            return Ok(page);
        }
        let Some(news) = &mut news else {
            // Joined first and fetched again after it, so that no event falls in between.
            news = Some(gateway.lookout.join(after, &page));
            continue;
        };
        tokio::select! {
            Ok(()) = news.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = gateway.stop.cancelled() => {}
        }
    }
}

async fn fetch(gateway: &Gateway, after: u64, limit: u32) -> Result<EventPage, Problem> {
    let _turn = gateway.lookout.fetches.acquire().await;
    gateway.call::<Events>(EventsAfter { after, limit, wait_ms: 0 }).await
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
    let stop = cursor.gateway.stop.clone();
    let events = stream::unfold(cursor, |cursor| async move { Some(next(cursor).await) });
    Ok(Sse::new(events.take_until(async move { stop.cancelled().await })).keep_alive(KeepAlive::default()))
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
        match wait_for_page(&cursor.gateway, cursor.after, STREAM_PAGE, LONGEST_WAIT).await {
            Ok(page) => cursor.fetched = page.events.into(),
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}
