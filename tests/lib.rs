//! What the end-to-end tests share: a site of real processes, pictures taken from clips, waiting for events.

mod ledger;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sightline_testkit::fleet::{Fleet, FleetPlan};
use sightline_testkit::process::program;
use sightline_testkit::{NatsServer, RtspProcess};
use sightline_vision::{Subsampling, encode_rgb, to_rgb};
use tempfile::TempDir;

pub use ledger::{Ledger, Stored};

/// How long anything that must happen may take on a busy machine of two cores.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One process for each stage.
pub const ONE_OF_EACH: [&str; 5] = ["ingest", "detect", "track", "embed", "identify gateway"];

/// A test's place among those of its file; given up when dropped.
pub enum Turn {
    /// Nobody else.
    Alone(RwLockWriteGuard<'static, ()>),
    /// With one other.
    SideBySide(RwLockReadGuard<'static, ()>, MutexGuard<'static, ()>),
}

static PLACE: RwLock<()> = RwLock::new(());

/// One site at a time, for tests with a promise about time or memory.
pub fn alone() -> Turn {
    Turn::Alone(PLACE.write().unwrap_or_else(PoisonError::into_inner))
}

/// Two sites at a time: most of these tests wait for something most of their time.
pub fn side_by_side() -> Turn {
    static SEATS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];
    static COMING: AtomicUsize = AtomicUsize::new(0);
    let seat = &SEATS[COMING.fetch_add(1, Ordering::Relaxed) % SEATS.len()];
    let seat = seat.lock().unwrap_or_else(PoisonError::into_inner);
    Turn::SideBySide(PLACE.read().unwrap_or_else(PoisonError::into_inner), seat)
}

/// Running processes with everything they need; all of it goes when dropped.
pub struct Site {
    /// The processes.
    pub fleet: Fleet,
    /// The broker, for the layout over NATS.
    pub nats: Option<NatsServer>,
    /// Data, configuration and logs.
    pub folder: TempDir,
    events: Vec<Value>,
}

impl Site {
    /// Everything in one process, with further lines of configuration.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn one_process(configuration: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let plan = FleetPlan::one_process(&program("sightline")?, folder.path());
        let fleet = Fleet::start(FleetPlan { configuration: configuration.to_owned(), ..plan })?;
        Ok(Self { fleet, nats: None, folder, events: Vec::new() })
    }

    /// Separate processes, the last one with the gateway.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn over_nats(workers: &[&str], configuration: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let nats = NatsServer::start()?;
        let plan = FleetPlan::over_nats(&program("sightline")?, folder.path(), &nats.url(), workers);
        let fleet = Fleet::start(FleetPlan { configuration: configuration.to_owned(), ..plan })?;
        Ok(Self { fleet, nats: Some(nats), folder, events: Vec::new() })
    }

    /// Adds a camera, live at 5 frames a second.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn add_camera(&self, id: &str, source: &str) -> Result<()> {
        self.put_camera(&json!({"id": id, "source": source, "fps": 5}))
    }

    /// Adds a camera.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn put_camera(&self, spec: &Value) -> Result<()> {
        self.fleet.api("POST", "/api/v1/cameras", Some(spec)).map(|_| ())
    }

    /// A new person's id.
    ///
    /// # Errors
    /// When the server refuses the name.
    pub fn add_person(&self, name: &str) -> Result<String> {
        let person = self.fleet.api("POST", "/api/v1/people", Some(&json!({"name": name})))?;
        Ok(person["id"].as_str().context("a person without id")?.to_owned())
    }

    /// Enrolls a person from pictures, all of which must be accepted.
    ///
    /// # Errors
    /// When one is refused.
    pub fn enroll(&self, name: &str, pictures: &[Vec<u8>]) -> Result<String> {
        let person = self.add_person(name)?;
        for picture in pictures {
            let (status, text) = self.upload(&format!("/api/v1/people/{person}/faces"), picture)?;
            ensure!(status == 201, "{name}: {status}: {text}");
        }
        Ok(person)
    }

    /// Sends a picture; any status.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn upload(&self, path: &str, picture: &[u8]) -> Result<(u16, String)> {
        use ureq::unversioned::multipart::{Form, Part};
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let form = Form::new().part("image", Part::bytes(picture).file_name("picture"));
        let mut answer = agent.post(&format!("{}{path}", self.fleet.base_url())).send(form)?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    }

    /// All events so far, in order.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub fn events(&mut self) -> Result<&[Value]> {
        let after = self.events.last().and_then(|event| event["seq"].as_u64()).unwrap_or(0);
        let newer = self.fleet.events_after(after)?;
        self.events.extend(newer);
        Ok(&self.events)
    }

    /// Waits until the events so far are as wanted, and returns them.
    ///
    /// # Errors
    /// After [`PATIENCE`], with the last events.
    pub fn wait_for_events(&mut self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // While a gateway or broker is away there is no answer; the deadline bounds it.
            if self.events().is_ok() && wanted(&self.events) {
                return Ok(self.events.clone());
            }
            let seen: Vec<String> = self.events.iter().rev().take(12).map(brief).collect();
            ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}; the newest events: {seen:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sum of a counter or gauge over all series of all processes whose labels contain `labels`.
    ///
    /// # Errors
    /// When a process does not answer.
    pub fn metric(&self, name: &str, labels: &str) -> Result<f64> {
        let mut sum = 0.0;
        for worker in 0..self.fleet.len() {
            sum += metric_of(&self.fleet.metrics(worker)?, name, labels);
        }
        Ok(sum)
    }

    /// What `/readyz?verbose` of a process says.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn readiness(&self, worker: usize) -> Result<String> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Ok(agent.get(&format!("{}/readyz?verbose", self.fleet.url(worker))).call()?.body_mut().read_to_string()?)
    }

    /// The store's file, to look into once its owner has ended.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("data/sightline.db")
    }
}

