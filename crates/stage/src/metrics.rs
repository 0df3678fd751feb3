//! The metrics that every stage, queue and process shares, and their export. Names are in ARCHITECTURE.md's terms.

#![expect(clippy::disallowed_macros, reason = "this is the place where the crate's metrics are declared")]

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Buckets of durations in seconds: from a tenth of a millisecond to half a minute.
const SECONDS: [f64; 16] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Buckets of cosines and other values from 0 to 1.
const UNIT: [f64; 20] =
    [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0];

/// Buckets of small counts.
const COUNTS: [f64; 8] = [0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 16.0, 32.0];

/// Installs the exporter for this process; what it renders is served at `/metrics`.
///
/// # Errors
/// When an exporter is installed already.
pub fn install(version: &'static str) -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_score".into()), &UNIT)?
        .set_buckets_for_metric(Matcher::Suffix("_per_visit".into()), &COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_batch_size".into()), &COUNTS)?
        .install_recorder()?;
    gauge!("sightline_build_info", "version" => version).set(1.0);
    gauge!("sightline_worker_ready").set(0.0);
    Ok(handle)
}

/// 1 while the process is ready.
pub(crate) fn set_worker_ready(ready: bool) {
    gauge!("sightline_worker_ready").set(if ready { 1.0 } else { 0.0 });
}

/// What the runner counts for a stage.
#[derive(Clone)]
pub(crate) struct StageMetrics {
    pub(crate) ok: Counter,
    pub(crate) rejected: Counter,
    pub(crate) retried: Counter,
    pub(crate) redelivered: Counter,
    pub(crate) inflight: Gauge,
    pub(crate) batch_size: Histogram,
    pub(crate) duration: Histogram,
    pub(crate) publish_wait: Histogram,
    pub(crate) frame_age: Histogram,
}

impl StageMetrics {
    pub(crate) fn new(stage: &'static str) -> Self {
        let messages =
            |result: &'static str| counter!("sightline_stage_messages_total", "stage" => stage, "result" => result);
        // There from the start, so that the first one already shows as an increase.
        dead_letters(stage).increment(0);
        Self {
            ok: messages("ok"),
            rejected: messages("rejected"),
            retried: messages("retried"),
            redelivered: messages("redelivered"),
            inflight: gauge!("sightline_stage_inflight", "stage" => stage),
            batch_size: histogram!("sightline_stage_batch_size", "stage" => stage),
            duration: histogram!("sightline_stage_duration_seconds", "stage" => stage),
            publish_wait: histogram!("sightline_stage_publish_wait_seconds", "stage" => stage),
            frame_age: histogram!("sightline_frame_age_seconds", "stage" => stage),
        }
    }

    pub(crate) fn standby(stage: &'static str, standing_by: bool) {
        gauge!("sightline_stage_standby", "stage" => stage).set(if standing_by { 1.0 } else { 0.0 });
    }
}

/// Why a queue dropped a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// A newer one of the same camera took its place.
    Full,
    /// Older than the queue keeps.
    Stale,
    /// Larger than the broker takes.
    TooLarge,
}

pub(crate) fn queue_dropped(queue: &'static str, reason: DropReason) {
    let reason = match reason {
        DropReason::Full => "full",
        DropReason::Stale => "stale",
        DropReason::TooLarge => "too_large",
    };
    counter!("sightline_queue_dropped_total", "queue" => queue, "reason" => reason).increment(1);
}

pub(crate) fn dead_letter(consumer: &str) {
    dead_letters(consumer).increment(1);
}

fn dead_letters(consumer: &str) -> Counter {
    counter!("sightline_dead_letters_total", "stage" => consumer.to_owned())
}

pub(crate) fn bus_retry(queue: &'static str) {
    counter!("sightline_bus_publish_retries_total", "queue" => queue).increment(1);
}

/// Seconds of a duration, for histograms.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
