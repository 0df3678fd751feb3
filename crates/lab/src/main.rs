//! `sightline-lab`: the laboratory's command line. `sightline lab …` hands over to it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sightline_lab::commands::{calibrate, classify, collect, detectors, identify, in_words, train, verify};

/// Compare detectors and recognisers, on your own people, with numbers that anyone can repeat.
#[derive(Debug, Parser)]
#[command(name = "sightline-lab", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Faces of a camera or a video, as a folder a person
    Collect(collect::Arguments),
    /// Face detectors side by side: speed, misses and false detections, or where they differ
    Detectors(detectors::Arguments),
    /// Are two pictures of the same person? LFW's protocol over a list of pairs
    Verify(verify::Arguments),
    /// Who is it, if anybody? Open set, over several drawn splits
    Identify(identify::Arguments),
    /// Who of these people is it? Closed set, several recognisers on one written-out split
    Classify(classify::Arguments),
    /// One method of `classify`, which calls this itself
    #[command(hide = true)]
    ClassifyOne(classify::One),
    /// The thresholds of the pipeline from your own people, at a chosen false accept rate
    Calibrate(calibrate::Arguments),
    /// A head over a frozen embedder, learned from your own people with triplets, as a model that the pipeline loads
    Train(Box<train::Arguments>),
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Collect(arguments) => collect::run(&arguments),
        Command::Detectors(arguments) => detectors::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Identify(arguments) => identify::run(&arguments),
        Command::Classify(arguments) => classify::run(&arguments),
        Command::ClassifyOne(arguments) => classify::one(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // Nothing can be done about a terminal that is gone.
            drop(writeln!(std::io::stderr().lock(), "sightline-lab: {}", in_words(&error)));
            ExitCode::FAILURE
        }
    }
}
