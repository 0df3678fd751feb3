//! Which cameras this worker has: starts and stops them as the desired cameras and the live workers change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sightline_stage::Shutdown;
use sightline_stage::bus::Outlet;
use sightline_stage::members::owner_of;
use sightline_stage::table::Entries;
use sightline_wire::{CameraChange, CameraSpec, Frame, IdentifyInput, SourceUrl};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::camera::CameraThread;
use crate::metrics::CameraMetrics;
use crate::queue::FrameQueue;

/// A thread that does not end by then hangs in a driver: it is left behind, its frames go nowhere.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Changes of state that may wait for the bus, for each camera.
const CHANGES: usize = 64;

/// Turns a source as it stands in the table into one that can be opened: unseals, replaces references. The error is shown to people.
pub type Resolve = Arc<dyn Fn(&SourceUrl) -> Result<String, String> + Send + Sync>;

/// Settings for all cameras.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Id of this worker among the ingest workers.
    pub worker: String,
    /// Threads of each camera's decoder.
    pub decode_threads: u32,
}

/// Where a camera's messages go.
#[derive(Clone)]
pub struct IngestOutlets {
    /// To detect.
    pub frames: Outlet<Frame>,
    /// To identify: what cameras are doing.
    pub changes: Outlet<IdentifyInput>,
}

impl std::fmt::Debug for IngestOutlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IngestOutlets")
    }
}

/// A camera at work.
struct Running {
    spec: CameraSpec,
    stop: Arc<AtomicBool>,
    frames: FrameQueue<Frame>,
    task: JoinHandle<()>,
}

/// Runs the cameras that this worker owns until the shutdown.
pub async fn run(
    config: IngestConfig,
    mut cameras: watch::Receiver<Entries<CameraSpec>>,
    mut workers: watch::Receiver<Vec<String>>,
    (outlets, resolve): (IngestOutlets, Resolve),
    shutdown: Shutdown,
) {
    let mut running = BTreeMap::<String, Running>::new();
    let mut epochs = BTreeMap::<String, Arc<AtomicU64>>::new();
    loop {
        let wanted = owned(&config.worker, &cameras.borrow_and_update(), &workers.borrow_and_update());
        let unwanted = |(id, one): (&String, &Running)| (wanted.get(id) != Some(&one.spec)).then(|| id.clone());
        let leaving: Vec<String> = running.iter().filter_map(unwanted).collect();
        let leaving: Vec<Running> = leaving.iter().filter_map(|id| running.remove(id)).collect();
        stop_all(leaving).await;
        for (id, spec) in wanted {
            let epochs = Arc::clone(epochs.entry(id.clone()).or_default());
            running.entry(id).or_insert_with(|| start(spec, &config, &outlets, &resolve, epochs));
        }
        tokio::select! {
            changed = cameras.changed() => if changed.is_err() { break },
            changed = workers.changed() => if changed.is_err() { break },
            () = shutdown.cancelled() => break,
        }
    }
    stop_all(running.into_values().collect()).await;
}

fn owned(worker: &str, cameras: &Entries<CameraSpec>, workers: &[String]) -> BTreeMap<String, CameraSpec> {
    let mine = |id: &str| owner_of(id, workers).is_none_or(|owner| owner == worker);
    cameras.iter().filter(|(id, _)| mine(id)).map(|(id, spec)| (id.clone(), spec.clone())).collect()
}

fn start(
    spec: CameraSpec,
    config: &IngestConfig,
    outlets: &IngestOutlets,
    resolve: &Resolve,
    epochs: Arc<AtomicU64>,
) -> Running {
    let stop = Arc::new(AtomicBool::new(false));
    let frames = FrameQueue::new();
    let (changes, received) = mpsc::channel(CHANGES);
    let thread = CameraThread {
        spec: spec.clone(),
        config: config.clone(),
        resolve: Arc::clone(resolve),
        frames: frames.clone(),
        changes,
        stop: Arc::clone(&stop),
        metrics: CameraMetrics::new(&spec.id),
        epochs,
    };
    let name = format!("camera-{}", spec.id);
    let queue = frames.clone();
    let spawned = std::thread::Builder::new().name(name).spawn(move || thread.run());
    if let Err(error) = spawned {
        tracing::error!(camera = %spec.id, %error, "no thread can be started for the camera");
        queue.close();
    }
    let task = tokio::spawn(deliver(frames.clone(), received, outlets.clone()));
    Running { spec, stop, frames, task }
}

/// From the camera's thread to the bus, until the thread has ended.
async fn deliver(frames: FrameQueue<Frame>, mut changes: mpsc::Receiver<CameraChange>, outlets: IngestOutlets) {
    let sending_frames = async {
        while let Some(frame) = frames.pop().await {
            if let Err(error) = outlets.frames.publish(frame).await {
                tracing::warn!(%error, "a frame cannot be sent");
            }
        }
    };
    let sending_changes = async {
        while let Some(change) = changes.recv().await {
            if let Err(error) = outlets.changes.publish(IdentifyInput::Camera(change)).await {
                tracing::warn!(%error, "a change of a camera's state cannot be sent");
            }
        }
    };
    tokio::join!(sending_frames, sending_changes);
}

async fn stop_all(leaving: Vec<Running>) {
    for one in &leaving {
        one.stop.store(true, Ordering::Relaxed);
        // A decoder that waits for room must not.
        one.frames.close();
    }
    for one in leaving {
        let (id, abort) = (one.spec.id, one.task.abort_handle());
        if tokio::time::timeout(STOP_WITHIN, one.task).await.is_err() {
            tracing::warn!(camera = %id, "the camera did not stop within {STOP_WITHIN:?} and is left behind");
            abort.abort();
        }
    }
}
