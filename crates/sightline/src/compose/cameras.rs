//! ingest.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use sightline_ingest::{Claim, IngestConfig, IngestLinks, Resolve};
use sightline_stage::members;
use sightline_stage::secret::SealKey;
use sightline_wire::{CameraSpec, Frame, IdentifyInput, SourceUrl};

use super::stages::FRAMES;
use super::{Part, Process};
use crate::args::StageName;
use crate::config::reference::{Environment, expand};

/// Name of the table of desired cameras.
pub(super) const TABLE: &str = "cameras";

/// Name of the table of who opened which camera last.
const CLAIMS: &str = "epochs";

pub(super) fn start(process: &Arc<Process>) -> Result<Part> {
    let resolve = resolver(seal_key(process)?);
    let process = Arc::clone(process);
    Ok(Part::start(StageName::Ingest, Arc::new(|| 0), |stop| async move {
        let bus = process.services();
        let config =
            IngestConfig { worker: process.worker.clone(), decode_threads: process.config.ingest.decode_threads };
        let links = IngestLinks {
            frames: process.arrow(FRAMES).outlet::<Frame>(),
            changes: process.services().outlet::<IdentifyInput>(),
            claims: bus.table::<Claim>(CLAIMS).await?,
            resolve,
        };
        let cameras = bus.table::<CameraSpec>(TABLE).await?.subscribe();
        let workers = members::join(bus, "ingest", &process.worker, stop.clone()).await?;
        sightline_ingest::run(config, cameras, workers, links, stop).await;
        Ok(())
    }))
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
