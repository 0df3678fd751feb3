//! `/livez`, `/readyz`, `/startupz` and `/metrics` of every process.
//!
//! Live: every compute thread has beaten lately; does not depend on the broker, because a restart would not bring it back.
//! Ready: every named check holds (model warm after one real inference, bus connected, index at its generation, …).
//! Started: the process was ready once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::bus::memory::lock;
use crate::metrics;

/// A compute thread that has not come round for so long hangs: the slowest batch takes about a second.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// The process's checks; cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    checks: Mutex<BTreeMap<String, (bool, String)>>,
    beats: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    began: Instant,
    started: AtomicBool,
    site: OnceLock<String>,
}

impl Default for Health {
    fn default() -> Self {
        let inner = Inner {
            checks: Mutex::default(),
            beats: Mutex::default(),
            began: Instant::now(),
            started: AtomicBool::new(false),
            site: OnceLock::new(),
        };
        Self(Arc::new(inner))
    }
}

/// One named check; not ready until [`Check::set`] says so.
#[derive(Clone)]
pub struct Check {
    name: String,
    health: Health,
}

impl Check {
    /// Whether it holds, and one line for people.
    pub fn set(&self, holds: bool, detail: impl Into<String>) {
        lock(&self.health.0.checks).insert(self.name.clone(), (holds, detail.into()));
        metrics::set_worker_ready(self.health.is_ready());
    }
}

/// A thread's sign of life; forgotten when dropped.
pub struct Heartbeat {
    name: String,
    last_ms: Arc<AtomicU64>,
    health: Health,
}

impl Heartbeat {
    /// "I am still coming round."
    pub fn beat(&self) {
        self.last_ms.store(self.health.now_ms(), Ordering::Relaxed);
    }

    /// "I wait for somebody else", until the next beat: a full queue or a broker that is away is no reason to restart this
    /// process.
    pub fn rest(&self) {
        self.last_ms.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        lock(&self.health.0.beats).remove(&self.name);
    }
}

impl Health {
    /// A health without checks: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of which site the process is, for those who ask `?verbose`.
    #[must_use]
    pub fn of_site(self, site: &str) -> Self {
        self.0.site.get_or_init(|| site.to_owned());
        self
    }

    /// Adds a check that does not hold yet.
    #[must_use]
    pub fn check(&self, name: &str) -> Check {
        let check = Check { name: name.to_owned(), health: self.clone() };
        check.set(false, "starting");
        check
    }

    /// Adds a thread that must beat.
    #[must_use]
    pub fn heartbeat(&self, name: &str) -> Heartbeat {
        let last_ms = Arc::new(AtomicU64::new(self.now_ms()));
        lock(&self.0.beats).insert(name.to_owned(), Arc::clone(&last_ms));
        Heartbeat { name: name.to_owned(), last_ms, health: self.clone() }
    }

    /// Every check holds.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let ready = lock(&self.0.checks).values().all(|(holds, _)| *holds);
        if ready {
            self.0.started.store(true, Ordering::Relaxed);
        }
        ready
    }

    /// Every thread beats.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.hanging().is_empty()
    }

    /// The process was ready once.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.is_ready() || self.0.started.load(Ordering::Relaxed)
    }

    fn hanging(&self) -> Vec<String> {
        self.hanging_at(self.now_ms())
    }

    fn hanging_at(&self, now: u64) -> Vec<String> {
        let limit = u64::try_from(HEARTBEAT_LIMIT.as_millis()).unwrap_or(u64::MAX);
        let late = |last: &AtomicU64| now.saturating_sub(last.load(Ordering::Relaxed)) > limit;
        lock(&self.0.beats).iter().filter(|(_, last)| late(last)).map(|(name, _)| name.clone()).collect()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn describe(&self) -> serde_json::Value {
        let checks: BTreeMap<String, serde_json::Value> = lock(&self.0.checks)
            .iter()
            .map(|(name, (holds, detail))| (name.clone(), serde_json::json!({"ok": holds, "detail": detail})))
            .collect();
        let (site, ready, live) = (self.0.site.get(), self.is_ready(), self.is_live());
        serde_json::json!({"site": site, "ready": ready, "live": live, "checks": checks, "hanging": self.hanging()})
    }
}

#[derive(Clone)]
struct RouterState {
    health: Health,
    exporter: PrometheusHandle,
}

/// The four endpoints, and `/healthz` for those who are used to it. `?verbose` lists the checks as JSON.
pub fn router(health: Health, exporter: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(async |State(s): State<RouterState>, q: RawQuery| s.answer(s.health.is_live(), &q)))
        .route("/readyz", get(async |State(s): State<RouterState>, q: RawQuery| s.answer(s.health.is_ready(), &q)))
        .route("/healthz", get(async |State(s): State<RouterState>, q: RawQuery| s.answer(s.health.is_ready(), &q)))
        .route("/startupz", get(async |State(s): State<RouterState>, q: RawQuery| s.answer(s.health.is_started(), &q)))
        .route("/metrics", get(render))
        .with_state(RouterState { health, exporter })
}

impl RouterState {
    fn answer(&self, good: bool, RawQuery(query): &RawQuery) -> Response {
        let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        if query.as_deref().is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose"))) {
            return (status, axum::Json(self.health.describe())).into_response();
        }
        let mut text = String::from(if good { "ok\n" } else { "" });
        if !good {
            for (name, (_, detail)) in lock(&self.health.0.checks).iter().filter(|(_, (holds, _))| !holds) {
                // Writing into a String cannot fail.
                let _infallible = writeln!(text, "{name}: {detail}");
            }
            for name in self.health.hanging() {
                let _infallible = writeln!(text, "{name}: has not moved for {HEARTBEAT_LIMIT:?}");
            }
        }
        (status, text).into_response()
    }
}

async fn render(State(state): State<RouterState>) -> Response {
    state.exporter.run_upkeep();
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, state.exporter.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn ready_when_every_check_holds() {
        let health = Health::new();
        let (model, bus) = (health.check("model"), health.check("bus"));
        model.set(true, "warm");
        assert!(!health.is_ready() && !health.is_started());
        bus.set(true, "connected");
        assert!(health.is_ready());
        bus.set(false, "gone");
        assert!(!health.is_ready() && health.is_started(), "started stays");
    }

    #[test]
    fn a_thread_hangs_when_it_does_not_beat_unless_it_waits_for_others() {
        let health = Health::new();
        let (busy, waiting) = (health.heartbeat("detect-0"), health.heartbeat("detect-1"));
        waiting.rest();
        let late = health.now_ms() + 60_000;
        assert_eq!(health.hanging_at(late), ["detect-0"]);
        assert!(health.is_live());
        waiting.beat();
        assert_eq!(health.hanging_at(late), ["detect-0", "detect-1"]);
        drop(busy);
    }

    #[test]
    fn the_site_is_told() {
        assert_eq!(Health::new().of_site("hall").describe()["site"], "hall");
        assert!(Health::new().describe()["site"].is_null());
    }

    #[test]
    fn a_dropped_heartbeat_does_not_hang() {
        let health = Health::new();
        let beat = health.heartbeat("detect-0");
        beat.beat();
        assert!(health.is_live());
        drop(beat);
        assert!(health.is_live() && health.hanging().is_empty());
    }
}
