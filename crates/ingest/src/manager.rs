//! Which cameras this worker has: starts and stops them as the desired cameras and the live workers change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sightline_stage::Shutdown;
use sightline_stage::bus::Outlet;
use sightline_stage::members::owner_of;
use sightline_stage::secret::{SealKey, key_of};
use sightline_stage::table::{Entries, Table};
use sightline_wire::{CameraChange, CameraSpec, Frame, IdentifyInput, SourceUrl};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::camera::CameraThread;
use crate::epoch::{Claim, Epochs, is_fenced};
use crate::metrics::CameraMetrics;
use crate::queue::FrameQueue;
use crate::trust::Trust;

/// A thread that does not end by then hangs in a driver: it is left behind, its frames go nowhere.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Changes of state that may wait for the bus, for each camera.
const CHANGES: usize = 64;

/// Turns a source as it stands in the table into one that can be opened: unseals, replaces references. The error is shown to people.
pub type Resolve = Arc<dyn Fn(&SourceUrl) -> Result<String, String> + Send + Sync>;

/// Settings for all cameras.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Id of this worker among the ingest workers, from [`worker_id`].
    pub worker: String,
    /// Threads of each camera's decoder.
    pub decode_threads: u32,
    /// Certificates of cameras that are accepted beside those that the system trusts.
    pub trust: Trust,
}

/// What joins the cameras of a worker to everything else.
#[derive(Clone)]
pub struct IngestLinks {
    /// To detect.
    pub frames: Outlet<Frame>,
    /// To identify: what cameras are doing.
    pub changes: Outlet<IdentifyInput>,
    /// Who opened which camera last, shared by all workers.
    pub claims: Table<Claim>,
    /// Unseals sources and replaces their references.
    pub resolve: Resolve,
}

impl std::fmt::Debug for IngestLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IngestLinks")
    }
}

