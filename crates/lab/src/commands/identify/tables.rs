//! What is printed, and stands in the page: a column a method.

use super::{Measured, Results};
use crate::metrics::identification::{AtFpir, Measured as Shown, Split};
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::Spread;
use crate::report::{Column, Table};

/// What was drawn; then the figures.
pub(super) fn all(results: &Results) -> [Table; 2] {
    [drawn(results), figures(results)]
}

/// Why an FPIR cannot be shown by these probes: the same for every method. The greatest that is refused speaks for the smaller ones.
pub(super) fn refusal(results: &Results) -> Option<String> {
    let asked = results.methods.first()?.summary.dir.iter().rev();
    asked
        .filter_map(|AtFpir { measured, .. }| match measured {
            Shown::Refused { reason } => Some(format!("DIR: {reason}")),
            Shown::Shown { .. } => None,
        })
        .next()
}

fn drawn(results: &Results) -> Table {
    let mut table = Table::new([Column::text("people"), Column::text(&results.people.len().to_string())]);
    let span = |count: fn(&Split) -> usize| {
        let counts = || results.splits.iter().map(count);
        match (counts().min(), counts().max()) {
            (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
            (least, _) => least.unwrap_or(0).to_string(),
        }
    };
    table.row(["splits", &results.splits.len().to_string()]);
    table.row(["templates, a split", &span(|split| split.gallery.len())]);
    table.row(["probes of enrolled people, a split", &span(|split| split.mated.len())]);
    table.row(["probes of strangers, a split", &span(|split| split.non_mated.len())]);
    table
}

fn figures(results: &Results) -> Table {
    let heads = results.methods.iter().map(|method| method.name.as_str());
    let heads = ["over the splits: mean ± standard deviation, standard error"].into_iter().chain(heads);
    let mut table = Table::new(heads.chain(["rests on"]).map(Column::text).collect::<Vec<_>>());
    let mut row = |first: &str, cell: &dyn Fn(&Measured) -> String, last: &str| {
        let cells = results.methods.iter().map(cell);
        table.row([first.to_owned()].into_iter().chain(cells).chain([last.to_owned()]));
    };
    row("rank 1", &|method| over_splits(&method.summary.rank_1), "");
    row("rank 5", &|method| over_splits(&method.summary.rank_5), "");
    // Every method has the same probes, so what they can show is the same for all.
    let asked = results.methods.first().map_or(&[][..], |method| &method.summary.dir);
    for (place, AtFpir { asked, measured }) in asked.iter().enumerate() {
        let rests = match measured {
            Shown::Shown { evidence: Evidence::Sound, .. } => "enough probes",
            Shown::Shown { evidence: Evidence::Weak, .. } => "weak: fewer than ten false alarms",
            Shown::Refused { .. } => "too few probes",
        };
        let shown = |value: fn(&Spread, Option<&Spread>) -> String| {
            move |method: &Measured| match &method.summary.dir[place].measured {
                Shown::Shown { dir, threshold, .. } => value(dir, threshold.as_ref()),
                Shown::Refused { .. } => "refused".to_owned(),
            }
        };
        row(&format!("DIR at FPIR {asked}"), &shown(|dir, _| over_splits(dir)), rests);
        if matches!(measured, Shown::Shown { .. }) {
            let fnir = |dir: &Spread, _: Option<&Spread>| over_splits(&Spread { mean: 1.0 - dir.mean, ..*dir });
            row(&format!("FNIR at FPIR {asked}"), &shown(fnir), "");
            let threshold = |_: &Spread, spread: Option<&Spread>| spread.map_or_else(|| "none".to_owned(), over_splits);
            row(&format!("threshold at FPIR {asked}"), &shown(threshold), "");
        }
    }
    let missed = |method: &Measured| method.summary.missed;
    row("probes of enrolled people without a face, all splits", &|method| missed(method).0.to_string(), "");
    row("probes of strangers without a face, all splits", &|method| missed(method).1.to_string(), "");
    table
}

fn over_splits(spread: &Spread) -> String {
    format!("{:.4} ± {:.4}, {:.4}", spread.mean, spread.std, spread.sem)
}
