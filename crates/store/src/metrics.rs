//! The store's metrics.
#![expect(clippy::disallowed_macros, reason = "the one place of this crate where metrics are declared")]

use std::time::Duration;

use metrics::{Histogram, Unit};

/// Typed handles.
pub(crate) struct Metrics {
    commit_seconds: Histogram,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub(crate) fn register() -> Self {
        const COMMIT: &str = "sightline_store_commit_seconds";
        metrics::describe_histogram!(COMMIT, Unit::Seconds, "Time of a write transaction, the sync to disk included.");
        Self { commit_seconds: metrics::histogram!(COMMIT) }
    }

    pub(crate) fn committed(&self, took: Duration) {
        self.commit_seconds.record(took);
    }
}
