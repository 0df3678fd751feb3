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
}

pub(crate) fn run(cache: &Cache, benchmark: Benchmark) -> Result<()> {
    setup::run(cache)?;
    tests::build_binaries(cache)?;
    let bench =
        |name: &str| Step::cargo(cache).args(["bench", "--locked", "--package", "sightline", "--bench", name, "--"]);
    match benchmark {
        Benchmark::Pipeline { arguments } => {
            // Cargo runs a benchmark in the folder of its package.
            bench("pipeline").arg("--relative-to").arg(std::env::current_dir()?).args(arguments).run()
        }
        Benchmark::Start { arguments } => bench("start").args(arguments).run(),
    }
}
