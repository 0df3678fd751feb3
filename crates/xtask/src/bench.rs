//! `cargo xtask bench`: what the product costs, measured on the product.

use std::ffi::OsString;

use anyhow::Result;
use clap::Subcommand;

use crate::cache::Cache;
use crate::command::Step;
use crate::{setup, tests};

/// What can be measured.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// CPU, memory and overhead of the pipeline on a recording; `cargo xtask bench pipeline --help` lists its options
    #[command(disable_help_flag = true)]
    Pipeline {
        /// Go to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// From the start of a process to ready with 100,000 templates
    #[command(disable_help_flag = true)]
    Start {
        /// Go to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// CPU of the laboratory's embedding of a folder, against its detector and its embedder alone
    #[command(disable_help_flag = true)]
    Embed {
        /// Go to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

pub(crate) fn run(cache: &Cache, benchmark: Benchmark) -> Result<()> {
    setup::run(cache)?;
    let bench = |package: &str, name: &str| {
        Step::cargo(cache).args(["bench", "--locked", "--package", package, "--bench", name, "--"])
    };
    // Cargo runs a benchmark in the folder of its package.
    let here = std::env::current_dir()?;
    match benchmark {
        Benchmark::Pipeline { arguments } => {
            tests::build_binaries(cache)?;
            bench("sightline", "pipeline").arg("--relative-to").arg(here).args(arguments).run()
        }
        Benchmark::Start { arguments } => {
            tests::build_binaries(cache)?;
            bench("sightline", "start").args(arguments).run()
        }
        Benchmark::Embed { arguments } => {
            bench("sightline-lab", "embed").arg("--relative-to").arg(here).args(arguments).run()
        }
    }
}
