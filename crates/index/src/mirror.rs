//! Brings the broker's copy of the event log up to the store's, for as long as this process owns the gallery.

use std::time::Duration;

use bytes::Bytes;
use sightline_stage::Shutdown;
use sightline_stage::backoff::Backoff;
use sightline_stage::bus::BusError;
use sightline_stage::mirror::Mirror;
use sightline_store::{Store, StoreError};
use sightline_wire::{EventKind, EventRecord};
use tokio::sync::watch;

/// Events of one read.
const PAGE: u32 = 256;

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum MirrorError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the event cannot be written: {0}")]
    Write(#[from] serde_json::Error),
    #[error("the reader of the store panicked")]
    Panicked,
}

/// Follows the store until the shutdown; failures are tried again.
pub(crate) async fn follow(mirror: Mirror, store: Store, mut newest: watch::Receiver<u64>, stop: Shutdown) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let mut copied = None;
    while !stop.is_cancelled() {
        newest.mark_unchanged();
        let outcome = catch_up(&mirror, &store, &mut copied, &stop).await;
        let pause = match outcome {
            Ok(()) => {
                backoff.reset();
                None
            }
            Err(error) => {
                tracing::debug!(%error, "mirroring events is tried again");
                Some(backoff.next_delay())
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            changed = newest.changed(), if pause.is_none() => if changed.is_err() { return },
        }
    }
}

async fn catch_up(
    mirror: &Mirror,
    store: &Store,
    copied: &mut Option<u64>,
    stop: &Shutdown,
) -> Result<(), MirrorError> {
    let mut after = match *copied {
        Some(after) => after,
        None => mirror.newest().await?,
    };
    while !stop.is_cancelled() {
        let reader = store.clone();
        let page = tokio::task::spawn_blocking(move || reader.events_after(after, PAGE));
        let page = page.await.map_err(|_| MirrorError::Panicked)??;
        if page.is_empty() {
            return Ok(());
        }
        for event in page {
            let camera = event.camera().map(|camera| camera.as_str());
            mirror.append(event.seq(), camera, kind(&event), Bytes::from(serde_json::to_vec(&event)?)).await?;
            after = event.seq();
            *copied = Some(after);
        }
    }
    Ok(())
}

/// The last token of the subject.
fn kind(event: &EventRecord) -> &str {
    match event {
        EventRecord::Visit(event) => match event.kind {
            EventKind::New => "new",
            EventKind::Update => "update",
            EventKind::End => "end",
        },
        EventRecord::Camera(_) => "camera",
        EventRecord::Alias(_) => "alias",
    }
}
