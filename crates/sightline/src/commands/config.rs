//! `sightline config`.

use anyhow::Result;

use crate::args::Config as Command;
use crate::compose::cameras::trust;
use crate::config::reference::Environment;
use crate::config::{Config, ConfigError, Resolved, cameras_amiss, print};
use crate::output;

/// Reading and resolving is most of the check; what is wrong has been said by then.
pub(crate) fn run(config: &Config, command: &Command) -> Result<()> {
    let resolved = Resolved::new(config)?;
    match command {
        Command::Check => {
            trust(config)?;
            let amiss = cameras_amiss(config, &Environment);
            if !amiss.is_empty() {
                return Err(ConfigError::Unusable(amiss.join("; ")).into());
            }
            output::line("the configuration is good")?;
        }
        Command::Print => output::line(print(config, &resolved).trim_end())?,
    }
    Ok(())
}
