//! What the camera tests share: cameras on the memory bus, with everything that comes out of them noted down.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod http;
pub(crate) mod media;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sightline_ingest::{IngestConfig, IngestLinks, Trust};
use sightline_stage::Shutdown;
use sightline_stage::bus::Bus;
use sightline_stage::table::Entries;
use sightline_testkit::RtspProcess;
use sightline_vision::Planes;
use sightline_wire::{
    CameraChange, CameraId, CameraSpec, CameraState, CaptureMode, Frame, FrameId, IdentifyInput, SourceUrl, Stamp,
    Transport, Utc,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longer than anything here takes on a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The stall that outage tests use.
pub(crate) const STALL: Duration = Duration::from_secs(2);

/// What is kept of a frame.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) id: FrameId,
    pub(crate) stamp: Stamp,
    pub(crate) size: (u32, u32),
    /// When it came out of the bus.
    pub(crate) arrived: Utc,
}

/// Everything that came out of the cameras.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    frames: Vec<Note>,
    pub(crate) changes: Vec<CameraChange>,
}

impl Log {
    pub(crate) fn frames(&self, camera: &str) -> Vec<Note> {
        self.frames.iter().filter(|note| note.id.camera.as_str() == camera).cloned().collect()
    }

    pub(crate) fn changes(&self, camera: &str) -> Vec<CameraChange> {
        self.changes.iter().filter(|change| change.camera.as_str() == camera).cloned().collect()
    }

    pub(crate) fn states(&self, camera: &str) -> Vec<CameraState> {
        self.changes(camera).iter().map(|change| change.state).collect()
    }

    pub(crate) fn count(&self, camera: &str) -> usize {
        self.frames.iter().filter(|note| note.id.camera.as_str() == camera).count()
    }

    /// Frames of the newest epoch.
    pub(crate) fn newest(&self, camera: &str) -> Vec<Note> {
        let epoch = self.epochs(camera).last().copied().unwrap_or_default();
        self.frames(camera).into_iter().filter(|note| note.id.epoch == epoch).collect()
    }

    /// The epochs that delivered frames, in the order in which they came.
    pub(crate) fn epochs(&self, camera: &str) -> Vec<u64> {
        let mut epochs: Vec<u64> = self.frames(camera).iter().map(|note| note.id.epoch).collect();
        epochs.dedup();
        epochs
    }

    /// The last change to this state.
    pub(crate) fn last(&self, camera: &str, state: CameraState) -> Option<CameraChange> {
        self.changes(camera).into_iter().rfind(|change| change.state == state)
    }

    /// How often a camera went from online to something else.
    pub(crate) fn outages(&self, camera: &str) -> usize {
        self.states(camera).windows(2).filter(|pair| pair[0] == CameraState::Online).count()
    }

    /// `offline` and `online` events, by the rule of identify's camera log: `connecting` changes nothing, every other state but `online` is
    /// offline, and only a difference is an event.
    pub(crate) fn events(&self, camera: &str) -> Vec<&'static str> {
        let mut offline = false;
        let mut events = Vec::new();
        for state in self.states(camera) {
            let now = match state {
                CameraState::Online => false,
                CameraState::Connecting => offline,
                _ => true,
            };
            if now != offline {
                events.push(if now { "offline" } else { "online" });
            }
            offline = now;
        }
        events
    }
}

/// Cameras at work.
pub(crate) struct Cameras {
    table: watch::Sender<Entries<CameraSpec>>,
    workers: watch::Sender<Vec<String>>,
    log: Arc<Mutex<Log>>,
    shutdown: Shutdown,
    /// Nothing more is coming: what is queued is still collected.
    finished: Shutdown,
    running: JoinHandle<()>,
    collecting: Vec<JoinHandle<()>>,
}

impl Cameras {
    /// Starts these cameras; everything they send is taken from the bus at once.
    pub(crate) async fn start(specs: &[CameraSpec]) -> Self {
        Self::launch(specs, Duration::ZERO, Trust::default()).await
    }

