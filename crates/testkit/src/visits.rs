//! The visits of a run, from its events, and whether two runs over the same recording have found the same ones.
//!
//! "The same" is more than the same number: a visit of the reference is found when the other run has one on the same camera,
//! at the same time (they overlap, give or take the pause between two sampled frames) and in the same place (the best faces of
//! the two lie no further apart than one face is wide). A visit is *nameable* when at least one picture of it was good enough for a vector. A
//! run with fewer frames must find the nameable visits as nameable ones. Of the others (tiny or blurred faces, which flicker
//! for parts of a second and are never named) the place of the best face says little, so there only the number counts.

use std::collections::BTreeMap;

use serde_json::Value;

/// A visit, as its newest event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    camera: String,
    /// Seconds since the first visit of the run began.
    first_s: f64,
    last_s: f64,
    bbox: [f64; 4],
    nameable: bool,
}

/// The visits in these events.
#[must_use]
pub fn visits(events: &[Value]) -> Vec<Visit> {
    let newest: BTreeMap<&str, &Value> = events
        .iter()
        .filter(|event| event["schema"] == "sightline.event/1")
        .filter_map(|event| Some((event["id"].as_str()?, event)))
        .collect();
    let Some(origin) = newest.values().filter_map(|event| event["first_seen"].as_str()).min() else {
        return Vec::new();
    };
    newest.values().filter_map(|event| visit(event, origin)).collect()
}

fn visit(event: &Value, origin: &str) -> Option<Visit> {
    let at = |key: &str| Some(ms_between(origin, event[key].as_str()?)? / 1000.0);
    let side = |index: usize| event["face"]["box"][index].as_f64();
    Some(Visit {
        camera: event["camera"].as_str()?.to_owned(),
        first_s: at("first_seen")?,
        last_s: at("last_seen")?,
        bbox: [side(0)?, side(1)?, side(2)?, side(3)?],
        nameable: event["outcome"] != "too_small",
    })
}

impl Visit {
    /// Same camera, time and place; times may be apart by `slack_s`.
    fn meets(&self, other: &Self, slack_s: f64) -> bool {
        self.camera == other.camera
            && self.first_s <= other.last_s + slack_s
            && other.first_s <= self.last_s + slack_s
            && self.distance(other) <= 1.0
    }

    /// Between the centres of the best faces, in widths of the wider one.
    fn distance(&self, other: &Self) -> f64 {
        let center = |[x1, y1, x2, y2]: [f64; 4]| (f64::midpoint(x1, x2), f64::midpoint(y1, y2));
        let width = |[x1, _, x2, _]: [f64; 4]| x2 - x1;
        let (a, b) = (center(self.bbox), center(other.bbox));
        (a.0 - b.0).hypot(a.1 - b.1) / width(self.bbox).max(width(other.bbox)).max(1.0)
    }
}

/// How far a run agrees with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Visits of the reference.
    pub reference: usize,
    /// Visits of the run.
    pub run: usize,
    /// Visits of the reference that are found in the run.
    pub found: usize,
    /// Nameable visits of the reference.
    pub nameable: usize,
    /// Those that are found as nameable visits of the run.
    pub nameable_found: usize,
}

impl Agreement {
    /// Of a run with a reference.
    #[must_use]
    pub fn of(run: &[Visit], reference: &[Visit], slack_s: f64) -> Self {
        let met = |visit: &&Visit, strict: bool| {
            run.iter().any(|other| (!strict || other.nameable) && visit.meets(other, slack_s))
        };
        Self {
            reference: reference.len(),
            run: run.len(),
            found: reference.iter().filter(|visit| met(visit, false)).count(),
            nameable: reference.iter().filter(|visit| visit.nameable).count(),
            nameable_found: reference.iter().filter(|visit| visit.nameable && met(visit, true)).count(),
        }
    }

    /// The smaller of two shares: visits in all, by number, and nameable visits, one by one.
    #[must_use]
    pub fn share(&self) -> f64 {
        let share = |part: usize, whole: usize| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        share(self.run, self.reference).min(share(self.nameable_found, self.nameable))
    }
}

/// Milliseconds from one RFC 3339 time in UTC to another, less than half a day apart.
#[must_use]
pub fn ms_between(from: &str, to: &str) -> Option<f64> {
    const HALF_A_DAY: f64 = 43_200_000.0;
    let ms = day_ms(to)? - day_ms(from)?;
    Some(if ms < -HALF_A_DAY {
        ms + 2.0 * HALF_A_DAY
    } else if ms > HALF_A_DAY {
        ms - 2.0 * HALF_A_DAY
    } else {
        ms
    })
}

/// Milliseconds since midnight of `2026-01-01T12:34:56.789Z`.
fn day_ms(text: &str) -> Option<f64> {
    let clock = text.split_once('T')?.1.strip_suffix('Z')?;
    let mut parts = clock.split(':');
    let (h, m, s): (f64, f64, f64) =
        (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(((h * 60.0 + m) * 60.0 + s) * 1000.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Agreement, ms_between, visits};

    /// A visit from second `from` to second `to`, its face 50 pixels wide.
    fn event(id: &str, (from, to): (u32, u32), x: f64, outcome: &str) -> Value {
        let at = |second: u32| format!("2026-01-01T10:00:{second:02}.500Z");
        json!({"schema": "sightline.event/1", "id": id, "camera": "a", "first_seen": at(from), "last_seen": at(to),
            "outcome": outcome, "face": {"box": [x, 100.0, x + 50.0, 160.0]}})
    }

    #[test]
    fn the_newest_event_of_a_visit_counts() {
        let camera = json!({"schema": "sightline.camera/1", "camera": "a", "state": "ended"});
        let found = visits(&[event("v", (5, 6), 10.0, "too_small"), camera, event("v", (5, 9), 10.0, "unknown")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].nameable && found[0].first_s == 0.0 && found[0].last_s == 4.0, "{found:?}");
    }

    #[test]
    fn time_place_and_quality_decide() {
        let reference = visits(&[
            event("1", (1, 5), 100.0, "unknown"),
            event("2", (10, 12), 300.0, "known"),
            event("3", (20, 21), 500.0, "too_small"),
        ]);
        let agree = |events: &[Value]| Agreement::of(&visits(events), &reference, 0.2);
        let same = agree(&[
            event("x", (1, 2), 130.0, "ambiguous"),
            event("y", (11, 12), 300.0, "unknown"),
            event("z", (20, 21), 500.0, "too_small"),
        ]);
        assert_eq!(same, Agreement { reference: 3, run: 3, found: 3, nameable: 2, nameable_found: 2 });
        assert_eq!(same.share(), 1.0);
        let other = agree(&[
            event("x", (1, 2), 151.0, "unknown"),
            event("y", (11, 12), 300.0, "too_small"),
            event("z", (25, 26), 500.0, "too_small"),
        ]);
        assert_eq!(other, Agreement { reference: 3, run: 3, found: 1, nameable: 2, nameable_found: 0 });
        assert_eq!(other.share(), 0.0);
        assert_eq!(Agreement::of(&[], &[], 0.2).share(), 1.0);
    }

    #[test]
    fn midnight_is_no_gap() {
        assert_eq!(ms_between("2026-01-01T23:59:59.900Z", "2026-01-02T00:00:00.100Z").map(f64::round), Some(200.0));
        assert_eq!(ms_between("2026-01-02T00:00:00.100Z", "2026-01-01T23:59:59.900Z").map(f64::round), Some(-200.0));
        assert_eq!(ms_between("2026-01-01", "2026-01-01"), None);
    }
}
