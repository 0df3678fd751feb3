//! The transport inside a process: typed values in bounded queues, never encoded.

use std::any::Any;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sightline_wire::subject::{Queue, WhenFull};
use sightline_wire::{Utc, Wire};
use tokio::sync::Notify;

use super::{DUPLICATE_WINDOW, Delivery, MAX_DELIVERIES, Settle, TOO_OFTEN};
use crate::metrics::{self, DropReason};

/// Dead letters kept in memory; older ones are only counted.
const DEAD_LETTERS: usize = 1_000;

/// A message that could not be handled.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The consumer that gave up.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// How often it was delivered.
    pub attempts: u32,
    /// The message's own id.
    pub message_id: String,
    /// When it was given up.
    pub at: Utc,
    /// The message as protobuf; empty when it could not be encoded.
    pub bytes: bytes::Bytes,
}

/// All queues of a process.
#[derive(Clone, Default)]
pub(crate) struct Broker {
    queues: Arc<Mutex<HashMap<&'static str, Arc<dyn Any + Send + Sync>>>>,
    dead: Arc<Mutex<VecDeque<DeadLetter>>>,
    pub(crate) shared: Arc<Shared>,
}

/// What services and tables keep in a memory broker.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) services: Mutex<HashMap<&'static str, crate::service::MemoryService>>,
    pub(crate) tables: Mutex<HashMap<String, crate::table::MemoryTable>>,
    pub(crate) leases: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// A lock whose holder panicked still guards consistent data here: every change is made in one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Broker {
    fn queue<T: Wire>(&self, row: &Queue) -> Arc<MemoryQueue<T>> {
        let mut queues = lock(&self.queues);
        let fresh = || Arc::new(MemoryQueue::<T>::new(*row)) as Arc<dyn Any + Send + Sync>;
        let queue = Arc::clone(queues.entry(row.name).or_insert_with(fresh));
        // The table gives every queue one type of message, so that the other arm is never taken.
        queue.downcast().unwrap_or_else(|_| Arc::new(MemoryQueue::new(*row)))
    }

    pub(crate) fn unfinished<T: Wire>(&self) -> usize {
        T::QUEUES.iter().map(|row| lock(&self.queue::<T>(row).state).stored()).sum()
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.dead).iter().cloned().collect()
    }

    fn bury(&self, letter: DeadLetter) {
        metrics::dead_letter(&letter.stage);
        tracing::warn!(stage = letter.stage, reason = letter.reason, id = letter.message_id, "dead letter");
        let mut dead = lock(&self.dead);
        if dead.len() == DEAD_LETTERS {
            dead.pop_front();
        }
        dead.push_back(letter);
    }
}

struct Entry<T> {
    item: T,
    attempts: u32,
    stored: Instant,
}

struct State<T> {
    ready: VecDeque<Entry<T>>,
    delayed: Vec<(Instant, Entry<T>)>,
    /// Delivered and not settled.
    on_loan: usize,
    recent: HashSet<String>,
    recent_order: VecDeque<(Instant, String)>,
}

pub(crate) struct MemoryQueue<T> {
    row: Queue,
    state: Mutex<State<T>>,
    arrived: Notify,
    room: Notify,
}

impl<T: Wire> MemoryQueue<T> {
    fn new(row: Queue) -> Self {
        let state = State {
            ready: VecDeque::new(),
            delayed: Vec::new(),
            on_loan: 0,
            recent: HashSet::new(),
            recent_order: VecDeque::new(),
        };
        Self { row, state: Mutex::new(state), arrived: Notify::new(), room: Notify::new() }
    }