    /// The same; these certificates are accepted as well.
    pub(crate) async fn start_trusting(specs: &[CameraSpec], trust: Trust) -> Self {
        Self::launch(specs, Duration::ZERO, trust).await
    }

    /// The same; whoever takes frames needs this long for each.
    pub(crate) async fn start_with_pause(specs: &[CameraSpec], pause: Duration) -> Self {
        Self::launch(specs, pause, Trust::default()).await
    }

    async fn launch(specs: &[CameraSpec], pause: Duration, trust: Trust) -> Self {
        let bus = Bus::memory();
        let log = Arc::new(Mutex::new(Log::default()));
        let (shutdown, finished) = (Shutdown::new(), Shutdown::new());
        let collecting = vec![
            tokio::spawn(collect_frames(bus.clone(), Arc::clone(&log), finished.clone(), pause)),
            tokio::spawn(collect_changes(bus.clone(), Arc::clone(&log), finished.clone())),
        ];
        let (table, cameras) = watch::channel(entries(specs));
        let (workers, members) = watch::channel(vec!["one".to_owned()]);
        let config = IngestConfig { worker: "one".to_owned(), decode_threads: 1, trust };
        let links = IngestLinks {
            frames: bus.outlet::<Frame>(),
            changes: bus.outlet::<IdentifyInput>(),
            claims: bus.table("epochs").await.unwrap(),
            resolve: Arc::new(|source: &SourceUrl| Ok(source.expose().to_owned())),
        };
        let running = tokio::spawn(sightline_ingest::run(config, cameras, members, links, shutdown.clone()));
        Self { table, workers, log, shutdown, finished, running, collecting }
    }

    /// Puts these cameras in the place of all others.
    pub(crate) fn want(&self, specs: &[CameraSpec]) {
        self.table.send_replace(entries(specs));
    }

    /// The live workers; this one is `one`.
    pub(crate) fn workers(&self, workers: &[&str]) {
        self.workers.send_replace(workers.iter().map(|&worker| worker.to_owned()).collect());
    }

