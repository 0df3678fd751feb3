//! `sightline models`.

use anyhow::bail;
use serde_json::json;
use sightline_infer::{InferError, Manifest};

use crate::args::{Arguments, Models, Output};
use crate::config::{Config, Resolved};
use crate::output;

pub(crate) fn run(arguments: &Arguments, config: &Config, command: &Models) -> anyhow::Result<()> {
    let store = Resolved::new(config)?.store;
    let mut rows = Vec::new();
    let mut broken = 0;
    for manifest in store.list() {
        let state = match command {
            Models::List => manifest.description.clone(),
            Models::Verify => match store.verify(&manifest.id) {
                Ok(id) => format!("ok, {id}"),
                // Of these there is no package: that they are not here is no fault.
                Err(InferError::MissingFile { hint, .. }) if manifest.source.package.is_none() => {
                    format!("not here: {hint}")
                }
                Err(error) => {
                    broken += 1;
                    error.to_string()
                }
            },
        };
        match arguments.output {
            Output::Json => output::json(&row_json(manifest, command, &state))?,
            Output::Table => rows.push(vec![manifest.id.clone(), manifest.kind.to_string(), license(manifest), state]),
        }
    }
    let last = if matches!(command, Models::List) { "description" } else { "state" };
    let head = ["model", "kind", "license of the weights", last];
    let printed = if arguments.output == Output::Table { output::table(&head, &rows) } else { Ok(()) };
    // Also when nobody reads what is printed.
    if broken > 0 {
        bail!("{broken} models cannot be used; their states say what to do");
    }
    Ok(printed?)
}

fn license(manifest: &Manifest) -> String {
    manifest.license.weights.clone()
}

fn row_json(manifest: &Manifest, command: &Models, state: &str) -> serde_json::Value {
    let key = if matches!(command, Models::List) { "description" } else { "state" };
    json!({"id": manifest.id, "kind": manifest.kind.as_str(), "license": license(manifest), key: state})
}
