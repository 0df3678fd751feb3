//! The thresholds of a new head, measured on people whom it has not seen.
//!
//! Each picture of the people who test is a visit of one picture, scored with the other pictures of everybody by the best cosine,
//! as the gallery does. A visit of several pictures has a fused vector, whose scores are others: `calibrate` measures those on
//! the user's own people.

use std::collections::BTreeSet;

use anyhow::bail;
use serde::Serialize;
use sightline_infer::{Manifest, Thresholds as Stated};

use crate::faces::cosine;
use crate::metrics::MetricError;
use crate::metrics::calibration::{Basis, Calibration, Options, Visit, calibrate};
use crate::metrics::rate::Evidence;
use crate::train::{Embedded, FeatureSet, Head, PairScores, identity};

/// Share of strangers' visits that may end as ambiguous or worse.
const AMBIGUOUS: f64 = 0.05;

/// Where a configured threshold may lie: above all but this share of the cosines of different people, and below all but that
/// share of those of the same.
const PLAUSIBLE: (f64, f64) = (0.1, 0.01);

/// Pictures with a cosine above this are one picture: no threshold up to 1, in thousandths, lies above it.
const SAME: f64 = 0.999_999;

/// People that an error names.
const NAMED: usize = 5;

/// The thresholds and what they rest on.
#[derive(Clone, Debug, Serialize)]
pub struct Chosen {
    /// The figures.
    pub calibration: Calibration,
    /// The rate of false acceptance that was asked for; the data may show a larger one only.
    pub asked: f64,
    /// Lowest and highest that a setting may be.
    pub plausible: [f64; 2],
    /// By how much the cosines of same and different lie further apart than the embedder's own: its margins are scaled with it.
    pub stretch: f64,
    /// People with one picture who stood for strangers.
    pub strangers: usize,
    #[serde(skip)]
    pub(super) scores: PairScores,
}

/// Chooses them for `rate`, or for the smallest rate that the people can show.
///
/// # Errors
/// When the people show nothing, or so many pictures of different people are one picture that no threshold keeps to the rate.
pub(super) fn choose(
    head: &Head,
    test: &FeatureSet,
    (strangers, rate): (Option<&FeatureSet>, f64),
    base: &Manifest,
) -> anyhow::Result<Chosen> {
    let stated = base.thresholds.as_ref();
    let margin = stated.map_or(0.0, |stated| f64::from(stated.margin));
    let scores = pair_scores(head, test)?;
    let plain = pair_scores(&identity(test.dimension()), test)?;
    let stretch = distance(&scores) / distance(&plain);
    let stretch = if stretch.is_finite() && stretch > 0.0 { stretch } else { 1.0 };
    let [low, high] = plausible(&scores);
    let options = Options {
        false_accept_rate: rate,
        ambiguous_rate: AMBIGUOUS,
        plausible: [low, high],
        least_margin: thousandths(margin * stretch),
        own: None,
    };
    let visits = visits(head, test, strangers)?;
    let calibration = match calibrate(test.names(), &visits, &options) {
        Err(MetricError::RateTooSmall { smallest, .. }) => {
            calibrate(test.names(), &visits, &Options { false_accept_rate: smallest, ..options })?
        }
        other => other?,
    };
    let chosen = calibration.thresholds;
    if chosen.accept > 1.0 {
        bail!("{}", alike(test, &visits, calibration.options.false_accept_rate));
    }
    let high = high.max(chosen.accept).max(chosen.cluster).min(1.0);
    let strangers = strangers.map_or(0, FeatureSet::len);
    Ok(Chosen { calibration, asked: rate, plausible: [low, hundredths_above(high)], stretch, strangers, scores })
}

