//! The calls that the owner of the gallery answers: people, search, events, cameras.
//!
//! What a call acknowledges is on disk. A change goes to the store first and then into the index that identify searches.

mod cameras;
mod people;

use std::sync::Arc;
use std::time::Duration;

use sightline_stage::Shutdown;
use sightline_stage::bus::{Bus, BusError};
use sightline_stage::secret::SealKey;
use sightline_stage::table::Table;
use sightline_store::{Store, StoreError};
use sightline_wire::CameraSpec;
use sightline_wire::service::{
    AddTemplate, Call, CreateCamera, CreatePerson, EventPage, Events, EventsAfter, Failure, FailureKind, FailureReason,
    GetCamera, GetPerson, ListCameras, ListPeople, Merge, PutCamera, RemoveCamera, RemoveEmptyPerson, RemovePerson,
    Rename, Search,
};
use tokio::sync::watch;

use crate::decision::Thresholds;
use crate::gallery::{GalleryError, SharedGallery};
use crate::identify::Clock;
use crate::metrics::Metrics;
use crate::mirror;

/// Most events, or people, of one page: about a megabyte, where a broker with `max_payload: 8MB` takes eight.
const LONGEST_PAGE: u32 = 1000;

/// Longest that a call for events waits for the first one; below the deadline of every caller.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// What the services work on. The same store and gallery as identify's.
pub struct Desk {
    /// The store.
    pub store: Store,
    /// The gallery.
    pub gallery: SharedGallery,
    /// In force.
    pub thresholds: Thresholds,
    /// The wall clock.
    pub clock: Clock,
    /// Counts rejected templates.
    pub metrics: Arc<Metrics>,
    /// Desired cameras, as ingest workers see them.
    pub cameras: Table<CameraSpec>,
    /// Cameras of the configuration: read-only here.
    pub configured: Vec<CameraSpec>,
    /// Seals the passwords of the others.
    pub key: SealKey,
    /// Held by whoever changes a camera.
    pub camera_changes: tokio::sync::Mutex<()>,
    /// Told whenever the table of desired cameras may have fallen behind the store.
    pub cameras_behind: tokio::sync::Notify,
    /// Held by whoever changes the gallery, so that the index follows in the order of the store.
    pub gallery_changes: std::sync::Mutex<()>,
}

