//! The page: what was learned, how it went, and what it is worth.

use super::{Results, Roc, words};
use crate::report::{Curve, Mark, Page, Run, Table, plot};
use crate::train::EpochReport;

/// What the curves of a training show.
struct Course {
    judges: &'static str,
    /// Titles of two rates.
    active: &'static str,
    right: &'static str,
    /// What is to be known of the two losses.
    training_loss: &'static str,
    judged_loss: &'static str,
}

const TRIPLETS: Course = Course {
    judges: "held-out people",
    active: "Share of active triplets in training",
    right: "True accept rate on held-out people",
    training_loss: "Over the triplets that were selected.",
    judged_loss: "Over all their triplets, most of which are easy. The lowest decides.",
};

const CLASSES: Course = Course {
    judges: "held-out pictures",
    active: "Share of the pictures in training named wrong",
    right: "Share of held-out pictures named rightly",
    training_loss: "Cross entropy, with dropout.",
    judged_loss: "Cross entropy, without dropout. The lowest decides.",
};

/// Everything there is; an interrupted training has less.
///
/// # Errors
/// When the plotting library fails.
pub(super) fn page(run: &Run, results: &Results, tables: &[(&str, Table)]) -> anyhow::Result<Page> {
    let mut page = Page::new("Training");
    page.section("What it says");
    for sentence in &results.verdict {
        page.text(sentence);
    }
    if let Some(model) = &results.model {
        for sentence in model.usage() {
            page.text(&sentence);
        }
    }
    for (title, table) in tables {
        page.section(title).table(table);
        if *title == "Training" {
            course(&mut page, results)?;
        }
        if *title == "Thresholds" {
            scores(&mut page, results)?;
        }
    }
    if !results.roc.is_empty() {
        page.section("This head on the people who test").figure(&roc(&results.roc)?);
    }
    page.run(run);
    Ok(page)
}

/// Loss, share of active triplets, and the rate on what is held out, over the epochs.
fn course(page: &mut Page, results: &Results) -> anyhow::Result<()> {
    let Course { judges, active, right, training_loss, judged_loss } =
        if results.classifier { CLASSES } else { TRIPLETS };
    let curve = |name: &str, value: fn(&EpochReport) -> Option<f64>| {
        let points = results.epochs.iter().filter_map(|epoch| Some((f64::from(epoch.epoch), value(epoch)?)));
        Curve::new(name, points.collect())
    };
    let best = [Mark::new("the head was taken at the best epoch,", f64::from(results.best_epoch))];
    let on_judges = format!("Loss on {judges}");
    let losses = [
        ("Loss in training", curve("training", |epoch| epoch.loss), training_loss),
        (&on_judges, curve(judges, |epoch| Some(epoch.held_out_loss)), judged_loss),
    ];
    for (title, curve, about) in losses {
        page.figure(&plot::loss(&[curve], &best)?.titled(title, about));
    }
    let rates = [(active, curve(active, |epoch| epoch.active)), (right, curve(right, |epoch| epoch.held_out_rate))];
    for (title, curve) in rates {
        page.figure(&plot::trend(&[curve], ("epoch", "share"), &best)?.titled(title, ""));
    }
    Ok(())
}

/// Cosines of the people who test, with the thresholds.
fn scores(page: &mut Page, results: &Results) -> anyhow::Result<()> {
    let Some(chosen) = &results.thresholds else { return Ok(()) };
    let numbers = |scores: &[f32]| scores.iter().map(|score| f64::from(*score)).collect::<Vec<_>>();
    let values = chosen.calibration.thresholds;
    let marks = [
        Mark::new("unknown", values.unknown),
        Mark::new("accept", values.accept),
        Mark::new("cluster", values.cluster),
    ];
    let figure = plot::scores(&numbers(&chosen.scores.same), &numbers(&chosen.scores.different), &marks)?;
    let figure = figure.note(
        "Pairs of two pictures. The thresholds are for the best of a person's pictures among everybody's, which lies \
         higher: most of the different ones are far below accept.",
    );
    page.figure(&figure);
    Ok(())
}

fn roc(curves: &[Roc]) -> anyhow::Result<crate::report::Figure> {
    let curve = |roc: &Roc| {
        let rate = roc.true_accept.map_or_else(String::new, |rate| format!(", {rate:.4} at the rate compared"));
        Curve::new(words::method(roc.method), roc.curve.clone()).detail(&format!("{} numbers{rate}", roc.dimension))
    };
    let curves: Vec<Curve> = curves.iter().map(curve).collect();
    Ok(plot::roc(&curves, &[])?.titled(
        "ROC",
        "Every pair of two pictures of the people who were kept out of this training. One split: the table above has the spread.",
    ))
}