impl Chosen {
    /// As a manifest has them.
    pub(super) fn for_manifest(&self, data: String) -> Stated {
        let chosen = self.calibration.thresholds;
        Stated {
            accept: chosen.accept as f32,
            unknown: chosen.unknown as f32,
            margin: chosen.margin.min(0.999) as f32,
            cluster: chosen.cluster as f32,
            false_accept_rate: self.calibration.options.false_accept_rate,
            data,
            plausible: self.plausible.map(|value| value as f32),
        }
    }

    /// What is to be known before they are used.
    pub(super) fn remarks(&self) -> Vec<String> {
        let (found, asked) = (self.calibration.options.false_accept_rate, self.asked);
        let mut remarks = Vec::new();
        if found > asked {
            remarks.push(format!(
                "The people who test are too few to show a false accept rate of {asked}: the thresholds were chosen for \
                 {found:.4}, the smallest that they show. Give more people, or calibrate on your own."
            ));
        } else if self.calibration.evidence == Evidence::Weak {
            remarks.push("The thresholds are weak: fewer than ten false accepts decide them.".to_owned());
        }
        remarks
    }
}

/// Why there is no threshold: pictures that are the same as one of somebody else, by the people's names.
fn alike(test: &FeatureSet, visits: &[Visit], rate: f64) -> String {
    let same = |visit: &&Visit| visit.nearest_other_visit.is_some_and(|score| score > SAME);
    let found: Vec<&Visit> = visits.iter().filter(same).collect();
    let names: BTreeSet<&str> =
        found.iter().filter_map(|visit| test.names().get(visit.person?).map(String::as_str)).collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    let names: Vec<&str> = names.into_iter().take(NAMED).collect();
    format!(
        "no threshold keeps to a false accept rate of {rate}: {} of {} pictures of the people who test are the same as one of somebody \
         else ({}{more}). Is one picture filed under two names? Put that right, or go on with --resume and a larger --threshold-rate",
        found.len(),
        visits.len(),
        names.join(", ")
    )
}

/// Where thresholds come from, for the manifest.
pub(super) fn source(chosen: &Chosen, test: &FeatureSet, data: &str) -> String {
    let alarms = &chosen.calibration.false_accepts;
    let strangers = match chosen.strangers {
        0 => String::new(),
        1 => " and of 1 person with one photo".to_owned(),
        count => format!(" and of {count} people with one photo"),
    };
    let weak = if chosen.calibration.evidence == Evidence::Weak { ", weak" } else { "" };
    let bases = chosen.calibration.bases;
    let given: Vec<&str> = [("margin", bases.margin), ("cluster", bases.cluster)]
        .into_iter()
        .filter_map(|(name, basis)| (basis == Basis::Given).then_some(name))
        .collect();
    let given = if given.is_empty() {
        String::new()
    } else {
        format!("; not measured but taken over from the embedder and scaled: {}", given.join(", "))
    };
    format!(
        "{} single photos of {} people of {data} who were kept out of training{strangers}, not fused visits: accept is \
         reached by {} of {} strangers (95 %: {:.4} to {:.4}{weak}){given}",
        test.len(),
        test.names().len(),
        alarms.events,
        alarms.trials,
        alarms.low,
        alarms.high
    )
}

fn pair_scores(head: &Head, set: &FeatureSet) -> anyhow::Result<PairScores> {
    let rows = head.apply(set.rows())?;
    Ok(Embedded { rows: &rows, dimension: head.outputs(), labels: set.labels() }.pair_scores())
}

/// Between the mean cosines of the same and of different people.
fn distance(scores: &PairScores) -> f64 {
    let mean = |scores: &[f32]| scores.iter().map(|score| f64::from(*score)).sum::<f64>() / scores.len() as f64;
    mean(&scores.same) - mean(&scores.different)
}

fn plausible(scores: &PairScores) -> [f64; 2] {
    let at = |scores: &[f32], above: f64| {
        let mut sorted = scores.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted.get((sorted.len() as f64 * above) as usize).map_or(0.0, |score| f64::from(*score))
    };
    let low = (at(&scores.different, PLAUSIBLE.0) * 100.0).floor() / 100.0;
    let low = low.clamp(-1.0, 0.98);
    [low, hundredths_above(at(&scores.same, PLAUSIBLE.1)).max(low + 0.01)]
}

