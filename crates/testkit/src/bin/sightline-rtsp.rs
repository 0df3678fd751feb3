//! Plays clips as RTSP cameras; started by the demo and the tests.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use sightline_testkit::rtsp::{self, Certificate, LISTENING, Manners, Mount};

/// Clips as RTSP cameras on loopback.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long)]
    port: u16,
    /// Who may watch, as user:password; everybody without it.
    #[arg(long)]
    login: Option<String>,
    /// Ask for the password by digest.
    #[arg(long)]
    digest: bool,
    /// Serve rtsps, with this certificate.
    #[arg(long)]
    tls: Option<Certificate>,
    /// camera=path/of/clip.mp4
    #[arg(required = true, value_parser = rtsp::parse_mount)]
    mounts: Vec<Mount>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let login = arguments.login.as_deref().and_then(|login| login.split_once(':'));
    let manners = Manners { login, digest: arguments.digest, tls: arguments.tls };
    let listening = || {
        let mut out = std::io::stdout();
        // Whoever started this is gone if it cannot be told.
        drop(writeln!(out, "{LISTENING}").and_then(|()| out.flush()));
    };
    match rtsp::serve_with(arguments.port, &arguments.mounts, manners, listening) {
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