/// A camera at work.
struct Running {
    spec: CameraSpec,
    stop: Arc<AtomicBool>,
    frames: FrameQueue<Frame>,
    /// The newest that was claimed.
    epoch: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

/// Runs the cameras that this worker owns until the shutdown.
pub async fn run(
    config: IngestConfig,
    mut cameras: watch::Receiver<Entries<CameraSpec>>,
    mut workers: watch::Receiver<Vec<String>>,
    links: IngestLinks,
    shutdown: Shutdown,
) {
    let mut running = BTreeMap::<String, Running>::new();
    let epochs = Epochs::new(links.claims.clone(), &config.worker);
    let mut claims = links.claims.subscribe();
    loop {
        let wanted = owned(&config.worker, &cameras.borrow_and_update(), &workers.borrow_and_update());
        let unwanted = {
            let claims = claims.borrow_and_update();
            let fenced =
                |id: &str, one: &Running| is_fenced(&claims, id, &config.worker, one.epoch.load(Ordering::Relaxed));
            let unwanted = |(id, one): (&String, &Running)| wanted.get(id) != Some(&one.spec) || fenced(id, one);
            running.iter().filter(|entry| unwanted(*entry)).map(|(id, _)| id.clone()).collect::<Vec<String>>()
        };
        stop_all(unwanted.iter().filter_map(|id| running.remove(id)).collect()).await;
        for (id, spec) in wanted {
            running.entry(id).or_insert_with(|| start(spec, &config, &links, &epochs));
        }
        tokio::select! {
            changed = cameras.changed() => if changed.is_err() { break },
            changed = workers.changed() => if changed.is_err() { break },
            changed = claims.changed() => if changed.is_err() { break },
            () = shutdown.cancelled() => break,
        }
    }
    stop_all(running.into_values().collect()).await;
}

/// The id of an ingest worker. It ends with the fingerprint of its key, so that everybody knows whose cameras it can open.
#[must_use]
pub fn worker_id(process: &str, key: &SealKey) -> String {
    format!("{process}-{}", key.fingerprint())
}

fn owned(worker: &str, cameras: &Entries<CameraSpec>, workers: &[String]) -> BTreeMap<String, CameraSpec> {
    let mine = |(id, spec): &(&String, &CameraSpec)| {
        owner_of(id, &able(&spec.source, workers)).is_none_or(|owner| owner == worker)
    };
    cameras.iter().filter(mine).map(|(id, spec)| (id.clone(), spec.clone())).collect()
}

/// The workers that can open a source: those with the key that sealed it, if there are any; otherwise one of all says what is wrong.
fn able(source: &SourceUrl, workers: &[String]) -> Vec<String> {
    let able: Vec<String> = workers.iter().filter(|worker| bears_key_of(worker, source)).cloned().collect();
    if able.is_empty() { workers.to_vec() } else { able }
}

/// Whether the worker of this id has the key that sealed a source. Not of one that is not sealed, or does not name its key.
#[must_use]
pub fn bears_key_of(worker: &str, source: &SourceUrl) -> bool {
    let key = key_of(source.expose());
    worker.rsplit_once('-').is_some_and(|(_, own)| Some(own) == key)
}

fn start(spec: CameraSpec, config: &IngestConfig, links: &IngestLinks, epochs: &Epochs) -> Running {
    let stop = Arc::new(AtomicBool::new(false));
    let (frames, epoch) = (FrameQueue::new(), Arc::new(AtomicU64::new(u64::MAX)));
    let (changes, received) = mpsc::channel(CHANGES);
    let thread = CameraThread {
        spec: spec.clone(),
        config: config.clone(),
        resolve: Arc::clone(&links.resolve),
        frames: frames.clone(),
        changes,
        stop: Arc::clone(&stop),
        metrics: CameraMetrics::new(&spec.id),
        epochs: epochs.clone(),
        epoch: Arc::clone(&epoch),
    };
    let name = format!("camera-{}", spec.id);
    let queue = frames.clone();
    let spawned = std::thread::Builder::new().name(name).spawn(move || thread.run());
    if let Err(error) = spawned {
        tracing::error!(camera = %spec.id, %error, "no thread can be started for the camera");
        queue.close();
    }
    let task = tokio::spawn(deliver(frames.clone(), received, links.clone()));
    Running { spec, stop, frames, epoch, task }
}

/// From the camera's thread to the bus, until the thread has ended.
async fn deliver(frames: FrameQueue<Frame>, mut changes: mpsc::Receiver<CameraChange>, links: IngestLinks) {
    let sending_frames = async {
        while let Some(frame) = frames.pop().await {
            if let Err(error) = links.frames.publish(frame).await {
                tracing::warn!(%error, "a frame cannot be sent");
            }
        }
    };
    let sending_changes = async {
        while let Some(change) = changes.recv().await {
            if let Err(error) = links.changes.publish(IdentifyInput::Camera(change)).await {
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
    // One deadline for all: cameras that hang do so at the same time.
    let deadline = tokio::time::Instant::now() + STOP_WITHIN;
    for one in leaving {
        let (id, abort) = (one.spec.id, one.task.abort_handle());
        if tokio::time::timeout_at(deadline, one.task).await.is_err() {
            tracing::warn!(camera = %id, "the camera did not stop within {STOP_WITHIN:?} and is left behind");
            abort.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use sightline_stage::secret::SealKey;
    use sightline_wire::SourceUrl;

    use super::{able, worker_id};

    #[test]
    fn sealed_sources_go_to_workers_with_their_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str| SealKey::load_or_create(&folder.path().join(name)).unwrap();
        let (ours, theirs, lost) = (key("ours"), key("theirs"), key("lost"));
        let workers = [worker_id("w1", &ours), worker_id("w2", &theirs), worker_id("w3", &ours), "w4".to_owned()];
        let sealed = |key: &SealKey| SourceUrl::new(key.seal("rtsp://u:p@h/a"));
        assert_eq!(able(&sealed(&ours), &workers), [workers[0].clone(), workers[2].clone()]);
        assert_eq!(able(&sealed(&theirs), &workers), [workers[1].clone()]);
        // Nobody has it: one of them says so.
        assert_eq!(able(&sealed(&lost), &workers), workers);
        assert_eq!(able(&SourceUrl::new("rtsp://h/a"), &workers), workers);
    }
}
