//! The runner: pull, compute, commit. Written once for every stage.
//!
//! Three activities joined by channels of one batch, so that one batch is prefetched, one is computed and one is committed.
//! A place for the result is reserved before a batch is pulled. Commit means: publish, wait until stored, then
//! acknowledge.

mod patience;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use sightline_wire::{ClockSource, Utc, Wire};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

use crate::backoff::Backoff;
use crate::bus::{BusError, Delivery, Inbox};
use crate::health::{Health, Heartbeat};
use crate::metrics::{StageMetrics, seconds};
use crate::outbox::{Outbox, Outputs};
use crate::shutdown::Shutdown;
use crate::stage::{Fault, Monotonic, Stage};
use patience::Patience;

/// A stage is ticked at least this often.
const TICK: Duration = Duration::from_millis(250);

/// Longer than it takes until the messages of a worker that died come again.
const CAREFUL: Duration = Duration::from_secs(20);

/// Unconfirmed publishes of one commit.
const PUBLISH_WINDOW: usize = 32;

/// How a stage is run.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// Name of the compute thread: the stage's name and a number.
    pub thread_name: String,
    /// Most items of one batch.
    pub max_batch: usize,
    /// After a shutdown: how long queued work may take.
    pub drain: Duration,
    /// So many faults in a row end the process.
    pub max_faults: u32,
    /// The stage depends on something that comes back, as a disk does: a batch that failed is tried again here for as long as it
    /// takes, while the process says that it is not ready. Handing it back would use up its deliveries.
    pub patient: bool,
    /// So long after its start, where messages outlive the process, and after a message that had been delivered before, a thread takes
    /// one message at a time and settles it before the next: should one be deadly, its own deliveries are used up, and those of the
    /// messages that the process's other threads hold, not of all around it.
    pub careful: Duration,
}

impl RunnerConfig {
    /// The defaults for a stage's thread number `index`: batches of 16, 4 s to drain, 3 faults, careful for 20 s.
    #[must_use]
    pub fn new(stage: &str, index: usize) -> Self {
        let thread_name = format!("{stage}-{index}");
        Self {
            thread_name,
            max_batch: 16,
            drain: Duration::from_secs(4),
            max_faults: 3,
            patient: false,
            careful: CAREFUL,
        }
    }
}

/// Why a stage ended other than by a shutdown.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The stage is broken.
    #[error("{stage} failed {times} times in a row, last with: {fault}")]
    Faults {
        /// Which stage.
        stage: &'static str,
        /// How often.
        times: u32,
        /// The last fault.
        fault: Fault,
    },
    /// The stage's code panicked: a defect of ours.
    #[error("{stage} panicked")]
    Panicked {
        /// Which stage.
        stage: &'static str,
    },
    /// No thread could be started.
    #[error("no thread can be started for {stage}: {reason}")]
    Thread {
        /// Which stage.
        stage: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The work that was under way at a shutdown took too long; it is redelivered.
    #[error("{stage} did not finish its queued work within {within:?} of the shutdown")]
    Drain {
        /// Which stage.
        stage: &'static str,
        /// The deadline.
        within: Duration,
    },
}

/// Held by a message that is taken alone, until it is settled.
type Turn = OwnedMutexGuard<()>;

/// One batch on its way to the stage; empty for a tick.
struct Pulled<T: Wire> {
    deliveries: Vec<Delivery<T>>,
    turn: Option<Turn>,
}

/// One batch on its way out.
struct Computed<S: Stage> {
    deliveries: Vec<Delivery<S::In>>,
    outputs: Vec<S::Out>,
    rejections: Vec<(usize, String)>,
    /// The last of so many in a row.
    fault: Option<(Fault, u32)>,
    turn: Option<Turn>,
}

/// Runs a stage until the shutdown, or until it is broken.
///
/// # Errors
/// [`RunError`]; what was not acknowledged is redelivered to somebody else.
pub async fn run_stage<S: Stage>(
    stage: S,
    inbox: Inbox<S::In>,
    outlets: <S::Out as Outputs>::Outlets,
    config: RunnerConfig,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    let metrics = StageMetrics::new(S::NAME);
    let stop = shutdown.child();
    let (to_compute, from_pull) = mpsc::channel(1);
    let (to_commit, from_compute) = mpsc::channel(1);
    let heartbeat = health.heartbeat(&config.thread_name);
    let patience = config.patient.then(|| Patience::new(health.check(S::NAME), &stop));
    let thread = std::thread::Builder::new()
        .name(config.thread_name.clone())
        .spawn({
            let metrics = metrics.clone();
            move || compute(stage, from_pull, &to_commit, patience, (&metrics, &heartbeat))
        })
        .map_err(|error| RunError::Thread { stage: S::NAME, reason: error.to_string() })?;

    let work = async {
        let pulling = pull(inbox, to_compute, &config, &metrics, &stop);
        let committing = commit::<S>(from_compute, outlets, &metrics, config.max_faults, &stop);
        let ((), outcome) = tokio::join!(pulling, committing);
        outcome
    };
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(config.drain).await;
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = drained => Err(RunError::Drain { stage: S::NAME, within: config.drain }),
    };
    // The channels are closed now, so that the thread ends by itself, unless it hangs: then it is left behind.
    let joined = tokio::task::spawn_blocking(move || thread.join());
    match tokio::time::timeout(Duration::from_millis(500), joined).await {
        Ok(Ok(Err(_panic))) => Err(RunError::Panicked { stage: S::NAME }),
        _ => outcome.inspect(|()| tracing::info!(stage = S::NAME, "finished its queued work")),
    }
}

