//! `cargo xtask bench pipeline`: what the product costs on a recording, measured on the product itself.
//!
//! The parts, each on its own with `--only`:
//!
//! - `one-process`: `sightline run` with the recording as a camera that analyses every sampled frame.
//! - `nats`: the same through one process a stage and a real broker. Everything is added up, the broker included.
//! - `visits`: the same with every frame of the recording analysed. Runs that find fewer than 95 % of its visits do not count;
//!   what finding means stands in `sightline_testkit::visits`.
//! - `overhead`: the ratio of [`overhead`].
//! - `memory`: four such cameras, live, in one process.
//!
//! CPU time is what the kernel counts for a process, threads that have ended included; wall time is never compared. Start-up
//! (models are hashed, loaded and run once) ends when all processes answer ready: the camera is added only then. The clock stops when
//! the recording has ended, every sampled frame went through the tracker and every visit has ended, so that the wait for the last
//! visits to end counts as well. The thresholds of the project hold for `wall720.mp4` at 5 frames a second, CenterFace
//! at 640 and one thread a network; elsewhere nothing is judged.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark is read by people")]

mod machine;
mod memory;
mod options;
mod overhead;
mod recording;
mod report;
mod run;
mod split;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser as _;
use sightline_testkit::visits::Agreement;

use crate::options::{Options, Part, Settings};
use crate::report::Report;
use crate::run::{Layout, Run};

fn main() -> ExitCode {
    let options = Options::parse();
    match bench(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench pipeline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the figures count, and with `--gate` whether they are good enough.
fn bench(options: &Options) -> Result<bool> {
    let settings = Settings::new(options)?;
    ensure!(
        !options.gate || settings.is_judged(),
        "--gate needs wall720.mp4, 5 frames a second, CenterFace at 640 and one thread: the thresholds are for these"
    );
    let mut report = Report::new(&settings)?;
    let wants = |part: Part| options.only.is_empty() || options.only.contains(&part);
    let mut runs = Vec::new();
    for (part, layout) in [(Part::OneProcess, Layout::OneProcess), (Part::Nats, Layout::Nats)] {
        if wants(part) {
            runs.push(one_run(&settings, layout, &mut report)?);
        }
    }
    if wants(Part::Visits) {
        if runs.is_empty() {
            runs.push(one_run(&settings, Layout::OneProcess, &mut report)?);
        }
        same_visits(&settings, &runs, &mut report)?;
    }
    if wants(Part::Overhead) {
        report.overhead(&overhead::measure(&settings, options.rounds)?);
    }
    if wants(Part::Memory) {
        report.memory(&memory::measure(&settings)?);
    }
    report.finish(options.json.as_ref().map(|file| options.resolve(file)).as_deref())?;
    Ok(report.counts() && (!options.gate || report.passes()))
}

fn one_run(settings: &Settings, layout: Layout, report: &mut Report) -> Result<(Layout, Run)> {
    let run = Run::of(settings, layout, settings.fps)?;
    report.run(layout, &run);
    Ok((layout, run))
}

/// Compares with a run in which every frame is analysed.
fn same_visits(settings: &Settings, runs: &[(Layout, Run)], report: &mut Report) -> Result<()> {
    let reference = Run::of(settings, Layout::OneProcess, options::EVERY_FRAME)?;
    for (layout, run) in runs {
        let slack_s = 1.0 / settings.fps;
        report.agreement(*layout, &reference, &Agreement::of(&run.visits, &reference.visits, slack_s));
    }
    Ok(())
}