    /// `Err` gives the item back when there is no room.
    fn try_store(&self, item: T) -> Result<(), T> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        state.forget_old_ids(now);
        let id = item.message_id();
        if state.recent.contains(&id) {
            return Ok(());
        }
        match self.row.when_full {
            WhenFull::Wait => {
                if state.stored() >= self.row.capacity {
                    return Err(item);
                }
            }
            WhenFull::DiscardOldest => state.make_room(&self.row, item.key()),
        }
        state.recent.insert(id.clone());
        state.recent_order.push_back((now, id));
        state.ready.push_back(Entry { item, attempts: 0, stored: now });
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    fn take(&self, max: usize) -> Vec<(T, u32)> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        state.bring_back_delayed(now);
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(entry) = state.ready.pop_front() else { break };
            if !self.row.max_age.is_zero() && now.duration_since(entry.stored) > self.row.max_age {
                metrics::queue_dropped(self.row.name, DropReason::Stale);
                continue;
            }
            taken.push((entry.item, entry.attempts + 1));
        }
        state.on_loan += taken.len();
        let more = !state.ready.is_empty();
        drop(state);
        if more {
            self.arrived.notify_one();
        }
        taken
    }

    /// When the next delayed message is due.
    fn next_due(&self) -> Option<Instant> {
        lock(&self.state).delayed.iter().map(|(due, _)| *due).min()
    }

    fn returned(&self, entry: Option<(Instant, Entry<T>)>) {
        let mut state = lock(&self.state);
        state.on_loan = state.on_loan.saturating_sub(1);
        let again = entry.is_some();
        state.delayed.extend(entry);
        drop(state);
        if again {
            self.arrived.notify_one();
        } else {
            self.room.notify_waiters();
        }
    }
}

impl<T: Wire> State<T> {
    fn stored(&self) -> usize {
        self.ready.len() + self.delayed.len() + self.on_loan
    }

    fn make_room(&mut self, row: &Queue, key: &str) {
        if row.per_key > 0 {
            while self.ready.iter().filter(|entry| entry.item.key() == key).count() >= row.per_key {
                let oldest = self.ready.iter().position(|entry| entry.item.key() == key);
                if oldest.and_then(|at| self.ready.remove(at)).is_some() {
                    metrics::queue_dropped(row.name, DropReason::Full);
                }
            }
        }
        while self.stored() >= row.capacity && self.ready.pop_front().is_some() {
            metrics::queue_dropped(row.name, DropReason::Full);
        }
    }

    fn forget_old_ids(&mut self, now: Instant) {
        while let Some((at, _)) = self.recent_order.front() {
            if now.duration_since(*at) < DUPLICATE_WINDOW {
                break;
            }
            if let Some((_, id)) = self.recent_order.pop_front() {
                self.recent.remove(&id);
            }
        }
    }

    fn bring_back_delayed(&mut self, now: Instant) {
        let (due, waiting) = std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= now);
        self.delayed = waiting;
        let due: Vec<(Instant, Entry<T>)> = due;
        for (_, entry) in due.into_iter().rev() {
            self.ready.push_front(entry);
        }
    }
}

pub(crate) struct MemoryOutlet<T> {
    queues: Vec<Arc<MemoryQueue<T>>>,
}

impl<T> Clone for MemoryOutlet<T> {
    fn clone(&self) -> Self {
        Self { queues: self.queues.clone() }
    }
}

impl<T: Wire> MemoryOutlet<T> {
    pub(super) fn new(broker: &Broker) -> Self {
        Self { queues: T::QUEUES.iter().map(|row| broker.queue(row)).collect() }
    }

    pub(super) async fn publish(&self, item: T) {
        let row = item.queue();
        let Some(queue) = self.queues.iter().find(|queue| queue.row == row) else { return };
        let mut item = item;
        loop {
            let room = queue.room.notified();
            match queue.try_store(item) {
                Ok(()) => return,
                Err(back) => item = back,
            }
            // A delayed message frees no room by itself, so that room is only ever made by a settlement.
            room.await;
        }
    }
}

pub(crate) struct MemoryInbox<T> {
    broker: Broker,
    consumer: Arc<str>,
    queues: Vec<Arc<MemoryQueue<T>>>,
    next_queue: usize,
}

