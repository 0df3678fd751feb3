//! What is printed, and stands in the page: a column a method.

use super::Results;
use super::measure::{Measured, VAL_FAR};
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::{Proportion, Spread};
use crate::metrics::verification::{OperatingPoint, TarAtFar};
use crate::report::{Column, Table};

/// What was compared and how; then how well over the folds, over all pairs, and at each false accept rate.
pub(super) fn all(results: &Results) -> [Table; 4] {
    [protocol(results), folds(results), pairs(results), rates(results)]
}

/// Why there are figures that these pairs cannot show: the same for every method, since all have the same pairs.
pub(super) fn refusals(results: &Results) -> Vec<String> {
    let Some(method) = results.methods.first() else { return Vec::new() };
    let accuracy = method.accuracy.as_ref().err().map(|reason| format!("accuracy over the folds: {reason}"));
    let val = method.val.as_ref().err().map(|reason| format!("validation rate: {reason}"));
    // The greatest that is refused speaks for the smaller ones.
    let tar = method.tar.iter().find_map(|(_, tar)| tar.as_ref().err());
    let tar = tar.map(|reason| format!("true accept rate over all pairs: {reason}"));
    [accuracy, val, tar].into_iter().flatten().collect()
}

fn protocol(results: &Results) -> Table {
    let mut table = Table::new([Column::text("protocol"), Column::text(results.protocol)]);
    let Results { same, different, folds, .. } = results;
    table.row(["pairs", &format!("{same} of the same person, {different} of different people, in {folds} folds")]);
    table.row(["pairs left out, a picture missing", &results.left_out.to_string()]);
    table.row(["pairs with a face missed", "errors, whatever the threshold"]);
    let flip = if results.flip { "on: the vectors of a face and of its mirror image are summed" } else { "off" };
    table.row(["flip", flip]);
    let subtract = if results.subtract_mean { "on: the mean of the other folds' vectors" } else { "off" };
    table.row(["mean subtraction", subtract]);
    table
}

/// A table with a column a method.
struct Columns<'a> {
    methods: &'a [Measured],
    table: Table,
}

impl<'a> Columns<'a> {
    fn new(first: &str, methods: &'a [Measured], last: Option<&str>) -> Self {
        let heads = methods.iter().map(|method| method.name.as_str());
        let heads = [first].into_iter().chain(heads).chain(last);
        Self { methods, table: Table::new(heads.map(Column::text).collect::<Vec<_>>()) }
    }

    fn row(&mut self, first: &str, cell: impl Fn(&Measured) -> String, last: &str) {
        let cells = self.methods.iter().map(cell);
        self.table.row([first.to_owned()].into_iter().chain(cells).chain([last.to_owned()]));
    }
}

fn folds(results: &Results) -> Table {
    let first = "over the folds: mean ± standard deviation, standard error";
    let mut columns = Columns::new(first, &results.methods, Some("rests on"));
    columns.row("accuracy", |method| over_folds(method.accuracy.as_ref().map(|accuracy| accuracy.spread)), "");
    let on_grid = |method: &Measured| over_folds(method.accuracy_on_grid.as_ref().map(|accuracy| accuracy.spread));
    columns.row("accuracy, threshold from LFW's grid", on_grid, "");
    let evidence = results.methods.first().map(|method| method.val.as_ref().map(|val| val.evidence));
    let rests = evidence.map_or("", |evidence| rests(evidence.ok()));
    columns.row(
        &format!("validation rate at FAR {VAL_FAR}"),
        |method| over_folds(method.val.as_ref().map(|val| val.val)),
        rests,
    );
    columns.row("the FAR that came out", |method| over_folds(method.val.as_ref().map(|val| val.far)), rests);
    columns.table
}

fn pairs(results: &Results) -> Table {
    let mut columns = Columns::new("over all pairs", &results.methods, None);
    columns.row("pairs of the same person with a face missed", |method| method.missed.same.to_string(), "");
    columns.row("pairs of different people with a face missed", |method| method.missed.different.to_string(), "");
    columns.row("area under the ROC curve", |method| format!("{:.5}", method.auc), "");
    columns.row("equal error rate", |method| format!("{:.4}", method.equal_error.rate), "");
    columns.row("best accuracy, threshold chosen on them (95 %)", |method| interval(&method.best.correct), "");
    columns.row("that threshold", |method| format!("{:.4}", method.best.threshold), "");
    for (kind, scores) in [
        ("the same person", (|method| method.same) as fn(&Measured) -> Option<Spread>),
        ("different people", |method| method.different),
    ] {
        let cell = |method: &Measured| {
            scores(method).map_or_else(|| "none".to_owned(), |scores| format!("{:.4} ± {:.4}", scores.mean, scores.std))
        };
        columns.row(&format!("score of {kind}: mean ± standard deviation"), cell, "");
    }
    columns.table
}

fn rates(results: &Results) -> Table {
    let first = "true accept rate (95 %) above a score";
    let mut columns = Columns::new(first, &results.methods, Some("rests on"));
    // Every method has the same pairs, so what they can show is the same for all.
    let asked = results.methods.first().map_or(&[][..], |method| &method.tar);
    for (place, (far, tar)) in asked.iter().enumerate() {
        let evidence = tar.as_ref().ok().map(|TarAtFar { evidence, .. }| *evidence);
        let cell = |method: &Measured| match &method.tar[place].1 {
            Ok(tar) => accepted(&tar.point),
            Err(_) => "refused".to_owned(),
        };
        let less = if evidence.is_none() { " and less" } else { "" };
        columns.row(&format!("at FAR {far}{less}"), cell, rests(evidence));
        if evidence.is_none() {
            break;
        }
    }
    let none = |method: &Measured| accepted(&method.without_false_accept);
    columns.row("without a false accept, which is no rate", none, "these pairs alone");
    columns.table
}

/// What a rate rests on; too few to show it when there is none.
const fn rests(evidence: Option<Evidence>) -> &'static str {
    match evidence {
        Some(Evidence::Sound) => "enough pairs",
        Some(Evidence::Weak) => "weak: fewer than ten false accepts",
        None => "too few pairs",
    }
}

fn over_folds(spread: Result<Spread, &String>) -> String {
    match spread {
        Ok(spread) => format!("{:.4} ± {:.4}, {:.4}", spread.mean, spread.std, spread.sem),
        Err(_) => "refused".to_owned(),
    }
}

fn interval(share: &Proportion) -> String {
    format!("{:.4} ({:.4} to {:.4})", share.rate, share.low, share.high)
}

/// Such as `0.9783 (0.9632 to 0.9884) above 0.3906`.
fn accepted(point: &OperatingPoint) -> String {
    let threshold = point.threshold.map_or_else(|| "at no threshold".to_owned(), |score| format!("above {score:.4}"));
    format!("{} {threshold}", interval(&point.tar))
}
