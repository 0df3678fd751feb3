//! Who measured what, with what, on what: the head of every machine-readable report.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::{Serialize, Serializer};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::machine::Machine;
use super::secret;
use crate::whole::{self, WriteError};

/// A model that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelUsed {
    /// Its id, with the file's name where it has several.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// One run of one command: everything that is needed to do it again.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The command, such as `verify`.
    pub command: String,
    /// The command line as typed, without passwords.
    pub arguments: Vec<String>,
    /// What was in use and its version: `sightline`, `onnxruntime`, …
    pub versions: BTreeMap<String, String>,
    /// The models in use.
    pub models: Vec<ModelUsed>,
    /// Every setting, those left at their default included, without passwords.
    pub settings: Value,
    /// What the random numbers start from, where there are any.
    pub seed: Option<u64>,
    /// Pictures whose results come from what an earlier run has kept, counted once for each way of looking at them.
    pub recalled: u64,
    /// The machine.
    pub machine: Machine,
    /// When it started, RFC 3339, UTC.
    pub started: String,
    /// How long it took.
    pub took_seconds: f64,
    /// Whether it came to its end; an interrupted run keeps what it has.
    pub complete: bool,
    #[serde(skip)]
    clock: Instant,
}

impl Run {
    /// Starts the clock. `version` is this program's.
    #[must_use]
    pub fn start(command: &str, version: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self {
            command: command.to_owned(),
            arguments: std::env::args().skip(1).map(|argument| secret::hide(&argument)).collect(),
            versions: BTreeMap::from([("sightline".to_owned(), version.to_owned())]),
            models: Vec::new(),
            settings: Value::Null,
            seed: None,
            recalled: 0,
            machine: Machine::here(),
            started: now.format(&Rfc3339).unwrap_or_default(),
            took_seconds: 0.0,
            complete: false,
            clock: Instant::now(),
        }
    }

    /// Adds the version of something in use.
    #[must_use]
    pub fn with(mut self, name: &str, version: &str) -> Self {
        self.versions.insert(name.to_owned(), version.to_owned());
        self
    }

    /// Adds a model in use.
    #[must_use]
    pub fn model(mut self, name: &str, sha256: &str) -> Self {
        self.models.push(ModelUsed { name: name.to_owned(), sha256: sha256.to_owned() });
        self
    }

    /// Keeps the settings.
    ///
    /// # Errors
    /// When the settings have no form in JSON.
    pub fn settings(mut self, settings: &impl Serialize) -> serde_json::Result<Self> {
        self.settings = secret::hide_in(serde_json::to_value(settings)?);
        Ok(self)
    }

    /// Keeps the seed.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The run has come to its end.
    pub fn finish(&mut self) {
        self.stop(true);
    }

    /// The run was interrupted; its results are those of the part that was done.
    pub fn interrupt(&mut self) {
        self.stop(false);
    }

    fn stop(&mut self, complete: bool) {
        self.took_seconds = self.clock.elapsed().as_secs_f64();
        self.complete = complete;
    }
}

/// A figure, or why it cannot be had: `{"refused": why}` in its place. For `#[serde(serialize_with)]`.
///
/// # Errors
/// Those of the figure's own form.
pub fn or_refused<T: Serialize, S: Serializer>(figure: &Result<T, String>, serializer: S) -> Result<S::Ok, S::Error> {
    match figure {
        Ok(figure) => figure.serialize(serializer),
        Err(why) => serializer.collect_map([("refused", why)]),
    }
}

/// A run and its results: one JSON document. A number that is not finite is written as `null`.
#[derive(Debug, Serialize)]
pub struct Envelope<'a, T> {
    /// Version of this form: it changes when a field changes its meaning or goes away.
    pub format: u32,
    /// The run.
    #[serde(flatten)]
    pub run: &'a Run,
    /// What the command measured.
    pub results: &'a T,
}

/// Writes the run and its results, whole or not at all.
///
/// # Errors
/// When the file cannot be written, or the results have no form in JSON.
pub fn write_json<T: Serialize>(path: &Path, run: &Run, results: &T) -> Result<(), WriteError> {
    whole::write(path, |file| {
        serde_json::to_writer_pretty(&mut *file, &Envelope { format: 1, run, results })?;
        file.write_all(b"\n")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    use super::{Run, write_json};

    fn written(run: &Run, results: &Value) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_json(&path, run, results).unwrap();
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_report_says_how_to_repeat_it() {
        let run = Run::start("verify", "1.2.3").with("onnxruntime", "1.26.0").model("facenet", "ab12").seeded(7);
        let mut run = run.settings(&json!({"camera": "rtsp://me:word@host/", "flip": false})).unwrap();
        run.finish();
        let report = written(&run, &json!({"accuracy": 0.99}));
        assert_eq!(report["format"], 1);
        assert_eq!(report["command"], "verify");
        assert_eq!(report["versions"], json!({"onnxruntime": "1.26.0", "sightline": "1.2.3"}));
        assert_eq!(report["models"], json!([{"name": "facenet", "sha256": "ab12"}]));
        assert_eq!(report["settings"], json!({"camera": "rtsp://me:***@host/", "flip": false}));
        assert_eq!(report["seed"], 7);
        assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
        assert!(OffsetDateTime::parse(report["started"].as_str().unwrap(), &Rfc3339).is_ok());
        assert!(report["took_seconds"].as_f64().unwrap() >= 0.0);
        assert_eq!(report["complete"], true);
        assert_eq!(report["results"]["accuracy"], 0.99);
    }

    #[test]
    fn an_interrupted_run_says_so_and_has_no_seed_unless_given() {
        let mut run = Run::start("collect", "1.2.3");
        run.interrupt();
        let report = written(&run, &Value::Null);
        assert_eq!(report["complete"], false);
        assert_eq!(report["seed"], Value::Null);
    }

    #[test]
    fn a_figure_that_cannot_be_had_says_why_in_its_place() {
        #[derive(serde::Serialize)]
        struct Figures {
            #[serde(serialize_with = "super::or_refused")]
            had: Result<f64, String>,
            #[serde(serialize_with = "super::or_refused")]
            missing: Result<f64, String>,
        }
        let figures = Figures { had: Ok(0.5), missing: Err("too few".to_owned()) };
        assert_eq!(serde_json::to_value(figures).unwrap(), json!({"had": 0.5, "missing": {"refused": "too few"}}));
    }

    #[test]
    fn a_number_that_is_none_is_null() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_json(&path, &Run::start("x", "1"), &[f64::NAN, f64::INFINITY, 0.5]).unwrap();
        let report: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(report["results"], json!([null, null, 0.5]));
    }
}
