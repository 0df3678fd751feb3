//! What is printed, and stands in the page: a column a method.

use super::{Measured, Results};
use crate::metrics::identification::{AtFpir, Ends, Measured as Shown, Split};
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::Spread;
use crate::report::{Column, Table};

/// What is told at each FPIR, and which of it rests on so few alarms.
const ROWS: [&str; 5] = ["DIR", "DIR (95 %)", "FNIR", FPIR, "threshold"];
const FPIR: &str = "FPIR that came out (95 %)";

/// What was drawn; then the figures.
pub(super) fn all(results: &Results) -> [Table; 2] {
    [drawn(results), figures(results)]
}

/// Under the tables: what the spread over the splits hides, and why an FPIR cannot be shown by these probes. Both are the same for every
/// method; the greatest FPIR that is refused speaks for the smaller ones.
pub(super) fn remarks(results: &Results) -> Vec<String> {
    let asked = results.methods.iter().take(1).flat_map(|method| method.summary.dir.iter().rev());
    let mut refused = asked.filter_map(|AtFpir { measured, .. }| match measured {
        Shown::Refused { reason } => Some(format!("DIR: {reason}")),
        Shown::Shown { .. } => None,
    });
    let shared = (results.strangers_in_all > 0).then(|| {
        format!(
            "All {} splits share {} probes of strangers: what one of these strangers decides is the same in each, so the spread over the \
             splits does not show it. The 95 % interval of the FPIR does.",
            results.splits.len(),
            results.strangers_in_all
        )
    });
    shared.into_iter().chain(refused.next()).collect()
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
        if matches!(measured, Shown::Refused { .. }) {
            row(&format!("at FPIR {asked}"), &|_| "refused".to_owned(), rests);
            continue;
        }
        for (index, figure) in ROWS.iter().enumerate() {
            let cell = |method: &Measured| cells(&method.summary.dir[place].measured)[index].clone();
            row(&format!("at FPIR {asked}: {figure}"), &cell, if *figure == FPIR { rests } else { "" });
        }
    }
    let missed = |method: &Measured| method.summary.missed;
    row("probes of enrolled people without a face, all splits", &|method| missed(method).0.to_string(), "");
    row("probes of strangers without a face, all splits", &|method| missed(method).1.to_string(), "");
    table
}

/// The cells of [`ROWS`].
fn cells(measured: &Shown) -> [String; ROWS.len()] {
    let Shown::Shown { dir, dir_interval, fpir, fpir_interval, threshold, .. } = measured else {
        return std::array::from_fn(|_| "refused".to_owned());
    };
    let between = |ends: &Ends| format!("{:.4} to {:.4}", ends.low, ends.high);
    [
        over_splits(dir),
        between(dir_interval),
        over_splits(&Spread { mean: 1.0 - dir.mean, ..*dir }),
        format!("{:.4} ({})", fpir.mean, between(fpir_interval)),
        threshold.as_ref().map_or_else(|| "none".to_owned(), over_splits),
    ]
}

fn over_splits(spread: &Spread) -> String {
    format!("{:.4} ± {:.4}, {:.4}", spread.mean, spread.std, spread.sem)
}

#[cfg(test)]
mod tests {
    use super::{all, remarks};
    use crate::commands::identify::{Measured, Results};
    use crate::metrics::identification::{Candidate, Sample, Search, Searches, Split, summarise};

    fn results(strangers_in_all: usize) -> Results {
        // One of ten strangers is more like the one person than nine of ten pictures of theirs; no alarm is allowed at .01.
        let search = |mate, score| Search { mate, candidates: Some(vec![Candidate { person: 0, score }]) };
        let searches = |passing: usize| {
            let mated = (0..10).map(move |index| search(Some(0), if index < passing { 0.9 } else { 0.1 }));
            let strangers = (0..10).map(|index| search(None, if index == 0 { 0.95 } else { 0.5 }));
            Searches::new(&mated.chain(strangers).collect::<Vec<_>>(), 1).unwrap()
        };
        let summary = summarise(&[searches(5), searches(7)], &[0.01, 0.1]).unwrap();
        let split =
            Split { seed: 1, gallery: vec![Sample { person: 0, picture: 0 }], mated: vec![], non_mated: vec![] };
        Results {
            people: vec!["Ann".to_owned()],
            strangers_in_all,
            methods: vec![Measured { name: "m".to_owned(), summary }],
            failed: Vec::new(),
            splits: vec![split.clone(), split],
        }
    }

    #[test]
    fn a_rate_that_is_weak_stands_with_its_interval() {
        let [_, table] = all(&results(0)).map(|table| table.to_string());
        let row = |start: &str| table.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{table}"));
        let fpir = row("at FPIR 0.1: FPIR that came out (95 %)");
        assert!(fpir.contains("0.1000 (0.0025 to 0.4450)") && fpir.contains("weak"), "{fpir}");
        // Five of ten from .1871, seven of ten to .9333.
        assert!(row("at FPIR 0.1: DIR (95 %)").contains("0.1871 to 0.9333"), "{table}");
        assert!(row("at FPIR 0.01 ").contains("refused") && !table.contains("at FPIR 0.01: "), "{table}");
    }

    #[test]
    fn strangers_that_all_splits_share_are_told() {
        let shared = remarks(&results(7));
        assert!(shared.len() == 2 && shared[0].starts_with("All 2 splits share 7 probes of strangers"), "{shared:?}");
        assert_eq!(remarks(&results(0)).len(), 1);
    }
}
