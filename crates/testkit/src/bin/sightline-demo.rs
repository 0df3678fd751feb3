//! Runs the demo; started by `cargo xtask demo`, which sees that everything it needs is there.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sightline_testkit::demo;

/// Real RTSP cameras, people recognised.
#[derive(Parser)]
struct Arguments {
    /// The `sightline` binary.
    #[arg(long)]
    binary: PathBuf,
    /// Folder of the demo clips.
    #[arg(long)]
    clips: PathBuf,
    /// Where the results go; emptied first.
    #[arg(long)]
    folder: PathBuf,
    /// Separate processes over NATS.
    #[arg(long)]
    nats: bool,
    /// Leave everything running until Enter is pressed.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let Arguments { binary, clips, folder, nats, keep } = Arguments::parse();
    match demo::run(&demo::Options { binary, clips, folder, nats, keep }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The demo's own output is on standard output; why it failed belongs on the other one.
            #[expect(clippy::print_stderr, reason = "a command's error message")]
            {
                eprintln!("demo: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
