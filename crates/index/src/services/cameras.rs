//! Cameras: those of the configuration, which are read-only, and those that were added.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sightline_stage::Shutdown;
use sightline_stage::backoff::Backoff;
use sightline_stage::bus::BusError;
use sightline_stage::secret::{is_sealed, key_of};
use sightline_store::CameraStateRow;
use sightline_wire::service::{CameraKey, CameraStatus, Failure, FailureKind, Nothing};
use sightline_wire::{CameraId, CameraSpec, SourceUrl};

use super::{Desk, failure, on_disk};

/// Shown instead of a source that cannot be opened.
const SEALED: &str = "sealed with another secret_key";

/// Publishing all cameras again is given so long: what the broker never answers must not keep others from changing cameras.
const PUBLISH_WITHIN: Duration = Duration::from_secs(30);

/// Makes the table of desired cameras equal to configuration and store; what else stands in it is removed.
pub(super) async fn publish_all(desk: &Desk) -> Result<(), BusError> {
    let unreadable = |failure: Failure| BusError::Request { what: "reading the cameras", reason: failure.message };
    let store = desk.store.clone();
    let stored = on_disk(move || store.list_cameras().map_err(|error| failure(&error))).await.map_err(unreadable)?;
    let mut wanted: BTreeMap<String, CameraSpec> = BTreeMap::new();
    for spec in stored.iter().chain(&desk.configured) {
        wanted.insert(spec.id.to_string(), sealed(desk, spec));
    }
    let there = desk.cameras.all().await?;
    for id in there.keys().filter(|id| !wanted.contains_key(*id)) {
        desk.cameras.delete(id).await?;
    }
    for (id, spec) in &wanted {
        if there.get(id).is_none_or(|old| !same(desk, old, spec)) {
            desk.cameras.put(id, spec).await?;
        }
    }
    Ok(())
}

/// Until the shutdown: after a change that the table did not take, publishes everything until it does.
pub(super) async fn catch_up(desk: Arc<Desk>, stop: Shutdown) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = desk.cameras_behind.notified() => {}
        }
        loop {
            let publish = async {
                let _turn = desk.camera_changes.lock().await;
                publish_all(&desk).await
            };
            // Dropped at once when another owner may have taken over.
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = tokio::time::timeout(PUBLISH_WITHIN, publish) => outcome,
            };
            let silent = |_| Err(BusError::Request { what: "publishing the cameras", reason: "no answer".to_owned() });
            let Err(error) = outcome.unwrap_or_else(silent) else { break };
            tracing::warn!(%error, "the ingest workers do not know all cameras yet; publishing them again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.next_delay()) => {}
            }
        }
        backoff.reset();
        tracing::info!("the ingest workers know all cameras again");
    }
}

/// Sealing twice gives two texts, so what is sealed is compared open, and by the key that it names. What cannot be opened is compared as
/// it stands.
fn same(desk: &Desk, a: &CameraSpec, b: &CameraSpec) -> bool {
    let rest = CameraSpec { source: b.source.clone(), ..a.clone() };
    opened(desk, a) == opened(desk, b) && key_of(a.source.expose()) == key_of(b.source.expose()) && rest == *b
}

pub(super) fn list(desk: &Desk) -> Result<Vec<CameraStatus>, Failure> {
    let states = states(desk)?;
    let stored = desk.store.list_cameras().map_err(|error| failure(&error))?;
    let is_configured = |spec: &CameraSpec| desk.configured.iter().any(|other| other.id == spec.id);
    let stored = stored.into_iter().filter(|spec| !is_configured(spec)).map(|spec| (spec, false));
    let all = desk.configured.iter().cloned().map(|spec| (spec, true)).chain(stored);
    let mut all: Vec<CameraStatus> = all.map(|(spec, read_only)| status(desk, spec, read_only, &states)).collect();
    all.sort_by(|a, b| a.spec.id.as_str().cmp(b.spec.id.as_str()));
    Ok(all)
}

pub(super) fn get(desk: &Desk, key: &CameraKey) -> Result<CameraStatus, Failure> {
    list(desk)?.into_iter().find(|camera| camera.spec.id == key.id).ok_or_else(|| missing(&key.id))
}

/// Adds a camera that is not there yet.
pub(super) async fn create(desk: Arc<Desk>, spec: CameraSpec) -> Result<CameraStatus, Failure> {
    write(desk, spec, |desk, id| match get(desk, &CameraKey { id: id.clone() }) {
        Ok(_) => Err(Failure::new(
            FailureKind::Conflict,
            format!("there already is a camera \"{id}\": change that one, or remove it first"),
        )),
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(()),
        Err(failure) => Err(failure),
    })
    .await
}

/// Adds or changes a camera.
pub(super) async fn put(desk: Arc<Desk>, spec: CameraSpec) -> Result<CameraStatus, Failure> {
    write(desk, spec, refuse_configured).await
}