/// Sum over the series of a text of Prometheus whose labels contain `labels`.
#[must_use]
pub fn metric_of(text: &str, name: &str, labels: &str) -> f64 {
    let series = text.lines().filter_map(|line| line.rsplit_once(' '));
    series
        .filter(|(series, _)| {
            let (own, rest) = series.split_once('{').unwrap_or((series, ""));
            own == name && rest.contains(labels)
        })
        .filter_map(|(_, value)| value.parse::<f64>().ok())
        .sum()
}

/// Waits until `found` says so.
///
/// # Errors
/// After `patience`.
pub fn wait_until(what: &str, patience: Duration, mut found: impl FnMut() -> bool) -> Result<Duration> {
    let started = Instant::now();
    while !found() {
        ensure!(started.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(started.elapsed())
}

/// An event in one line.
#[must_use]
pub fn brief(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
    let who = event["subject"]["name"].as_str().or(event["unknown_id"].as_str()).unwrap_or("-");
    format!(
        "{} {} {} {} {} {} {} {}",
        event["seq"],
        text("type"),
        text("camera"),
        text("outcome"),
        text("state"),
        who,
        event["score"],
        text("reason")
    )
}

/// Events about visits.
pub fn visits(events: &[Value]) -> impl Iterator<Item = &Value> {
    events.iter().filter(|event| event["schema"] == "sightline.event/1")
}

/// Events about a camera, `online` or `offline`.
#[must_use]
pub fn camera_events<'a>(events: &'a [Value], camera: &str) -> Vec<&'a str> {
    let of = |event: &&Value| event["schema"] == "sightline.camera/1" && event["camera"] == camera;
    events.iter().filter(of).filter_map(|event| event["type"].as_str()).collect()
}

/// Whether somebody was named on a camera.
#[must_use]
pub fn is_named(events: &[Value], camera: &str, name: &str) -> bool {
    visits(events).any(|e| e["camera"] == camera && e["outcome"] == "known" && e["subject"]["name"] == name)
}

/// The ids that unnamed visitors of a camera were given.
#[must_use]
pub fn unknown_ids(events: &[Value], camera: &str) -> std::collections::BTreeSet<String> {
    let on = visits(events).filter(|event| event["camera"] == camera);
    on.filter_map(|event| event["unknown_id"].as_str().map(str::to_owned)).collect()
}

/// Every visit has exactly one `new`, and, where it is over, exactly one `end`, which is its last.
///
/// # Panics
/// When it is not so.
pub fn assert_one_life_each(events: &[Value]) {
    let mut lives = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for event in visits(events) {
        if let (Some(id), Some(kind)) = (event["id"].as_str(), event["type"].as_str()) {
            lives.entry(id).or_default().push(kind);
        }
    }
    for (id, kinds) in lives {
        let ends = kinds.iter().filter(|kind| **kind == "end").count();
        let good = kinds[0] == "new"
            && kinds.iter().filter(|kind| **kind == "new").count() == 1
            && ends <= 1
            && (ends == 0 || kinds.last() == Some(&"end"));
        assert!(good, "visit {id}: {kinds:?}");
    }
    let seqs: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "the numbers of events have gaps: {seqs:?}");
}

/// JPEGs of the frames of a clip nearest to these seconds.
///
/// # Errors
/// When the clip cannot be decoded or ends before.
pub fn frames_of(clip: &Path, seconds: &[f64]) -> Result<Vec<Vec<u8>>> {
    let pictures = Arc::new(Mutex::new(Vec::new()));
    let (taken, wanted) = (Arc::clone(&pictures), seconds.to_vec());
    sightline_ingest::decode_file(clip, 1, move |planes, pts_ns| {
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        match wanted.get(taken.len()) {
            Some(second) if pts_ns as f64 / 1e9 >= *second => taken.push(planes),
            Some(_) => {}
            None => return false,
        }
        true
    })?;
    let pictures = std::mem::take(&mut *pictures.lock().unwrap_or_else(PoisonError::into_inner));
    ensure!(pictures.len() == seconds.len(), "{} ends too early", clip.display());
    pictures.iter().map(|planes| Ok(encode_rgb(&to_rgb(planes)?, 95, Subsampling::Full)?)).collect()
}

/// Cameras that show these clips of the cache.
///
/// # Errors
/// When the server cannot be started.
pub fn rtsp_cameras(cameras: &[(&str, &str)]) -> Result<RtspProcess> {
    let mounts = cameras.iter().map(|(camera, clip)| Ok((camera.to_string(), sightline_testkit::clip(clip)?)));
    RtspProcess::start(&mounts.collect::<Result<Vec<_>>>()?)
}
