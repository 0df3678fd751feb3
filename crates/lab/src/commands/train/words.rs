//! What a training has shown, in tables and in sentences that do not flatter.

use std::io::Write as _;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{Chosen, Results};
use crate::metrics::calibration::Basis;
use crate::metrics::rate::{Evidence, allowance};
use crate::report::{Column, Table};
use crate::train::{Comparison, EmbeddingConfig, Method, Outcome, Run, Start};

/// A line on standard output, under the tables.
pub(super) fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}

/// A method in words.
pub(super) const fn method(method: Method) -> &'static str {
    match method {
        Method::Trained => "trained head",
        Method::Pca => "principal components",
        Method::Random => "random projection",
        Method::AllCentred => "embedder, centred",
        Method::All => "embedder, untouched",
    }
}

/// Everything that is printed, with a title for the page.
pub(super) fn tables(results: &Results) -> Vec<(&'static str, Table)> {
    let mut tables = vec![("Training", training(results))];
    if let Some(chosen) = &results.thresholds {
        tables.push(("Thresholds", thresholds(chosen)));
        tables.push(("What accept does", accepted(chosen)));
    }
    if let Some(Ok(comparison)) = &results.comparison
        && !comparison.runs.is_empty()
    {
        tables.push(("Comparison", comparison_table(comparison)));
    }
    tables
}

fn training(results: &Results) -> Table {
    let mut table = Table::new([Column::text("training"), Column::text("value")]);
    let people = &results.people;
    let count = |(people, pictures): (usize, usize)| format!("{people} people, {pictures} pictures");
    table.row(["learned from", &count(people.training)]);
    table.row(["judged each epoch by", &count(people.judges)]);
    if people.test.0 > 0 {
        table.row(["kept out for the test", &count(people.test)]);
    }
    table.row(["people with one picture", &people.alone.len().to_string()]);
    let ended = match results.outcome {
        Outcome::Interrupted => "interrupted",
        Outcome::Stopped => "stopped: no gain for as long as patience allows",
        Outcome::Completed => "all epochs done",
    };
    table.row(["ended", ended]);
    let last = results.epochs.len().saturating_sub(1);
    table.row(["epochs", &last.to_string()]);
    let best = if results.best_epoch == 0 { "0, the start".to_owned() } else { results.best_epoch.to_string() };
    table.row(["best epoch", &best]);
    let (first, best) = (results.epochs.first(), results.epochs.iter().find(|epoch| epoch.epoch == results.best_epoch));
    if let (Some(first), Some(best)) = (first, best) {
        let loss = format!("{:.5} at the start, {:.5} at the best", first.held_out_loss, best.held_out_loss);
        table.row(["held-out loss", &loss]);
    }
    if let Some(found) = &results.recognition {
        for (name, share) in [("named rightly", &found.classifier), ("by the nearest mean", &found.nearest_mean)] {
            let text = format!("{:.4} ({:.4} to {:.4}) of {}", share.rate, share.low, share.high, share.trials);
            table.row([name, &text]);
        }
    }
    table
}

fn thresholds(chosen: &Chosen) -> Table {
    let mut table = Table::new([Column::text("threshold"), Column::number("value"), Column::text("comes from")]);
    let (values, bases) = (chosen.calibration.thresholds, chosen.calibration.bases);
    for (name, value, basis) in [
        ("accept", values.accept, bases.accept),
        ("unknown", values.unknown, bases.unknown),
        ("margin", values.margin, bases.margin),
        ("cluster", values.cluster, bases.cluster),
    ] {
        let from = match basis {
            Basis::Measured => "the people who test",
            Basis::Bounded => "the people who test, moved to keep the order or the range",
            Basis::Given => "the embedder's manifest, scaled: the people who test show none",
        };
        table.row([name, &format!("{value:.3}"), from]);
    }
    table
}

