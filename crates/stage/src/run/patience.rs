//! Waiting with a stage for what it needs.

use std::time::{Duration, Instant};

use super::TICK;
use crate::backoff::Backoff;
use crate::health::{Check, Heartbeat};
use crate::shutdown::Shutdown;
use crate::stage::Fault;

/// Waits with a stage for what it needs.
pub(super) struct Patience {
    check: Check,
    stop: Shutdown,
    backoff: Backoff,
    waiting: bool,
}

impl Patience {
    pub(super) fn new(check: Check, stop: &Shutdown) -> Self {
        check.set(true, "works");
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        Self { check, stop: stop.clone(), backoff, waiting: false }
    }

    /// Says what is wrong and waits; false when the process is to end.
    pub(super) fn wait(&mut self, stage: &'static str, fault: &Fault, heartbeat: &Heartbeat) -> bool {
        tracing::error!(stage, %fault, "the stage cannot work; its batch is tried again");
        self.check.set(false, fault.to_string());
        self.waiting = true;
        let until = Instant::now() + self.backoff.next_delay();
        while Instant::now() < until && !self.stop.is_cancelled() {
            heartbeat.beat();
            std::thread::sleep(TICK.min(until.saturating_duration_since(Instant::now())));
        }
        !self.stop.is_cancelled()
    }

    pub(super) fn over(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.check.set(true, "works");
            self.backoff.reset();
        }
    }
}
