//! ingest.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use sightline_ingest::{Claim, IngestConfig, IngestLinks, Resolve, Trust, bears_key_of, worker_id};
use sightline_stage::health::Check;
use sightline_stage::secret::SealKey;
use sightline_stage::table::Entries;
use sightline_stage::{Shutdown, members};
use sightline_wire::{CameraSpec, Frame, IdentifyInput, SourceUrl};
use tokio::sync::watch;

use super::stages::FRAMES;
use super::{Part, Process};
use crate::args::StageName;
use crate::config::reference::{Environment, expand};
use crate::config::{Config, ConfigError};

/// Name of the table of desired cameras.
pub(super) const TABLE: &str = "cameras";

/// Name of the table of who opened which camera last.
const CLAIMS: &str = "epochs";

pub(super) fn start(process: &Arc<Process>) -> Result<Part> {
    let key = seal_key(process)?;
    let trust = trust(&process.config)?;
    let process = Arc::clone(process);
    let check = process.remote.is_some().then(|| process.health.check("secret_key"));
    Ok(Part::start(StageName::Ingest, Arc::new(|| 0), |stop| async move {
        let bus = process.services();
        let worker = worker_id(&process.worker, &key);
        let decode_threads = process.config.ingest.decode_threads;
        let links = IngestLinks {
            frames: process.arrow(FRAMES).outlet::<Frame>(),
            changes: process.services().outlet::<IdentifyInput>(),
            claims: bus.table::<Claim>(CLAIMS).await?,
            resolve: resolver(key.clone()),
        };
        let cameras = bus.table::<CameraSpec>(TABLE).await?.subscribe();
        let workers = members::join(bus, "ingest", &worker, stop.clone()).await?;
        if let Some(check) = check {
            tokio::spawn(watch_key(key, check, (cameras.clone(), workers.clone()), stop.clone()));
        }
        sightline_ingest::run(IngestConfig { worker, decode_threads, trust }, cameras, workers, links, stop).await;
        Ok(())
    }))
}

/// Says so when there are cameras whose passwords this worker cannot open.
async fn watch_key(
    key: SealKey,
    check: Check,
    (mut cameras, mut workers): (watch::Receiver<Entries<CameraSpec>>, watch::Receiver<Vec<String>>),
    stop: Shutdown,
) {
    let mut lost = Vec::new();
    loop {
        let closed = Closed::among(&cameras.borrow_and_update(), &key, &workers.borrow_and_update());
        check.set(closed.elsewhere == 0, closed.to_string());
        if !closed.lost.is_empty() && closed.lost != lost {
            tracing::warn!(
                cameras = closed.lost.join(", "),
                "no worker has the secret_key with which these cameras were sealed: set it again, or give their sources again"
            );
        }
        lost = closed.lost;
        tokio::select! {
            changed = cameras.changed() => if changed.is_err() { return },
            changed = workers.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

/// Cameras whose passwords this worker cannot open.
#[derive(Debug)]
struct Closed {
    /// How many another worker has the key of, and has while it lives: this worker is the odd one out, and not ready.
    elsewhere: usize,
    /// Those that nobody can open. They say so themselves, and are mended through a gateway, which is perhaps here: it stays ready.
    lost: Vec<String>,
}

impl Closed {
    fn among(cameras: &Entries<CameraSpec>, key: &SealKey, workers: &[String]) -> Self {
        let closed = cameras.iter().filter(|(_, spec)| key.open(spec.source.expose()).is_err());
        let has_key = |spec: &CameraSpec| workers.iter().any(|worker| bears_key_of(worker, &spec.source));
        let (elsewhere, lost): (Vec<_>, Vec<_>) = closed.partition(|(_, spec)| has_key(spec));
        Self { elsewhere: elsewhere.len(), lost: lost.into_iter().map(|(id, _)| id.clone()).collect() }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.elsewhere, self.lost.len()) {
            (0, 0) => f.write_str("opens what is sealed"),
            (0, lost) => {
                write!(f, "opens what any worker can open; {lost} cameras are sealed with a key that nobody has")
            }
            (elsewhere, _) => {
                write!(f, "{elsewhere} cameras are sealed with another key: set the same secret_key on every machine")
            }
        }
    }
}

/// The certificates of `ingest.trust`.
pub(crate) fn trust(config: &Config) -> Result<Trust, ConfigError> {
    let read = config.ingest.trust.as_deref().map(Trust::read).transpose();
    read.map(Option::unwrap_or_default).map_err(|reason| ConfigError::Unusable(format!("ingest.trust: {reason}")))
}

/// The key of `secret_key`, or of a file in `data_dir`.
pub(super) fn seal_key(process: &Process) -> Result<SealKey> {
    if let Some(secret) = &process.config.secret_key {
        return Ok(SealKey::from_base64(secret.expose())?);
    }
    let data_dir = &process.config.data_dir;
    std::fs::create_dir_all(data_dir).with_context(|| format!("data_dir: {}", data_dir.display()))?;
    Ok(SealKey::load_or_create(&data_dir.join("secret.key"))?)
}

/// Unseals a source, then replaces its references.
fn resolver(key: SealKey) -> Resolve {
    Arc::new(move |source: &SourceUrl| {
        let text = key.open(source.expose()).map_err(|error| error.to_string())?;
        expand(&text, &Environment)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use sightline_ingest::worker_id;
    use sightline_stage::Shutdown;
    use sightline_stage::health::Health;
    use sightline_stage::secret::SealKey;
    use sightline_stage::table::Entries;
    use sightline_wire::CameraSpec;
    use tokio::sync::watch;

    use super::watch_key;

    const SOURCE: &str = "rtsp://u:s3cret@10.0.0.2/a";

    fn entries(sources: &[(&str, String)]) -> Entries<CameraSpec> {
        let spec = |(id, source): &(&str, String)| {
            let spec = serde_json::from_value(serde_json::json!({"id": id, "source": source})).unwrap();
            ((*id).to_owned(), spec)
        };
        Arc::new(sources.iter().map(spec).collect::<BTreeMap<String, CameraSpec>>())
    }

    async fn becomes(health: &Health, ready: bool) {
        let settled = async {
            while health.is_ready() != ready {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), settled).await.unwrap_or_else(|_| panic!("never ready={ready}"));
    }

    #[tokio::test]
    async fn a_worker_is_unready_for_cameras_that_another_can_open_and_for_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str| SealKey::load_or_create(&folder.path().join(name)).unwrap();
        let (ours, theirs, lost) = (key("ours"), key("theirs"), key("lost"));
        let unnamed = lost.seal(SOURCE).rsplit_once('.').unwrap().0.to_owned();
        let nobodys = [("lobby", ours.seal(SOURCE)), ("roof", lost.seal(SOURCE)), ("yard", unnamed)];
        let (cameras, seen) = watch::channel(entries(&nobodys));
        let (workers, members) = watch::channel(vec![worker_id("w1", &ours)]);
        let (health, stop) = (Health::new(), Shutdown::new());
        let check = health.check("secret_key");
        let watching = tokio::spawn(watch_key(ours.clone(), check, (seen, members), stop.clone()));
        becomes(&health, true).await;
        let with_theirs: Vec<_> = nobodys.iter().cloned().chain([("door", theirs.seal(SOURCE))]).collect();
        cameras.send_replace(entries(&with_theirs));
        workers.send_replace(vec![worker_id("w1", &ours), worker_id("w2", &theirs)]);
        becomes(&health, false).await;
        // Nobody has it any more.
        workers.send_replace(vec![worker_id("w1", &ours)]);
        becomes(&health, true).await;
        stop.trigger();
        watching.await.unwrap();
    }
}