/// How often the people who test reach accept.
fn accepted(chosen: &Chosen) -> Table {
    let mut table = Table::new([Column::text("the people who test"), Column::text("value")]);
    let found = &chosen.calibration;
    let rate = |share: &crate::metrics::statistics::Proportion| {
        format!("{} of {} ({:.4} to {:.4})", share.events, share.trials, share.low, share.high)
    };
    table.row(["strangers that reach accept", &rate(&found.false_accepts)]);
    table.row(["visits whose own person reaches accept", &rate(&found.true_accepts)]);
    table
}

fn comparison_table(comparison: &Comparison) -> Table {
    let mut table = Table::new([
        Column::text("method"),
        Column::number(&format!("true accept rate at {}", comparison.config.false_accept_rate)),
        Column::text("lowest to highest"),
        Column::text("lead of the trained head (95 %)"),
    ]);
    for row in &comparison.summaries {
        let lead = match row.method {
            Method::Trained => String::new(),
            _ => Lead::over(comparison, row.method).text(),
        };
        table.row([
            method(row.method),
            &format!("{:.4} ± {:.4}", row.mean, row.deviation),
            &format!("{:.4} to {:.4}", row.range.0, row.range.1),
            &lead,
        ]);
    }
    table
}

/// How far the trained head is ahead of another method.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Lead {
    mean: f64,
    /// Half of the 95 % interval; none with one run.
    half: Option<f64>,
}

impl Lead {
    /// Runs share people, so that they are no independent repeats: the interval is widened by the share that tests (Nadeau and Bengio,
    /// "Inference for the Generalization Error", Machine Learning 52, 2003).
    fn over(comparison: &Comparison, method: Method) -> Self {
        let runs = comparison.runs.len() as f64;
        let found = comparison.summaries.iter().find(|row| row.method == method).map(|row| row.lead);
        let (mean, deviation) = found.unwrap_or((f64::NAN, f64::NAN));
        let ratio = comparison.runs.first().map_or(1.0, |run| run.test.0 as f64 / run.training.0.max(1) as f64);
        let half = StudentsT::new(0.0, 1.0, runs - 1.0)
            .ok()
            .map(|distribution| distribution.inverse_cdf(0.975) * deviation * (1.0 / runs + ratio).sqrt());
        Self { mean, half: half.filter(|half| half.is_finite()) }
    }

    fn text(self) -> String {
        let mean = self.mean;
        self.half.map_or_else(
            || format!("{mean:+.4} (one run shows no spread)"),
            |half| format!("{mean:+.4} ({:+.4} to {:+.4})", mean - half, mean + half),
        )
    }

    fn verdict(self) -> Verdict {
        match (self.half.is_some_and(|half| self.mean.abs() > half), self.mean > 0.0) {
            (true, true) => Verdict::Better,
            (false, true) => Verdict::PerhapsBetter,
            (false, false) => Verdict::PerhapsWorse,
            (true, false) => Verdict::Worse,
        }
    }
}

/// What a lead and its interval say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Better,
    PerhapsBetter,
    PerhapsWorse,
    Worse,
}

/// What it all says, in sentences.
pub(super) fn verdict(results: &Results, config: &EmbeddingConfig, inputs: usize) -> Vec<String> {
    let mut sentences = results.thresholds.as_ref().map_or_else(Vec::new, Chosen::remarks);
    if results.best_epoch == 0 {
        let start = if config.start == Start::Pca {
            "the principal components of those it learned from, with which it began"
        } else {
            "the random numbers with which it began"
        };
        sentences.push(format!("No epoch was better than the start on the held-out people: the head is {start}."));
    }
    if results.epochs.iter().all(|epoch| epoch.active.unwrap_or(0.0) == 0.0) {
        sentences.push(
            "No triplet of any batch had a loss, so that nothing was learned: the embedder tells these people apart by the \
             margin already. A larger --margin gives something to learn."
                .to_owned(),
        );
    }
    if let Some(kept) = results.components_keep {
        sentences.push(format!(
            "{} principal components keep {:.3} % of what varies between the pictures of the people who test.",
            config.dimension,
            100.0 * kept
        ));
    }
    match &results.comparison {
        None => sentences.push("No comparison was asked for: nothing here shows that the head is of use.".to_owned()),
        Some(Err(reason)) => {
            sentences.push(format!("There is no comparison: {reason}. Nothing here shows that the head is of use."));
        }
        Some(Ok(comparison)) if comparison.runs.is_empty() => sentences.push(
            "There is no comparison: it was interrupted before the first training ended. Nothing here shows that the head is of use."
                .to_owned(),
        ),
        Some(Ok(comparison)) => sentences.extend(compared(comparison, (inputs, config.dimension))),
    }
    sentences
}

