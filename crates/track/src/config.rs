//! What can be set.

use std::time::Duration;

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("track.{key}: {rule}")]
pub struct ConfigError {
    key: &'static str,
    rule: &'static str,
}

/// Settings of the tracker.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackConfig {
    /// Most crops sent for one visit, at least 1.
    pub max_embeds: u32,
    /// After so long another crop of a visit goes, however good: for whoever collects pictures. None sends further ones only
    /// where they make the fused vector better.
    pub view_every: Option<Duration>,
    /// A visit ends when its face was not seen for so long, in the frames' own time.
    pub lost_after: Duration,
    /// Shorter side of the smallest face that is sent to be embedded, in source pixels (`identify.min_face`).
    pub min_face: f32,
    /// So many frames wait at most for one that is missing. 0 where frames cannot overtake each other (one detector
    /// in the same process): a gap then costs no waiting.
    pub reorder_frames: usize,
    /// A frame waits at most so long, in the process's time, for those before it.
    pub reorder_wait: Duration,
}

impl Default for TrackConfig {
    fn default() -> Self {
        Self {
            max_embeds: 6,
            view_every: None,
            lost_after: Duration::from_secs(2),
            min_face: 40.0,
            reorder_frames: 8,
            reorder_wait: Duration::from_secs(1),
        }
    }
}

impl TrackConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key and its rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        let bad = |key, rule| Err(ConfigError { key, rule });
        if !(1..=100).contains(&self.max_embeds) {
            return bad("max_embeds", "use 1 to 100");
        }
        if !(Duration::from_millis(200)..=Duration::from_secs(60)).contains(&self.lost_after) {
            return bad("lost_after", "use 200ms to 60s");
        }
        if !(0.0..=10_000.0).contains(&self.min_face) {
            return bad("min_face", "use 0 to 10000 pixels");
        }
        if self.reorder_frames > 64 {
            return bad("reorder_frames", "use at most 64: each holds the crops of a frame");
        }
        Ok(())
    }

    /// [`TrackConfig::lost_after`] in nanoseconds.
    pub(crate) fn lost_after_ns(&self) -> i64 {
        i64::try_from(self.lost_after.as_nanos()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::TrackConfig;

    #[test]
    fn values_that_cannot_work_are_named() {
        assert_eq!(TrackConfig::default().check(), Ok(()));
        let none = TrackConfig { max_embeds: 0, ..TrackConfig::default() };
        assert_eq!(none.check().unwrap_err().to_string(), "track.max_embeds: use 1 to 100");
        let never = TrackConfig { lost_after: Duration::ZERO, ..TrackConfig::default() };
        assert!(never.check().unwrap_err().to_string().contains("lost_after"));
        assert!(TrackConfig { min_face: f32::NAN, ..TrackConfig::default() }.check().is_err());
        assert!(TrackConfig { reorder_frames: 65, ..TrackConfig::default() }.check().is_err());
    }
}
