//! Best shots: which few pictures of a visit are worth a vector.
//!
//! The first good one goes at once. After that a picture goes when it is clearly better than all before it, or when
//! the last one is a while ago: another view of the head makes the fused vector better, but each further one helps
//! less, so the pauses double.

use sightline_vision::{Quality, QualityReason, Rect};
use sightline_wire::{CropPicture, Face, FrameFaces, FrameSize, Stamp};

use crate::config::TrackConfig;

/// So much better than the best so far is clearly better.
const CLEARLY_BETTER: f32 = 1.15;
/// Pause between two crops of a visit, nanoseconds.
const PAUSE_NS: i64 = 500_000_000;
/// After this long another view goes also if it is no better; doubles with every crop.
const FIRST_VIEW_PAUSE_NS: i64 = 1_000_000_000;
/// Another view with less than this share of the best quality would only blur the fused vector.
const VIEW_FLOOR: f32 = 0.6;

/// A picture that may be sent.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    pub(crate) stamp: Stamp,
    pub(crate) size: FrameSize,
    pub(crate) bbox: Rect,
    pub(crate) score: f32,
    pub(crate) quality: Quality,
    pub(crate) picture: CropPicture,
}

/// Why `face` may not be sent, if it may not.
pub(crate) fn flaw_of(face: &Face, config: &TrackConfig) -> Option<QualityReason> {
    let small = face.bbox.width().min(face.bbox.height()) < config.min_face;
    face.flaw.or(small.then_some(QualityReason::Small))
}

/// The pictures of one visit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shots {
    sent: u32,
    last_sent_ns: i64,
    best_sent: f32,
    /// The best since the last one went.
    waiting: Option<Shot>,
    flaws: [u32; QualityReason::ALL.len()],
}

impl Shots {
    /// Crops sent so far.
    pub(crate) const fn sent(&self) -> u32 {
        self.sent
    }

    /// A face that may not be sent.
    pub(crate) fn refuse(&mut self, flaw: QualityReason) {
        let index = QualityReason::ALL.iter().position(|&reason| reason == flaw);
        if let Some(count) = index.and_then(|index| self.flaws.get_mut(index)) {
            *count = count.saturating_add(1);
        }
    }

    /// What most faces were refused for, when nothing was sent.
    pub(crate) fn main_flaw(&self) -> Option<QualityReason> {
        let (reason, count) = QualityReason::ALL.into_iter().zip(self.flaws).rev().max_by_key(|&(_, count)| count)?;
        (self.sent == 0 && count > 0).then_some(reason)
    }

    /// A face that may be sent.
    pub(crate) fn consider(&mut self, face: &Face, frame: &FrameFaces, config: &TrackConfig) {
        let better = self.waiting.as_ref().is_none_or(|waiting| face.quality.score > waiting.quality.score);
        if better && self.sent < config.max_embeds {
            self.waiting = Some(Shot {
                stamp: frame.stamp,
                size: frame.size,
                bbox: face.bbox,
                score: face.score,
                quality: face.quality,
                picture: face.crop.clone(),
            });
        }
    }

    /// The picture that is due at `now_ns` of the frame clock; it counts as sent.
    pub(crate) fn due(&mut self, now_ns: i64, config: &TrackConfig) -> Option<Shot> {
        let quality = self.waiting.as_ref()?.quality.score;
        let pause = now_ns.saturating_sub(self.last_sent_ns);
        if let Some(every) = config.view_every {
            let due = self.sent == 0 || u128::from(pause.max(0).unsigned_abs()) >= every.as_nanos();
            return if due { self.send(now_ns) } else { None };
        }
        let view_pause = FIRST_VIEW_PAUSE_NS.saturating_mul(1 << self.sent.saturating_sub(1).min(30));
        let due = self.sent == 0
            || (pause >= PAUSE_NS && quality > self.best_sent * CLEARLY_BETTER)
            || (pause >= view_pause && quality >= self.best_sent * VIEW_FLOOR);
        if due { self.send(now_ns) } else { None }
    }

    /// At the end of the visit: a clearly better picture that was only held back by the pause.
    pub(crate) fn last(&mut self, now_ns: i64) -> Option<Shot> {
        let quality = self.waiting.as_ref()?.quality.score;
        if self.sent == 0 || quality > self.best_sent * CLEARLY_BETTER { self.send(now_ns) } else { None }
    }

