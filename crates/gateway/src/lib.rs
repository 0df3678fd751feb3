//! The HTTP door: JSON API, server-sent events, problem details.
//!
//! Stateless: everything is asked of the services over the bus, so any number of gateways may run. Every error is a problem detail
//! (RFC 9457), and limits are checked before work is done.

pub mod api;
mod body;
mod cameras;
mod events;
mod lookout;
mod people;
mod problem;
mod recognize;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::middleware::map_request;
use axum::routing::{delete, get, post};
use sightline_stage::Shutdown;
use sightline_stage::service::ServiceClient;
use sightline_wire::service::{Call, Failure, FailureKind};
use tokio::sync::Semaphore;

use crate::lookout::Lookout;
use crate::problem::Problem;

/// Multipart boundaries and headers around a picture, bytes.
const MULTIPART_ROOM: usize = 64 * 1024;

/// What a client may ask for, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an uploaded picture; more is 413.
    pub image_bytes: usize,
    /// Pictures that are received or analysed at one time; more is 429. Bounds the memory for uploads.
    pub analyses: usize,
    /// For a body to arrive; slower is 408.
    pub receive: Duration,
    /// For a call that only reads or writes the store; longer is 504.
    pub call: Duration,
    /// For the analysis of a picture, waiting for its turn included; longer is 504.
    pub analysis: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            image_bytes: 20 * 1024 * 1024,
            analyses: 16,
            receive: Duration::from_secs(30),
            call: Duration::from_secs(10),
            analysis: Duration::from_secs(30),
        }
    }
}

/// What every handler has. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    services: ServiceClient,
    limits: Limits,
    analyses: Arc<Semaphore>,
    lookout: Lookout,
    stop: Shutdown,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway to these services.
    #[must_use]
    pub fn new(services: ServiceClient, limits: Limits) -> Self {
        let lookout = Lookout::new(services.clone());
        Self { services, limits, analyses: Arc::new(Semaphore::new(limits.analyses)), lookout, stop: Shutdown::new() }
    }

    /// The same, ending event streams and waits for events at this shutdown, so that their connections can close.
    #[must_use]
    pub fn until(mut self, shutdown: Shutdown) -> Self {
        self.stop = shutdown;
        self
    }

    /// Every route under `/api/v1`; anything else is a 404 problem, unless the router is merged into another.
    pub fn router(self) -> Router {
        let uploads = Router::new()
            .route("/api/v1/people/{id}/faces", post(people::enroll))
            .route("/api/v1/recognize", post(recognize::recognize))
            .layer(DefaultBodyLimit::max(self.largest_form()));
        Router::new()
            .route("/api/v1/people", get(people::list).post(people::create))
            .route("/api/v1/people/{id}", get(people::get).patch(people::rename).delete(people::remove))
            .route("/api/v1/people/{id}/if-empty", delete(people::remove_empty))
            .route("/api/v1/people/{id}/merge", post(people::merge))
            .route("/api/v1/events", get(events::page))
            .route("/api/v1/events/stream", get(events::stream))
            .route("/api/v1/cameras", get(cameras::list).post(cameras::create))
            .route("/api/v1/cameras/{id}", get(cameras::get).put(cameras::put).delete(cameras::remove))
            .layer(DefaultBodyLimit::max(body::LARGEST_JSON))
            .merge(uploads)
            .method_not_allowed_fallback(async || Problem::new(405, "this address does not take this method"))
            .fallback(async |uri: Uri| Problem::new(404, format!("there is nothing at {}", uri.path())))
            .layer(map_request(body::linger))
            .with_state(self)
    }

    /// Bytes of a form with the largest picture.
    fn largest_form(&self) -> usize {
        self.limits.image_bytes.saturating_add(MULTIPART_ROOM)
    }

    async fn call<C: Call>(&self, request: C::Request) -> Result<C::Reply, Problem> {
        Ok(self.services.call::<C>(&request, bytes::Bytes::new(), self.limits.call).await?)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            FailureKind::NotFound => 404,
            FailureKind::Conflict => 409,
            FailureKind::Invalid => 422,
            FailureKind::TooLarge => 413,
            FailureKind::Unavailable => 503,
            FailureKind::Timeout => 504,
            FailureKind::Internal => 500,
        };
        let problem = Self::new(status, failure.message);
        match failure.reason {
            Some(reason) => problem.with("reason", reason.as_str()),
            None => problem,
        }
    }
}
