//! CPU time of the threads of processes, from /proc, also of threads that end before their process does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};

/// A thread that ends is seen at most so long before its end.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What one thread has used while it was watched.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadTime {
    /// Its process.
    pub process: u32,
    /// Its name, at most 15 bytes of it.
    pub name: String,
    /// User and system time.
    pub cpu_seconds: f64,
}

/// Process and thread.
type Seen = BTreeMap<(u32, u32), ThreadTime>;

/// Watches threads until it is stopped.
#[derive(Debug)]
pub struct ThreadClock {
    stop: Arc<AtomicBool>,
    watcher: JoinHandle<Seen>,
    before: Seen,
}

impl ThreadClock {
    /// Counts from now on.
    #[must_use]
    pub fn start(processes: Vec<u32>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut before = Seen::new();
        look(&processes, &mut before);
        let ends = Arc::clone(&stop);
        let watcher = std::thread::spawn(move || {
            let mut seen = Seen::new();
            while !ends.load(Ordering::Relaxed) {
                look(&processes, &mut seen);
                std::thread::sleep(LOOK_EVERY);
            }
            look(&processes, &mut seen);
            seen
        });
        Self { stop, watcher, before }
    }

    /// What each thread has used since the start.
    ///
    /// # Errors
    /// When the watching thread broke down.
    pub fn stop(self) -> Result<Vec<ThreadTime>> {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.watcher.join().map_err(|_| anyhow!("the thread that watches threads panicked"))?;
        let used = seen.into_iter().map(|(key, thread)| {
            let before = self.before.get(&key).map_or(0.0, |thread| thread.cpu_seconds);
            ThreadTime { cpu_seconds: thread.cpu_seconds - before, ..thread }
        });
        Ok(used.collect())
    }
}

/// Takes the newest times; of threads that are gone the last ones stay.
fn look(processes: &[u32], seen: &mut Seen) {
    for &process in processes {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { continue };
        for thread in threads.flatten() {
            let id = thread.file_name().to_str().and_then(|name| name.parse().ok());
            if let (Some(id), Some((name, cpu_seconds))) = (id, read(&thread.path())) {
                seen.insert((process, id), ThreadTime { process, name, cpu_seconds });
            }
        }
    }
}

/// Name and CPU time; `None` when it has just ended.
fn read(thread: &Path) -> Option<(String, f64)> {
    let name = std::fs::read_to_string(thread.join("comm")).ok()?;
    // Nanoseconds on a processor come first; `stat` has hundredths of a second only.
    let times = std::fs::read_to_string(thread.join("schedstat")).ok()?;
    let on_cpu_ns: f64 = times.split(' ').next()?.parse().ok()?;
    Some((name.trim_end().to_owned(), on_cpu_ns / 1e9))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::ThreadClock;

    #[test]
    fn a_thread_that_ended_is_counted() {
        let clock = ThreadClock::start(vec![std::process::id()]);
        let busy = std::thread::Builder::new().name("busy-7".into()).spawn(|| {
            let until = Instant::now() + Duration::from_millis(400);
            let mut turns = 0u64;
            while Instant::now() < until {
                turns = std::hint::black_box(turns + 1);
            }
        });
        busy.unwrap().join().unwrap();
        let threads = clock.stop().unwrap();
        let busy = threads.iter().find(|thread| thread.name == "busy-7").unwrap();
        // On a loaded machine the thread gets a part of the time only.
        assert!(busy.cpu_seconds > 0.01 && busy.cpu_seconds < 0.5, "{busy:?}");
        assert_eq!(busy.process, std::process::id());
    }
}
