//! The thresholds as a piece of configuration, with what they were measured on.

use std::path::Path;

use anyhow::bail;

use super::Results;
use crate::metrics::calibration::Basis;
use crate::metrics::rate::Evidence;
use crate::report::Run;
use crate::whole;

/// The piece of configuration.
pub(super) fn text(run: &Run, results: &Results) -> String {
    // A name with a line break in it must not become configuration.
    let comments =
        comments(run, results).into_iter().map(|line| format!("# {}\n", line.replace(char::is_control, " ")));
    let (values, bases) = (results.calibration.thresholds, results.calibration.bases);
    let thresholds = [
        ("accept", values.accept, bases.accept),
        ("unknown", values.unknown, bases.unknown),
        ("margin", values.margin, bases.margin),
        ("cluster", values.cluster, bases.cluster),
    ];
    let thresholds = thresholds.map(|(name, value, basis)| format!("  {name}: {value:.3} # {}\n", basis_of(basis)));
    let Results { detector, embedder, least_face, .. } = results;
    let models = format!("models:\n  detector: {detector}\n  embedder: {embedder}\n");
    let identify = format!("identify:\n  min_face: {least_face}\n");
    comments.chain([models, identify]).chain(thresholds).collect()
}

/// What the thresholds rest on.
fn comments(run: &Run, results: &Results) -> Vec<String> {
    let (calibration, made) = (&results.calibration, results.made);
    let (passed, known) = (calibration.false_accepts, calibration.known);
    let mut lines = vec![
        format!("Made by `sightline-lab calibrate`, {}.", run.started),
        "Thresholds belong to their models: both sections go into the configuration.".to_owned(),
        format!(
            "Measured on {} people with {} pictures ({} visits of up to {}), seed {}: {}",
            results.people,
            results.pictures.used,
            made.visits,
            results.pictures_a_visit,
            run.seed.unwrap_or_default(),
            results.data.display(),
        ),
        format!(
            "Of {} visits, each as a stranger's, {} reach accept: {:.5} (95 %: {:.5} to {:.5}); asked for was {}.",
            passed.trials, passed.events, passed.rate, passed.low, passed.high, calibration.options.false_accept_rate
        ),
        format!("That holds with about {} people enrolled; with more of them it grows.", results.people),
    ];
    if calibration.evidence == Evidence::Weak {
        lines.push("The rate rests on fewer than ten visits: weak.".to_owned());
    }
    lines.push(format!(
        "Of {} visits of enrolled people {} are named rightly, {} wrongly, {} are ambiguous, {} taken for strangers.",
        known.right.trials, known.right.events, known.wrong.events, known.ambiguous.events, known.unknown.events
    ));
    let warnings = results.warnings().len();
    if warnings > 0 {
        lines.push(format!("{warnings} warnings, about look-alikes and templates: see what the command printed."));
    }
    lines
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
    Ok(whole::write(file, |out| out.write_all(text(run, results).as_bytes()))?)
}
