//! The page: the thresholds in the histograms of the fused scores, and the people and templates to look at.

use std::path::Path;

use super::visits::{Face, Scored};
use super::{Results, tables};
use crate::faces::cosine;
use crate::metrics::calibration::Warning;
use crate::report::{Figure, Mark, Mistake, Page, Picture, Run, Table, plot};

/// Warnings of a kind that are shown.
const SHOWN: usize = 24;

/// Those that are shown as pictures, of one kind.
type Kind = fn(&Warning) -> bool;

const KINDS: [(&str, Kind); 2] = [
    ("Look-alikes", |warning| matches!(warning, Warning::LookAlikes { .. })),
    ("Templates that do not fit their person", |warning| matches!(warning, Warning::Template { .. })),
];

/// What the page shows beside the results.
pub(super) struct Seen<'a> {
    pub(super) people: &'a [String],
    pub(super) root: &'a Path,
    pub(super) faces: &'a [Face],
    pub(super) scored: &'a Scored,
}

/// The page of these results.
pub(super) fn page(run: &Run, tables: &[Table], results: &Results, seen: &Seen<'_>) -> anyhow::Result<Page> {
    let mut page = Page::new("Calibration");
    for (title, table) in ["Thresholds", "What they do", "What they rest on"].into_iter().zip(tables) {
        page.section(title).table(table);
    }
    page.text(
        "Visits of one person are not independent: who looks like somebody else does so in all of them. So a rate is one of \
         visits, but what it rests on is the number of different people.",
    );
    page.section("Scores").figure(&own(results, seen)?).figure(&joins(results, seen)?);
    let warnings = results.warnings();
    for warning in warnings.iter().filter(|warning| is_grave(warning)) {
        page.warning(&warning.to_string());
    }
    for (title, kind) in KINDS {
        let found: Vec<&Warning> = warnings.iter().copied().filter(|warning| kind(warning)).collect();
        if found.is_empty() {
            continue;
        }
        page.section(title).mistakes(&pictures(&found, seen));
        if found.len() > SHOWN {
            page.text(&format!("The first {SHOWN} of {}; all are in the JSON.", found.len()));
        }
    }
    if let Some(table) = tables::hardly_recognised(&warnings) {
        page.section("Hardly recognised").table(&table).text(
            "Fewer than half of these people's visits are named: more pictures, or better ones, give them a chance.",
        );
    }
    page.run(run);
    Ok(page)
}

/// What says that a threshold is not what was asked for.
const fn is_grave(warning: &Warning) -> bool {
    matches!(warning, Warning::AcceptImplausible { .. } | Warning::ClusterCapped { .. })
}

/// Each visit's score with its own person, and its best score with anybody else.
fn own(results: &Results, seen: &Seen<'_>) -> anyhow::Result<Figure> {
    let mut same = Vec::new();
    let mut different = Vec::new();
    for visit in &seen.scored.visits {
        let own = |(person, _): &(usize, &Option<f64>)| Some(*person) == visit.person;
        let (mine, others): (Vec<_>, Vec<_>) = visit.scores.iter().enumerate().partition(own);
        same.extend(mine.iter().filter_map(|(_, score)| **score));
        different.extend(others.iter().filter_map(|(_, score)| **score).max_by(f64::total_cmp));
    }
    let thresholds = results.calibration.thresholds;
    let marks = [Mark::new("unknown", thresholds.unknown), Mark::new("accept", thresholds.accept)];
    let figure = plot::scores(&same, &different, &marks)?.titled(
        "Fused scores of visits with people",
        "Same: a visit and its own person's best template from outside of it. Different: the best template of anybody else, which \
         is what a stranger who looks like that would get.",
    );
    Ok(figure.note(&format!(
        "A pair is a visit and a person. Besides, the best person must be {:.3} ahead of the next one: the margin.",
        thresholds.margin
    )))
}

/// Each visit's nearest other visit of its person, and of anybody else.
fn joins(results: &Results, seen: &Seen<'_>) -> anyhow::Result<Figure> {
    let nearest: Vec<f64> = seen.scored.visits.iter().filter_map(|visit| visit.nearest_other_visit).collect();
    let marks = [Mark::new("cluster", results.calibration.thresholds.cluster)];
    Ok(plot::scores(&seen.scored.same, &nearest, &marks)?.titled(
        "Fused scores of visits with visits",
        "Same: a visit and the most alike other visit of its person. Different: the most alike visit of anybody else. From the \
         threshold on two visits of strangers are taken for one's.",
    ))
}

/// The first warnings as pictures.
fn pictures(warnings: &[&Warning], seen: &Seen<'_>) -> Vec<Mistake> {
    let shown = warnings.iter().take(SHOWN).filter_map(|warning| {
        let faces = match warning {
            Warning::LookAlikes { a, b, .. } => {
                let (a, b) = nearest(&of(a, seen), &of(b, seen))?;
                vec![a, b]
            }
            Warning::Template { person, template, nearer_to, .. } => {
                let this = seen.faces.iter().find(|face| face.file == *template)?;
                let person = nearer_to.as_ref().unwrap_or(person);
                let others: Vec<&Face> = of(person, seen).into_iter().filter(|face| face.file != *template).collect();
                let beside = nearest(&[this], &others).map(|(_, other)| other);
                [Some(this), beside].into_iter().flatten().collect()
            }
            Warning::AcceptImplausible { .. } | Warning::ClusterCapped { .. } | Warning::HardlyRecognised { .. } => {
                return None;
            }
        };
        Some(Mistake::new(&warning.to_string(), faces.into_iter().map(|face| picture(face, seen)).collect()))
    });
    shown.collect()
}

fn of<'a>(person: &str, seen: &Seen<'a>) -> Vec<&'a Face> {
    seen.faces.iter().filter(|face| seen.people[face.person] == person).collect()
}

/// The most alike of two people's pictures.
fn nearest<'a>(some: &[&'a Face], others: &[&'a Face]) -> Option<(&'a Face, &'a Face)> {
    let pairs = some.iter().flat_map(|one| others.iter().map(move |other| (*one, *other)));
    let scored = pairs.map(|pair| (cosine(&pair.0.vector, &pair.1.vector), pair));
    scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, pair)| pair)
}

fn picture(face: &Face, seen: &Seen<'_>) -> Picture {
    Picture::read(&seen.root.join(&face.file), &face.file)
}
