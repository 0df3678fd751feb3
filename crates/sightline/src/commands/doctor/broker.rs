//! Whether the NATS server is there and as it must be, and whether somebody does every stage of the site.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use sightline_stage::bus::NatsConfig;
use sightline_stage::roll_call;
use sightline_wire::SourceUrl;

use super::Outcome;
use crate::args::StageName;
use crate::config::NatsSection;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn examine(nats: &NatsSection, site: &str) -> Vec<(&'static str, Outcome)> {
    if let Err(reason) = reachable(&nats.url) {
        return vec![("NATS", Err(reason))];
    }
    let all = StageName::ALL.map(StageName::as_str);
    let config = NatsConfig { url: nats.url.clone(), credentials: nats.credentials.clone(), site: site.to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(roll_call::absent(config, &all)).map_err(|error| {
            format!("{error}: see that it is started with deploy/nats/nats.conf, and that bus.nats is right")
        })
    });
    match asked {
        Ok(absent) => {
            vec![("NATS", Ok(SourceUrl::new(nats.url.clone()).redacted())), ("stages", stages(&absent, site))]
        }
        Err(reason) => vec![("NATS", Err(reason))],
    }
}

fn stages(absent: &[&str], site: &str) -> Outcome {
    match absent {
        [] => Ok(format!("somebody does every stage of site \"{site}\"")),
        absent => Err(format!(
            "nobody does {} of site \"{site}\": start `sightline worker {}` on one of the machines, with this bus and site",
            absent.join(", "),
            absent.join(" ")
        )),
    }
}

fn reachable(url: &str) -> Result<(), String> {
    let address = url.split("://").last().unwrap_or(url);
    let address = address.rsplit('@').next().unwrap_or(address);
    let address = if address.contains(':') { address.to_owned() } else { format!("{address}:4222") };
    let mend =
        |why: String| format!("{address}: {why}: start nats-server with deploy/nats/nats.conf, or mend bus.nats.url");
    let mut found = address.to_socket_addrs().map_err(|error| mend(error.to_string()))?;
    let socket = found.next().ok_or_else(|| mend("no such host".to_owned()))?;
    TcpStream::connect_timeout(&socket, PATIENCE).map_err(|error| mend(error.to_string()))?;
    Ok(())
}
