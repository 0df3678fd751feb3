//! Frames back in order: detectors finish when they finish.

use std::collections::BTreeMap;
use std::time::Duration;

use sightline_stage::Monotonic;
use sightline_wire::FrameFaces;

/// What became of a frame on arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Released, or kept until those before it have come.
    Taken,
    /// After the others had gone on without it, or of an epoch that is over.
    Late,
    /// It had been here before.
    Duplicate,
}

/// Frames to handle now, in order.
#[derive(Debug, Default)]
pub(crate) struct Released {
    /// The frames.
    pub(crate) frames: Vec<FrameFaces>,
    /// Frames that never came and are not waited for any more.
    pub(crate) lost: u64,
}

/// Everything that changes with the epoch.
#[derive(Debug)]
struct Epoch {
    number: u64,
    /// The watermark: all before it have been released or given up.
    next: u64,
    /// Bit `i`: frame `next - 1 - i` was released.
    released: u64,
    waiting: BTreeMap<u64, (Monotonic, FrameFaces)>,
}

/// The order of one camera's frames.
#[derive(Debug)]
pub(crate) struct Sequencer {
    window: usize,
    wait: Duration,
    epoch: Option<Epoch>,
}

impl Sequencer {
    /// At most `window` frames wait for a missing one, each at most `wait`.
    pub(crate) const fn new(window: usize, wait: Duration) -> Self {
        Self { window, wait, epoch: None }
    }

    /// A frame has come. Frames at or below the watermark, or of an older epoch, change nothing.
    pub(crate) fn offer(&mut self, frame: &FrameFaces, now: Monotonic) -> (Arrival, Released) {
        let mut released = Released::default();
        match &mut self.epoch {
            Some(current) if frame.frame.epoch < current.number => return (Arrival::Late, released),
            Some(current) if frame.frame.epoch == current.number => {}
            other => {
                if let Some(over) = other {
                    over.release_up_to(u64::MAX, &mut released);
                }
                *other = Some(Epoch::begin(frame, self.window));
            }
        }
        let Some(epoch) = &mut self.epoch else {
            return (Arrival::Late, released);
        };
        let arrival = epoch.take(frame, now, &mut released);
        while epoch.waiting.len() > self.window
            && let Some((&oldest, _)) = epoch.waiting.first_key_value()
        {
            epoch.release_up_to(oldest, &mut released);
        }
        (arrival, released)
    }

    /// Goes on without frames that have been waited for too long.
    pub(crate) fn expire(&mut self, now: Monotonic) -> Released {
        let mut released = Released::default();
        if let Some(epoch) = &mut self.epoch {
            let overdue = epoch.waiting.iter().rev().find(|(_, (came, _))| now.since(*came) >= self.wait);
            if let Some((&seq, _)) = overdue {
                epoch.release_up_to(seq, &mut released);
            }
        }
        released
    }

    /// Everything that waits, because nothing more will come.
    pub(crate) fn flush(&mut self) -> Released {
        let mut released = Released::default();
        if let Some(epoch) = &mut self.epoch {
            epoch.release_up_to(u64::MAX, &mut released);
        }
        released
    }
}

impl Epoch {
    /// An epoch begins with frame 0, unless its first frame to come is so far on that we must have joined in the
    /// middle.
    fn begin(first: &FrameFaces, window: usize) -> Self {
        let seq = first.frame.seq;
        let next = if seq <= window as u64 { 0 } else { seq };
        Self { number: first.frame.epoch, next, released: 0, waiting: BTreeMap::new() }
    }

    fn take(&mut self, frame: &FrameFaces, now: Monotonic, released: &mut Released) -> Arrival {
        let seq = frame.frame.seq;
        if seq < self.next {
            let back = self.next - 1 - seq;
            let known = back < 64 && self.released & (1 << back) != 0;
            return if known { Arrival::Duplicate } else { Arrival::Late };
        }
        if self.waiting.contains_key(&seq) {
            return Arrival::Duplicate;
        }
        self.waiting.insert(seq, (now, frame.clone()));
        self.release_in_line(released);
        Arrival::Taken
    }

    /// Releases the waiting frames up to `seq`, gives up those that are missing between them, and releases what is
    /// then in line.
    fn release_up_to(&mut self, seq: u64, released: &mut Released) {
        while let Some((&first, _)) = self.waiting.first_key_value()
            && first <= seq
        {
            released.lost = released.lost.saturating_add(first - self.next);
            self.skip(first - self.next);
            self.release_in_line(released);
        }
    }

