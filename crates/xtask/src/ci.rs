//! `cargo xtask ci`: what must hold for every commit. All steps run, also after one that failed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::command::Step;
use crate::{arch, deploy, models, setup, tests};

/// Pinned, so that a new rule of the tool does not break an old commit.
const CARGO_DENY: &str = "0.20.2";

type Check = fn(&Cache) -> Result<()>;

const STEPS: &[(&str, Check)] = &[
    ("set-up", setup::run),
    ("format", format),
    ("architecture", |_| arch::run()),
    ("clippy", clippy),
    ("tests", |cache| tests::run(cache, &[])),
    ("documents", documents),
    ("licences", licences),
    ("models", |cache| models::run(cache, models::Command::Verify)),
    ("deployment", deploy::run),
];

pub(crate) fn run(cache: &Cache) -> Result<()> {
    let mut outcomes: Vec<(&str, Duration, Option<String>)> = Vec::new();
    for (name, check) in STEPS {
        println!("\n=== {name}");
        let started = Instant::now();
        let outcome = check(cache);
        outcomes.push((name, started.elapsed(), outcome.err().map(|error| format!("{error:#}"))));
    }
    println!();
    for (name, took, failure) in &outcomes {
        let word = failure.as_ref().map_or("ok", |_| "FAILED");
        println!("{name:14} {word:7} {:6.0} s  {}", took.as_secs_f64(), failure.as_deref().unwrap_or_default());
    }
    match outcomes.iter().filter(|(.., failure)| failure.is_some()).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} steps failed", outcomes.len()),
    }
}

fn format(cache: &Cache) -> Result<()> {
    Step::cargo(cache).args(["fmt", "--all", "--check"]).run()
}

fn clippy(cache: &Cache) -> Result<()> {
    let step = Step::cargo(cache).args(["clippy", "--locked", "--release", "--workspace", "--all-targets"]);
    // With the execution providers, which must compile although no device is here.
    step.arg("--all-features").args(["--", "--deny", "warnings"]).run()
}

fn documents(cache: &Cache) -> Result<()> {
    let step = Step::cargo(cache).args([
        "doc",
        "--locked",
        "--release",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    step.env("RUSTDOCFLAGS", "--deny warnings").run()
}

/// Licences, sources and bans. The advisory database is not reachable from CI, so advisories are not checked here: run `cargo deny check` where it is.
fn licences(cache: &Cache) -> Result<()> {
    println!("advisories are not checked: their database is not reachable from CI");
    let tools = cache.path("tools");
    let program = tools.join("bin/cargo-deny");
    let version = Step::new(&program).arg("--version").output().unwrap_or_default();
    if version.trim() != format!("cargo-deny {CARGO_DENY}") {
        let install = Step::cargo(cache).args(["install", "--locked", "--quiet", "--root"]).arg(&tools);
        install.args(["cargo-deny", "--version", CARGO_DENY]).run()?;
    }
    let step = Step::new(program).folder(&crate::cache::workspace());
    step.args(["--log-level", "error", "check", "bans", "licenses", "sources"]).run()
}
