//! What is going on: a moving line on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Does `work` while showing `what`, then how long it took.
pub(crate) fn show<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let bar = std::io::stderr().is_terminal().then(|| spinner(what));
    if bar.is_none() {
        println!("{what} ...");
    }
    let outcome = work();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let word = if outcome.is_ok() { "done" } else { "FAILED" };
    println!("{what}: {word} in {:.1} s", started.elapsed().as_secs_f64());
    outcome
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
