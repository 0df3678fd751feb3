//! `sightline camera`.

use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::json;
use sightline_gateway::api::Cameras;
use sightline_ingest::{Source, probe};
use sightline_wire::service::CameraStatus;
use sightline_wire::{SourceUrl, Transport};

use crate::args::{Arguments, Camera as Command, Output};
use crate::client::Client;
use crate::output;

/// How long a source may take to its first picture.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(arguments: &Arguments, command: &Command) -> Result<()> {
    let client = Client::new(arguments);
    match command {
        Command::Probe { source, udp } => probe_source(arguments, source, transport(*udp)),
        Command::List => show(arguments, &client.get::<Cameras>("/cameras")?.cameras),
        Command::Add { id, source, fps, udp } => {
            let body = json!({"id": id, "source": source, "fps": fps, "transport": transport(*udp)});
            show(arguments, &[client.post::<CameraStatus>("/cameras", &body)?])
        }
        Command::Remove { id } => {
            client.delete(&format!("/cameras/{id}"))?;
            match arguments.output {
                Output::Json => output::json(&json!({"id": id})),
                Output::Table => Ok(output::line(&format!("removed {id}"))?),
            }
        }
    }
}

const fn transport(udp: bool) -> Transport {
    if udp { Transport::Udp } else { Transport::Tcp }
}

fn probe_source(arguments: &Arguments, source: &str, transport: Transport) -> Result<()> {
    let shown = SourceUrl::new(source).redacted();
    let report = probe(&Source::parse(source)?, transport, PATIENCE)
        .map_err(|outage| anyhow!("{shown}: {}: {}", outage.state.as_str(), outage.detail))?;
    let (width, height) = report.size;
    let first_frame_ms = report.first_frame.as_millis();
    if arguments.output == Output::Json {
        let fps = report.fps;
        return output::json(
            &json!({"source": shown, "width": width, "height": height, "fps": fps, "first_frame_ms": first_frame_ms}),
        );
    }
    Ok(output::line(&format!(
        "{shown}: {width}x{height}, {:.1} frames a second, first frame after {first_frame_ms} ms",
        report.fps
    ))?)
}

fn show(arguments: &Arguments, cameras: &[CameraStatus]) -> Result<()> {
    if arguments.output == Output::Json {
        return cameras.iter().try_for_each(output::json);
    }
    let row = |camera: &CameraStatus| {
        let state = camera.state.map_or("waiting", |state| state.as_str());
        let detail = camera.detail.clone().unwrap_or_default();
        let from = if camera.read_only { "configuration" } else { "added" };
        let (id, source) = (camera.spec.id.to_string(), camera.spec.source.redacted());
        vec![id, state.to_owned(), source, format!("{}", camera.spec.fps), from.to_owned(), detail]
    };
    let rows: Vec<Vec<String>> = cameras.iter().map(row).collect();
    Ok(output::table(&["camera", "state", "source", "fps", "from", "detail"], &rows)?)
}