async fn pull<T: Wire>(
    mut inbox: Inbox<T>,
    to_compute: mpsc::Sender<Pulled<T>>,
    config: &RunnerConfig,
    metrics: &StageMetrics,
    stop: &Shutdown,
) {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    // Over memory, what a deadly message is among goes with the process anyway.
    let turns = Arc::new(Mutex::new(()));
    let mut careful_until = inbox.outlives_the_process().then(|| Instant::now() + config.careful);
    while !stop.is_cancelled() {
        // The reservation can be cancelled; the pull cannot.
        let Ok(place) = to_compute.reserve().await else { return };
        if stop.is_cancelled() {
            return;
        }
        let is_careful = careful_until.is_some_and(|until| Instant::now() < until);
        let turn = is_careful.then(|| Arc::clone(&turns).try_lock_owned().ok()).flatten();
        if is_careful && turn.is_none() {
            // The one before is not settled; time goes by all the same.
            place.send(Pulled { deliveries: Vec::new(), turn });
            drop(tokio::time::timeout(TICK, turns.lock()).await);
            continue;
        }
        match inbox.pull(if turn.is_some() { 1 } else { config.max_batch }, TICK).await {
            Ok(deliveries) => {
                backoff.reset();
                observe(&deliveries, metrics);
                if deliveries.iter().any(|delivery| delivery.attempts > 1) {
                    if !is_careful {
                        tracing::info!(thread = config.thread_name, "a message comes again: for a while one at a time");
                    }
                    careful_until = Some(Instant::now() + config.careful);
                }
                place.send(Pulled { deliveries, turn });
            }
            Err(error) => {
                tracing::debug!(%error, "pulling is tried again");
                place.send(Pulled { deliveries: Vec::new(), turn: None });
                tokio::time::sleep(backoff.next_delay()).await;
            }
        }
    }
}

fn observe<T: Wire>(deliveries: &[Delivery<T>], metrics: &StageMetrics) {
    let now = Utc::now();
    for delivery in deliveries {
        if delivery.attempts > 1 {
            metrics.redelivered.increment(1);
        }
        if let Some(stamp) = delivery.item.stamp().filter(|stamp| stamp.clock != ClockSource::File) {
            #[expect(clippy::cast_precision_loss, reason = "an age in nanoseconds, shown in seconds")]
            metrics.frame_age.record((now.ns_since(stamp.capture) as f64 / 1e9).max(0.0));
        }
    }
}

/// What a stage made of a batch: outputs and rejections, or the fault beside what its tick had put out before.
type Attempt<S> = (Vec<<S as Stage>::Out>, Result<Vec<(usize, String)>, Fault>);

fn attempt<S: Stage>(stage: &mut S, now: Monotonic, items: &[S::In], out: &mut Outbox<S::Out>) -> Attempt<S> {
    let ticked = stage.tick(now, out);
    let (mut outputs, _) = out.take();
    if let Err(fault) = ticked {
        return (Vec::new(), Err(fault));
    }
    if items.is_empty() {
        return (outputs, Ok(Vec::new()));
    }
    let processed = stage.process(items, out);
    let (emitted, rejections) = out.take();
    match processed {
        Ok(()) => {
            outputs.extend(emitted);
            (outputs, Ok(rejections))
        }
        Err(fault) => (outputs, Err(fault)),
    }
}

