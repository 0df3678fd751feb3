//! The look-out: one waiting call to the event log for everybody who waits at this gateway.
//!
//! A service handles a few calls at a time. If every open stream had a waiting call of its own, a dozen of them would keep
//! everybody else from the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sightline_stage::service::ServiceClient;
use sightline_wire::service::{EventPage, Events, EventsAfter};
use tokio::sync::{Semaphore, watch};

/// The look-out asks again after so long.
const WAIT_MS: u32 = 20_000;

/// How much longer the answer may take.
const GRACE: Duration = Duration::from_secs(10);

/// After a failure of the service it asks again so much later.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Pages that are fetched at one time: after an event everybody wants one.
const FETCHES: usize = 8;

/// Cheap to clone. Starts with the first who waits, and ends when nobody does.
#[derive(Clone)]
pub(crate) struct Lookout {
    services: ServiceClient,
    news: Arc<Mutex<Option<watch::Sender<()>>>>,
    /// Turns at fetching a page.
    pub(crate) fetches: Arc<Semaphore>,
}

impl Lookout {
    pub(crate) fn new(services: ServiceClient) -> Self {
        Self { services, news: Arc::default(), fetches: Arc::new(Semaphore::new(FETCHES)) }
    }

    /// Changes with every event from now on, given that there was none after `after` when `page` was fetched.
    pub(crate) fn join(&self, after: u64, page: &EventPage) -> watch::Receiver<()> {
        let mut news = self.lock();
        if let Some(news) = &*news {
            return news.subscribe();
        }
        let (sender, receiver) = watch::channel(());
        *news = Some(sender.clone());
        // A client's cursor may be anything.
        tokio::spawn(self.clone().look_out(sender, after.min(page.newest)));
        receiver
    }

    async fn look_out(self, news: watch::Sender<()>, mut after: u64) {
        while self.is_needed(&news) {
            let asked = EventsAfter { after, limit: 1, wait_ms: WAIT_MS };
            let deadline = GRACE + Duration::from_millis(WAIT_MS.into());
            match self.services.call::<Events>(&asked, Bytes::new(), deadline).await {
                Ok(page) => {
                    if let Some(first) = page.events.first() {
                        // Whoever fetches from here on sees all of them.
                        after = page.newest.max(first.seq());
                        news.send_replace(());
                    }
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// Under the lock, so that nobody joins a look-out that is going.
    fn is_needed(&self, news: &watch::Sender<()>) -> bool {
        let mut shared = self.lock();
        let needed = news.receiver_count() > 0;
        if !needed {
            *shared = None;
        }
        needed
    }

    fn lock(&self) -> MutexGuard<'_, Option<watch::Sender<()>>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
