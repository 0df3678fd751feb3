//! ingest.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
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
    key_of(&process.config.data_dir)
}

/// The key of a data folder, made at the first start. It is written beside its place and takes it when all of it is on disk: a start that
/// breaks off leaves no half of a key, which nobody could start with, and nothing that had been sealed could be opened without.
fn key_of(data_dir: &Path) -> Result<SealKey> {
    let place = data_dir.join("secret.key");
    let make = || -> std::io::Result<()> {
        let beside = data_dir.join(format!("secret.key.{}", uuid::Uuid::now_v7().simple()));
        // Synced, and its owner's alone from the start.
        let made = SealKey::load_or_create(&beside).map_err(std::io::Error::other);
        // A link, since a rename would replace the key of another process of this machine that was faster.
        let placed = made.and_then(|_| std::fs::hard_link(&beside, &place));
        // What cannot be removed does no harm.
        drop(std::fs::remove_file(&beside));
        match placed {
            // Some file systems have no links: there a start that breaks off may leave half of one.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                SealKey::load_or_create(&place).map(drop).map_err(std::io::Error::other)
            }
            _ => File::open(data_dir)?.sync_all(),
        }
    };
    std::fs::create_dir_all(data_dir).with_context(|| format!("data_dir: {}", data_dir.display()))?;
    if !place.try_exists()? {
        make().with_context(|| format!("{} cannot be made", place.display()))?;
    }
    Ok(SealKey::load_or_create(&place)?)
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
    use std::os::unix::fs::PermissionsExt as _;

    use super::key_of;

    #[test]
    fn a_key_is_there_whole_or_not_at_all() {
        for _ in 0..300 {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("secret.key");
            let seen = std::thread::scope(|scope| {
                let looking = scope.spawn(|| {
                    loop {
                        if let Ok(text) = std::fs::read_to_string(&place) {
                            return text;
                        }
                    }
                });
                let makers = [(); 3].map(|()| scope.spawn(|| key_of(folder.path()).unwrap().seal("s3cret")));
                let sealed = makers.map(|maker| maker.join().unwrap());
                let key = key_of(folder.path()).unwrap();
                // All of them have the same one.
                assert!(sealed.iter().all(|sealed| key.open(sealed).unwrap() == "s3cret"));
                looking.join().unwrap()
            });
            assert_eq!(seen.len(), 45, "half of a key was there: {seen:?}");
            assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was left beside it");
        }
    }

    #[test]
    fn half_of_a_key_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret.key"), "").unwrap();
        assert!(key_of(folder.path()).unwrap_err().to_string().contains("32 bytes"));
        assert_eq!(std::fs::read_to_string(folder.path().join("secret.key")).unwrap(), "");
    }
}
