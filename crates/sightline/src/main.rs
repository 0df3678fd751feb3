//! `sightline`: the command line and the composition of stages into processes. No logic.

mod args;
mod client;
mod commands;
mod compose;
mod config;
mod output;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use sightline_infer::InferError;

use args::{Arguments, Command, UsageError};
use config::ConfigError;

/// Done; failed; wrong usage or configuration.
const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    sightline_index::limit_arenas();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a terminal that is gone.
            drop(error.print());
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked_for { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    sightline_stage::boot::init_logging(arguments.log.into());
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::reader_has_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::from(if error.chain().any(is_usage) { USAGE } else { FAILED })
        }
    }
}

/// Whether the command line or the configuration is to be mended.
fn is_usage(cause: &(dyn std::error::Error + 'static)) -> bool {
    let of_models = cause.downcast_ref::<InferError>().is_some_and(InferError::is_configuration);
    of_models || cause.is::<ConfigError>() || cause.is::<UsageError>()
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let load = || config::load(arguments.config.as_deref());
    match &arguments.command {
        Command::Run => compose::run(load()?, compose::Layout::OneProcess),
        Command::Worker { stages } => compose::run(load()?, compose::Layout::Worker(stages.iter().copied().collect())),
        Command::People { command } => commands::people::run(arguments, command),
        Command::Search { image, k } => commands::search::run(arguments, image, *k),
        Command::Events(events) => commands::events::run(arguments, events),
        Command::Camera { command } => commands::camera::run(arguments, command),
        Command::Detect(detect) => commands::detect::run(arguments, &load()?, detect),
        Command::Embed(embed) => commands::embed::run(arguments, &load()?, embed),
        Command::Models { command } => commands::models::run(arguments, &load()?, command),
        Command::Config { command } => commands::config::run(&load()?, command),
        Command::Doctor => commands::doctor::run(arguments),
        Command::Lab { arguments } => commands::lab::run(arguments),
    }
}