    fn send(&mut self, now_ns: i64) -> Option<Shot> {
        let shot = self.waiting.take()?;
        self.sent += 1;
        self.last_sent_ns = now_ns;
        self.best_sent = self.best_sent.max(shot.quality.score);
        Some(shot)
    }
}

#[cfg(test)]
mod tests {
    use sightline_vision::QualityReason;

    use super::{Shots, flaw_of};
    use crate::config::TrackConfig;
    use crate::synthetic::{empty_frame, face_at};

    const FRAME_NS: i64 = 200_000_000;

    /// Frame numbers at which something was sent, for faces of these qualities at five frames a second.
    fn sent_at(qualities: &[f32], config: &TrackConfig) -> Vec<usize> {
        let mut shots = Shots::default();
        let mut sent = Vec::new();
        for (number, &quality) in qualities.iter().enumerate() {
            let mut face = face_at(100.0, 100.0, 60.0);
            face.quality.score = quality;
            shots.consider(&face, &empty_frame(1, number as u64), config);
            if shots.due(number as i64 * FRAME_NS, config).is_some() {
                sent.push(number);
            }
        }
        assert_eq!(shots.sent() as usize, sent.len());
        sent
    }

    #[test]
    fn the_first_goes_at_once_and_views_come_ever_rarer() {
        let sent = sent_at(&[0.8; 200], &TrackConfig::default());
        assert_eq!(sent, [0, 5, 15, 35, 75, 155]);
    }

    #[test]
    fn a_clear_improvement_goes_after_a_short_pause() {
        let sent = sent_at(&[0.3, 0.31, 0.9, 0.4, 0.4, 0.4], &TrackConfig::default());
        assert_eq!(sent, [0, 3], "the best of the pause, not the newest");
    }

    #[test]
    fn worse_views_and_more_than_the_limit_are_not_sent() {
        assert_eq!(sent_at(&[&[0.9][..], &[0.4; 60]].concat(), &TrackConfig::default()), [0]);
        let two = TrackConfig { max_embeds: 2, ..TrackConfig::default() };
        assert_eq!(sent_at(&[0.8; 200], &two), [0, 5]);
    }

    #[test]
    fn whoever_collects_gets_the_best_of_every_span() {
        let every = |seconds: f64| TrackConfig {
            view_every: Some(std::time::Duration::from_secs_f64(seconds)),
            max_embeds: 100,
            ..TrackConfig::default()
        };
        assert_eq!(sent_at(&[0.8; 22], &every(2.0)), [0, 10, 20]);
        assert_eq!(sent_at(&[&[0.9][..], &[0.4; 7]].concat(), &every(0.6)), [0, 3, 6], "however good");
        assert_eq!(sent_at(&[0.8; 3], &every(0.0)), [0, 1, 2]);
    }

    #[test]
    fn the_last_word_is_only_an_improvement() {
        let config = TrackConfig::default();
        let mut shots = Shots::default();
        let mut face = face_at(100.0, 100.0, 60.0);
        face.quality.score = 0.5;
        shots.consider(&face, &empty_frame(1, 0), &config);
        assert!(shots.due(0, &config).is_some());
        shots.consider(&face, &empty_frame(1, 1), &config);
        assert!(shots.clone().last(FRAME_NS).is_none());
        face.quality.score = 0.7;
        shots.consider(&face, &empty_frame(1, 2), &config);
        assert!(shots.due(2 * FRAME_NS, &config).is_none());
        assert_eq!(shots.last(2 * FRAME_NS).map(|shot| shot.quality.score), Some(0.7));
    }

    #[test]
    fn the_most_frequent_flaw_is_named_while_nothing_was_sent() {
        let config = TrackConfig::default();
        let mut face = face_at(100.0, 100.0, 30.0);
        assert_eq!(flaw_of(&face, &config), Some(QualityReason::Small));
        face.flaw = Some(QualityReason::Turned);
        assert_eq!(flaw_of(&face, &config), Some(QualityReason::Turned));
        let mut shots = Shots::default();
        assert_eq!(shots.main_flaw(), None);
        for flaw in [QualityReason::Turned, QualityReason::Blurred, QualityReason::Turned] {
            shots.refuse(flaw);
        }
        assert_eq!(shots.main_flaw(), Some(QualityReason::Turned));
        shots.consider(&face_at(100.0, 100.0, 60.0), &empty_frame(1, 0), &config);
        assert!(shots.due(0, &config).is_some());
        assert_eq!(shots.main_flaw(), None);
    }
}
