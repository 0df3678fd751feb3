//! The page: rates, one picture of all methods, heat maps, and the most frequent confusions as pictures.

use super::measure::{Measured, Outcome, Results};
use super::tables::Tables;
use crate::dataset::Dataset;
use crate::metrics::classification::confusions;
use crate::report::{Confusion, Curve, Mistake, Page, Picture, Run, plot};

/// Confusions that are shown as pictures, of each method.
const SHOWN: usize = 6;

/// The page of these results.
pub(super) fn page(run: &Run, tables: &Tables, results: &Results, dataset: &Dataset) -> anyhow::Result<Page> {
    let done: Vec<(&Measured, &Outcome)> =
        results.methods.iter().filter_map(|one| Some((one, one.outcome.as_ref().ok()?))).collect();
    let mut page = Page::new("Classification");
    let [rates, cost, mistaken] = &tables.overview;
    page.section("Figures").table(rates);
    for refusal in results.refusals() {
        page.warning(&refusal);
    }
    for text in results.notes().into_iter().chain([results.drawn.to_string()]) {
        page.text(&format!("{text}."));
    }
    page.section("Time and memory").table(cost).text(
        "One thread. To prepare is to get from a picture's file to what the method sees of it: decoding and cutting, for an \
         embedder's methods and for aligned faces also the detector, for vectors also the embedder. To recognise is what comes \
         after that. Memory: the training data as the method gets it; how far the resident set of a process of the method's \
         own rose above that while it learned (parts of the program that were needed for the first time included); and what \
         the recogniser itself reports to hold.",
    );
    page.section("Rejecting the unsure");
    let curves: Vec<Curve> = done.iter().map(|(one, outcome)| curve(one, outcome)).collect();
    let figure = plot::trend(&curves, ("false recognition rate", "recognition rate"), &[])?;
    page.figure(&figure.titled(
        "Recognition against false recognition",
        "Each curve goes over the reject threshold of its method, from naming the surest picture alone to naming all: the \
         higher and the further to the left, the better.",
    ));
    page.section("Who was taken for whom").table(mistaken);
    for (one, outcome) in &done {
        let matrix = Confusion::new(&results.people, &outcome.confusion.counts);
        let figure = plot::confusion(&matrix.column("no face", &outcome.confusion.missed))?;
        page.figure(&figure.titled(&one.name, "Each row is a person, each column whom the pictures were taken for."));
    }
    page.section("Each person").table(&tables.people);
    for (one, outcome) in &done {
        let mistakes = pictures(outcome, results, dataset);
        if !mistakes.is_empty() {
            page.section(&format!("Most frequent confusions: {}", one.name)).mistakes(&mistakes);
        }
    }
    page.run(run);
    Ok(page)
}

fn curve(one: &Measured, outcome: &Outcome) -> Curve {
    let points = outcome.reject_curve.iter().map(|point| (point.false_recognition, point.recognition));
    // Nobody is named above the highest score.
    let points = [(0.0, 0.0)].into_iter().chain(points).collect();
    let named_all = format!("{:.3}, with {:.3} false", outcome.recognition.rate, outcome.false_recognition.rate);
    Curve::new(&one.name, points).detail(&named_all)
}

/// For each of the most frequent confusions a test picture of the person, and a training picture of whom it was taken for.
fn pictures(outcome: &Outcome, results: &Results, dataset: &Dataset) -> Vec<Mistake> {
    let picture = |file: &str| Picture::read(&dataset.root().join(file), file);
    let of = |person: &str, file: &str| file.split('/').next() == Some(person);
    let mistake = |(truth, named, times): (usize, usize, usize)| {
        let (person, other) = (&results.people[truth], &results.people[named]);
        // The surest of these mistakes.
        let mistaken = |answer: &&super::measure::Answered| {
            answer.class == truth && answer.named.is_some_and(|(class, _)| class == named)
        };
        let sure = |answer: &super::measure::Answered| answer.named.map_or(f64::NEG_INFINITY, |(_, score)| score);
        let probe = outcome.answers.iter().filter(mistaken).max_by(|a, b| sure(a).total_cmp(&sure(b)));
        let like = results.split.train.iter().find(|file| of(other, file));
        let files = [probe.map(|answer| answer.file.as_str()), like.map(String::as_str)];
        let shown = files.into_iter().flatten().map(picture).collect();
        let count = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        Mistake::new(&format!("{person} taken for {other} {count}"), shown)
    };
    confusions(&outcome.confusion).into_iter().take(SHOWN).map(mistake).collect()
}