impl Desk {
    fn changing_the_gallery(&self) -> std::sync::MutexGuard<'_, ()> {
        self.gallery_changes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Serves every call until the shutdown, after it has brought the table of desired cameras up to date.
///
/// # Errors
/// [`BusError`] when the broker refuses a subscription or the table; a store that cannot be read is a
/// [`BusError::Request`] as well.
pub async fn serve(bus: &Bus, desk: Desk, shutdown: Shutdown) -> Result<(), BusError> {
    let (sender, newest) = watch::channel(0);
    desk.store.on_new_events(move |seq| sender.send_modify(|newest| *newest = seq));
    if let Some(mirror) = bus.mirror().await? {
        tokio::spawn(mirror::follow(mirror, desk.store.clone(), newest.clone(), shutdown.clone()));
    }
    let desk = Arc::new(desk);
    cameras::publish_all(&desk).await?;
    tokio::spawn(cameras::catch_up(Arc::clone(&desk), shutdown.clone()));
    blocking::<ListPeople>(bus, &desk, &shutdown, people::list).await?;
    blocking::<GetPerson>(bus, &desk, &shutdown, people::get).await?;
    blocking::<CreatePerson>(bus, &desk, &shutdown, people::create).await?;
    blocking::<Rename>(bus, &desk, &shutdown, people::rename).await?;
    blocking::<Merge>(bus, &desk, &shutdown, people::merge).await?;
    blocking::<RemovePerson>(bus, &desk, &shutdown, people::remove).await?;
    blocking::<RemoveEmptyPerson>(bus, &desk, &shutdown, people::remove_empty).await?;
    blocking::<AddTemplate>(bus, &desk, &shutdown, people::enroll).await?;
    blocking::<Search>(bus, &desk, &shutdown, people::search).await?;
    blocking::<ListCameras>(bus, &desk, &shutdown, |desk, _| cameras::list(desk)).await?;
    blocking::<GetCamera>(bus, &desk, &shutdown, cameras::get).await?;
    let shared = Arc::clone(&desk);
    bus.serve::<CreateCamera, _, _>(move |spec, _| cameras::create(Arc::clone(&shared), spec), shutdown.clone())
        .await?;
    let shared = Arc::clone(&desk);
    bus.serve::<PutCamera, _, _>(move |spec, _| cameras::put(Arc::clone(&shared), spec), shutdown.clone()).await?;
    let shared = Arc::clone(&desk);
    bus.serve::<RemoveCamera, _, _>(move |key, _| cameras::remove(Arc::clone(&shared), key), shutdown.clone()).await?;
    bus.serve::<Events, _, _>(move |asked, _| events(Arc::clone(&desk), newest.clone(), asked), shutdown).await
}

/// Serves a call whose answer is a function that may wait for the disk.
async fn blocking<C: Call>(
    bus: &Bus,
    desk: &Arc<Desk>,
    shutdown: &Shutdown,
    answer: fn(&Desk, &C::Request) -> Result<C::Reply, Failure>,
) -> Result<(), BusError> {
    let desk = Arc::clone(desk);
    let handler = move |request: C::Request, _| {
        let desk = Arc::clone(&desk);
        on_disk(move || answer(&desk, &request))
    };
    bus.serve::<C, _, _>(handler, shutdown.clone()).await
}

async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let died = |_| Failure::new(FailureKind::Internal, "the call broke down; see the log");
    tokio::task::spawn_blocking(work).await.map_err(died)?
}

/// Events after a cursor; waits for the first one if asked to.
async fn events(desk: Arc<Desk>, mut newest: watch::Receiver<u64>, asked: EventsAfter) -> Result<EventPage, Failure> {
    let wait = Duration::from_millis(u64::from(asked.wait_ms)).min(LONGEST_WAIT);
    let deadline = tokio::time::Instant::now() + wait;
    let limit = asked.limit.clamp(1, LONGEST_PAGE);
    loop {
        newest.mark_unchanged();
        let store = desk.store.clone();
        let page = on_disk(move || {
            let events = store.events_after(asked.after, limit).map_err(|error| failure(&error))?;
            Ok(EventPage { events, newest: store.newest_seq().map_err(|error| failure(&error))? })
        })
        .await?;
        if !page.events.is_empty() || tokio::time::timeout_at(deadline, newest.changed()).await.is_err() {
            return Ok(page);
        }
    }
}

/// What a caller is told about a store's failure.
fn failure(error: &StoreError) -> Failure {
    let kind = match error {
        StoreError::NotFound { .. } => FailureKind::NotFound,
        StoreError::NameTaken { .. } | StoreError::OtherModel { .. } | StoreError::KeyReused { .. } => {
            FailureKind::Conflict
        }
        StoreError::Invalid(_) => FailureKind::Invalid,
        StoreError::Busy { .. } | StoreError::DiskFull { .. } | StoreError::Fenced { .. } => FailureKind::Unavailable,
        _ => FailureKind::Internal,
    };
    if matches!(kind, FailureKind::Internal | FailureKind::Unavailable) {
        tracing::error!(%error, "a call failed");
    }
    let reason = match error {
        StoreError::NameTaken { .. } => Some(FailureReason::NameTaken),
        StoreError::OtherModel { .. } => Some(FailureReason::OtherModel),
        StoreError::KeyReused { .. } => Some(FailureReason::KeyReused),
        _ => None,
    };
    Failure { reason, ..Failure::new(kind, error.to_string()) }
}

fn gallery_failure(error: &GalleryError) -> Failure {
    tracing::error!(%error, "the index failed");
    Failure::new(FailureKind::Internal, error.to_string())
}

#[cfg(test)]
mod tests;
