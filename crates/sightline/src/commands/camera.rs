//! `sightline camera`.

use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::json;
use sightline_gateway::api::Cameras;
use sightline_ingest::{Source, Trust, probe};
use sightline_wire::service::CameraStatus;
use sightline_wire::{CameraId, CameraSpec, SourceUrl, Transport};

use crate::args::{Arguments, Camera as Command, CameraSettings, Output, UsageError};
use crate::client::Client;
use crate::compose::cameras::trust;
use crate::config;
use crate::output;

/// How long a source may take to its first picture.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(arguments: &Arguments, command: &Command) -> Result<()> {
    let client = Client::new(arguments);
    match command {
        Command::Probe { source, udp } => probe_source(arguments, source, transport(*udp)),
        Command::List => show(arguments, &client.get::<Cameras>("/cameras")?.cameras),
        Command::Add { id, source, settings } => {
            let spec: CameraSpec = serde_json::from_value(json!({"id": id, "source": source}))?;
            show(arguments, &[client.post::<CameraStatus>("/cameras", &with(spec, settings))?])
        }
        Command::Change { id, source, settings } => {
            show(arguments, &[change(&client, &path(id)?, source.as_deref(), settings)?])
        }
        Command::Remove { id } => {
            client.delete(&path(id)?)?;
            match arguments.output {
                Output::Json => output::json(&json!({"id": id})),
                Output::Table => Ok(output::line(&format!("removed {id}"))?),
            }
        }
    }
}

fn path(id: &str) -> Result<String> {
    Ok(format!("/cameras/{}", id.parse::<CameraId>()?))
}

/// The server keeps the password of a source that comes back with `***`.
fn change(client: &Client, path: &str, source: Option<&str>, settings: &CameraSettings) -> Result<CameraStatus> {
    if source.is_none() && *settings == CameraSettings::default() {
        let way_out = "say what is to be changed: --source, --fps, --mode, --stall, --udp or --tcp";
        return Err(UsageError(way_out.to_owned()).into());
    }
    let mut spec = client.get::<CameraStatus>(path)?.spec;
    if let Some(source) = source {
        spec.source = SourceUrl::new(source);
    }
    client.put(path, &with(spec, settings))
}

/// What is not given stays.
fn with(spec: CameraSpec, settings: &CameraSettings) -> CameraSpec {
    CameraSpec {
        fps: settings.fps.unwrap_or(spec.fps),
        mode: settings.mode.map_or(spec.mode, Into::into),
        stall: settings.stall.unwrap_or(spec.stall),
        transport: if settings.udp || settings.tcp { transport(settings.udp) } else { spec.transport },
        ..spec
    }
}

const fn transport(udp: bool) -> Transport {
    if udp { Transport::Udp } else { Transport::Tcp }
}

/// The certificates of the configuration. One that happens to lie here and cannot be used does not keep anybody from probing.
fn trusted(arguments: &Arguments) -> Result<Trust> {
    let read = || trust(&config::load(arguments.config.as_deref())?);
    match read() {
        Err(error) if arguments.config.is_none() => {
            output::error(&format!("{error} (probing without it)"));
            Ok(Trust::default())
        }
        read => Ok(read?),
    }
}

fn probe_source(arguments: &Arguments, source: &str, transport: Transport) -> Result<()> {
    let shown = SourceUrl::new(source).redacted();
    let report = probe(&Source::parse(source)?, transport, &trusted(arguments)?, PATIENCE)
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
