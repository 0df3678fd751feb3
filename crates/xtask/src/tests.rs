//! `cargo xtask test`: everything the tests need, the tests, and at the end what was skipped.

use anyhow::Result;

use crate::cache::Cache;
use crate::command::Step;
use crate::setup;

/// Builds the binaries that the demo and the end-to-end tests start.
pub(crate) fn build_binaries(cache: &Cache) -> Result<()> {
    Step::cargo(cache)
        .args(["build", "--locked", "--release", "--bins"])
        .args(["--package", "sightline", "--package", "sightline-lab", "--package", "sightline-testkit"])
        .run()
}

pub(crate) fn run(cache: &Cache, arguments: &[String]) -> Result<()> {
    setup::run(cache)?;
    let whole = !arguments.iter().any(|argument| argument == "--package" || argument == "-p");
    match whole {
        // Together with the tests, or cargo would compile shared dependencies twice, with other features.
        true => {
            Step::cargo(cache).args(["build", "--locked", "--release", "--workspace", "--bins", "--tests"]).run()?
        }
        false => build_binaries(cache)?,
    }
    // The tests of the stages wait more than they compute; those of whole sites take turns by themselves.
    let threads = std::env::var("RUST_TEST_THREADS").unwrap_or_else(|_| "8".to_owned());
    let log = cache.path(&format!("skipped-{}.log", std::process::id()));
    std::fs::write(&log, "")?;
    let tests = Step::cargo(cache)
        .args(["test", "--locked", "--release", "--no-fail-fast"])
        .flag("--workspace", whole)
        .args(arguments)
        .env("SIGHTLINE_SKIP_LOG", &log)
        .env("RUST_TEST_THREADS", threads)
        .run();
    let skipped = std::fs::read_to_string(&log)?;
    std::fs::remove_file(&log)?;
    for line in skipped.lines() {
        println!("{line}");
    }
    println!("{} tests were skipped because something they need is not on this machine", skipped.lines().count());
    tests
}
