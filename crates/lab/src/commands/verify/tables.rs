//! What is printed, and stands in the page: a column a method.

use super::Results;
use super::measure::{Measured, Tar, VAL_FAR};
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::Spread;
use crate::metrics::verification::{Accuracy, OperatingPoint};
use crate::report::{Column, Table};

/// LFW's: fewer show little of how far folds differ.
const FOLDS: usize = 10;

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
    let tar = method.tar.iter().find_map(|tar| tar.measured.as_ref().err());
    let tar = tar.map(|reason| format!("true accept rate over all pairs: {reason}"));
    [accuracy, val, tar].into_iter().flatten().collect()
}

fn protocol(results: &Results) -> Table {
    let mut table = Table::new([Column::text("protocol"), Column::text(results.protocol)]);
    let Results { same, different, folds, .. } = results;
    table.row(["pairs", &format!("{same} of the same person, {different} of different people, in {folds} folds")]);
    table.row(["pairs left out, a picture missing", &results.left_out.to_string()]);
    table.row(["pairs without a score", "errors, whatever the threshold: a face was missed"]);
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

    /// What one threshold of each method does.
    fn points(&mut self, at: &str, point: impl Fn(&Measured) -> Option<OperatingPoint>, far: &str) {
        let mut row = |first: &str, cell: fn(&OperatingPoint) -> String, last: &str| {
            let cell = |method: &Measured| point(method).map_or_else(|| "refused".to_owned(), |point| cell(&point));
            self.row(&format!("{at}: {first}"), cell, last);
        };
        row("true accept rate", |point| point.tar.in_words(), "");
        row("FAR that came out", |point| point.far.in_words(), far);
        let threshold = |point: &OperatingPoint| {
            point.threshold.map_or_else(|| "none is strict enough".to_owned(), |score| format!("{score:.4}"))
        };
        row("threshold", threshold, "");
    }
}

fn folds(results: &Results) -> Table {
    let first = "over the folds: mean ± standard deviation, standard error";
    let mut columns = Columns::new(first, &results.methods, Some("rests on"));
    let few = few(results.folds);
    let on_folds = few.as_deref().unwrap_or("ten folds or more");
    let spread = |accuracy: &Result<Accuracy, String>| over_folds(accuracy.as_ref().map(|accuracy| accuracy.spread));
    columns.row("accuracy, LFW's grid of thresholds", |method| spread(&method.accuracy_on_grid), on_folds);
    columns.row("accuracy, thresholds from the scores", |method| spread(&method.accuracy), on_folds);
    let evidence = results.methods.first().and_then(|method| method.val.as_ref().ok()).map(|val| val.evidence);
    let few = few.as_deref().filter(|_| evidence.is_some());
    let rests = [rests(evidence)].into_iter().chain(few).collect::<Vec<_>>().join("; ");
    let val = |method: &Measured| over_folds(method.val.as_ref().map(|val| val.val));
    columns.row(&format!("validation rate at FAR {VAL_FAR}"), val, &rests);
    columns.row("the FAR that came out", |method| over_folds(method.val.as_ref().map(|val| val.far)), &rests);
    columns.table
}

/// What a deviation over so few folds is worth.
fn few(folds: usize) -> Option<String> {
    (folds < FOLDS).then(|| format!("{folds} folds: too few for a deviation, LFW has ten"))
}

fn pairs(results: &Results) -> Table {
    let mut columns = Columns::new("over all pairs", &results.methods, None);
    columns.row("pairs of the same person without a score", |method| method.missed.same.to_string(), "");
    columns.row("pairs of different people without a score", |method| method.missed.different.to_string(), "");
    columns.row("area under the ROC curve", |method| format!("{:.5}", method.auc), "");
    columns.row("equal error rate", |method| format!("{:.4}", method.equal_error.rate), "");
    columns.row("best accuracy, threshold chosen on them (95 %)", |method| method.best.correct.in_words(), "");
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

/// At each false accept rate what is accepted, and how far the rate itself can be trusted: it is the one that rests on few pairs.
fn rates(results: &Results) -> Table {
    let first = "over all pairs (95 %), accepted above a score";
    let mut columns = Columns::new(first, &results.methods, Some("rests on"));
    // Every method has the same pairs, so what they can show is the same for all.
    let asked = results.methods.first().map_or(&[][..], |method| &method.tar);
    for (place, Tar { asked: far, measured: tar }) in asked.iter().enumerate() {
        let Ok(tar) = tar else {
            columns.row(&format!("at FAR {far} and less"), |_| "refused".to_owned(), rests(None));
            break;
        };
        let point = |method: &Measured| method.tar[place].measured.as_ref().ok().map(|tar| tar.point);
        columns.points(&format!("at FAR {far}"), point, rests(Some(tar.evidence)));
    }
    columns.points("without a false accept", |method| Some(method.without_false_accept), "no rate: these pairs alone");
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

#[cfg(test)]
mod tests {
    use super::all;
    use crate::commands::verify::{Results, measure};
    use crate::metrics::verification::{Pair, Pairs};

    /// A hundred pairs of each kind in so many folds; of the different ones, the most alike lie among the same.
    fn shown(folds: usize) -> [String; 4] {
        let pair = |index: usize| {
            let (same, number) = (index < 100, index % 100);
            let score = number as f64 / 200.0;
            Pair { same, fold: number % folds, score: Some(if same { 0.4 + score } else { score }) }
        };
        let pairs = Pairs::new((0..200).map(pair).collect()).unwrap();
        let results = Results {
            protocol: "p",
            flip: false,
            subtract_mean: false,
            folds,
            same: pairs.same(),
            different: pairs.different(),
            left_out: 0,
            missing: Vec::new(),
            methods: vec![measure("m", &pairs).unwrap()],
            failed: Vec::new(),
        };
        all(&results).map(|table| table.to_string())
    }

    #[test]
    fn the_published_accuracy_comes_first_and_few_folds_are_told() {
        let [_, folds, ..] = shown(2);
        let rows: Vec<&str> = folds.lines().skip(1).collect();
        assert!(rows[0].starts_with("accuracy, LFW's grid of thresholds"), "{folds}");
        assert!(rows[1].starts_with("accuracy, thresholds from the scores"), "{folds}");
        assert!(rows[..2].iter().all(|row| row.contains("2 folds: too few for a deviation")), "{folds}");
        assert!(!shown(10)[1].contains("too few for a deviation"));
    }

    #[test]
    fn the_rate_that_is_weak_stands_with_its_interval() {
        let [.., rates] = shown(2);
        let row = |start: &str| rates.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{rates}"));
        let far = row("at FAR 0.01: FAR that came out");
        assert!(far.contains("0.0100 (0.0003 to 0.0545)") && far.contains("weak: fewer than ten"), "{far}");
        assert!(!row("at FAR 0.01: true accept rate").contains("weak"));
        assert!(row("at FAR 0.1: FAR that came out").contains("enough pairs"));
        assert!(row("at FAR 0.001 and less").contains("refused"));
        assert!(row("without a false accept: FAR that came out").contains("0.0000 (0.0000 to 0.0362)"));
    }
}
