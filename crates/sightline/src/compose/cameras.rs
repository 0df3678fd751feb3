//! ingest.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use sightline_ingest::{Claim, IngestConfig, IngestLinks, Resolve, Trust, worker_id};
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
        if process.remote.is_some() {
            tokio::spawn(watch_key(key, process.health.check("secret_key"), cameras.clone(), stop.clone()));
        }
        let workers = members::join(bus, "ingest", &worker, stop.clone()).await?;
        sightline_ingest::run(IngestConfig { worker, decode_threads, trust }, cameras, workers, links, stop).await;
        Ok(())
    }))
}

/// Says so when there are cameras whose passwords this worker cannot open. Other workers have them then, if they can.
async fn watch_key(key: SealKey, check: Check, mut cameras: watch::Receiver<Entries<CameraSpec>>, stop: Shutdown) {
    loop {
        let closed =
            cameras.borrow_and_update().values().filter(|spec| key.open(spec.source.expose()).is_err()).count();
        match closed {
            0 => check.set(true, "opens what is sealed"),
            _ => check.set(
                false,
                format!("{closed} cameras are sealed with another key: set the same secret_key on every machine"),
            ),
        }
        tokio::select! {
            changed = cameras.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
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