/// Stored first, then put where the ingest workers see it. One change at a time, so that what `may` has seen still holds.
async fn write(
    desk: Arc<Desk>,
    spec: CameraSpec,
    may: fn(&Desk, &CameraId) -> Result<(), Failure>,
) -> Result<CameraStatus, Failure> {
    let _turn = desk.camera_changes.lock().await;
    let id = spec.id.clone();
    let shared = Arc::clone(&desk);
    let spec = on_disk(move || {
        may(&shared, &spec.id)?;
        let spec = with_secret(&shared, spec)?;
        shared.store.put_camera(&spec).map_err(|error| failure(&error))?;
        Ok(spec)
    })
    .await?;
    desk.cameras.put(id.as_str(), &spec).await.map_err(|error| behind(&desk, &error))?;
    let shared = Arc::clone(&desk);
    on_disk(move || get(&shared, &CameraKey { id })).await
}

pub(super) async fn remove(desk: Arc<Desk>, key: CameraKey) -> Result<Nothing, Failure> {
    let _turn = desk.camera_changes.lock().await;
    let (shared, id) = (Arc::clone(&desk), key.id.clone());
    on_disk(move || {
        refuse_configured(&shared, &id)?;
        shared.store.remove_camera(&id).map_err(|error| failure(&error))
    })
    .await?;
    desk.cameras.delete(key.id.as_str()).await.map_err(|error| behind(&desk, &error))?;
    Ok(Nothing {})
}

fn refuse_configured(desk: &Desk, id: &CameraId) -> Result<(), Failure> {
    match desk.configured.iter().any(|spec| spec.id == *id) {
        false => Ok(()),
        true => Err(Failure::new(
            FailureKind::Conflict,
            format!("camera \"{id}\" is in the configuration file: change it there"),
        )),
    }
}

/// The camera with its password sealed. `***` stands for the password there was, as long as the rest of the address is the same:
/// sent to another host it would be given away.
fn with_secret(desk: &Desk, mut spec: CameraSpec) -> Result<CameraSpec, Failure> {
    let invalid = |why: &str| Failure::new(FailureKind::Invalid, why.to_owned());
    spec.check().map_err(|why| invalid(&why))?;
    if spec.source.expose().contains("${") {
        return Err(invalid(
            "source: `${...}` is for the configuration file only; give the password itself, it is stored sealed",
        ));
    }
    if spec.source.expose() == SEALED {
        return Err(invalid("source: it is sealed with another secret_key: give the source again"));
    }
    if spec.source.expose().contains("***") {
        let stored = desk.store.list_cameras().map_err(|error| failure(&error))?;
        let before = stored.iter().find(|other| other.id == spec.id).map(|other| opened(desk, other));
        match before.filter(|before| before.redacted() == spec.source.expose()) {
            Some(before) => spec.source = before,
            None => {
                return Err(invalid(
                    "source: the address has changed, so the password must be given again instead of ***",
                ));
            }
        }
    }
    Ok(sealed(desk, &spec))
}

/// With the source sealed, if there is a secret in it. A reference is none: it is replaced where the camera is opened. One that was sealed
/// before sealed texts named their key is sealed anew, so that the workers know who of them can open it.
fn sealed(desk: &Desk, spec: &CameraSpec) -> CameraSpec {
    let text = spec.source.expose();
    let has_secret = spec.source.redacted() != text && !text.contains("${");
    let plain = match (is_sealed(text), key_of(text)) {
        (false, _) => has_secret.then(|| text.to_owned()),
        (true, None) => desk.key.open(text).ok(),
        (true, Some(_)) => None,
    };
    let source = plain.map_or_else(|| spec.source.clone(), |plain| SourceUrl::new(desk.key.seal(&plain)));
    CameraSpec { source, ..spec.clone() }
}

/// The source as it was given. One sealed with another key stays sealed: it tells nobody anything.
fn opened(desk: &Desk, spec: &CameraSpec) -> SourceUrl {
    desk.key.open(spec.source.expose()).map_or_else(|_| spec.source.clone(), SourceUrl::new)
}

fn states(desk: &Desk) -> Result<BTreeMap<String, CameraStateRow>, Failure> {
    let states = desk.store.camera_states().map_err(|error| failure(&error))?;
    Ok(states.into_iter().map(|row| (row.camera.to_string(), row)).collect())
}

fn status(desk: &Desk, spec: CameraSpec, read_only: bool, states: &BTreeMap<String, CameraStateRow>) -> CameraStatus {
    let source = opened(desk, &spec);
    let shown = if is_sealed(source.expose()) { SEALED.to_owned() } else { source.redacted() };
    let row = states.get(spec.id.as_str());
    CameraStatus {
        spec: CameraSpec { source: SourceUrl::new(shown), ..spec },
        read_only,
        state: row.map(|row| row.state),
        detail: row.map(|row| row.detail.clone()),
    }
}

fn missing(id: &CameraId) -> Failure {
    Failure::new(FailureKind::NotFound, format!("camera \"{id}\" does not exist"))
}

/// The change is in the store and stays there; whoever keeps the table up to it is told.
fn behind(desk: &Desk, error: &BusError) -> Failure {
    desk.cameras_behind.notify_one();
    let message = format!("stored, but the ingest workers do not know it yet (they are told again and again): {error}");
    Failure::new(FailureKind::Unavailable, message)
}