    /// What came so far.
    pub(crate) fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }

    /// Waits until what came fulfils `condition`; panics with the states when it does not within `patience`.
    pub(crate) async fn until(&self, what: &str, patience: Duration, condition: impl Fn(&Log) -> bool) -> Log {
        let deadline = Instant::now() + patience;
        loop {
            let log = self.log();
            if condition(&log) {
                return log;
            }
            if Instant::now() > deadline {
                let states =
                    |change: &CameraChange| format!("{} {}: {}\n", change.camera, change.state.as_str(), change.detail);
                let changes: String = log.changes.iter().map(states).collect();
                panic!("{what}: not within {patience:?}; {} frames\n{changes}", log.frames.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a camera has been said to be in `state`.
    pub(crate) async fn until_state(&self, camera: &str, state: CameraState) -> Log {
        self.until(state.as_str(), PATIENCE, |log| log.last(camera, state).is_some()).await
    }

    /// Waits for so many frames more than there are now.
    pub(crate) async fn until_more(&self, camera: &str, more: usize) -> Log {
        let wanted = self.log().count(camera) + more;
        self.until("more frames", PATIENCE, |log| log.count(camera) >= wanted).await
    }

    /// Stops all cameras, and returns how long that took, with everything that came.
    pub(crate) async fn stop(self) -> (Duration, Log) {
        let started = Instant::now();
        self.shutdown.trigger();
        tokio::time::timeout(PATIENCE, self.running).await.expect("the cameras do not stop").unwrap();
        let took = started.elapsed();
        self.finished.trigger();
        for task in self.collecting {
            tokio::time::timeout(PATIENCE, task).await.expect("frames are still coming").unwrap();
        }
        let log = self.log.lock().unwrap().clone();
        (took, log)
    }
}

async fn collect_frames(bus: Bus, log: Arc<Mutex<Log>>, finished: Shutdown, pause: Duration) {
    let mut inbox = bus.inbox::<Frame>("detect").await.unwrap();
    loop {
        let batch = inbox.pull(1, Duration::from_millis(100)).await.unwrap();
        if batch.is_empty() && finished.is_cancelled() {
            return;
        }
        for delivery in batch {
            let Frame { id, stamp, planes, .. } = delivery.item.clone();
            let size = (planes.width(), planes.height());
            log.lock().unwrap().frames.push(Note { id, stamp, size, arrived: Utc::now() });
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            delivery.done().await.unwrap();
        }
    }
}

async fn collect_changes(bus: Bus, log: Arc<Mutex<Log>>, finished: Shutdown) {
    let mut inbox = bus.inbox::<IdentifyInput>("identify").await.unwrap();
    loop {
        let batch = inbox.pull(16, Duration::from_millis(100)).await.unwrap();
        if batch.is_empty() && finished.is_cancelled() {
            return;
        }
        for delivery in batch {
            match delivery.item.clone() {
                IdentifyInput::Camera(change) => log.lock().unwrap().changes.push(change),
                other => panic!("{other:?}"),
            }
            delivery.done().await.unwrap();
        }
    }
}

fn entries(specs: &[CameraSpec]) -> Entries<CameraSpec> {
    Arc::new(specs.iter().map(|spec| (spec.id.as_str().to_owned(), spec.clone())).collect::<BTreeMap<_, _>>())
}

/// A live camera with the defaults of the configuration.
pub(crate) fn live(id: &str, source: impl Into<String>) -> CameraSpec {
    CameraSpec {
        id: CameraId::try_from(id.to_owned()).unwrap(),
        source: SourceUrl::new(source),
        fps: 5.0,
        mode: CaptureMode::Live,
        transport: Transport::Tcp,
        stall: Duration::from_secs(5),
    }
}

/// A recording of which every sampled frame counts.
pub(crate) fn complete(id: &str, file: &Path) -> CameraSpec {
    CameraSpec { mode: CaptureMode::Complete, ..live(id, file.to_str().unwrap()) }
}

/// A camera of which outages are noticed soon.
pub(crate) fn watched(id: &str, source: impl Into<String>) -> CameraSpec {
    CameraSpec { stall: STALL, ..live(id, source) }
}

/// An RTSP server with one camera for each of these names.
pub(crate) fn rtsp(cameras: &[&str]) -> RtspProcess {
    let clip = media::clip();
    let mounts: Vec<_> = cameras.iter().map(|&camera| (camera.to_owned(), clip.clone())).collect();
    RtspProcess::start(&mounts).unwrap()
}

/// Frames of one epoch: numbers without a gap from 0, times that rise.
pub(crate) fn assert_in_order(frames: &[Note]) {
    assert!(!frames.is_empty());
    for (expected, note) in frames.iter().enumerate() {
        assert_eq!(note.id.seq, expected as u64, "{}", note.id);
    }
    for pair in frames.windows(2) {
        assert!(pair[0].stamp.pts_ns < pair[1].stamp.pts_ns, "{:?}", pair);
    }
}

/// Frames a second by presentation time.
pub(crate) fn rate(frames: &[Note]) -> f64 {
    let (first, last) = (&frames[0].stamp, &frames[frames.len() - 1].stamp);
    (frames.len() - 1) as f64 * 1e9 / (last.pts_ns - first.pts_ns) as f64
}

/// Standard deviation of a picture's brightness.
pub(crate) fn spread(picture: &Planes) -> f64 {
    let (luma, stride) = picture.plane(0);
    let rows = luma.chunks(stride).map(|row| &row[..picture.width() as usize]);
    let values: Vec<f64> = rows.flatten().map(|value| f64::from(*value)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}
