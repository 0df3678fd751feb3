//! Which frames are kept, by their presentation time alone. Pure.

/// A frame this much too early still counts as due: time stamps of real streams tremble by a few milliseconds.
const TREMBLE_NS: i64 = 5_000_000;

/// Time that jumps back further than this begins a new schedule; less is a frame out of order.
const JUMP_NS: i64 = 1_000_000_000;

/// Keeps `fps` frames a second. The schedule is absolute, so that it does not drift, and starts anew after a gap, so that no burst follows.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    interval_ns: i64,
    due_ns: Option<i64>,
}

impl Sampler {
    /// `fps` above 0.
    pub(crate) fn new(fps: f64) -> Self {
        Self { interval_ns: (1e9 / fps.max(0.001)) as i64, due_ns: None }
    }

    /// Whether the frame with this presentation time is kept.
    pub(crate) fn keep(&mut self, pts_ns: i64) -> bool {
        let due = match self.due_ns {
            Some(due) if pts_ns >= due - self.interval_ns - JUMP_NS => due,
            _ => pts_ns,
        };
        if pts_ns + TREMBLE_NS.min(self.interval_ns / 4) < due {
            self.due_ns = Some(due);
            return false;
        }
        let next = due + self.interval_ns;
        self.due_ns = Some(if next <= pts_ns { pts_ns + self.interval_ns } else { next });
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Sampler;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn five_of_twenty_five() {
        let mut sampler = Sampler::new(5.0);
        let kept: Vec<i64> = (0..50).filter(|i| sampler.keep(i * SECOND / 25)).collect();
        assert_eq!(kept, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]);
    }

    #[test]
    fn a_gap_brings_no_burst_and_a_jump_back_no_silence() {
        let mut sampler = Sampler::new(5.0);
        assert!(sampler.keep(0));
        let after_gap: Vec<bool> = (0..10).map(|i| sampler.keep(60 * SECOND + i * SECOND / 25)).collect();
        assert_eq!(after_gap, [true, false, false, false, false, true, false, false, false, false]);
        assert!(sampler.keep(0));
        assert!(!sampler.keep(SECOND / 25));
    }

    proptest! {
        #[test]
        fn the_rate_holds(fps in 0.5f64..15.0, source_fps in 15.0f64..60.0, tremble in proptest::collection::vec(-3_000_000i64..3_000_000, 600)) {
            let mut sampler = Sampler::new(fps);
            let times = tremble.iter().enumerate().map(|(i, t)| (i as f64 * 1e9 / source_fps) as i64 + t);
            let kept = times.filter(|pts| sampler.keep(*pts)).count() as f64;
            let expected = 600.0 / source_fps * fps;
            prop_assert!((kept - expected).abs() <= 0.02 * expected + 2.0, "{} instead of {}", kept, expected);
        }

        #[test]
        fn any_times_are_taken(times in proptest::collection::vec(-1_000_000_000_000i64..1_000_000_000_000, 0..50)) {
            let mut sampler = Sampler::new(5.0);
            for pts in times {
                let _either = sampler.keep(pts);
            }
        }
    }
}
