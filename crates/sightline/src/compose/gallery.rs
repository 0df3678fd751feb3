//! identify, and the services of its gallery.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use sightline_index::services::{self, Desk};
use sightline_index::{Identify, IdentifyConfig, Metrics, SharedGallery};
use sightline_stage::bus::Bus;
use sightline_stage::health::Check;
use sightline_stage::{RunnerConfig, Shutdown, run_stage};
use sightline_store::Store;
use sightline_wire::{CameraSpec, IdentifyInput, Utc};

use super::cameras::{TABLE, seal_key};
use super::stages::{owner_by_lease, waiting};
use super::{Part, Process};
use crate::args::StageName;

/// Inputs of one transaction: under load they share the cost of one sync.
const INPUTS_AT_ONCE: usize = 64;

pub(super) fn start(process: &Arc<Process>) -> Result<Part> {
    let visits = process.services().clone();
    let data_dir = &process.config.data_dir;
    std::fs::create_dir_all(data_dir).with_context(|| format!("data_dir: {}", data_dir.display()))?;
    let metrics = Arc::new(Metrics::register());
    let waiting = waiting::<IdentifyInput>(&visits);
    let process = Arc::clone(process);
    // Made here and not in the task, which may have its first turn only after everything counts as started.
    let check = Arc::new(process.health.check("gallery"));
    if process.services().is_nats() {
        check.set(true, "another may be the owner");
    }
    Ok(Part::start(StageName::Identify, waiting, |stop| {
        // Where services are reached over NATS there may be another owner, even if the inputs are this process's own.
        let arrow = process.services().clone();
        let shared = Arc::clone(&process);
        owner_by_lease(process, arrow, "identify", stop, move |stop, _owner| {
            own(Arc::clone(&shared), visits.clone(), Arc::clone(&metrics), (Arc::clone(&check), stop))
        })
    }))
}

/// As the one owner: opens the store, loads the gallery, serves, identifies.
async fn own(
    process: Arc<Process>,
    visits: Bus,
    metrics: Arc<Metrics>,
    (check, stop): (Arc<Check>, Shutdown),
) -> Result<()> {
    check.set(false, "starting");
    let clock: sightline_index::Clock = Arc::new(Utc::now);
    let (shared, counted, time) = (Arc::clone(&process), Arc::clone(&metrics), Arc::clone(&clock));
    let (store, gallery, identify) = tokio::task::spawn_blocking(move || open(&shared, counted, time)).await??;
    agree_on_the_gallery(&process, &store).await?;
    let desk = Desk {
        store,
        gallery: gallery.clone(),
        thresholds: process.resolved.thresholds,
        clock,
        metrics,
        cameras: process.services().table::<CameraSpec>(TABLE).await?,
        configured: process.config.cameras.clone(),
        key: seal_key(&process)?,
        camera_changes: tokio::sync::Mutex::default(),
        cameras_behind: tokio::sync::Notify::new(),
        gallery_changes: std::sync::Mutex::default(),
    };
    services::serve(process.services(), desk, stop.clone()).await?;
    let (count, generation) = { (gallery.read().len(), gallery.read().generation()) };
    check.set(true, format!("{count} templates, generation {generation}"));
    let inbox = visits.inbox::<IdentifyInput>("identify").await?;
    let runner = RunnerConfig { max_batch: INPUTS_AT_ONCE, patient: true, ..RunnerConfig::new("identify", 0) };
    Ok(run_stage(identify, inbox, (), runner, process.health.clone(), stop).await?)
}

/// The owners of a site take turns with one gallery. One that has another would make everybody unknown and remove the cameras.
async fn agree_on_the_gallery(process: &Process, store: &Store) -> Result<()> {
    let reader = store.clone();
    let ours = tokio::task::spawn_blocking(move || reader.gallery_id()).await??;
    let theirs = process.services().table::<u64>("gallery").await?.change("id", |known| known.unwrap_or(ours)).await?;
    ensure!(
        ours == theirs,
        "the gallery in data_dir {} is not the one that site \"{}\" has used so far: share one data_dir between all who run \
         identify, or give another `site`",
        process.config.data_dir.display(),
        process.config.site
    );
    Ok(())
}

fn open(
    process: &Process,
    metrics: Arc<Metrics>,
    clock: sightline_index::Clock,
) -> Result<(Store, SharedGallery, Identify)> {
    let resolved = &process.resolved;
    let store = Store::open(&process.config.data_dir.join("sightline.db"))?;
    store.claim()?;
    let embedder = resolved.store.identity(&resolved.embedder)?;
    let gallery = SharedGallery::load(&store, embedder.as_str(), resolved.dimension, Arc::clone(&metrics))?;
    let config = IdentifyConfig { thresholds: resolved.thresholds, min_face: process.config.identify.min_face };
    let identify = Identify::new(config, store.clone(), gallery.clone(), clock, metrics)?;
    Ok((store, gallery, identify))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use sightline_stage::bus::Bus;
    use sightline_stage::health::Health;

    use super::start;
    use crate::args::StageName;
    use crate::compose::Process;
    use crate::config::{Config, Resolved};

    /// The task has had no turn yet: on a busy machine that is so for a while.
    #[tokio::test]
    async fn a_process_is_not_ready_before_its_gallery_is() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let process = Process {
            resolved: Resolved::new(&config).unwrap(),
            config,
            stages: BTreeSet::from([StageName::Identify]),
            memory: Bus::memory(),
            remote: None,
            health: Health::new(),
            worker: "w1".to_owned(),
        };
        let process = Arc::new(process);
        let part = start(&process).unwrap();
        assert!(!process.health.is_ready());
        part.task.abort();
    }
}
