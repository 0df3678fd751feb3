//! Time in records: UTC in nanoseconds, with the clock it was read from.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant in UTC, nanoseconds since 1970. Written as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Utc(i64);

impl Utc {
    /// From nanoseconds since 1970.
    #[must_use]
    pub const fn from_unix_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn unix_ns(self) -> i64 {
        self.0
    }

    /// The system's clock. For the edges (ingest, publishing); pure code is handed its time.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds from `earlier` to here; negative when this is the earlier one.
    #[must_use]
    pub const fn ns_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by `ns` nanoseconds.
    #[must_use]
    pub const fn plus_ns(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Reads RFC 3339; `None` for anything else, or a year outside what fits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ns = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        // The earliest instants are written with a millisecond that begins before them.
        let earliest = i128::from(i64::MIN);
        i64::try_from(if ns > earliest - 1_000_000 { ns.max(earliest) } else { ns }).ok().map(Self)
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(t) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0)) else {
            return f.write_str("1970-01-01T00:00:00.000Z");
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.millisecond()
        )
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("\"{text}\" is no RFC 3339 time")))
    }
}

/// Which clock a capture time was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSource {
    /// The camera's own, by RTCP sender reports.
    Rtcp,
    /// Ours at the first frame of the epoch, moved on by the stream's running time.
    Arrival,
    /// The start of the run plus the file's presentation time.
    File,
}

/// When a frame was captured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// UTC of the capture.
    pub capture: Utc,
    /// Where that comes from.
    pub clock: ClockSource,
    /// Presentation time in the stream, nanoseconds since the epoch's beginning; grows within an epoch.
    pub pts_ns: i64,
}

#[cfg(test)]
mod tests {
    use super::Utc;

    #[test]
    fn rfc3339_round_trip_keeps_milliseconds() {
        let t = Utc::from_unix_ns(1_764_000_000_123_000_000);
        assert_eq!(t.to_string(), "2025-11-24T16:00:00.123Z");
        assert_eq!(Utc::parse(&t.to_string()), Some(t));
        assert_eq!(Utc::parse("yesterday"), None);
    }

    #[test]
    fn the_ends_of_time_are_read_as_written() {
        for t in [i64::MIN, i64::MIN + 1, -1, i64::MAX].map(Utc::from_unix_ns) {
            let read = Utc::parse(&t.to_string()).unwrap();
            assert_eq!(read.to_string(), t.to_string());
            assert!((0..1_000_000).contains(&t.ns_since(read)), "{t}");
        }
        assert_eq!(Utc::parse("1677-09-21T00:12:43.144Z"), None);
        assert_eq!(Utc::parse("2262-04-11T23:47:16.855Z"), None);
    }
}
