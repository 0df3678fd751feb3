use proptest::prelude::*;

use super::Answer::{Class, Missed};
use super::{Answer, Confusion, RejectPoint, confusions, reject_curve};
use crate::metrics::MetricError;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("person {i}")).collect()
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

#[test]
fn rates_by_hand() {
    // Three of 0: two right, one called 1; two of 1: one right, one called 0; class 2 has no probe and no name.
    let answers = [(0, Class(0)), (0, Class(0)), (0, Class(1)), (1, Class(1)), (1, Class(0))];
    let confusion = Confusion::new(names(3), &answers).unwrap();
    assert_eq!(confusion.counts, [[2, 1, 0], [1, 1, 0], [0, 0, 0]]);
    assert_eq!((confusion.recognition().rate, confusion.false_recognition().rate), (0.6, 0.4));
    let classes = confusion.per_class();
    assert_eq!((classes[0].precision, classes[0].recall), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
    assert_eq!((classes[1].precision, classes[1].recall), (Some(0.5), Some(0.5)));
    assert_eq!((classes[2].precision, classes[2].recall, classes[2].f1), (None, None, 0.0));
    let averages = confusion.averages();
    near(averages.precision, 7.0 / 12.0);
    near(averages.recall, 7.0 / 12.0);
    near(averages.f1, 7.0 / 12.0);
    assert_eq!(confusions(&confusion), [(0, 1, 1), (1, 0, 1)]);
}

#[test]
fn missed_probes_are_neither_right_nor_falsely_named() {
    let answers = [(0, Class(0)), (0, Missed), (0, Missed), (1, Class(0)), (1, Missed)];
    let confusion = Confusion::new(names(2), &answers).unwrap();
    let rates = [confusion.recognition(), confusion.false_recognition(), confusion.missing()];
    assert_eq!(rates.map(|p| p.events), [1, 1, 3]);
    assert!(rates.iter().all(|p| p.trials == 5));
    let classes = confusion.per_class();
    assert_eq!((classes[0].probes, classes[0].recall, classes[0].precision), (3, Some(1.0 / 3.0), Some(0.5)));
    // Of class 1 nobody was named right, and nobody was given its name: precision counts as 0 in the mean.
    assert_eq!((classes[1].recall, classes[1].precision), (Some(0.0), None));
    near(confusion.averages().precision, 0.25);
}

#[test]
fn the_curve_by_hand() {
    let probes = [(0, Some((0, 0.9))), (1, Some((0, 0.7))), (1, Some((1, 0.7))), (1, None)];
    let point = |threshold, recognition, false_recognition| RejectPoint { threshold, recognition, false_recognition };
    assert_eq!(reject_curve(&probes).unwrap(), [point(0.9, 0.25, 0.0), point(0.7, 0.5, 0.25)]);
}

#[test]
fn bad_input_is_named() {
    assert_eq!(Confusion::new(names(2), &[]).unwrap_err(), MetricError::Nothing("probe"));
    let error = Confusion::new(names(2), &[(0, Class(1)), (1, Class(2))]).unwrap_err().to_string();
    assert_eq!(error, "probe 1: number 2 does not exist, there are 2");
    assert!(Confusion::new(names(2), &[(2, Missed)]).is_err());
    assert!(Confusion::new(vec![], &[(0, Missed)]).is_err());
    let error = reject_curve(&[(0, Some((0, 0.5))), (0, Some((0, f64::NAN)))]).unwrap_err().to_string();
    assert_eq!(error, "probe 1: the score is NaN, which is no finite number");
    assert!(reject_curve(&[]).is_err());
}

fn answers() -> impl Strategy<Value = Vec<(usize, Answer)>> {
    let answer = prop_oneof![6 => (0_usize..4).prop_map(Class), 1 => Just(Missed)];
    prop::collection::vec((0_usize..4, answer), 1..80)
}

proptest! {
    #[test]
    fn the_three_rates_make_one(answers in answers()) {
        let c = Confusion::new(names(4), &answers).unwrap();
        let sum: usize = [c.recognition(), c.false_recognition(), c.missing()].iter().map(|p| p.events).sum();
        prop_assert_eq!(sum, answers.len());
        prop_assert_eq!(c.per_class().iter().map(|class| class.probes).sum::<usize>(), answers.len());
        prop_assert_eq!(c.per_class().iter().map(|class| class.correct).sum::<usize>(), c.recognition().events);
    }

    #[test]
    fn the_order_of_the_probes_does_not_matter(answers in answers(), seed in any::<u64>()) {
        let mut shuffled = answers.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(Confusion::new(names(4), &answers), Confusion::new(names(4), &shuffled));
    }

    #[test]
    fn f1_is_the_harmonic_mean(answers in answers()) {
        for class in Confusion::new(names(4), &answers).unwrap().per_class() {
            if let (Some(p), Some(r)) = (class.precision, class.recall) && p + r > 0.0 {
                prop_assert!((class.f1 - 2.0 * p * r / (p + r)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_laxer_threshold_names_more_of_both(probes in prop::collection::vec((0_usize..3, prop::option::of((0_usize..3, -1.0_f64..1.0))), 1..60)) {
        let curve = reject_curve(&probes).unwrap();
        for step in curve.windows(2) {
            prop_assert!(step[1].threshold < step[0].threshold);
            prop_assert!(step[1].recognition >= step[0].recognition && step[1].false_recognition >= step[0].false_recognition);
        }
        let named = probes.iter().filter(|(_, best)| best.is_some()).count() as f64 / probes.len() as f64;
        let total = curve.last().map_or(0.0, |point| point.recognition + point.false_recognition);
        prop_assert!((total - named).abs() < 1e-12);
    }
}
