//! What is printed, and stands in the page.

use super::Results;
use super::fragment::four;
use crate::metrics::calibration::Warning;
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::Proportion;
use crate::report::{Column, Table};

fn counted(share: &Proportion) -> String {
    format!("{} of {}: {}", share.events, share.trials, share.in_words())
}

/// The four.
pub(super) fn thresholds(results: &Results) -> Table {
    let mut table = Table::new([
        Column::text("threshold"),
        Column::number("value"),
        Column::text("what it does"),
        Column::text("from"),
    ]);
    let does = [
        "known from this cosine on",
        "unknown below this one",
        "least lead over the next person",
        "unknowns this alike are one",
    ];
    for ((name, value, from), does) in four(&results.calibration).into_iter().zip(does) {
        table.row([name, &format!("{value:.3}"), does, &from]);
    }
    table
}

/// What they do on these people.
pub(super) fn shown(results: &Results) -> Table {
    let calibration = &results.calibration;
    let head = "visits, or people (95 %; of visits as if they were independent: those of one person are not)";
    let mut table = Table::new([Column::text("on these people"), Column::text(head)]);
    let rests = match calibration.evidence {
        Evidence::Sound => "",
        Evidence::Weak => ", weak: fewer than ten",
    };
    let (visits, people) = (&calibration.false_accepts, &calibration.false_accept_people);
    let asked = calibration.options.false_accept_rate;
    table.row([
        format!("strangers that reach accept ({asked} asked for)"),
        format!("{} of {}: {:.4}", visits.events, visits.trials, visits.rate),
    ]);
    table.row([
        "people whose visits these are".to_owned(),
        format!("{} of {}: {}{rests}", people.events, people.trials, people.in_words()),
    ]);
    let (known, strangers) = (&calibration.known, &calibration.strangers);
    for (what, share) in [
        ("strangers named, margin kept: false alarms", &strangers.named),
        ("strangers called ambiguous", &strangers.ambiguous),
        ("strangers called unknown", &strangers.unknown),
        ("known people whose own score reaches accept", &calibration.true_accepts),
        ("known people named rightly", &known.right),
        ("known people named as somebody else", &known.wrong),
        ("known people called ambiguous", &known.ambiguous),
        ("known people taken for strangers", &known.unknown),
        ("visits that would join one of somebody else", &calibration.false_joins),
        ("visits that would join another of their person", &results.true_joins),
    ] {
        table.row([what, &counted(share)]);
    }
    table
}

/// Whom the thresholds seldom name, if there are such people.
pub(super) fn hardly_recognised(warnings: &[&Warning]) -> Option<Table> {
    let mut table = Table::new([Column::text("person"), Column::number("visits"), Column::number("named rightly")]);
    let mut any = false;
    for warning in warnings {
        if let Warning::HardlyRecognised { person, visits, named } = warning {
            table.row([person, &visits.to_string(), &named.to_string()]);
            any = true;
        }
    }
    any.then_some(table)
}

/// What all of it rests on.
pub(super) fn data(results: &Results) -> Table {
    let (pictures, made) = (&results.pictures, results.made);
    let mut table = Table::new([Column::text("measured on"), Column::text("how many")]);
    table.row(["people with a picture that counts", &results.people.to_string()]);
    let refused: usize = pictures.refused.values().sum();
    let reasons: Vec<String> = pictures.refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    table.row([
        "pictures that count".to_owned(),
        format!(
            "{} of {}; without a face {}; that the pipeline would not use {refused}{reasons}",
            pictures.used, pictures.all, pictures.without_face
        ),
    ]);
    let fused = results.pictures_a_visit;
    table.row([
        "visits".to_owned(),
        format!(
            "{}; known from faces.jsonl {}, the others drawn; of fewer than {fused} pictures {}",
            made.visits, made.known, made.shorter
        ),
    ]);
    table.row(["visits without a template of their person", &made.of_strangers_only.to_string()]);
    table
}
