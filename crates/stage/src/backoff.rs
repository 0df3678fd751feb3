//! Waiting longer after each failure, with jitter, so that a hundred cameras do not come back in the same second.

use std::time::Duration;

/// Doubles from `initial` to `longest`; each wait is drawn between half and all of it ("equal jitter", Brooker,
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Debug)]
pub struct Backoff {
    initial: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// A backoff between two bounds; `longest` is raised to `initial` where it is smaller.
    #[must_use]
    pub fn new(initial: Duration, longest: Duration) -> Self {
        Self { initial, longest: longest.max(initial), failures: 0 }
    }

    /// How long to wait after one more failure.
    pub fn next_delay(&mut self) -> Duration {
        let full = self.initial.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + fastrand::f64() / 2.0).max(self.initial / 2)
    }

    /// After a success: the next failure waits `initial` again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn delays_grow_to_the_limit_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let delays: Vec<f64> = (0..40).map(|_| backoff.next_delay().as_secs_f64()).collect();
        for (i, delay) in delays.iter().enumerate() {
            let full = (1_u64 << i.min(20)).min(30) as f64;
            assert!((full / 2.0..=full).contains(delay), "{i}: {delay}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_secs(1));
    }
}