fn compared(comparison: &Comparison, (inputs, outputs): (usize, usize)) -> Vec<String> {
    let rate = comparison.config.false_accept_rate;
    let mut sentences = vec![match comparison.runs.len() {
        1 => "The recipe was trained once, with the people of the model: more --repeats show the spread.".to_owned(),
        runs => format!(
            "The recipe was trained {runs} times, each time with another split of the people: what is compared is the \
             recipe, and the model is the first of them."
        ),
    }];
    if !comparison.complete() {
        sentences.push(format!(
            "The comparison was interrupted: it has {} of {} trainings.",
            comparison.runs.len(),
            comparison.config.seeds.len()
        ));
    }
    sentences.push(best_epochs(comparison));
    let evidence = |run: &Run| allowance(rate, run.different_pairs, "pairs").map(|allowed| allowed.evidence);
    if comparison.runs.iter().any(|run| evidence(run) == Ok(Evidence::Weak)) {
        sentences.push(format!("The rate {rate} is weak: fewer than ten pairs of different people decide it."));
    }
    let [all, pca] = [Method::All, Method::Pca].map(|method| Lead::over(comparison, method));
    let size = format!("{outputs} instead of {inputs} numbers a face");
    let text = all.text();
    sentences.push(match all.verdict() {
        Verdict::Better => format!("The trained head is better than the untouched embedder: {text}, with {size}."),
        Verdict::PerhapsBetter => {
            format!("That the trained head beats the untouched embedder is not sure: {text}. Sure is that it gives {size}.")
        }
        Verdict::PerhapsWorse => format!(
            "The trained head looks no better, or worse, than the untouched embedder, though that is not sure: {text}. \
             What it gives is {size}."
        ),
        Verdict::Worse => format!(
            "The trained head is worse than the untouched embedder: {text}. Use the embedder itself unless {size} matters \
             more."
        ),
    });
    let (text, those) = (pca.text(), "principal components of the same size, which need no training and no names");
    sentences.push(match pca.verdict() {
        Verdict::Better => format!("It is better than {those}: {text}."),
        Verdict::PerhapsBetter => {
            format!("That it is better than {those}, is not sure: {text}. What training adds is not shown.")
        }
        Verdict::PerhapsWorse => {
            format!("It looks no better, or worse, than {those}, though that is not sure: {text}.")
        }
        Verdict::Worse => format!("It is worse than {those}: {text}. Those are the better choice."),
    });
    let [all, centred, pca] =
        [Method::All, Method::AllCentred, Method::Pca].map(|method| Lead::over(comparison, method).mean);
    sentences.push(format!(
        "Of the lead over the untouched embedder, {:+.4} is what taking off the mean of the people learned from gives all {inputs} \
         numbers, {:+.4} what keeping {outputs} principal components changes, and {pca:+.4} what is beyond those: the training.",
        all - centred,
        centred - pca
    ));
    sentences
}

/// Which epochs gave the heads. Where none beat the start, the head was not trained in truth.
fn best_epochs(comparison: &Comparison) -> String {
    let epochs: Vec<String> = comparison.runs.iter().map(|run| run.best_epoch.to_string()).collect();
    let (starts, runs) = (epochs.iter().filter(|epoch| *epoch == "0").count(), epochs.len());
    let start = match comparison.config.training.start {
        Start::Pca => "starting components",
        Start::Random => "random start",
    };
    let said = if starts == 0 {
        String::new()
    } else {
        format!(" In {starts} of {runs} runs no epoch beat the start: there the head is its own {start}.")
    };
    let epochs = epochs.join(", ");
    format!(
        "The others are fitted on the very people that the head learned from. Its best epochs, run by run: {epochs}.{said}"
    )
}

