//! Other programs: where ours are, ports for them, signals by process id.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail, ensure};

/// A binary of ours, beside the running one or one folder up (where tests have it).
///
/// # Errors
/// When it has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    for folder in own.ancestors().skip(1).take(2) {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!("{name} is not built: use `cargo xtask test`, or build the binaries of sightline and sightline-testkit first")
}

/// A port on loopback that was free a moment ago and is given to nobody else: each process counts on from a place of its own, below
/// the range from which the kernel takes the ports of outgoing connections.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    const RANGE: u32 = 20_000;
    let place = std::process::id().wrapping_mul(97);
    for _ in 0..RANGE {
        let offset = place.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % RANGE;
        let port = u16::try_from(10_000 + offset)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("there is no free port")
}

/// Sends a signal by name to one process, by its id.
///
/// # Errors
/// When there is no such process.
pub fn signal(process: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status()?;
    ensure!(status.success(), "process {process} cannot be signalled");
    Ok(())
}
