//! One run of the product over the recording, from ready to the end of the last visit.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sightline_testkit::NatsServer;
use sightline_testkit::fleet::{Fleet, FleetPlan, Usage};
use sightline_testkit::prometheus::{Histogram, Metrics};
use sightline_testkit::threads::ThreadClock;
use sightline_testkit::visits::{Visit, visits};
use tempfile::TempDir;

use crate::options::Settings;
use crate::split::Split;

/// The processes over NATS.
const WORKERS: [&str; 5] = ["ingest", "detect", "track", "embed", "identify gateway"];

/// A run that takes longer hangs: MTCNN on every frame of a minute of video takes ten.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

/// After the recording has ended, for the queues to run dry and the last visits to end.
const SETTLE: Duration = Duration::from_secs(60);

/// The product is asked so rarely that answering costs it nothing worth counting.
const ASK_EVERY: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    OneProcess,
    Nats,
}

impl Layout {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OneProcess => "one process",
            Self::Nats => "over NATS",
        }
    }
}

/// What a run used and found.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// CPU until all were ready.
    pub(crate) start_up_s: f64,
    /// CPU from then to the end of the last visit.
    pub(crate) cpu_s: f64,
    pub(crate) peak_mb: f64,
    /// Each process with its CPU after it was ready, and its peak memory.
    pub(crate) processes: Vec<(String, Usage)>,
    pub(crate) split: Split,
    pub(crate) decoded: u64,
    pub(crate) frames: u64,
    pub(crate) faces: u64,
    pub(crate) crops: u64,
    pub(crate) visits: Vec<Visit>,
    /// Crops of one inference of the embedder.
    pub(crate) batches: Histogram,
    /// Ids of the models.
    pub(crate) models: (String, String),
}

impl Run {
    /// Plays the recording once.
    pub(crate) fn of(settings: &Settings, layout: Layout, fps: f64) -> Result<Self> {
        let site = Site::start(settings, layout)?;
        site.measure(settings, fps)
    }

    /// Analysed frames a second of CPU; `start_up` counts it in.
    pub(crate) fn frames_per_cpu_second(&self, start_up: bool) -> f64 {
        self.frames as f64 / (self.cpu_s + if start_up { self.start_up_s } else { 0.0 })
    }

    pub(crate) fn ms_per_frame(&self) -> f64 {
        1000.0 * self.cpu_s / self.frames as f64
    }

    pub(crate) fn embeds_per_visit(&self) -> f64 {
        self.crops as f64 / self.visits.len().max(1) as f64
    }
}

/// Running processes; all of it goes when dropped.
pub(crate) struct Site {
    pub(crate) fleet: Fleet,
    nats: Option<NatsServer>,
    _folder: TempDir,
}

impl Site {
    /// Returns when everything is ready.
    pub(crate) fn start(settings: &Settings, layout: Layout) -> Result<Self> {
        let folder = TempDir::new()?;
        let nats = (layout == Layout::Nats).then(NatsServer::start).transpose()?;
        let binary = env!("CARGO_BIN_EXE_sightline").as_ref();
        let plan = match &nats {
            Some(nats) => FleetPlan::over_nats(binary, folder.path(), &nats.url(), &WORKERS),
            None => FleetPlan::one_process(binary, folder.path()),
        };
        let fleet = Fleet::start(FleetPlan { configuration: settings.configuration(), ..plan })?;
        Ok(Self { fleet, nats, _folder: folder })
    }

    /// Adds a camera that shows the recording.
    pub(crate) fn add_camera(&self, settings: &Settings, id: &str, fps: f64, mode: &str) -> Result<()> {
        let camera = json!({"id": id, "source": settings.clip, "fps": fps, "mode": mode});
        self.fleet.api("POST", "/api/v1/cameras", Some(&camera)).map(|_| ())
    }

    /// What all processes count.
    pub(crate) fn metrics(&self) -> Result<Metrics> {
        let mut metrics = Metrics::default();
        for worker in 0..self.fleet.len() {
            metrics.add(&self.fleet.metrics(worker)?);
        }
        Ok(metrics)
    }

    /// Every process, the broker included, and what it has used.
    pub(crate) fn usage(&self) -> Result<Vec<(String, u32, Usage)>> {
        let broker = self.nats.as_ref().map(|nats| ("nats-server".to_owned(), nats.pid()));
        let processes = self.fleet.processes().into_iter().chain(broker);
        processes.map(|(name, id)| Ok((name, id, Usage::of(id)?))).collect()
    }

