//! What the demo saw, as numbers: `summary.json` and the table at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::fleet::Usage;
use crate::prometheus::Sample;
use crate::visits::ms_between;

/// `target/demo/summary.json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    cameras: Vec<Camera>,
    people: Vec<Person>,
    unknowns: Vec<Unknown>,
    latency_ms: Latency,
    cpu_seconds: f64,
    wall_seconds: f64,
    peak_rss_mb: f64,
    /// Visit, camera, who: for the page, not part of the file.
    #[serde(skip)]
    pub(super) visits: Vec<Visit>,
}

#[derive(Debug, Default, Serialize)]
struct Camera {
    id: String,
    frames_in: u64,
    frames_analysed: u64,
    frames_dropped: BTreeMap<String, u64>,
    faces: u64,
    visits: usize,
}

#[derive(Debug, Serialize)]
struct Person {
    name: String,
    cameras: BTreeSet<String>,
    visits: usize,
    best_score: f64,
}

#[derive(Debug, Serialize)]
struct Unknown {
    id: String,
    cameras: BTreeSet<String>,
    visits: usize,
}

#[derive(Debug, Default, Serialize)]
struct Latency {
    p50: f64,
    p95: f64,
}

/// The last word about a visit.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) id: String,
    pub(super) camera: String,
    pub(super) outcome: String,
    pub(super) name: Option<String>,
    pub(super) unknown_id: Option<String>,
    pub(super) score: Option<f64>,
    pub(super) first_seen: String,
}

impl Summary {
    /// From the events, in the order of their `seq`.
    pub(super) fn new(cameras: &[&str], events: &[Value]) -> Self {
        let mut last = BTreeMap::new();
        let mut latencies_ms = Vec::new();
        for event in events.iter().filter(|event| event["schema"] == "sightline.event/1") {
            // What comes later waits on purpose: an end until nobody has been seen for a while, an update for a picture's turn.
            if let (true, Some(ms)) = (event["type"] == "new", latency_ms(event)) {
                latencies_ms.push(ms);
            }
            if let Some(visit) = visit(event) {
                last.insert(visit.id.clone(), visit);
            }
        }
        let visits: Vec<Visit> = last.into_values().collect();
        latencies_ms.sort_by(f64::total_cmp);
        let cameras = cameras.iter().map(|&id| Camera {
            id: id.into(),
            visits: visits.iter().filter(|visit| visit.camera == id).count(),
            ..Camera::default()
        });
        Self {
            cameras: cameras.collect(),
            people: people(&visits),
            unknowns: unknowns(&visits),
            latency_ms: Latency { p50: quantile(&latencies_ms, 0.5), p95: quantile(&latencies_ms, 0.95) },
            visits,
            ..Self::default()
        }
    }

    /// Adds the counters of one process.
    pub(super) fn add_metrics(&mut self, text: &str) {
        for line in text.lines() {
            let Some(sample) = Sample::parse(line) else { continue };
            let Some(camera) = self.cameras.iter_mut().find(|camera| camera.id == sample.label("camera")) else {
                continue;
            };
            let value = sample.count();
            let reason = match sample.label("reason") {
                "" => sample.label("result"),
                reason => reason,
            };
            match (sample.name.as_str(), reason) {
                ("sightline_ingest_decoded_frames_total", _) => camera.frames_in += value,
                ("sightline_track_frames_total", "ok") => camera.frames_analysed += value,
                ("sightline_ingest_frames_dropped_total", _) | ("sightline_track_frames_total", "late" | "lost") => {
                    *camera.frames_dropped.entry(reason.to_owned()).or_default() += value;
                }
                ("sightline_detector_faces_total", _) => camera.faces += value,
                _ => {}
            }
        }
    }

    /// Adds CPU and memory.
    pub(super) fn add_usage(&mut self, usage: Usage, wall: Duration) {
        self.cpu_seconds = usage.cpu_seconds;
        self.peak_rss_mb = usage.peak_rss_mb;
        self.wall_seconds = wall.as_secs_f64();
    }

    /// Writes the file.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }

    /// The cameras on which a person was named.
    pub(super) fn cameras_of(&self, name: &str) -> BTreeSet<&str> {
        let person = self.people.iter().find(|person| person.name == name);
        person.into_iter().flat_map(|person| person.cameras.iter().map(String::as_str)).collect()
    }

    /// Everybody who was named.
    pub(super) fn names(&self) -> Vec<&str> {
        self.people.iter().map(|person| person.name.as_str()).collect()
    }

    /// The cameras of each unknown.
    pub(super) fn unknown_cameras(&self) -> Vec<&BTreeSet<String>> {
        self.unknowns.iter().map(|unknown| &unknown.cameras).collect()
    }

