//! Plays clips as RTSP cameras; started by the demo and the tests.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use sightline_testkit::rtsp::{self, LISTENING, Manners, Mount};

/// Clips as RTSP cameras on loopback.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long)]
    port: u16,
    /// Who may watch, as user:password; everybody without it.
    #[arg(long)]
    login: Option<String>,
    /// Serve rtsps, with a certificate that nobody has signed.
    #[arg(long)]
    tls: bool,
    /// camera=path/of/clip.mp4
    #[arg(required = true, value_parser = rtsp::parse_mount)]
    mounts: Vec<Mount>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let login = arguments.login.as_deref().and_then(|login| login.split_once(':'));
    let listening = || {
        let mut out = std::io::stdout();
        // Whoever started this is gone if it cannot be told.
        drop(writeln!(out, "{LISTENING}").and_then(|()| out.flush()));
    };
    match rtsp::serve_with(arguments.port, &arguments.mounts, Manners { login, tls: arguments.tls }, listening) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a command's error message")]
            {
                eprintln!("sightline-rtsp: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
