//! `sightline doctor`: what is installed, reachable, misconfigured, and how to mend it. Changes nothing.

mod broker;
mod folder;
mod server;

use anyhow::{Result, bail};
use serde::Serialize;
use sightline_infer::InferError;
use sightline_store::Store;

use crate::args::{Arguments, Output};
use crate::commands::config::trust_amiss;
use crate::config::reference::Environment;
use crate::config::{self, BusSection, Config, Resolved, cameras_amiss};
use crate::output;

/// What is well, or what is to be mended and how.
type Outcome = Result<String, String>;

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let findings = examine(arguments);
    let bad = findings.iter().filter(|finding| !finding.ok).count();
    let printed = print(arguments, &findings);
    // Also when nobody reads what is printed.
    match bad {
        0 => printed,
        1 => bail!("1 thing needs mending"),
        _ => bail!("{bad} things need mending"),
    }
}

fn print(arguments: &Arguments, findings: &[Finding]) -> Result<()> {
    if arguments.output == Output::Json {
        return findings.iter().try_for_each(output::json);
    }
    let word = |ok: bool| if ok { "ok" } else { "MEND" }.to_owned();
    let row = |finding: &Finding| vec![word(finding.ok), finding.what.to_owned(), finding.detail.clone()];
    Ok(output::table(&["", "what", "finding"], &findings.iter().map(row).collect::<Vec<_>>())?)
}

fn examine(arguments: &Arguments) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |what, outcome: Outcome| {
        let ok = outcome.is_ok();
        findings.push(Finding { what, ok, detail: outcome.unwrap_or_else(|detail| detail) });
    };
    let loaded = config::load(arguments.config.as_deref());
    note("configuration", loaded.as_ref().map(|_| "readable".to_owned()).map_err(ToString::to_string));
    // Without one only what does not depend on it is looked at, with the defaults.
    let (config, known) = loaded.map_or_else(|_| (Config::default(), false), |config| (config, true));
    note("GStreamer", sightline_ingest::installed());
    let runtime = Resolved::runtime(&config).map_err(|error| error.to_string());
    note("ONNX Runtime", runtime.map(|runtime| runtime.library().display().to_string()));
    let resolved = Resolved::new(&config);
    match &resolved {
        Ok(resolved) => {
            for id in [&resolved.detector.model, &resolved.embedder] {
                let verified = resolved.store.verify(id).map_err(|error: InferError| error.to_string());
                note("model", verified.map(|id| id.to_string()));
            }
        }
        Err(error) => note("models", Err(error.to_string())),
    }
    if known {
        cameras(&config).into_iter().for_each(|outcome| note("camera", outcome));
        if let Some(file) = &config.ingest.trust {
            note("trust", trust_amiss(&config).map_or_else(|| Ok(file.display().to_string()), Err));
        }
        note("data_dir", folder::writable(&config.data_dir));
        if let Some(outcome) = resolved.ok().and_then(|resolved| gallery(&config, &resolved)) {
            note("gallery", outcome);
        }
        if let BusSection::Nats(nats) = &config.bus {
            broker::examine(nats, &config.site).into_iter().for_each(|(what, outcome)| note(what, outcome));
        }
    }
    note("server", server::examine(&arguments.server, known.then_some(&config.site)));
    findings
}

/// One line for all that are well, and one for each that is not.
fn cameras(config: &Config) -> Vec<Outcome> {
    let amiss = cameras_amiss(config, &Environment);
    let well = config.cameras.len() - amiss.len();
    let well =
        (well > 0).then(|| Ok(format!("{well} of the configuration can be opened as far as names and files go")));
    well.into_iter().chain(amiss.into_iter().map(Err)).collect()
}

/// Whether the gallery can go on with the configured embedder; none where there is no gallery yet.
fn gallery(config: &Config, resolved: &Resolved) -> Option<Outcome> {
    let database = config.data_dir.join("sightline.db");
    if !database.is_file() {
        return None;
    }
    let checked = resolved.store.identity(&resolved.embedder).map_err(|error| error.to_string()).and_then(|embedder| {
        let checked = Store::check_gallery_model_of(&database, embedder.as_str()).map_err(|error| error.to_string());
        checked.map(|()| format!("{} goes with {embedder}", database.display()))
    });
    Some(checked)
}
