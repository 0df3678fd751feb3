//! Epochs: every opening of a camera has a number that is larger than all before it, whichever worker opens it.
//!
//! The number is the time of opening, or one more than the last where clocks disagree, and is claimed in a table that all
//! workers share. Whoever sees a newer claim of somebody else has been fenced off: what it sends comes too late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sightline_stage::backoff::Backoff;
use sightline_stage::table::Table;
use sightline_wire::{CameraId, Utc};
use tokio::runtime::Handle;

/// Who opened a camera last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The opening's number.
    pub epoch: u64,
    /// The worker.
    pub worker: String,
}

/// Claims epochs for one worker, from threads that may wait.
#[derive(Clone)]
pub(crate) struct Epochs {
    table: Table<Claim>,
    worker: Arc<str>,
    runtime: Handle,
}

impl Epochs {
    /// To be made inside a runtime.
    pub(crate) fn new(table: Table<Claim>, worker: &str) -> Self {
        Self { table, worker: worker.into(), runtime: Handle::current() }
    }

    /// The next epoch of a camera. Blocks while the bus is away; `None` once stopped.
    pub(crate) fn claim(&self, camera: &CameraId, stop: &AtomicBool) -> Option<u64> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        while !stop.load(Ordering::Relaxed) {
            let now_ms = u64::try_from(Utc::now().unix_ns() / 1_000_000).unwrap_or(0);
            let next = |last: Option<Claim>| Claim {
                epoch: last.map_or(now_ms, |last| now_ms.max(last.epoch.saturating_add(1))),
                worker: self.worker.to_string(),
            };
            match self.runtime.block_on(self.table.change(camera.as_str(), next)) {
                Ok(claim) => return Some(claim.epoch),
                Err(error) => tracing::debug!(%camera, %error, "no epoch can be claimed; once more"),
            }
            std::thread::sleep(backoff.next_delay());
        }
        None
    }
}

/// Whether another worker has opened the camera after `epoch`.
pub(crate) fn is_fenced(claims: &BTreeMap<String, Claim>, camera: &str, worker: &str, epoch: u64) -> bool {
    claims.get(camera).is_some_and(|claim| claim.worker != worker && claim.epoch > epoch)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    use sightline_stage::bus::Bus;
    use sightline_wire::Utc;

    use super::{Claim, Epochs, is_fenced};

    #[tokio::test(flavor = "multi_thread")]
    async fn epochs_grow_whoever_claims_them() {
        let table = Bus::memory().table::<Claim>("epochs").await.unwrap();
        let (ours, theirs) = (Epochs::new(table.clone(), "ours"), Epochs::new(table.clone(), "theirs"));
        // Somebody whose clock runs ten minutes ahead was here before.
        let ahead = u64::try_from(Utc::now().unix_ns() / 1_000_000).unwrap() + 600_000;
        table.put("lobby", &Claim { epoch: ahead, worker: "ahead".to_owned() }).await.unwrap();
        let claimed = tokio::task::spawn_blocking(move || {
            let claim = |epochs: &Epochs| epochs.claim(&"lobby".parse().unwrap(), &AtomicBool::new(false));
            let claimed = [claim(&ours), claim(&theirs), claim(&ours)];
            (claimed, ours.claim(&"lobby".parse().unwrap(), &AtomicBool::new(true)))
        });
        let (claimed, stopped) = claimed.await.unwrap();
        assert_eq!(claimed, [Some(ahead + 1), Some(ahead + 2), Some(ahead + 3)]);
        assert_eq!(stopped, None);
    }

    #[test]
    fn only_a_newer_claim_of_another_worker_fences() {
        let claim =
            |epoch, worker: &str| BTreeMap::from([("lobby".to_owned(), Claim { epoch, worker: worker.to_owned() })]);
        assert!(is_fenced(&claim(8, "theirs"), "lobby", "ours", 7));
        assert!(!is_fenced(&claim(6, "theirs"), "lobby", "ours", 7));
        assert!(!is_fenced(&claim(8, "ours"), "lobby", "ours", 7));
        assert!(!is_fenced(&BTreeMap::new(), "lobby", "ours", 7));
    }
}