/// The stage's own thread.
fn compute<S: Stage>(
    mut stage: S,
    mut from_pull: mpsc::Receiver<Pulled<S::In>>,
    to_commit: &mpsc::Sender<Computed<S>>,
    mut patience: Option<Patience>,
    (metrics, heartbeat): (&StageMetrics, &Heartbeat),
) {
    let started = Instant::now();
    let mut out = Outbox::default();
    let mut faults = 0;
    while let Some(Pulled { deliveries, turn }) = from_pull.blocking_recv() {
        heartbeat.beat();
        let items: Vec<S::In> = deliveries.iter().map(|delivery| delivery.item.clone()).collect();
        let began = Instant::now();
        let (mut outputs, mut result) = attempt(&mut stage, Monotonic::from_start(started.elapsed()), &items, &mut out);
        if let Some(patience) = &mut patience {
            while let Err(fault) = &result
                && patience.wait(S::NAME, fault, heartbeat)
            {
                let now = Monotonic::from_start(started.elapsed());
                let (more, again) = attempt(&mut stage, now, &items, &mut out);
                outputs.extend(more);
                result = again;
            }
            if result.is_ok() {
                patience.over();
            }
        }
        if !items.is_empty() {
            metrics.batch_size.record(items.len() as f64);
            metrics.inflight.increment(items.len() as f64);
            metrics.duration.record(seconds(began.elapsed()));
        }
        faults = match &result {
            Err(_) => faults + 1,
            // A batch that was handed back comes later, and ticks go well meanwhile.
            Ok(_) if items.is_empty() => faults,
            Ok(_) => 0,
        };
        let (rejections, fault) = match result {
            Ok(rejections) => (rejections, None),
            Err(fault) => (Vec::new(), Some((fault, faults))),
        };
        if deliveries.is_empty() && outputs.is_empty() && fault.is_none() {
            continue;
        }
        // The commit before this one may take as long as the queue downstream is full.
        heartbeat.rest();
        if to_commit.blocking_send(Computed { deliveries, outputs, rejections, fault, turn }).is_err() {
            return;
        }
        heartbeat.beat();
    }
    let fault = stage.finish(&mut out).err().map(|fault| (fault, faults + 1));
    let (outputs, _) = out.take();
    // Nobody is left to hear it when the runner has given up already.
    let last = Computed { deliveries: Vec::new(), outputs, rejections: Vec::new(), fault, turn: None };
    drop(to_commit.blocking_send(last));
}

async fn commit<S: Stage>(
    mut from_compute: mpsc::Receiver<Computed<S>>,
    outlets: <S::Out as Outputs>::Outlets,
    metrics: &StageMetrics,
    max_faults: u32,
    stop: &Shutdown,
) -> Result<(), RunError> {
    while let Some(batch) = from_compute.recv().await {
        let count = batch.deliveries.len();
        publish_all(S::NAME, batch.outputs, &outlets, metrics).await;
        if let Some((fault, faults)) = batch.fault {
            tracing::error!(stage = S::NAME, %fault, faults, "the stage is broken; its batch is handed back");
            hand_back(batch.deliveries, Duration::from_secs(u64::from(faults)), metrics).await;
            if faults >= max_faults {
                stop.trigger();
                return Err(RunError::Faults { stage: S::NAME, times: faults, fault });
            }
        } else {
            settle(batch.deliveries, batch.rejections, metrics).await;
        }
        metrics.inflight.decrement(count as f64);
        drop(batch.turn);
    }
    Ok(())
}

async fn publish_all<O: Outputs>(stage: &'static str, outputs: Vec<O>, outlets: &O::Outlets, metrics: &StageMetrics) {
    if outputs.is_empty() {
        return;
    }
    let began = Instant::now();
    let publishes = futures::stream::iter(outputs).map(|output| output.publish(outlets)).buffered(PUBLISH_WINDOW);
    let failures: Vec<BusError> = publishes.filter_map(|outcome| async { outcome.err() }).collect().await;
    metrics.publish_wait.record(seconds(began.elapsed()));
    for error in failures {
        // Only what can never be sent comes here; the broker being away or full is waited for.
        metrics.rejected.increment(1);
        tracing::error!(stage, %error, "an output is lost: it can never be sent");
    }
}

async fn hand_back<T: Wire>(deliveries: Vec<Delivery<T>>, delay: Duration, metrics: &StageMetrics) {
    for delivery in deliveries {
        metrics.retried.increment(1);
        note(delivery.retry(delay).await);
    }
}

async fn settle<T: Wire>(deliveries: Vec<Delivery<T>>, rejections: Vec<(usize, String)>, metrics: &StageMetrics) {
    let mut reasons: Vec<Option<String>> = vec![None; deliveries.len()];
    for (index, reason) in rejections {
        if let Some(slot) = reasons.get_mut(index) {
            *slot = Some(reason);
        }
    }
    let settlements = deliveries.into_iter().zip(reasons).map(|(delivery, reason)| async move {
        match reason {
            None => {
                metrics.ok.increment(1);
                delivery.done().await
            }
            Some(reason) => {
                metrics.rejected.increment(1);
                delivery.reject(reason).await
            }
        }
    });
    for outcome in futures::future::join_all(settlements).await {
        note(outcome);
    }
}

/// An acknowledgement that did not arrive means a redelivery, which every stage withstands.
fn note(outcome: Result<(), BusError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "the message will come again");
    }
}
