//! Between a decoder's thread and the bus: two frames of a camera, or a burst of a recording.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Live: room for one frame that is being sent and one that waits.
const CAPACITY: usize = 2;

/// Frames of a recording that are decoded in one go, once those of the last burst are gone. A decoder that is woken for every single
/// one finds its caches cold each time, and takes a fifth longer.
const BURST: usize = 6;

/// A queue from one thread to one task. Cheap to clone.
#[derive(Debug)]
pub(crate) struct FrameQueue<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    state: Mutex<State<T>>,
    room: Condvar,
    filled: Notify,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// A burst is complete, and not yet taken.
    pausing: bool,
    closed: bool,
}

impl<T> Clone for FrameQueue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> FrameQueue<T> {
    pub(crate) fn new() -> Self {
        let state = State { items: VecDeque::with_capacity(BURST), pausing: false, closed: false };
        Self(Arc::new(Inner { state: Mutex::new(state), room: Condvar::new(), filled: Notify::new() }))
    }

    /// Puts the newest in; when there is no room the oldest goes and true is returned.
    pub(crate) fn push_newest(&self, item: T) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        let dropped = (state.items.len() >= CAPACITY).then(|| state.items.pop_front()).flatten().is_some();
        state.items.push_back(item);
        drop(state);
        self.0.filled.notify_one();
        dropped
    }

    /// Waits until the burst before is taken. False when the queue was closed.
    pub(crate) fn push_waiting(&self, item: T) -> bool {
        let state = self.lock();
        let pausing = |state: &mut State<T>| !state.closed && state.pausing;
        let mut state = self.0.room.wait_while(state, pausing).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return false;
        }
        state.items.push_back(item);
        state.pausing = state.items.len() >= BURST;
        drop(state);
        self.0.filled.notify_one();
        true
    }

    /// Whether a frame of a recording would have to wait.
    pub(crate) fn is_pausing(&self) -> bool {
        self.lock().pausing
    }

    /// The oldest; None when the queue is closed and empty.
    pub(crate) async fn pop(&self) -> Option<T> {
        loop {
            let filled = self.0.filled.notified();
            {
                let mut state = self.lock();
                if let Some(item) = state.items.pop_front() {
                    if state.items.is_empty() {
                        state.pausing = false;
                        self.0.room.notify_one();
                    }
                    return Some(item);
                }
                if state.closed {
                    return None;
                }
            }
            filled.await;
        }
    }

    /// Nothing more goes in; what is in it can still be taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.0.room.notify_all();
        self.0.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BURST, FrameQueue};

    #[tokio::test]
    async fn the_newest_stay() {
        let queue = FrameQueue::new();
        let dropped: Vec<bool> = (0..4).map(|i| queue.push_newest(i)).collect();
        assert_eq!(dropped, [false, false, true, true]);
        queue.close();
        assert_eq!((queue.pop().await, queue.pop().await, queue.pop().await), (Some(2), Some(3), None));
    }

    #[tokio::test]
    async fn bursts_lose_nothing_and_end_with_the_queue() {
        let queue = FrameQueue::new();
        let producer = queue.clone();
        let thread = std::thread::spawn(move || (0..100).filter(|i| producer.push_waiting(*i)).count());
        for expected in 0..50 {
            assert_eq!(queue.pop().await, Some(expected));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        queue.close();
        assert!((50..=50 + BURST).contains(&thread.join().unwrap()));
    }
}