    /// The sightings, for people.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: [&str; 4]| {
            // Writing into a String cannot fail.
            let _infallible = writeln!(text, "{:38} {:22} {:>7} {:>6}", cells[0], cells[1], cells[2], cells[3]);
        };
        line(["who", "cameras", "visits", "score"]);
        for person in &self.people {
            let cameras = Vec::from_iter(person.cameras.iter().map(String::as_str)).join(", ");
            line([&person.name, &cameras, &person.visits.to_string(), &format!("{:.2}", person.best_score)]);
        }
        for unknown in &self.unknowns {
            let cameras = Vec::from_iter(unknown.cameras.iter().map(String::as_str)).join(", ");
            line([&unknown.id, &cameras, &unknown.visits.to_string(), "-"]);
        }
        for camera in &self.cameras {
            // What the sampler leaves out is not lost: it was not asked for.
            let dropped: u64 =
                camera.frames_dropped.iter().filter(|(reason, _)| *reason != "rate").map(|(_, count)| count).sum();
            let _infallible = writeln!(
                text,
                "{}: {} frames in, {} analysed, {dropped} dropped, {} faces, {} visits",
                camera.id, camera.frames_in, camera.frames_analysed, camera.faces, camera.visits
            );
        }
        let _infallible = write!(
            text,
            "capture to a visit's first event: p50 {:.0} ms, p95 {:.0} ms; {:.1} CPU s in {:.1} s; peak memory {:.0} MB",
            self.latency_ms.p50, self.latency_ms.p95, self.cpu_seconds, self.wall_seconds, self.peak_rss_mb
        );
        text
    }
}

fn visit(event: &Value) -> Option<Visit> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Visit {
        id: text(&event["id"])?,
        camera: text(&event["camera"])?,
        outcome: text(&event["outcome"])?,
        name: text(&event["subject"]["name"]),
        unknown_id: text(&event["unknown_id"]),
        score: event["score"].as_f64(),
        first_seen: text(&event["first_seen"]).unwrap_or_default(),
    })
}

fn people(visits: &[Visit]) -> Vec<Person> {
    let mut people = BTreeMap::<&str, Person>::new();
    for visit in visits.iter().filter(|visit| visit.outcome == "known") {
        let Some(name) = &visit.name else { continue };
        let fresh = || Person { name: name.clone(), cameras: BTreeSet::new(), visits: 0, best_score: f64::MIN };
        let person = people.entry(name).or_insert_with(fresh);
        person.cameras.insert(visit.camera.clone());
        person.visits += 1;
        person.best_score = person.best_score.max(visit.score.unwrap_or(f64::MIN));
    }
    people.into_values().collect()
}

fn unknowns(visits: &[Visit]) -> Vec<Unknown> {
    let mut unknowns = BTreeMap::<&str, Unknown>::new();
    for visit in visits {
        let Some(id) = &visit.unknown_id else { continue };
        let fresh = || Unknown { id: id.clone(), cameras: BTreeSet::new(), visits: 0 };
        let unknown = unknowns.entry(id).or_insert_with(fresh);
        unknown.cameras.insert(visit.camera.clone());
        unknown.visits += 1;
    }
    unknowns.into_values().collect()
}

/// Milliseconds from capture to publication; both are RFC 3339 in UTC.
fn latency_ms(event: &Value) -> Option<f64> {
    ms_between(event["capture_ts"].as_str()?, event["publish_ts"].as_str()?)
}

/// The value below which the share `q` of the sorted values lies (nearest rank); 0 without values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank below the length")]
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::{Summary, quantile};
    use serde_json::json;

    #[test]
    fn the_last_word_about_a_visit_counts() {
        let event = |kind: &str, outcome: &str, name: Option<&str>| {
            json!({"schema": "sightline.event/1", "type": kind, "id": "v", "camera": "a", "outcome": outcome,
                "subject": name.map(|name| json!({"id": "1", "name": name})), "unknown_id": null, "score": 0.7,
                "capture_ts": "2026-01-01T23:59:59.900Z", "publish_ts": "2026-01-02T00:00:00.100Z", "first_seen": ""})
        };
        let mut late = event("end", "known", Some("Adam"));
        late["publish_ts"] = json!("2026-01-02T00:00:09.900Z");
        let events = [event("new", "ambiguous", None), late];
        let mut summary = Summary::new(&["a", "b"], &events);
        assert_eq!(summary.names(), ["Adam"]);
        assert!((summary.latency_ms.p50 - 200.0).abs() < 1e-6 && summary.latency_ms.p50 == summary.latency_ms.p95);
        assert_eq!((summary.cameras[0].visits, summary.cameras[1].visits), (1, 0));
        summary.add_metrics("sightline_detector_faces_total{camera=\"a\",model=\"m\"} 3");
        assert_eq!(summary.cameras[0].faces, 3);
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
