//! What is going on: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Several pieces of work, one after the other.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For so many pieces.
    pub(crate) fn new(pieces: usize) -> Self {
        Self { bar: std::io::stderr().is_terminal().then(|| bar(pieces)) }
    }

    /// Does one piece while showing `what`, then how long it took.
    pub(crate) fn piece<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => println!("{what} ..."),
        }
        let outcome = work();
        let word = if outcome.is_ok() { "done" } else { "FAILED" };
        let line = format!("{what}: {word} in {:.1} s", started.elapsed().as_secs_f64());
        match &self.bar {
            Some(bar) => {
                bar.println(line);
                bar.inc(1);
            }
            None => println!("{line}"),
        }
        outcome
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(pieces: usize) -> ProgressBar {
    let bar = ProgressBar::new(pieces as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} [{elapsed}]") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