    fn release_in_line(&mut self, released: &mut Released) {
        while let Some((_, frame)) = self.waiting.remove(&self.next) {
            released.frames.push(frame);
            self.skip(1);
            self.released |= 1;
        }
    }

    fn skip(&mut self, frames: u64) {
        self.next = self.next.saturating_add(frames);
        self.released = u32::try_from(frames).ok().and_then(|by| self.released.checked_shl(by)).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sightline_stage::Monotonic;

    use super::{Arrival, Released, Sequencer};
    use crate::synthetic::empty_frame;

    const WAIT: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(ms))
    }

    fn seqs(released: &Released) -> Vec<u64> {
        released.frames.iter().map(|f| f.frame.seq).collect()
    }

    #[test]
    fn in_order_frames_go_straight_through() {
        let mut order = Sequencer::new(8, WAIT);
        for seq in 0..20 {
            let (arrival, released) = order.offer(&empty_frame(1, seq), at(0));
            assert_eq!((arrival, seqs(&released), released.lost), (Arrival::Taken, vec![seq], 0));
        }
    }

    #[test]
    fn overtaken_frames_are_waited_for() {
        let mut order = Sequencer::new(8, WAIT);
        assert_eq!(seqs(&order.offer(&empty_frame(1, 1), at(0)).1), [0_u64; 0]);
        assert_eq!(order.offer(&empty_frame(1, 1), at(0)).0, Arrival::Duplicate);
        assert_eq!(seqs(&order.offer(&empty_frame(1, 0), at(0)).1), [0, 1]);
        assert_eq!(order.offer(&empty_frame(1, 0), at(0)).0, Arrival::Duplicate);
    }

    #[test]
    fn a_gap_is_given_up_after_the_window() {
        let mut order = Sequencer::new(2, WAIT);
        order.offer(&empty_frame(1, 0), at(0));
        assert_eq!(seqs(&order.offer(&empty_frame(1, 3), at(0)).1), [0_u64; 0]);
        assert_eq!(seqs(&order.offer(&empty_frame(1, 4), at(0)).1), [0_u64; 0]);
        let (_, released) = order.offer(&empty_frame(1, 5), at(0));
        assert_eq!((seqs(&released), released.lost), (vec![3, 4, 5], 2));
        let (arrival, released) = order.offer(&empty_frame(1, 2), at(0));
        assert_eq!((arrival, seqs(&released)), (Arrival::Late, vec![]));
        assert_eq!(order.offer(&empty_frame(1, 4), at(0)).0, Arrival::Duplicate);
    }

    #[test]
    fn a_gap_is_given_up_after_the_wait() {
        let mut order = Sequencer::new(8, WAIT);
        order.offer(&empty_frame(1, 0), at(0));
        order.offer(&empty_frame(1, 2), at(100));
        order.offer(&empty_frame(1, 4), at(900));
        assert_eq!(seqs(&order.expire(at(1000))), [0_u64; 0]);
        let released = order.expire(at(1100));
        assert_eq!((seqs(&released), released.lost), (vec![2], 1));
        let released = order.flush();
        assert_eq!((seqs(&released), released.lost), (vec![4], 1));
    }

    #[test]
    fn without_a_window_nothing_waits() {
        let mut order = Sequencer::new(0, WAIT);
        order.offer(&empty_frame(1, 5), at(0));
        let (_, released) = order.offer(&empty_frame(1, 8), at(0));
        assert_eq!((seqs(&released), released.lost), (vec![8], 2));
    }

    #[test]
    fn an_older_epoch_is_fenced_off() {
        let mut order = Sequencer::new(8, WAIT);
        order.offer(&empty_frame(7, 0), at(0));
        order.offer(&empty_frame(7, 2), at(0));
        let (_, released) = order.offer(&empty_frame(9, 0), at(0));
        assert_eq!((seqs(&released), released.lost), (vec![2, 0], 1));
        let (arrival, released) = order.offer(&empty_frame(7, 3), at(0));
        assert_eq!((arrival, seqs(&released)), (Arrival::Late, vec![]));
    }

    #[test]
    fn joining_in_the_middle_loses_nothing() {
        let mut order = Sequencer::new(8, WAIT);
        let (_, released) = order.offer(&empty_frame(1, 5000), at(0));
        assert_eq!((seqs(&released), released.lost), (vec![5000], 0));
        assert_eq!(order.offer(&empty_frame(1, u64::MAX), at(0)).0, Arrival::Taken);
        assert_eq!(order.flush().frames.len(), 1);
    }
}
