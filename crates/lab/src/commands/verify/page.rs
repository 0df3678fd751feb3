//! The page: tables, one picture of all methods, and of each its scores and the pairs it judges worst.

use std::path::Path;

use super::scores::Line;
use super::{Measured, Results, tables};
use crate::metrics::verification::Pairs;
use crate::report::{Curve, Mark, Mistake, Page, Picture, Run, Table, plot};

/// Over the tables, in their order.
const TITLES: [&str; 4] = ["Protocol", "Over the folds", "Over all pairs", "At false accept rates"];

/// Worst pairs of each kind that are shown.
const WORST: usize = 12;

/// The page of these results. `pairs` are those of each method, in its order.
pub(super) fn page(
    run: &Run,
    shown: &[Table; 4],
    results: &Results,
    (data, lines, pairs): (&Path, &[Line<'_>], &[Pairs]),
) -> anyhow::Result<Page> {
    let mut page = Page::new("Verification");
    for failure in &results.failed {
        page.warning(failure);
    }
    if results.left_out > 0 {
        let left_out = format!("{} pairs were left out: the data set lacks a picture of theirs.", results.left_out);
        page.warning(&left_out);
    }
    for (title, table) in TITLES.iter().zip(shown) {
        page.section(title).table(table);
    }
    for refusal in tables::refusals(results) {
        page.text(&refusal);
    }
    page.text(
        "Over the folds: the threshold for each fold comes from the others. Over all pairs: rates with their 95 % interval (Clopper and \
         Pearson), and the score above which a pair is accepted. A pair has no score when a face was missed, or when nothing is left of a \
         vector without the mean.",
    );
    let methods = || results.methods.iter().zip(pairs);
    let roc = methods().map(|(method, pairs)| {
        let points = pairs.roc().iter().map(|point| (point.far, point.tar)).collect();
        Curve::new(&method.name, points).detail(&format!("area {:.5}", method.auc))
    });
    let det = methods().map(|(method, pairs)| {
        let points = pairs.det().iter().map(|point| (point.far, point.frr)).collect();
        Curve::new(&method.name, points).detail(&format!("equal error rate {:.4}", method.equal_error.rate))
    });
    page.section("Curves").figure(&plot::roc(&roc.collect::<Vec<_>>(), &[])?);
    page.figure(&plot::det(&det.collect::<Vec<_>>(), &[])?);
    for (method, pairs) in methods() {
        scores(&mut page, method, pairs)?;
    }
    for (method, pairs) in methods() {
        for (same, kind) in [(true, "Same person, least alike"), (false, "Different people, most alike")] {
            page.section(&format!("{kind}: {}", method.name)).mistakes(&worst((data, lines), pairs, same));
        }
    }
    page.run(run);
    Ok(page)
}

fn scores(page: &mut Page, method: &Measured, pairs: &Pairs) -> anyhow::Result<()> {
    let of = |same| -> Vec<f64> {
        pairs.pairs().iter().filter(|pair| pair.same == same).filter_map(|pair| pair.score).collect()
    };
    let best = Mark::new("best accuracy on all pairs", method.best.threshold);
    page.section(&format!("Scores: {}", method.name)).figure(&plot::scores(&of(true), &of(false), &[best])?);
    Ok(())
}

/// The pairs whose score says least what they are, those without a score first.
fn worst((data, lines): (&Path, &[Line<'_>]), pairs: &Pairs, same: bool) -> Vec<Mistake> {
    let mut of_kind: Vec<_> = pairs.pairs().iter().zip(lines).filter(|(pair, _)| pair.same == same).collect();
    let key = |score: Option<f64>| score.map_or(f64::NEG_INFINITY, |score| if same { score } else { -score });
    of_kind.sort_by(|(a, _), (b, _)| key(a.score).total_cmp(&key(b.score)));
    let picture = |file: &String| Picture::read(&data.join(file), file);
    let mistake = |(pair, (_, line)): &(&crate::metrics::verification::Pair, &Line<'_>)| {
        let title = pair.score.map_or_else(|| "no score".to_owned(), |score| format!("score {score:.3}"));
        Mistake::new(&title, [&line.first, &line.second].into_iter().map(picture).collect())
    };
    of_kind.iter().take(WORST).map(mistake).collect()
}
