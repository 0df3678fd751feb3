//! The thresholds as a piece of configuration, with what they were measured on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::Results;
use crate::metrics::calibration::Basis;
use crate::metrics::rate::Evidence;
use crate::report::Run;

/// The piece of configuration.
pub(super) fn text(run: &Run, results: &Results) -> String {
    let (calibration, faces) = (&results.calibration, &results.pictures);
    let options = &calibration.options;
    let passed = calibration.false_accepts;
    let known = calibration.known;
    let mut text = String::new();
    let mut line = |line: String| {
        // A name with a line break in it must not become configuration.
        text.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }).chain(['\n']));
    };
    line(format!("# Made by `sightline-lab calibrate`, {}.", run.started));
    line(format!("# For {} and {}; other models need other thresholds.", results.embedder, results.detector));
    line(format!(
        "# Measured on {} people with {} pictures ({} visits of up to {}), seed {}: {}",
        results.people,
        faces.used,
        results.made.visits,
        results.pictures_a_visit,
        run.seed.unwrap_or_default(),
        results.data.display(),
    ));
    line(format!(
        "# Of {} visits, each as a stranger's, {} reach accept: {:.5} (95 %: {:.5} to {:.5}); asked for was {}.",
        passed.trials, passed.events, passed.rate, passed.low, passed.high, options.false_accept_rate
    ));
    line(format!("# That holds with about {} people enrolled; with more of them it grows.", results.people));
    if calibration.evidence == Evidence::Weak {
        line("# The rate rests on fewer than ten visits: weak.".to_owned());
    }
    line(format!(
        "# Of {} visits of enrolled people {} are named rightly, {} wrongly, {} are ambiguous, {} taken for strangers.",
        known.right.trials, known.right.events, known.wrong.events, known.ambiguous.events, known.unknown.events
    ));
    let warnings = results.warnings().len();
    if warnings > 0 {
        line(format!("# {warnings} warnings, about look-alikes and templates: see what the command printed."));
    }
    line("identify:".to_owned());
    let (values, bases) = (calibration.thresholds, calibration.bases);
    for (name, value, basis) in [
        ("accept", values.accept, bases.accept),
        ("unknown", values.unknown, bases.unknown),
        ("margin", values.margin, bases.margin),
        ("cluster", values.cluster, bases.cluster),
    ] {
        line(format!("  {name}: {value:.3} # {}", basis_of(basis)));
    }
    text
}

pub(super) const fn basis_of(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Bounded => "measured, then moved to keep the thresholds' order and range",
        Basis::Given => "the embedder's own: these people show no case that would ask for another",
    }
}

/// Writes it, whole or not at all.
pub(super) fn write(file: &Path, run: &Run, results: &Results) -> anyhow::Result<()> {
    let (accept, [low, high]) = (results.calibration.thresholds.accept, results.calibration.options.plausible);
    if accept > high {
        let shown = file.display();
        bail!(
            "{shown} is not written: accept = {accept:.3}, and for {} sightline takes {low} to {high}. Look at the look-alikes and \
             at the templates that do not fit, or ask for a larger --false-accept-rate",
            results.embedder
        );
    }
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = std::fs::write(&partial, text(run, results)).and_then(|()| std::fs::rename(&partial, file));
    if written.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    written.with_context(|| format!("cannot write {}", file.display()))
}
