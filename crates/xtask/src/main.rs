//! `cargo xtask`: set-up, demo, tests and checks. It depends on no other crate of the workspace, so that it builds in seconds on a
//! machine where nothing is installed yet.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool of the workspace")]

mod arch;
mod bench;
mod cache;
mod ci;
mod command;
mod deploy;
mod fuzz;
mod models;
mod progress;
mod setup;
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::cache::Cache;
use crate::command::Step;

/// What can be asked for.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Set-up, demo, tests and checks of Sightline", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is missing, fetch and convert the models; does nothing when all is there
    Setup,
    /// Real cameras, people recognised: build everything and show it
    Demo {
        /// Separate processes over a real NATS server
        #[arg(long)]
        nats: bool,
        /// Leave it running until Enter is pressed
        #[arg(long)]
        keep: bool,
    },
    /// Build `sightline` and `sightline-lab` and put them, with `nats-server`, where cargo puts programs
    Install,
    /// All tests; arguments go to `cargo test`
    Test {
        /// As in `cargo xtask test -- --package sightline-track`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Measure the product
    Bench {
        #[command(subcommand)]
        benchmark: bench::Benchmark,
    },
    /// Feed the parsers with what nobody would send; takes its time, so it is not part of `ci`
    Fuzz {
        /// One of `tests/fuzz/src/bin`; every one unless given
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
    /// What CI runs: formatting, lints, tests, documents, licences, architecture, deployment files
    Ci,
    /// Check who may know whom
    Arch,
    /// Check the deployment files, and build what the image holds
    Deploy,
    /// The models: which there are, and whether their files are right
    Models {
        #[arg(default_value = "list")]
        command: models::Command,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let cache = Cache::locate()?;
    match task {
        Task::Setup => setup::run(&cache),
        Task::Demo { nats, keep } => demo(&cache, nats, keep),
        Task::Install => install(&cache),
        Task::Test { arguments } => tests::run(&cache, &arguments),
        Task::Bench { benchmark } => bench::run(&cache, benchmark),
        Task::Fuzz { target, seconds } => fuzz::run(&cache, target.as_deref(), seconds),
        Task::Ci => ci::run(&cache),
        Task::Arch => arch::run(),
        Task::Deploy => deploy::run(&cache),
        Task::Models { command } => models::run(&cache, command),
    }
}

fn install(cache: &Cache) -> Result<()> {
    setup::run(cache)?;
    tests::build_binaries(cache)?;
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("CARGO_HOME").or_else(|| set("HOME").map(|home| home.join(".cargo"))).context("there is no HOME")?;
    let folder = home.join("bin");
    std::fs::create_dir_all(&folder)?;
    for built in [cache.binary("sightline"), cache.binary("sightline-lab"), cache.path(cache::NATS_SERVER)] {
        let program = folder.join(built.file_name().unwrap_or_default());
        // A running one keeps its file; the new one takes its place.
        let beside = program.with_extension("new");
        std::fs::copy(&built, &beside).with_context(|| beside.display().to_string())?;
        std::fs::rename(&beside, &program)?;
        println!("{}", program.display());
    }
    println!("`sightline doctor` checks what it needs");
    Ok(())
}

fn demo(cache: &Cache, nats: bool, keep: bool) -> Result<()> {
    setup::run(cache)?;
    println!("building (the first time this takes some minutes, FAISS alone three)");
    tests::build_binaries(cache)?;
    let folder = cache::workspace().join("target/demo");
    Step::new(cache.binary("sightline-demo"))
        .arg("--binary")
        .arg(cache.binary("sightline"))
        .arg("--clips")
        .arg(cache.clips())
        .arg("--folder")
        .arg(folder)
        .flag("--nats", nats)
        .flag("--keep", keep)
        .environment(cache)
        .run()
}