impl<T: Wire> MemoryInbox<T> {
    pub(super) fn new(broker: &Broker, consumer: &str) -> Self {
        let queues = T::QUEUES.iter().map(|row| broker.queue(row)).collect();
        Self { broker: broker.clone(), consumer: consumer.into(), queues, next_queue: 0 }
    }

    pub(super) async fn pull(&mut self, max: usize, wait: Duration) -> Vec<Delivery<T>> {
        let deadline = Instant::now() + wait;
        let queues = self.queues.clone();
        loop {
            let mut arrivals: Vec<_> = queues.iter().map(|queue| Box::pin(queue.arrived.notified())).collect();
            let taken = self.take(max);
            if !taken.is_empty() {
                return taken;
            }
            let due = queues.iter().filter_map(|queue| queue.next_due()).min();
            let until = due.map_or(deadline, |due| due.min(deadline));
            let first = futures::future::select_all(arrivals.iter_mut());
            // Waiting for a notification can be cancelled: nothing is taken out of a queue by it.
            let timed_out = tokio::time::timeout_at(until.into(), first).await.is_err();
            if timed_out && Instant::now() >= deadline {
                return Vec::new();
            }
        }
    }

    /// What is queued. Each queue is the first one in turn, so that none starves another.
    fn take(&mut self, max: usize) -> Vec<Delivery<T>> {
        let mut taken = Vec::new();
        self.next_queue = (self.next_queue + 1) % self.queues.len();
        for step in 0..self.queues.len() {
            let queue = &self.queues[(self.next_queue + step) % self.queues.len()];
            for (item, attempts) in queue.take(max - taken.len()) {
                let delivery = self.delivery(queue, item, attempts);
                match delivery.settle {
                    Settle::Memory(settle) if attempts > MAX_DELIVERIES => {
                        settle.reject(&delivery.item, attempts, TOO_OFTEN.to_owned());
                    }
                    settle => taken.push(Delivery { settle, ..delivery }),
                }
            }
        }
        taken
    }

    fn delivery(&self, queue: &Arc<MemoryQueue<T>>, item: T, attempts: u32) -> Delivery<T> {
        let settle = MemorySettle {
            broker: self.broker.clone(),
            consumer: Arc::clone(&self.consumer),
            queue: Arc::clone(queue),
            lost: Some((item.clone(), attempts)),
        };
        Delivery { item, attempts, settle: Settle::Memory(settle) }
    }
}

/// Settles one delivery; dropped without a word, the message comes again at once, as over NATS after the
/// acknowledgement's deadline.
pub(crate) struct MemorySettle<T: Wire> {
    broker: Broker,
    consumer: Arc<str>,
    queue: Arc<MemoryQueue<T>>,
    lost: Option<(T, u32)>,
}

impl<T: Wire> MemorySettle<T> {
    pub(super) fn done(mut self) {
        self.lost = None;
        self.queue.returned(None);
    }

    pub(super) fn retry(mut self, item: T, attempts: u32, delay: Duration) {
        self.lost = None;
        let now = Instant::now();
        self.queue.returned(Some((now + delay, Entry { item, attempts, stored: now })));
    }

    pub(super) fn reject(mut self, item: &T, attempts: u32, reason: String) {
        self.lost = None;
        self.queue.returned(None);
        self.broker.bury(DeadLetter {
            stage: self.consumer.to_string(),
            reason,
            attempts,
            message_id: item.message_id(),
            at: Utc::now(),
            bytes: item.encode().unwrap_or_default(),
        });
    }
}

impl<T: Wire> Drop for MemorySettle<T> {
    fn drop(&mut self) {
        if let Some((item, attempts)) = self.lost.take() {
            let now = Instant::now();
            self.queue.returned(Some((now, Entry { item, attempts, stored: now })));
        }
    }
}
