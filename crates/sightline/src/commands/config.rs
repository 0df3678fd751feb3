//! `sightline config`.

use anyhow::Result;

use crate::args::Config as Command;
use crate::compose::cameras::trust;
use crate::config::reference::Environment;
use crate::config::{Config, ConfigError, Resolved, cameras_amiss, print};
use crate::output;

/// One configuration may be shared by machines of which only some have what the cameras need.
const ELSEWHERE: &str = " (where no camera that needs it is ingested, this does no harm)";

/// Reading and resolving is most of the check; what is wrong has been said by then.
pub(crate) fn run(config: &Config, command: &Command) -> Result<()> {
    let resolved = Resolved::new(config)?;
    match command {
        Command::Check => {
            let amiss = ingest_amiss(config);
            if !amiss.is_empty() {
                return Err(ConfigError::Unusable(amiss.join("; ") + ELSEWHERE).into());
            }
            output::line("the configuration is good")?;
        }
        Command::Print => output::line(print(config, &resolved).trim_end())?,
    }
    Ok(())
}

/// What ingest would miss on this machine.
fn ingest_amiss(config: &Config) -> Vec<String> {
    trust_amiss(config).into_iter().chain(cameras_amiss(config, &Environment)).collect()
}

/// Why the certificates of cameras cannot be used, if they cannot.
pub(super) fn trust_amiss(config: &Config) -> Option<String> {
    trust(config).err().map(|error| format!("{error}: put it where cameras are ingested, or mend the key"))
}
