//! `sightline-lab`: the laboratory's command line. `sightline lab …` hands over to it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sightline_lab::commands::{identify, verify};

/// Compare detectors and recognisers, on your own people, with numbers that anyone can repeat.
#[derive(Debug, Parser)]
#[command(name = "sightline-lab", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Are two pictures of the same person? LFW's protocol over a list of pairs
    Verify(verify::Arguments),
    /// Who is it, if anybody? Open set, over several drawn splits
    Identify(identify::Arguments),
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Identify(arguments) => identify::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // Nothing can be done about a terminal that is gone.
            drop(writeln!(std::io::stderr().lock(), "sightline-lab: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