fn hundredths_above(value: f64) -> f64 {
    ((value * 100.0 - 1e-6).ceil() / 100.0).min(1.0)
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// A visit for each picture of the people who test, and of each stranger.
fn visits(head: &Head, test: &FeatureSet, strangers: Option<&FeatureSet>) -> anyhow::Result<Vec<Visit>> {
    let (rows, dimension) = (head.apply(test.rows())?, head.outputs());
    let pictures: Vec<(usize, &[f32])> =
        test.labels().iter().map(|label| *label as usize).zip(rows.chunks_exact(dimension)).collect();
    let best = |probe: &[f32], skipped: Option<usize>| {
        let mut scores: Vec<Option<f64>> = vec![None; test.names().len()];
        for (_, (person, picture)) in pictures.iter().enumerate().filter(|(index, _)| Some(*index) != skipped) {
            let score = cosine(probe, picture);
            let best = &mut scores[*person];
            *best = Some(best.map_or(score, |best| best.max(score)));
        }
        scores
    };
    let highest = |scores: &[Option<f64>], but: Option<usize>| {
        let others = scores.iter().enumerate().filter(|(person, _)| Some(*person) != but);
        others.filter_map(|(_, score)| *score).max_by(f64::total_cmp)
    };
    let mut visits = Vec::new();
    for (index, (person, picture)) in pictures.iter().enumerate() {
        let scores = best(picture, Some(index));
        let nearest_other_visit = highest(&scores, Some(*person));
        visits.push(Visit { person: Some(*person), scores, nearest_other_visit });
    }
    let unknown = strangers.map(|set| head.apply(set.rows())).transpose()?.unwrap_or_default();
    for stranger in unknown.chunks_exact(dimension) {
        let scores = best(stranger, None);
        let nearest_other_visit = highest(&scores, None);
        visits.push(Visit { person: None, scores, nearest_other_visit });
    }
    Ok(visits)
}

#[cfg(test)]
mod tests {
    use super::{Chosen, choose, plausible, visits};
    use crate::metrics::calibration::Basis;
    use crate::train::{FeatureSet, PairScores, Sample, identity};

    fn set(faces: &[(&str, [f32; 2])]) -> FeatureSet {
        let sample = |(index, (person, vector)): (usize, &(&str, [f32; 2]))| Sample {
            person: (*person).to_owned(),
            image: format!("{index:02}"),
            vector: vector.to_vec(),
        };
        FeatureSet::new(faces.iter().enumerate().map(sample).collect()).unwrap()
    }

    fn two() -> FeatureSet {
        set(&[("a", [1.0, 0.0]), ("a", [0.96, 0.28]), ("b", [0.0, 1.0]), ("b", [0.6, 0.8])])
    }

    fn close(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found - wanted).abs() < 1e-6)
    }

    #[test]
    fn a_picture_is_scored_with_the_others_of_everybody() {
        let stranger = set(&[("c", [0.8, 0.6])]);
        let visits = visits(&identity(2), &two(), Some(&stranger)).unwrap();
        assert_eq!(
            visits.iter().map(|visit| visit.person).collect::<Vec<_>>(),
            [Some(0), Some(0), Some(1), Some(1), None]
        );
        // The first of a: .96 with the other of a; 0 and .6 with those of b.
        assert!(close(visits[0].scores[0], 0.96) && close(visits[0].scores[1], 0.6), "{:?}", visits[0]);
        assert!(close(visits[0].nearest_other_visit, 0.6));
        // The second of b is .6 and .8 from a's, and .8 from b's other.
        assert!(close(visits[3].scores[0], 0.8) && close(visits[3].scores[1], 0.8), "{:?}", visits[3]);
        // The stranger: .8 and .936 with a, .6 and .96 with b.
        assert!(close(visits[4].scores[0], 0.936) && close(visits[4].scores[1], 0.96), "{:?}", visits[4]);
        assert!(close(visits[4].nearest_other_visit, 0.96));
    }

    fn chosen(rate: f64) -> Chosen {
        let text = include_str!("../../../../../models/facenet-casia.toml");
        let base = sightline_infer::Manifest::parse("facenet-casia.toml", text).unwrap();
        choose(&identity(2), &two(), (None, rate), &base).unwrap()
    }

    #[test]
    fn a_rate_that_few_people_cannot_show_becomes_the_smallest_that_they_can() {
        let few = chosen(0.001);
        // Four visits: one of four may be accepted.
        assert!((few.calibration.options.false_accept_rate - 0.25).abs() < 1e-9);
        assert!(few.remarks()[0].contains("0.001") && few.remarks()[0].contains("0.2500"), "{:?}", few.remarks());
        let stated = few.for_manifest("data".to_owned());
        assert!((stated.false_accept_rate - 0.25).abs() < 1e-9);
        // The strangers' best scores are .6, .8, .28 and .8: two of the four are alike, so that none of .8 may pass.
        assert!((few.calibration.thresholds.accept - 0.801).abs() < 1e-9, "{:?}", few.calibration.thresholds);
        let [low, high] = stated.plausible;
        assert!(low <= stated.unknown && stated.unknown <= stated.accept && stated.accept <= stated.cluster);
        assert!(stated.cluster <= high && high <= 1.0);
        // The head changes nothing: neither do the margins.
        assert!((few.stretch - 1.0).abs() < 1e-9 && few.calibration.bases.margin == Basis::Given);
        assert!((stated.margin - 0.08).abs() < 1e-6);
    }

    #[test]
    fn one_picture_under_two_names_gives_no_thresholds() {
        let text = include_str!("../../../../../models/facenet-casia.toml");
        let base = sightline_infer::Manifest::parse("facenet-casia.toml", text).unwrap();
        let faces = [
            ("a", [1.0, 0.0]),
            ("a", [0.96, 0.28]),
            ("b", [1.0, 0.0]),
            ("b", [0.6, 0.8]),
            ("c", [0.0, 1.0]),
            ("c", [-0.6, 0.8]),
        ];
        let choose = |rate| choose(&identity(2), &set(&faces), (None, rate), &base);
        let error = choose(0.001).unwrap_err().to_string();
        assert!(error.contains("2 of 6 pictures") && error.contains("(a, b)"), "{error}");
        assert!(error.contains("--resume") && error.contains("--threshold-rate"), "{error}");
        // Two of six may pass: what the table counts is what the manifest gives.
        let chosen = choose(0.34).unwrap();
        let stated = f64::from(chosen.for_manifest(String::new()).accept);
        assert!(stated < 1.0 && (stated - chosen.calibration.thresholds.accept).abs() < 1e-6);
        assert_eq!(chosen.calibration.false_accepts.events, 2);
    }

    #[test]
    fn the_source_says_what_was_counted() {
        let text = super::source(&chosen(0.3), &two(), "photos");
        assert!(
            text.starts_with("4 single photos of 2 people of photos who were kept out of training, not fused"),
            "{text}"
        );
        assert!(text.contains("of 4 strangers (95 %") && text.contains("weak") && text.contains("margin"), "{text}");
    }

    #[test]
    fn the_plausible_range_holds_what_decides() {
        let different: Vec<f32> = (0..100).map(|place| place as f32 / 200.0).collect();
        let same: Vec<f32> = (0..100).map(|place| 0.5 + place as f32 / 400.0).collect();
        // Ten of a hundred lie above .445, and one above .745.
        assert_eq!(plausible(&PairScores { same, different }), [0.44, 0.75]);
        let [low, high] = plausible(&PairScores { same: vec![0.1], different: vec![1.0] });
        assert!(low < high && high <= 1.0);
    }
}