#[cfg(test)]
mod tests {
    use super::{Lead, Verdict, compared};
    use crate::train::{CompareConfig, Comparison, Method, Run, Summary};

    fn comparison(lead: (f64, f64), runs: usize) -> Comparison {
        let run = |seed| Run {
            seed,
            training: (20, 60),
            learned: (16, 48),
            test: (20, 60),
            same_pairs: 60,
            different_pairs: 1710,
            epochs: 9,
            best_epoch: 4,
            true_accept: Vec::new(),
        };
        let row = |method| Summary { method, mean: 0.9, deviation: 0.01, range: (0.88, 0.92), lead };
        Comparison {
            config: CompareConfig { seeds: (0..runs as u64).collect(), ..CompareConfig::default() },
            summaries: Method::EVERY.into_iter().map(row).collect(),
            runs: (0..runs as u64).map(run).collect(),
        }
    }

    #[test]
    fn the_interval_of_a_lead_is_that_of_repeats_that_share_people() {
        // t(4, .975) = 2.776445; the root of 1/5 + 20/20 is 1.095445.
        let lead = Lead::over(&comparison((0.02, 0.005), 5), Method::All);
        assert!((lead.half.unwrap() - 0.015_207).abs() < 1e-5, "{lead:?}");
        assert_eq!(lead.verdict(), Verdict::Better);
        assert_eq!(lead.text(), "+0.0200 (+0.0048 to +0.0352)");
        assert_eq!(Lead::over(&comparison((-0.02, 0.005), 5), Method::All).verdict(), Verdict::Worse);
        assert_eq!(Lead::over(&comparison((0.01, 0.005), 5), Method::All).verdict(), Verdict::PerhapsBetter);
        let once = Lead::over(&comparison((0.02, 0.0), 1), Method::All);
        assert_eq!((once.half, once.verdict()), (None, Verdict::PerhapsBetter));
    }

    #[test]
    fn the_words_follow_the_figures() {
        let text = |lead, runs| compared(&comparison(lead, runs), (512, 128)).join(" ");
        let better = text((0.02, 0.005), 5);
        assert!(better.contains("better than the untouched") && better.contains("better than principal"), "{better}");
        assert!(better.contains("128 instead of 512"));
        assert!(
            better.ends_with(
                "+0.0000 is what taking off the mean of the people learned from gives all 512 numbers, +0.0000 what keeping 128 \
                 principal components changes, and +0.0200 what is beyond those: the training."
            ),
            "{better}"
        );
        let worse = text((-0.02, 0.005), 5);
        assert!(worse.contains("worse than the untouched") && worse.contains("worse than principal"), "{worse}");
        let perhaps = text((0.001, 0.005), 5);
        assert_eq!(perhaps.matches("is not sure: +0.0010").count(), 2, "{perhaps}");
        assert_eq!(text((-0.001, 0.005), 5).matches("looks no better, or worse").count(), 2);
        assert!(
            better.contains("best epochs, run by run: 4, 4, 4, 4, 4.") && !better.contains("beat the start"),
            "{better}"
        );
        let once = text((0.02, 0.0), 1);
        assert!(once.contains("trained once") && once.contains("not sure"), "{once}");
    }
    #[test]
    fn runs_that_took_the_start_and_runs_that_are_missing_are_said() {
        let mut partial = comparison((0.02, 0.005), 5);
        (partial.runs[1].best_epoch, partial.runs[4].best_epoch) = (0, 0);
        let text = |comparison: &Comparison| compared(comparison, (512, 128)).join(" ");
        assert!(text(&partial).contains(
            "best epochs, run by run: 4, 0, 4, 4, 0. In 2 of 5 runs no epoch beat the start: there the head is its own starting components."
        ));
        assert!(!text(&partial).contains("interrupted"));
        partial.runs.truncate(2);
        assert!(text(&partial).contains("was interrupted: it has 2 of 5 trainings"));
        assert!(text(&partial).contains("In 1 of 2 runs no epoch"));
    }
}
