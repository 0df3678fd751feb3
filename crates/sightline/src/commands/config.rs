//! `sightline config`.

use crate::args::Config as Command;
use crate::config::{Config, Resolved, print};
use crate::output;

/// Reading and resolving is the check; what is wrong has been said by then.
pub(crate) fn run(config: &Config, command: &Command) -> anyhow::Result<()> {
    let resolved = Resolved::new(config)?;
    match command {
        Command::Check => output::line("the configuration is good")?,
        Command::Print => output::line(print(config, &resolved).trim_end())?,
    }
    Ok(())
}
