//! `sightline lab`: hands over to the laboratory's own binary, so that plots and training stay out of the workers.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, bail};

/// Becomes `sightline-lab`, which lies beside this program.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("where this program lies")?;
    let lab = own.with_file_name("sightline-lab");
    // Its help and its errors name it as it was called.
    let error = std::process::Command::new(&lab).arg0("sightline lab").args(arguments).exec();
    bail!("{} cannot be started: {error}; `cargo xtask install` puts it there", lab.display());
}
