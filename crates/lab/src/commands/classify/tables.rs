//! What is printed, and stands in the page.

use super::measure::{Measured, Outcome, Results};
use crate::metrics::classification::confusions;
use crate::report::{Column, Table};

/// People that the terminal shows; the page shows all.
const PEOPLE: usize = 25;

/// Confusions of each method that are listed.
const CONFUSIONS: usize = 5;

/// Everything as tables.
pub(super) struct Tables {
    /// How well, how fast, how large, and who was taken for whom.
    pub(super) overview: [Table; 3],
    /// Each person, on the terminal those who fare worst.
    pub(super) short: Table,
    /// Each person.
    pub(super) people: Table,
}

impl Tables {
    /// For the terminal: where no method has learned, there is nothing to be said of the people.
    pub(super) fn printed(&self) -> Vec<&Table> {
        let [rates, cost, confusions] = &self.overview;
        if cost.is_empty() { vec![rates] } else { vec![rates, cost, &self.short, confusions] }
    }
}

/// The tables of the results.
pub(super) fn all(results: &Results) -> Tables {
    let done: Vec<(&Measured, &Outcome)> =
        results.methods.iter().filter_map(|one| Some((one, one.outcome.as_ref().ok()?))).collect();
    let everybody: Vec<usize> = (0..results.people.len()).collect();
    Tables {
        overview: [rates(results), cost(&done), mistaken(results, &done)],
        short: people(results, &done, &worst(&done, &everybody)),
        people: people(results, &done, &everybody),
    }
}

fn rates(results: &Results) -> Table {
    let mut table = Table::new([
        Column::text("method"),
        Column::text("recognition (95 %)"),
        Column::number("false recognition"),
        Column::number("no face"),
        Column::number("precision"),
        Column::number("recall"),
        Column::number("learned from"),
        Column::number("tested on"),
    ]);
    for one in &results.methods {
        match &one.outcome {
            Ok(outcome) => table.row([
                &one.name,
                &outcome.recognition.in_words(),
                &format!("{:.4}", outcome.false_recognition.rate),
                &format!("{:.4}", outcome.missed.rate),
                &format!("{:.4}", outcome.averages.precision),
                &format!("{:.4}", outcome.averages.recall),
                &outcome.learned_from.to_string(),
                &outcome.recognition.trials.to_string(),
            ]),
            Err(_) => table.row([&one.name, "could not learn"]),
        };
    }
    table
}

fn cost(done: &[(&Measured, &Outcome)]) -> Table {
    let mut table = Table::new([
        Column::text("method"),
        Column::number("ms to prepare"),
        Column::number("ms to fit"),
        Column::number("ms to recognise"),
        Column::number("training data"),
        Column::number("memory to fit"),
        Column::number("memory to recognise"),
    ]);
    for (one, outcome) in done {
        let (time, memory) = (outcome.milliseconds, outcome.memory);
        table.row([
            one.name.clone(),
            time.prepare.map_or_else(String::new, milliseconds),
            milliseconds(time.fit),
            milliseconds(time.recognise),
            bytes(memory.training as u64),
            memory.fit.map_or_else(|| "unknown".to_owned(), bytes),
            bytes(memory.recogniser as u64),
        ]);
    }
    table
}

/// Three digits that matter.
fn milliseconds(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..=1023 => format!("{count} B"),
        1024..=1_048_575 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

fn mistaken(results: &Results, done: &[(&Measured, &Outcome)]) -> Table {
    let mut table = Table::new([
        Column::text("method"),
        Column::text("person"),
        Column::text("most often taken for"),
        Column::number("times"),
        Column::number("of"),
    ]);
    for (one, outcome) in done {
        for (truth, named, times) in confusions(&outcome.confusion).into_iter().take(CONFUSIONS) {
            let (person, other) = (&results.people[truth], &results.people[named]);
            table.row([&one.name, person, other, &times.to_string(), &outcome.classes[truth].probes.to_string()]);
        }
    }
    table
}

/// Those who are recognised worst by all methods together, in the order of their names.
fn worst(done: &[(&Measured, &Outcome)], everybody: &[usize]) -> Vec<usize> {
    let right = |class: &usize| done.iter().map(|(_, outcome)| outcome.classes[*class].f1).sum::<f64>();
    let mut people = everybody.to_vec();
    if people.len() > PEOPLE {
        people.sort_by(|a, b| right(a).total_cmp(&right(b)));
        people.truncate(PEOPLE);
        people.sort_unstable();
    }
    people
}

fn people(results: &Results, done: &[(&Measured, &Outcome)], chosen: &[usize]) -> Table {
    let left_out = results.people.len() - chosen.len();
    let head = if left_out > 0 {
        format!("precision / recall ({left_out} who fare better not shown)")
    } else {
        "precision / recall".to_owned()
    };
    let methods = done.iter().map(|(one, _)| Column::number(&one.name));
    let mut table = Table::new([Column::text(&head), Column::number("tested on")].into_iter().chain(methods));
    let share = |value: Option<f64>| value.map_or_else(|| "  - ".to_owned(), |value| format!("{value:.2}"));
    for &class in chosen {
        let probes = done.first().map_or(0, |(_, outcome)| outcome.classes[class].probes);
        let figures = done.iter().map(|(_, outcome)| {
            let class = &outcome.classes[class];
            format!("{} / {}", share(class.precision), share(class.recall))
        });
        table.row([results.people[class].clone(), probes.to_string()].into_iter().chain(figures));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{bytes, milliseconds};

    #[test]
    fn figures_are_short() {
        assert_eq!([0.0123, 1.26, 1234.5].map(milliseconds), ["0.012", "1.3", "1234"]);
        assert_eq!([0, 1023, 1536, 3 << 20].map(bytes), ["0 B", "1023 B", "1.5 KiB", "3.0 MiB"]);
    }
}
