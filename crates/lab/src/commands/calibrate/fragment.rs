//! The thresholds as a piece of configuration, with what they were measured on.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::Results;
use crate::metrics::calibration::{Basis, Calibration};
use crate::metrics::rate::Evidence;
use crate::report::Run;
use crate::whole;

/// How a file begins that this wrote.
const MADE: &str = "Made by `sightline-lab calibrate`";

/// The piece of configuration.
pub(super) fn text(run: &Run, results: &Results) -> String {
    // A name with a line break in it must not become configuration.
    let comments =
        comments(run, results).into_iter().map(|line| format!("# {}\n", line.replace(char::is_control, " ")));
    let thresholds = four(&results.calibration).map(|(name, value, from)| format!("  {name}: {value:.3} # {from}\n"));
    let Results { detector, embedder, least_face, .. } = results;
    let models = format!("models:\n  detector: {detector}\n  embedder: {embedder}\n");
    let identify = format!("identify:\n  min_face: {least_face}\n");
    comments.chain([models, identify]).chain(thresholds).collect()
}

/// What the thresholds rest on.
fn comments(run: &Run, results: &Results) -> Vec<String> {
    let (calibration, made) = (&results.calibration, results.made);
    let (passed, people, known) = (calibration.false_accepts, calibration.false_accept_people, calibration.known);
    let mut lines = vec![
        format!("{MADE}, {}.", run.started),
        "Thresholds belong to their models: both sections go into the configuration.".to_owned(),
        format!(
            "Measured on {} people with {} pictures ({} visits, {} of them known, of up to {}), seed {}: {}",
            results.people,
            results.pictures.used,
            made.visits,
            made.known,
            results.pictures_a_visit,
            run.seed.unwrap_or_default(),
            results.data.display(),
        ),
        format!(
            "Of {} visits, each as a stranger's, {} reach accept: {:.5}; asked for was {}.",
            passed.trials, passed.events, passed.rate, calibration.options.false_accept_rate
        ),
        format!(
            "Visits of one person are not independent. Of {} people {} have such a visit: {:.5} (95 %: {:.5} to {:.5}).",
            people.trials, people.events, people.rate, people.low, people.high
        ),
        format!("That holds with about {} people enrolled; with more of them it grows.", results.people),
    ];
    if calibration.evidence == Evidence::Weak {
        lines.push("The rate rests on fewer than ten people: weak.".to_owned());
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

/// The thresholds by name, with where they come from in words.
pub(super) fn four(calibration: &Calibration) -> [(&'static str, f64, String); 4] {
    let (values, bases) = (calibration.thresholds, calibration.bases);
    let (people, needed) = (calibration.false_accept_people.trials, calibration.options.people_needed());
    let too_few =
        format!("the embedder's own: {people} people cannot show that a lower one would do; it takes {needed}");
    let no_case = "the embedder's own: these people show no case that would ask for another";
    let from = |basis, given: &str| match basis {
        Basis::Measured => "measured".to_owned(),
        Basis::Bounded => "measured, then moved to keep the thresholds' order and range".to_owned(),
        Basis::Given => given.to_owned(),
    };
    [
        ("accept", values.accept, from(bases.accept, &too_few)),
        ("unknown", values.unknown, from(bases.unknown, no_case)),
        ("margin", values.margin, from(bases.margin, no_case)),
        ("cluster", values.cluster, from(bases.cluster, &too_few)),
    ]
}

/// Whether the file may be replaced: it is not there, has nothing in it, or is one of these.
pub(super) fn check(file: &Path) -> anyhow::Result<()> {
    if !file.is_file() {
        return Ok(());
    }
    let shown = file.display();
    let text = std::fs::read(file).with_context(|| shown.to_string())?;
    if !text.is_empty() && !text.starts_with(format!("# {MADE}").as_bytes()) {
        bail!(
            "{shown} is not replaced, for calibrate did not make it: give --write another name, and take over from there"
        );
    }
    Ok(())
}

/// Writes it, whole or not at all.
pub(super) fn write(file: &Path, run: &Run, results: &Results) -> anyhow::Result<()> {
    check(file)?;
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
