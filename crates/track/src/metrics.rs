//! The tracker's metrics, one set for each camera.
#![expect(clippy::disallowed_macros, reason = "the one place of this crate where metrics are declared")]

use metrics::{Counter, Gauge, Histogram};
use sightline_vision::QualityReason;
use sightline_wire::CameraId;

/// Handles of one camera.
pub(crate) struct CameraMetrics {
    /// `sightline_track_active{camera}`: open visits.
    pub(crate) active: Gauge,
    /// `sightline_track_frames_total{camera,result="ok"}`: frames followed.
    pub(crate) frames_ok: Counter,
    /// `…{result="late"}`: came after the others had gone on, or from an epoch that is over.
    pub(crate) frames_late: Counter,
    /// `…{result="lost"}`: not come in time (counted as late too, should they come after all).
    pub(crate) frames_lost: Counter,
    /// `…{result="duplicate"}`: came twice.
    pub(crate) frames_duplicate: Counter,
    /// `sightline_track_visits_total{camera}`: visits begun.
    pub(crate) visits: Counter,
    /// `sightline_track_unconfirmed_total{camera}`: candidates that never became a visit.
    pub(crate) unconfirmed: Counter,
    /// `sightline_track_embeds_per_visit`: crops sent, at the end of each visit; one histogram for all cameras.
    pub(crate) embeds_per_visit: Histogram,
    /// `sightline_quality_rejected_total{camera,reason}` in the order of [`QualityReason::ALL`].
    rejected: [Counter; QualityReason::ALL.len()],
}

impl CameraMetrics {
    /// Handles with `camera` as their label.
    pub(crate) fn new(camera: &CameraId) -> Self {
        let label = || camera.as_str().to_owned();
        let frames = |result: &'static str| metrics::counter!("sightline_track_frames_total", "camera" => label(), "result" => result);
        Self {
            active: metrics::gauge!("sightline_track_active", "camera" => label()),
            frames_ok: frames("ok"),
            frames_late: frames("late"),
            frames_lost: frames("lost"),
            frames_duplicate: frames("duplicate"),
            visits: metrics::counter!("sightline_track_visits_total", "camera" => label()),
            unconfirmed: metrics::counter!("sightline_track_unconfirmed_total", "camera" => label()),
            embeds_per_visit: metrics::histogram!("sightline_track_embeds_per_visit"),
            rejected: QualityReason::ALL.map(|reason| {
                let reason = reason.as_str();
                metrics::counter!("sightline_quality_rejected_total", "camera" => label(), "reason" => reason)
            }),
        }
    }

    /// A face was not good enough.
    pub(crate) fn reject(&self, reason: QualityReason) {
        for (counter, _) in self.rejected.iter().zip(QualityReason::ALL).filter(|&(_, r)| r == reason) {
            counter.increment(1);
        }
    }
}

impl std::fmt::Debug for CameraMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CameraMetrics")
    }
}
