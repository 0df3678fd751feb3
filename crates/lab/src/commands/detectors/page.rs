//! The tables and the page.

use super::speed::Speed;
use super::truth::AgainstTruth;
use super::{DetectorReport, Results};
use crate::agreement::Agreement;
use crate::finders::{CURVE_THRESHOLD, Purpose};
use crate::material::LeftOut;
use crate::report::{Column, Curve, Page, Run, Spot, Table, plot};

use super::sheet::Group;

/// Lines of a list that the page shows.
const LINES: usize = 200;

/// From so many times the time of a core on, a machine was busy.
const BUSY: f64 = 1.15;

/// Said with a truth: why an AP may be higher than a precision.
pub(super) const COUNTED: &str = "Detections, false and precision count pictures without faces too; AP and the curve do not, by WIDER FACE's \
                                  protocol.";

/// All tables that there is something for.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let mut tables = vec![speeds(results)];
    let judged: Vec<(&DetectorReport, &AgainstTruth)> =
        results.detectors.iter().filter_map(|one| Some((one, one.against_truth.as_ref()?))).collect();
    if judged.is_empty() {
        tables.push(counts(results));
    } else {
        tables.push(against_truth(&judged));
    }
    tables.extend(results.agreement.as_ref().ok().map(pairs));
    tables
}

fn speeds(results: &Results) -> Table {
    let threads = results.detectors.first().map_or(0, |one| one.speed.threads);
    let mut table = Table::new([
        Column::text("detector"),
        Column::number("pictures/s, 1 thread"),
        Column::number("rounds"),
        Column::number("ms of a core"),
        Column::number(&format!("pictures/s, {threads} threads")),
    ]);
    for DetectorReport { name, speed, .. } in &results.detectors {
        let Speed { one_thread, range: (low, high), core_ms, all_threads, .. } = speed;
        table.row([
            name,
            &rate(*one_thread),
            &format!("{} to {}", rate(*low), rate(*high)),
            &format!("{core_ms:.1}"),
            &rate(*all_threads),
        ]);
    }
    table
}

fn rate(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.2}") } else { format!("{rate:.1}") }
}

fn counts(results: &Results) -> Table {
    let mut table = Table::new([
        Column::text("detector"),
        Column::number("least score"),
        Column::number("faces"),
        Column::number("a picture"),
        Column::number("pictures without"),
    ]);
    for one in &results.detectors {
        let a_picture = one.detections as f64 / results.pictures.max(1) as f64;
        table.row([
            &one.name,
            &score(one.least_score),
            &one.detections.to_string(),
            &format!("{a_picture:.2}"),
            &one.pictures_without.to_string(),
        ]);
    }
    table
}

