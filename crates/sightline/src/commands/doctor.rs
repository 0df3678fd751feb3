//! `sightline doctor`: what is installed, reachable, misconfigured, and how to mend it.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use sightline_infer::InferError;

use crate::args::{Arguments, Output};
use crate::client::Client;
use crate::config::{self, BusSection, Config, Resolved};
use crate::output;

const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let findings = examine(arguments);
    let bad = findings.iter().filter(|finding| !finding.ok).count();
    match arguments.output {
        Output::Json => findings.iter().try_for_each(output::json)?,
        Output::Table => {
            let word = |ok: bool| if ok { "ok" } else { "MEND" }.to_owned();
            let row = |finding: &Finding| vec![word(finding.ok), finding.what.to_owned(), finding.detail.clone()];
            output::table(&["", "what", "finding"], &findings.iter().map(row).collect::<Vec<_>>())?;
        }
    }
    if bad > 0 {
        bail!("{bad} things need mending");
    }
    Ok(())
}

fn examine(arguments: &Arguments) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |what, outcome: Result<String, String>| {
        let ok = outcome.is_ok();
        findings.push(Finding { what, ok, detail: outcome.unwrap_or_else(|detail| detail) });
    };
    let loaded = config::load(arguments.config.as_deref());
    let config = match loaded {
        Ok(config) => {
            note("configuration", Ok("readable".to_owned()));
            config
        }
        Err(error) => {
            note("configuration", Err(error.to_string()));
            Config::default()
        }
    };
    note("GStreamer", sightline_ingest::installed());
    let runtime = Resolved::runtime(&config).map_err(|error| error.to_string());
    note("ONNX Runtime", runtime.map(|runtime| runtime.library().display().to_string()));
    match Resolved::new(&config) {
        Ok(resolved) => {
            for id in [&resolved.detector.model, &resolved.embedder] {
                let verified = resolved.store.verify(id).map_err(|error: InferError| error.to_string());
                note("model", verified.map(|id| id.to_string()));
            }
        }
        Err(error) => note("models", Err(error.to_string())),
    }
    note("data_dir", writable(&config.data_dir));
    if let BusSection::Nats(nats) = &config.bus {
        note("NATS", reachable(&nats.url));
    }
    let server: Result<serde_json::Value> = Client::new(arguments).get("/cameras");
    note(
        "server",
        Ok(server.map_or_else(|_| "not running here".to_owned(), |_| format!("answers at {}", arguments.server))),
    );
    findings
}

fn writable(folder: &Path) -> Result<String, String> {
    let mend = |error: std::io::Error| {
        format!("{}: {error}: give another data_dir, or the right to write there", folder.display())
    };
    std::fs::create_dir_all(folder).map_err(mend)?;
    let probe = folder.join(".doctor");
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(mend)?;
    Ok(folder.display().to_string())
}

fn reachable(url: &str) -> Result<String, String> {
    let address = url.split("://").last().unwrap_or(url);
    let address = address.rsplit('@').next().unwrap_or(address);
    let address = if address.contains(':') { address.to_owned() } else { format!("{address}:4222") };
    let mend =
        |why: String| format!("{address}: {why}: start nats-server with deploy/nats/nats.conf, or mend bus.nats.url");
    let mut found = address.to_socket_addrs().map_err(|error| mend(error.to_string()))?;
    let socket = found.next().ok_or_else(|| mend("no such host".to_owned()))?;
    TcpStream::connect_timeout(&socket, PATIENCE).map_err(|error| mend(error.to_string()))?;
    Ok(address)
}
