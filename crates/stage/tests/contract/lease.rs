//! Leases: one owner at a time, the next one stands by and says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sightline_stage::Shutdown;
use sightline_stage::bus::Bus;
use sightline_stage::health::Health;
use sightline_stage::lease::{EXPIRES, Lease};
use tokio::task::JoinHandle;

use crate::common::{MOMENT, PATIENCE, Site, as_killed_process, connect, eventually};

on_both_buses!(
    the_second_owner_stands_by_and_takes_over,
    never_two_owners,
    different_stages_have_different_owners,
    a_shutdown_ends_the_standing_by,
    a_dropped_lease_is_given_up,
);

/// A process that wants the lease.
struct Candidate {
    health: Health,
    stop: Shutdown,
    task: JoinHandle<Option<Lease>>,
}

impl Candidate {
    fn start(bus: Bus, owner: &str) -> Self {
        let (health, stop, owner) = (Health::new(), Shutdown::new(), owner.to_owned());
        let (check, shutdown) = (health.check("lease"), stop.clone());
        let task = tokio::spawn(async move { bus.lease("track", &owner, &check, &shutdown).await.unwrap() });
        Self { health, stop, task }
    }

    async fn owns_within(self, limit: Duration) -> Lease {
        let outcome = tokio::time::timeout(limit, self.task).await;
        assert!(self.health.is_ready());
        outcome.unwrap_or_else(|_| panic!("not the owner within {limit:?}")).unwrap().unwrap()
    }

    /// Ready, without being the owner.
    async fn stands_by(&self) {
        eventually("it says that it stands by", async || self.health.is_ready()).await;
        assert!(!self.task.is_finished(), "it became the second owner");
    }
}

async fn the_second_owner_stands_by_and_takes_over(site: Site) {
    let first = Candidate::start(site.bus.clone(), "first").owns_within(PATIENCE).await;
    let second = Candidate::start(site.peer().await, "second");
    second.stands_by().await;
    // Longer than it takes a silent holder to lose it.
    tokio::time::sleep(EXPIRES + Duration::from_secs(3)).await;
    assert!(!second.task.is_finished() && !first.lost().is_cancelled());
    first.release().await;
    let second = second.owns_within(Duration::from_secs(5)).await;
    // And back again.
    let third = Candidate::start(site.bus.clone(), "first");
    third.stands_by().await;
    second.release().await;
    let third = third.owns_within(Duration::from_secs(5)).await;
    assert!(!third.lost().is_cancelled());
}

async fn never_two_owners(site: Site) {
    let (owners, turns) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut candidates = tokio::task::JoinSet::new();
    for at in 0..4 {
        let candidate = Candidate::start(site.peer().await, &format!("worker-{at}"));
        let (owners, turns) = (Arc::clone(&owners), Arc::clone(&turns));
        candidates.spawn(async move {
            let lease = candidate.owns_within(PATIENCE).await;
            assert_eq!(owners.fetch_add(1, Ordering::SeqCst), 0, "two owners");
            tokio::time::sleep(MOMENT).await;
            owners.fetch_sub(1, Ordering::SeqCst);
            turns.fetch_add(1, Ordering::SeqCst);
            lease.release().await;
        });
    }
    candidates.join_all().await;
    assert_eq!(turns.load(Ordering::SeqCst), 4);
}

async fn different_stages_have_different_owners(site: Site) {
    let _track = Candidate::start(site.bus.clone(), "first").owns_within(PATIENCE).await;
    let (check, stop, identify) = (Health::new().check("lease"), Shutdown::new(), site.peer().await);
    let lease = identify.lease("identify", "second", &check, &stop);
    assert!(tokio::time::timeout(Duration::from_secs(5), lease).await.unwrap().unwrap().is_some());
}

async fn a_shutdown_ends_the_standing_by(site: Site) {
    let first = Candidate::start(site.bus.clone(), "first").owns_within(PATIENCE).await;
    let second = Candidate::start(site.peer().await, "second");
    second.stands_by().await;
    second.stop.trigger();
    let outcome = tokio::time::timeout(Duration::from_secs(5), second.task).await.expect("it stops").unwrap();
    assert!(outcome.is_none());
    assert!(!first.lost().is_cancelled());
}

/// The owner's work ended by a panic, say: then nobody releases it, and nobody must keep it alive.
async fn a_dropped_lease_is_given_up(site: Site) {
    let first = Candidate::start(site.bus.clone(), "first").owns_within(PATIENCE).await;
    let second = Candidate::start(site.peer().await, "second");
    second.stands_by().await;
    drop(first);
    second.owns_within(2 * EXPIRES + Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_holder_has_vanished_another_takes_it() {
    let site = Site::nats().await;
    let url = site.url();
    let held = as_killed_process(async move {
        let lease = Candidate::start(connect(url).await, "first").owns_within(PATIENCE).await;
        // Long enough for one renewal.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        lease
    })
    .await;
    let second = Candidate::start(site.bus.clone(), "second");
    second.stands_by().await;
    let began = Instant::now();
    second.owns_within(2 * EXPIRES + Duration::from_secs(3)).await;
    assert!(began.elapsed() > EXPIRES / 2, "taken after {:?}: a holder may be slow", began.elapsed());
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_it_is_lost_in_time() {
    let mut site = Site::nats().await;
    let lease = Candidate::start(site.bus.clone(), "first").owns_within(PATIENCE).await;
    let began = Instant::now();
    site.kill_server().await;
    tokio::time::timeout(PATIENCE, lease.lost().cancelled()).await.expect("it is lost");
    assert!(began.elapsed() < EXPIRES + Duration::from_secs(6), "noticed after {:?}", began.elapsed());
    // Giving it back must not wait for the broker for ever.
    tokio::time::timeout(PATIENCE, lease.release()).await.expect("it returns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_restart_of_the_broker_costs_nobody_the_lease() {
    let mut site = Site::nats().await;
    let lease = Candidate::start(site.bus.clone(), "first").owns_within(PATIENCE).await;
    let second = Candidate::start(site.peer().await, "second");
    second.stands_by().await;
    site.kill_server().await;
    site.restart_server();
    tokio::time::sleep(EXPIRES + Duration::from_secs(4)).await;
    assert!(!lease.lost().is_cancelled(), "the holder is well");
    assert!(!second.task.is_finished(), "two owners");
    lease.release().await;
    second.owns_within(Duration::from_secs(10)).await;
}