/// A least score that is strictly above a threshold is shown as the threshold.
fn score(score: f64) -> String {
    let text = format!("{score:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn against_truth(judged: &[(&DetectorReport, &AgainstTruth)]) -> Table {
    let mut table = Table::new([
        Column::text("detector"),
        Column::number("AP"),
        Column::number("least score"),
        Column::number("detections"),
        Column::number("missed"),
        Column::number("missed a picture"),
        Column::number("false"),
        Column::number("false a picture"),
        Column::number("precision"),
        Column::number("recall"),
    ]);
    let share = |share: Option<f64>| share.map_or_else(|| "none".to_owned(), |share| format!("{share:.4}"));
    for (report, one) in judged {
        table.row([
            &report.name,
            &share(one.average_precision.as_ref().ok().copied()),
            &score(report.least_score),
            &one.figures.detections.to_string(),
            &one.figures.missed.to_string(),
            &format!("{:.3}", one.missed_per_image),
            &one.figures.false_detections.to_string(),
            &format!("{:.3}", one.false_per_image),
            &share(one.precision),
            &share(one.recall),
        ]);
    }
    table
}

fn pairs(agreement: &Agreement) -> Table {
    let mut table = Table::new([
        Column::text("one"),
        Column::text("other"),
        Column::number("both found"),
        Column::number("only the one"),
        Column::number("only the other"),
        Column::number("agreement"),
    ]);
    for pair in &agreement.pairs {
        table.row([
            &pair.first,
            &pair.second,
            &pair.both.to_string(),
            &pair.only_first.to_string(),
            &pair.only_second.to_string(),
            &pair.share().map_or_else(|| "none".to_owned(), |share| format!("{:.1} %", 100.0 * share)),
        ]);
    }
    table
}

/// The page of the run.
pub(super) fn page(run: &Run, results: &Results, groups: &[Group]) -> anyhow::Result<Page> {
    let mut page = Page::new("Detectors");
    page.section("Figures");
    for one in &results.unavailable {
        page.warning(&format!("{}: not compared. {}", one.name, one.reason));
    }
    page.text(&about(results));
    if let Some(busy) = busy(results) {
        page.warning(&busy);
    }
    let titles = ["Speed.", "Faces.", "Two by two: faces that both found, and boxes of one alone."];
    for (table, title) in tables(results).iter().zip(titles) {
        page.text(title).table(table);
    }
    plots(&mut page, results)?;
    page.section("Where they differ");
    match &results.agreement {
        Err(reason) => page.text(reason),
        Ok(agreement) => page.text(&differences(agreement, groups)),
    };
    for group in groups.iter().filter(|group| !group.shown.is_empty()) {
        page.text(&group.title).mistakes(&group.shown);
    }
    if !results.left_out.is_empty() {
        page.section("Left out").table(&left_out(&results.left_out));
    }
    page.run(run);
    Ok(page)
}

fn about(results: &Results) -> String {
    let speed = results.detectors.first().map(|one| one.speed);
    let (measured, rounds) = speed.map_or((0, 0), |speed| (speed.pictures, speed.rounds));
    let seen = format!(
        "{} pictures. Speed on {measured} of them, in memory, in {rounds} rounds, the detectors taking turns.",
        results.pictures
    );
    match results.purpose {
        Purpose::Use => seen,
        Purpose::Curve => format!(
            "{seen} A face is missed, and a detection false, at the detector's own least score; the average precision (AP) and the curve go \
             on below it: networks with one threshold to {CURVE_THRESHOLD}, MTCNN to any score of its last network, Viola-Jones to two \
             windows that agree, SeetaFace to any score above 0. {COUNTED}"
        ),
    }
}

/// Said when the speeds are those of a machine that did something else as well.
pub(super) fn busy(results: &Results) -> Option<String> {
    let on_cores = results.detectors.iter().filter(|one| one.speed.core_ms > 0.0);
    let waited = on_cores.map(|one| one.speed.waited).fold(1.0, f64::max);
    (waited > BUSY).then(|| {
        format!(
            "This machine was busy with something else: pictures took up to {waited:.1} times as long as a core worked on them. Measure \
             again when it is idle, or compare the milliseconds of a core."
        )
    })
}

fn plots(page: &mut Page, results: &Results) -> anyhow::Result<()> {
    let judged = results.detectors.iter().filter_map(|one| Some((one, one.against_truth.as_ref()?)));
    let spot = |(report, one): (&DetectorReport, &AgainstTruth)| {
        Spot::new(&report.name, report.speed.one_thread, one.false_per_image)
    };
    let spots: Vec<Spot> = judged.clone().map(spot).collect();
    if spots.is_empty() {
        return Ok(());
    }
    let curve = |(report, one): (&DetectorReport, &AgainstTruth)| {
        let points = one.curve.iter().map(|point| (point.recall, point.precision)).collect();
        let ap = one.average_precision.as_ref().map_or_else(Clone::clone, |ap| format!("AP {ap:.4}"));
        Curve::new(&report.name, points).detail(&ap)
    };
    let curves: Vec<Curve> = judged.map(curve).collect();
    page.section("Plots").figure(&plot::speed(&spots)?.note("On one thread."));
    page.figure(&plot::precision_recall(&curves)?);
    Ok(())
}

fn differences(agreement: &Agreement, groups: &[Group]) -> String {
    format!(
        "All found the same face {} times, and differ on {} boxes: {} kinds of difference, the most frequent first, with some of each. \
         The box is that of the first that found it.",
        agreement.agreed,
        agreement.disagreements.len(),
        groups.len()
    )
}

fn left_out(left_out: &[LeftOut]) -> Table {
    let mut table = Table::new([Column::text("file"), Column::text("why")]);
    for one in left_out.iter().take(LINES) {
        table.row([&one.file, &one.reason]);
    }
    if left_out.len() > LINES {
        table.row(["…", &format!("and {} more", left_out.len() - LINES)]);
    }
    table
}
