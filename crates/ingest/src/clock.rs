//! When a frame was captured, from what the stream says. Pure: the wall clock is handed in.

use sightline_wire::{ClockSource, Stamp, Utc};

/// From 1900, where NTP begins, to 1970, in seconds (RFC 5905, figure 4).
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// A camera's clock that is further off than this is not set: ours is used.
const PLAUSIBLE_NS: i64 = 24 * 3600 * 1_000_000_000;

/// Maps the times of one epoch.
#[derive(Clone, Debug)]
pub(crate) struct CaptureClock {
    source: Base,
}

#[derive(Clone, Debug)]
enum Base {
    /// Start of the run; presentation time is added.
    File(Utc),
    /// Wall clock and presentation time of the frame that took the least time to arrive.
    Arrival(Option<(Utc, i64)>),
}

impl CaptureClock {
    /// For a file that is opened at `start`.
    pub(crate) const fn file(start: Utc) -> Self {
        Self { source: Base::File(start) }
    }

    /// For a live source.
    pub(crate) const fn live() -> Self {
        Self { source: Base::Arrival(None) }
    }

    /// The stamp of a frame with presentation time `pts_ns`, that arrives at `now`; `ntp_ns` is the camera's own time since 1900, if it tells.
    pub(crate) fn stamp(&mut self, pts_ns: i64, ntp_ns: Option<u64>, now: Utc) -> Stamp {
        let (capture, clock) = match &mut self.source {
            Base::File(start) => (start.plus_ns(pts_ns), ClockSource::File),
            Base::Arrival(base) => match ntp_ns.and_then(from_ntp).filter(|t| now.ns_since(*t).abs() < PLAUSIBLE_NS) {
                Some(capture) => (capture, ClockSource::Rtcp),
                None => {
                    let (least, least_pts_ns) = *base.get_or_insert((now, pts_ns));
                    let mapped = least.plus_ns(pts_ns.saturating_sub(least_pts_ns));
                    // A viewer that joins gets a burst, whose first frames are old. No frame arrives before it was captured.
                    if mapped.ns_since(now) > 0 {
                        *base = Some((now, pts_ns));
                    }
                    (mapped.min(now), ClockSource::Arrival)
                }
            },
        };
        Stamp { capture, clock, pts_ns }
    }
}

fn from_ntp(ntp_ns: u64) -> Option<Utc> {
    let unix_ns = i64::try_from(ntp_ns).ok()?.checked_sub(NTP_TO_UNIX_S * 1_000_000_000)?;
    Some(Utc::from_unix_ns(unix_ns))
}

#[cfg(test)]
mod tests {
    use sightline_wire::{ClockSource, Utc};

    use super::{CaptureClock, NTP_TO_UNIX_S};

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_file_counts_from_its_start() {
        let mut clock = CaptureClock::file(Utc::from_unix_ns(100 * SECOND));
        let stamp = clock.stamp(3 * SECOND, None, Utc::from_unix_ns(500 * SECOND));
        assert_eq!((stamp.capture, stamp.clock), (Utc::from_unix_ns(103 * SECOND), ClockSource::File));
    }

    #[test]
    fn arrival_is_mapped_once() {
        let mut clock = CaptureClock::live();
        let first = clock.stamp(7 * SECOND, None, Utc::from_unix_ns(100 * SECOND));
        assert_eq!((first.capture, first.clock), (Utc::from_unix_ns(100 * SECOND), ClockSource::Arrival));
        // It arrives late, but was captured a second after the first.
        let second = clock.stamp(8 * SECOND, None, Utc::from_unix_ns(105 * SECOND));
        assert_eq!(second.capture, Utc::from_unix_ns(101 * SECOND));
    }

    #[test]
    fn no_frame_is_captured_after_it_arrives() {
        let mut clock = CaptureClock::live();
        let at = |tenths: i64| Utc::from_unix_ns(100 * SECOND + tenths * SECOND / 10);
        // Five frames of a second come in one burst, the others as they are captured.
        let captures: Vec<Utc> = [(0, 0), (2, 0), (4, 1), (6, 1), (8, 1), (10, 3), (12, 5), (14, 9)]
            .into_iter()
            .map(|(pts, now)| clock.stamp(pts * SECOND / 10, None, at(now)).capture)
            .collect();
        assert_eq!(captures, [0, 0, 1, 1, 1, 3, 5, 7].map(at));
    }

    #[test]
    fn the_cameras_clock_is_taken_when_it_can_be_right() {
        let now = Utc::from_unix_ns(1_700_000_000 * SECOND);
        let ntp = |unix_s: i64| u64::try_from((unix_s + NTP_TO_UNIX_S) * SECOND).ok();
        let mut clock = CaptureClock::live();
        let stamp = clock.stamp(0, ntp(1_699_999_999), now);
        assert_eq!((stamp.capture, stamp.clock), (Utc::from_unix_ns(1_699_999_999 * SECOND), ClockSource::Rtcp));
        assert_eq!(clock.stamp(0, ntp(1_000_000), now).clock, ClockSource::Arrival);
    }
}
