//! Whether the NATS server is there and as it must be, and whether somebody does every stage of the site.

use sightline_stage::bus::{BusError, NatsConfig};
use sightline_stage::roll_call::{self, Roll};
use sightline_wire::SourceUrl;

use super::Outcome;
use crate::args::StageName;
use crate::config::NatsSection;

pub(super) fn examine(nats: &NatsSection, site: &str) -> Vec<(&'static str, Outcome)> {
    let all = StageName::ALL.map(StageName::as_str);
    let config = NatsConfig { url: nats.url.clone(), credentials: nats.credentials.clone(), site: site.to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(roll_call::call(config, &all)).map_err(|error| mend(&error)));
    match asked {
        Ok(roll) => vec![("NATS", Ok(SourceUrl::new(nats.url.clone()).redacted())), ("stages", stages(&roll, site))],
        Err(reason) => vec![("NATS", Err(reason))],
    }
}

fn mend(error: &BusError) -> String {
    match error {
        BusError::Unreachable { .. } => {
            format!("{error}: start nats-server with deploy/nats/nats.conf, or mend bus.nats")
        }
        _ => format!("{error}: see that it is started with deploy/nats/nats.conf, and that bus.nats is right"),
    }
}

fn stages(roll: &Roll<'_>, site: &str) -> Outcome {
    let (absent, silent) = (&roll.absent, &roll.silent);
    let nobody = (!absent.is_empty()).then(|| {
        format!(
            "nobody does {} of site \"{site}\": start `sightline worker {}` on one of the machines, with this bus and site",
            absent.join(", "),
            absent.join(" ")
        )
    });
    let hangs = (!silent.is_empty()).then(|| {
        format!(
            "who does {} of site \"{site}\" does not answer: see what hangs there, or start it anew",
            silent.join(", ")
        )
    });
    let amiss: Vec<String> = nobody.into_iter().chain(hangs).collect();
    if amiss.is_empty() { Ok(format!("somebody does every stage of site \"{site}\"")) } else { Err(amiss.join("; ")) }
}
