//! One active owner: track and identify work in one process at a time, and the next one stands by.
//!
//! Over NATS the lease is an entry that its holder rewrites every two seconds, naming the revision it wrote last. Whoever
//! stands by takes it over when it has not changed for [`EXPIRES`] by its own monotonic clock, so that clocks of
//! machines are never compared; the revision decides between two who try at once.

use std::time::{Duration, Instant};

use async_nats::jetstream::kv::Store;
use bytes::Bytes;

use crate::bus::{Bus, BusError, Transport};
use crate::health::Check;
use crate::metrics::StageMetrics;
use crate::shutdown::Shutdown;
use crate::table;

/// A holder that has been silent for so long has lost the lease.
pub const EXPIRES: Duration = Duration::from_secs(6);

/// How often the holder renews it: three chances before it is lost.
const RENEW: Duration = Duration::from_secs(2);

/// How often those who stand by look.
const LOOK: Duration = Duration::from_millis(500);

/// The right to be the one owner. Given back by [`Lease::release`], or lost by silence: also by the silence that begins when it
/// is dropped.
pub struct Lease {
    kind: Held,
    /// Triggered when the lease is lost: the owner must stop at once.
    lost: Shutdown,
}

enum Held {
    Memory { _guard: tokio::sync::OwnedMutexGuard<()> },
    Nats { store: Box<Store>, name: String, renewal: Renewal },
}

/// The task that renews; ends with its lease.
struct Renewal(tokio::task::JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Bus {
    /// Waits for the lease of a stage, standing by while another process holds it; `None` when the shutdown came first.
    /// The check tells people which of the two this process does.
    ///
    /// # Errors
    /// When the broker refuses the bucket.
    pub async fn lease(
        &self,
        stage: &'static str,
        owner: &str,
        check: &Check,
        shutdown: &Shutdown,
    ) -> Result<Option<Lease>, BusError> {
        let lease = match &self.0 {
            Transport::Memory(broker) => {
                let lock = table::memory_lock(&broker.shared.leases, stage);
                let guard = match lock.clone().try_lock_owned() {
                    Ok(guard) => guard,
                    Err(_) => {
                        say_standing_by(stage, check);
                        tokio::select! {
                            guard = lock.lock_owned() => guard,
                            () = shutdown.cancelled() => return Ok(None),
                        }
                    }
                };
                Lease { kind: Held::Memory { _guard: guard }, lost: Shutdown::new() }
            }
            Transport::Nats(connection) => {
                let store = table::bucket(connection, "leases").await?;
                let Some(revision) = acquire(&store, stage, owner, check, shutdown).await else { return Ok(None) };
                let lost = Shutdown::new();
                let renewal = tokio::spawn(renew(store.clone(), stage, owner.to_owned(), revision, lost.clone()));
                Lease {
                    kind: Held::Nats { store: Box::new(store), name: stage.to_owned(), renewal: Renewal(renewal) },
                    lost,
                }
            }
        };
        StageMetrics::standby(stage, false);
        check.set(true, "active");
        tracing::info!(stage, "active: this process owns the stage");
        Ok(Some(lease))
    }
}

impl Lease {
    /// Triggered when the lease is lost.
    #[must_use]
    pub fn lost(&self) -> Shutdown {
        self.lost.clone()
    }

    /// Gives it back, so that the next one need not wait until it expires.
    pub async fn release(self) {
        if let Held::Nats { store, name, renewal } = &self.kind {
            renewal.0.abort();
            if !self.lost.is_cancelled()
                && let Err(error) = store.delete(name).await
            {
                tracing::warn!(stage = name, %error, "the lease could not be given back; it expires by itself");
            }
        }
    }
}

fn say_standing_by(stage: &'static str, check: &Check) {
    StageMetrics::standby(stage, true);
    check.set(true, "standing by: another process owns the stage");
    tracing::info!(stage, "standing by: another process owns the stage");
}

async fn acquire(store: &Store, stage: &'static str, owner: &str, check: &Check, shutdown: &Shutdown) -> Option<u64> {
    let value = Bytes::from(owner.to_owned());
    let mut seen: Option<(u64, Instant)> = None;
    let mut said = false;
    while !shutdown.is_cancelled() {
        match store.entry(stage).await {
            Ok(entry) => {
                let held = entry.filter(|entry| entry.operation == async_nats::jetstream::kv::Operation::Put);
                let outcome = match held {
                    None => store.create(stage, value.clone()).await.ok(),
                    Some(entry) => {
                        let since = seen.filter(|(revision, _)| *revision == entry.revision).map(|(_, since)| since);
                        let since = since.unwrap_or_else(Instant::now);
                        seen = Some((entry.revision, since));
                        if since.elapsed() >= EXPIRES {
                            store.update(stage, value.clone(), entry.revision).await.ok()
                        } else {
                            None
                        }
                    }
                };
                if outcome.is_some() {
                    return outcome;
                }
                if !said {
                    said = true;
                    say_standing_by(stage, check);
                }
            }
            Err(error) => tracing::debug!(stage, %error, "the lease cannot be read, trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => {}
        }
    }
    None
}

async fn renew(store: Store, stage: &'static str, owner: String, mut revision: u64, lost: Shutdown) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(RENEW).await;
        let attempt = store.update(stage, Bytes::from(owner.clone()), revision);
        match tokio::time::timeout(RENEW, attempt).await {
            Ok(Ok(next)) => {
                revision = next;
                renewed = Instant::now();
            }
            outcome => {
                // Somebody else has written: then it is theirs. The broker away: it may come back in time.
                let taken = match &outcome {
                    Ok(Err(_)) => match store.entry(stage).await {
                        Ok(Some(entry)) if entry.value == owner.as_bytes() => {
                            // Our own write, whose confirmation was lost.
                            revision = entry.revision;
                            false
                        }
                        Ok(_) => true,
                        Err(_) => false,
                    },
                    _ => false,
                };
                if taken || renewed.elapsed() + RENEW >= EXPIRES {
                    tracing::error!(stage, taken, "the lease is lost: this process stops working as the stage");
                    lost.trigger();
                    return;
                }
            }
        }
    }
}