    fn measure(mut self, settings: &Settings, fps: f64) -> Result<Run> {
        let before = self.usage()?;
        let clock = ThreadClock::start(before.iter().map(|(_, id, _)| *id).collect());
        self.add_camera(settings, "bench", fps, "complete")?;
        let events = self.follow()?;
        let after = self.usage()?;
        let threads = clock.stop()?;
        let metrics = self.metrics()?;
        let sum = |all: &[(String, u32, Usage)]| all.iter().fold(Usage::default(), |sum, one| sum.plus(one.2));
        let (start, end) = (sum(&before), sum(&after));
        let cpu_s = end.cpu_seconds - start.cpu_seconds;
        let run = Run {
            start_up_s: start.cpu_seconds,
            cpu_s,
            peak_mb: end.peak_rss_mb,
            processes: after.into_iter().zip(before).map(|(after, before)| since(after, &before)).collect(),
            split: Split::of(&threads, cpu_s),
            decoded: metrics.count("sightline_ingest_decoded_frames_total", &[]),
            frames: metrics.count("sightline_track_frames_total", &[("result", "ok")]),
            faces: metrics.count("sightline_detector_faces_total", &[]),
            crops: metrics.count("sightline_embed_faces_total", &[("result", "ok")]),
            visits: visits(&events),
            batches: metrics.histogram("sightline_stage_batch_size", &[("stage", "embed")]),
            models: models(&events, settings)?,
        };
        self.fleet.stop()?;
        ensure!(run.frames > 0, "{} has no frames", settings.clip.display());
        Ok(run)
    }

    /// Collects events until the recording has ended and everything about it is said.
    fn follow(&mut self) -> Result<Vec<Value>> {
        let deadline = Instant::now() + PATIENCE;
        let mut ended: Option<Instant> = None;
        let mut events: Vec<Value> = Vec::new();
        loop {
            self.fleet.check_alive()?;
            let after = events.last().and_then(|event| event["seq"].as_u64()).unwrap_or(0);
            let fresh = self.fleet.events_after(after)?;
            let is_end = |event: &Value| event["schema"] == "sightline.camera/1" && event["state"] == "ended";
            if fresh.iter().any(is_end) {
                ended = Some(Instant::now());
            }
            events.extend(fresh);
            if let Some(ended) = ended {
                let (settled, progress) = settled(&self.metrics()?, &events);
                if settled {
                    return Ok(events);
                }
                ensure!(ended.elapsed() < SETTLE, "the recording has ended, but not everything about it: {progress}");
            }
            ensure!(Instant::now() < deadline, "the recording has not ended within {PATIENCE:?}");
            std::thread::sleep(ASK_EVERY);
        }
    }
}

/// Whether every kept frame went through the tracker and every visit has ended; and how far it is.
fn settled(metrics: &Metrics, events: &[Value]) -> (bool, String) {
    let kept = metrics.count("sightline_ingest_frames_total", &[]);
    let tracked = metrics.count("sightline_track_frames_total", &[("result", "ok")]);
    let lost = metrics.count("sightline_track_frames_total", &[("result", "lost")]);
    let begun = metrics.count("sightline_track_visits_total", &[]);
    let ended = events.iter().filter(|event| event["schema"] == "sightline.event/1" && event["type"] == "end").count();
    let active = metrics.count("sightline_track_active", &[]);
    let settled = kept == tracked + lost && begun == ended as u64 && active == 0;
    (settled, format!("{kept} frames kept, {tracked} tracked, {lost} lost; {begun} visits begun, {ended} ended"))
}

fn since(after: (String, u32, Usage), before: &(String, u32, Usage)) -> (String, Usage) {
    let (name, _, usage) = after;
    (name, Usage { cpu_seconds: usage.cpu_seconds - before.2.cpu_seconds, ..usage })
}

/// The models that the events name; they must be the ones that were asked for.
fn models(events: &[Value], settings: &Settings) -> Result<(String, String)> {
    let named = |key: &str| events.iter().rev().find_map(|event| event["model"][key].as_str()).map(str::to_owned);
    let detector = named("detector").context("no visit was found: there is nothing to measure")?;
    let embedder = named("embedder").unwrap_or_else(|| settings.embedder.clone());
    let is = |id: &str, model: &str| id.split('@').next() == Some(model);
    ensure!(
        is(&detector, &settings.detector) && is(&embedder, &settings.embedder),
        "{detector} and {embedder} were used instead of {} and {}",
        settings.detector,
        settings.embedder
    );
    Ok((detector, embedder))
}
