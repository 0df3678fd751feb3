//! What is printed, and stands in the page.

use super::Results;
use super::fragment::basis_of;
use crate::metrics::calibration::Warning;
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::Proportion;
use crate::report::{Column, Table};

fn interval(share: &Proportion) -> String {
    format!("{} of {}: {:.4} ({:.4} to {:.4})", share.events, share.trials, share.rate, share.low, share.high)
}

/// The four.
pub(super) fn thresholds(results: &Results) -> Table {
    let mut table = Table::new([
        Column::text("threshold"),
        Column::number("value"),
        Column::text("what it does"),
        Column::text("from"),
    ]);
    let (values, bases) = (results.calibration.thresholds, results.calibration.bases);
    for (name, value, does, basis) in [
        ("accept", values.accept, "known from this cosine on", bases.accept),
        ("unknown", values.unknown, "unknown below this one", bases.unknown),
        ("margin", values.margin, "least lead over the next person", bases.margin),
        ("cluster", values.cluster, "unknowns this alike are one", bases.cluster),
    ] {
        table.row([name, &format!("{value:.3}"), does, basis_of(basis)]);
    }
    table
}

/// What they do on these people.
pub(super) fn shown(results: &Results) -> Table {
    let calibration = &results.calibration;
    let mut table = Table::new([Column::text("on these people"), Column::text("visits (95 %)")]);
    let rests = match calibration.evidence {
        Evidence::Sound => "",
        Evidence::Weak => ", weak: fewer than ten",
    };
    let asked = calibration.options.false_accept_rate;
    table.row([
        format!("strangers that reach accept ({asked} asked for)"),
        format!("{}{rests}", interval(&calibration.false_accepts)),
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
        table.row([what, &interval(share)]);
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
    table.row(["visits".to_owned(), format!("{}; of fewer than {fused} pictures {}", made.visits, made.shorter)]);
    table.row(["visits without a template of their person", &made.of_strangers_only.to_string()]);
    table
}
