use proptest::prelude::*;

use super::{Basis, Options, Own, Template, Visit, Warning, calibrate, template_warnings};
use crate::metrics::MetricError;
use crate::metrics::rate::Evidence;

const OPTIONS: Options =
    Options { false_accept_rate: 0.1, ambiguous_rate: 0.3, plausible: [0.3, 0.9], least_margin: 0.05, own: None };

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("person {i}")).collect()
}

fn visit(person: Option<usize>, scores: &[f64]) -> Visit {
    Visit { person, scores: scores.iter().copied().map(Some).collect(), nearest_other_visit: Some(0.2) }
}

/// Ten visits of three people; as strangers they score .60 .50 .45 .40 .35 .32 .31 .2 .1 0.
fn ten() -> Vec<Visit> {
    vec![
        visit(Some(0), &[0.9, 0.60, 0.1]),
        visit(Some(0), &[0.8, 0.50, 0.2]),
        visit(Some(0), &[0.7, 0.45, 0.2]),
        visit(Some(1), &[0.40, 0.9, 0.1]),
        visit(Some(1), &[0.35, 0.8, 0.1]),
        visit(Some(1), &[0.32, 0.52, 0.1]),
        visit(Some(2), &[0.31, 0.1, 0.9]),
        visit(Some(2), &[0.20, 0.1, 0.48]),
        visit(Some(2), &[0.10, 0.1, 0.35]),
        visit(None, &[0.00, -0.1, -0.2]),
    ]
}

#[test]
fn thresholds_by_hand() {
    let result = calibrate(&names(3), &ten(), &OPTIONS).unwrap();
    let t = result.thresholds;
    // One of ten may pass: just above the second highest, .50. Three may be ambiguous: just above the fourth, .40.
    assert_eq!((t.accept, t.unknown), (0.501, 0.401));
    assert_eq!((result.bases.accept, result.bases.unknown), (Basis::Measured, Basis::Measured));
    // Nobody was beaten, no visit is like one of somebody else.
    assert_eq!((t.margin, result.bases.margin), (0.05, Basis::Given));
    assert_eq!((t.cluster, result.bases.cluster), (0.501, Basis::Bounded));
    assert_eq!(result.evidence, Evidence::Weak);
    assert_eq!((result.false_accepts.events, result.false_accepts.trials), (1, 10));
    assert!((result.false_accepts.high - 0.445_016).abs() < 1e-6);
    // Three people and the stranger.
    assert_eq!((result.false_accept_people.events, result.false_accept_people.trials), (1, 4));
    // .9 .8 .7 .9 .8 .52 .9 of nine.
    assert_eq!((result.true_accepts.events, result.true_accepts.trials), (7, 9));
    let known = [result.known.right, result.known.wrong, result.known.ambiguous, result.known.unknown];
    assert_eq!(known.map(|p| p.events), [7, 0, 1, 1]);
    let strangers = [result.strangers.named, result.strangers.ambiguous, result.strangers.unknown];
    assert_eq!(strangers.map(|p| p.events), [1, 2, 7]);
}

#[test]
fn too_few_people_do_not_lower_the_embedder_s_own() {
    let own = |accept, cluster| Options { own: Some(Own { accept, cluster }), ..OPTIONS };
    let at = |people: usize, options| {
        let mut visits = ten();
        // Each more a stranger of the least score.
        visits.extend((4..people).map(|_| visit(None, &[0.0, -0.1, -0.2])));
        calibrate(&names(3), &visits, &options).unwrap()
    };
    // Four people cannot show a tenth: what the scores ask for, .501, is taken only where it is the higher one.
    let few = at(4, own(0.6, 0.65));
    assert_eq!((few.thresholds.accept, few.bases.accept), (0.6, Basis::Given));
    assert_eq!((few.thresholds.cluster, few.bases.cluster), (0.65, Basis::Given));
    assert_eq!((few.thresholds.unknown, few.bases.unknown), (0.401, Basis::Measured));
    assert_eq!((few.false_accept_people.events, few.options.people_needed()), (1, 10));
    let strict = at(4, own(0.4, 0.45));
    assert_eq!((strict.thresholds.accept, strict.bases.accept), (0.501, Basis::Measured));
    assert_eq!((strict.thresholds.cluster, strict.bases.cluster), (0.501, Basis::Bounded));
    assert_eq!(at(9, own(0.6, 0.65)).bases.accept, Basis::Given);
    // Ten can, whichever way: the second highest of 16 scores is .50.
    let enough = at(10, own(0.6, 0.65));
    assert_eq!((enough.thresholds.accept, enough.bases.accept), (0.501, Basis::Measured));
    assert_eq!((enough.thresholds.cluster, enough.bases.cluster), (0.501, Basis::Bounded));
    assert_eq!((enough.false_accepts.events, enough.false_accepts.trials), (1, 16));
    let needed = |rate| Options { false_accept_rate: rate, ..OPTIONS }.people_needed();
    assert_eq!([0.001, 0.003, 0.01, 0.29].map(needed), [1000, 334, 100, 4]);
}

/// Twelve false accepts are sound where they are of ten people or more, not where one person has them.
#[test]
fn visits_of_one_person_are_no_evidence() {
    let at = |person: fn(usize) -> usize| {
        let visits = (0..120).map(|index| {
            let mut scores = vec![if index < 12 { 0.6 } else { 0.1 }; 40];
            scores[person(index)] = 0.9;
            visit(Some(person(index)), &scores)
        });
        calibrate(&names(40), &visits.collect::<Vec<_>>(), &Options { false_accept_rate: 0.11, ..OPTIONS }).unwrap()
    };
    let (spread, one) = (at(|index| index % 40), at(|index| if index < 12 { 0 } else { 1 + index % 39 }));
    let people = |calibration: &super::Calibration| calibration.false_accept_people.events;
    assert_eq!((spread.false_accepts.events, people(&spread), spread.evidence), (12, 12, Evidence::Sound));
    assert_eq!((one.false_accepts.events, people(&one), one.evidence), (12, 1, Evidence::Weak));
}

#[test]
fn warnings_by_hand() {
    let result = calibrate(&names(3), &ten(), &OPTIONS).unwrap();
    // The .60 of a visit of person 0 with person 1; person 2 is named in one of three visits.
    let pair = Warning::LookAlikes { a: "person 0".into(), b: "person 1".into(), visits: 1, highest: 0.60 };
    let hardly = Warning::HardlyRecognised { person: "person 2".into(), visits: 3, named: 1 };
    assert_eq!(result.warnings, [pair, hardly]);
    let text = "person 0 and person 1 look alike: in a visit one is near the other, up to 0.600";
    assert_eq!(result.warnings[0].to_string(), text);
}

#[test]
fn the_margin_grows_until_the_wrong_name_is_not_given() {
    let mut visits = ten();
    // Two visits of person 0 in which person 1 is ahead: by .10 and by .08. One of twelve visits may be named wrongly.
    visits.push(visit(Some(0), &[0.60, 0.70, 0.1]));
    visits.push(visit(Some(0), &[0.61, 0.69, 0.1]));
    let result = calibrate(&names(3), &visits, &Options { false_accept_rate: 0.1, ..OPTIONS }).unwrap();
    assert_eq!(result.thresholds.accept, 0.691);
    // The .69 does not reach accept, so only one lead is left, and one may pass.
    assert_eq!((result.thresholds.margin, result.bases.margin), (0.05, Basis::Given));
    assert_eq!(result.known.wrong.events, 1);
    let result = calibrate(&names(3), &visits, &Options { false_accept_rate: 0.17, ..OPTIONS }).unwrap();
    // Two of twelve strangers: accept just above .60; one of eleven visits may be wrong: above the lead of .08.
    assert_eq!((result.thresholds.accept, result.bases.margin), (0.601, Basis::Measured));
    assert!((0.08..0.082).contains(&result.thresholds.margin), "{}", result.thresholds.margin);
    assert_eq!(result.known.wrong.events, 1);
}

#[test]
fn cluster_comes_from_visits_of_different_people() {
    let mut visits = ten();
    for (visit, nearest) in visits.iter_mut().zip([0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1]) {
        visit.nearest_other_visit = Some(nearest);
    }
    let result = calibrate(&names(3), &visits, &OPTIONS).unwrap();
    assert_eq!((result.thresholds.cluster, result.bases.cluster), (0.701, Basis::Measured));
    assert_eq!((result.false_joins.events, result.false_joins.trials), (1, 10));
    for visit in &mut visits {
        visit.nearest_other_visit = Some(0.2);
    }
    let result = calibrate(&names(3), &visits, &OPTIONS).unwrap();
    assert_eq!((result.thresholds.cluster, result.bases.cluster), (0.501, Basis::Bounded));
    for visit in &mut visits {
        visit.nearest_other_visit = Some(0.95);
    }
    let result = calibrate(&names(3), &visits, &OPTIONS).unwrap();
    assert_eq!((result.thresholds.cluster, result.bases.cluster), (0.9, Basis::Bounded));
    let told = result.warnings[0].to_string();
    assert!(told.starts_with("cluster = 0.900 is the highest") && told.contains("10 of 10 visits"), "{told}");
    for visit in &mut visits {
        visit.nearest_other_visit = None;
    }
    let error = calibrate(&names(3), &visits, &OPTIONS).unwrap_err().to_string();
    assert_eq!(error, "there is no visits to compare with somebody else's");
}

#[test]
fn bounds_and_refusals() {
    let low = Options { false_accept_rate: 0.8, ambiguous_rate: 0.9, ..OPTIONS };
    let result = calibrate(&names(3), &ten(), &low).unwrap();
    assert_eq!((result.thresholds.accept, result.bases.accept), (0.3, Basis::Bounded));
    assert_eq!(result.thresholds.unknown, 0.3);
    let narrow = Options { plausible: [0.3, 0.4], ..OPTIONS };
    let result = calibrate(&names(3), &ten(), &narrow).unwrap();
    assert!(matches!(result.warnings[0], Warning::AcceptImplausible { accept: 0.501, .. }));
    let error = calibrate(&names(3), &ten(), &Options { false_accept_rate: 0.001, ..OPTIONS }).unwrap_err();
    assert!(matches!(error, MetricError::RateTooSmall { trials: 10, .. }), "{error}");
    // A smaller share of ambiguous than of named strangers: the two thresholds meet.
    let result = calibrate(&names(3), &ten(), &Options { ambiguous_rate: 0.01, ..OPTIONS }).unwrap();
    assert_eq!((result.thresholds.unknown, result.bases.unknown), (0.501, Basis::Bounded));
}

#[test]
fn bad_input_is_named() {
    let error = |visits: &[Visit]| calibrate(&names(3), visits, &OPTIONS).unwrap_err().to_string();
    let mut visits = ten();
    visits[4].scores[0] = Some(f64::NAN);
    assert_eq!(error(&visits), "visit 4: the score is NaN, which is no finite number");
    visits = ten();
    visits[2].nearest_other_visit = Some(f64::INFINITY);
    assert!(error(&visits).starts_with("visit 2"));
    visits = ten();
    visits[3].scores.pop();
    assert_eq!(error(&visits), "visit 3: 2 numbers where 3 are expected");
    visits = ten();
    visits[1].person = Some(3);
    assert!(error(&visits).starts_with("visit 1: number 3"));
    assert!(error(&[visit(None, &[0.1, 0.2, 0.3])]).contains("enrolled person"));
    // One person alone: nobody can stand for a stranger.
    let alone = calibrate(&names(1), &[visit(Some(0), &[0.9])], &OPTIONS).unwrap_err();
    assert!(matches!(alone, MetricError::Nothing(_)), "{alone}");
}

#[test]
fn a_person_without_other_templates_counts_as_a_stranger_only() {
    let mut visits = ten();
    visits.push(Visit { person: Some(2), scores: vec![Some(0.1), Some(0.0), None], nearest_other_visit: None });
    let result = calibrate(&names(3), &visits, &OPTIONS).unwrap();
    assert_eq!((result.true_accepts.trials, result.false_accepts.trials), (9, 11));
}

#[test]
fn templates_that_do_not_fit() {
    let at = |degrees: f32| vec![degrees.to_radians().cos() * 3.0, degrees.to_radians().sin() * 3.0];
    // Person 0 near 0 degrees, with one picture of person 1, who is near 90; person 2 has one at 45.
    let vectors =
        [(0, at(0.0)), (0, at(5.0)), (0, at(10.0)), (0, at(91.0)), (1, at(90.0)), (1, at(95.0)), (2, at(45.0))];
    let labels: Vec<String> = (0..vectors.len()).map(|i| format!("#{i}")).collect();
    let templates: Vec<Template<'_>> = vectors
        .iter()
        .zip(&labels)
        .map(|((person, vector), label)| Template { person: *person, label, vector })
        .collect();
    let warnings = template_warnings(&names(3), &templates, 0.85, 0.5).unwrap();
    let found: Vec<(&str, Option<&str>)> = warnings
        .iter()
        .map(|warning| match warning {
            Warning::Template { template, nearer_to, .. } => (template.as_str(), nearer_to.as_deref()),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(found, [("#3", Some("person 1"))]);
    assert!(
        warnings[0].to_string().starts_with("#3 is nearer to person 1 (1.000) than to person 0's others (0.0"),
        "{}",
        warnings[0]
    );
    // Two that are strangers to each other, with nobody else about.
    let apart = [templates[0], Template { person: 0, ..templates[4] }];
    let warnings = template_warnings(&names(3), &apart, 0.85, 0.5).unwrap();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].to_string().contains("far from person 0's others ("), "{}", warnings[0]);
    // Two people with one template each, the same picture.
    let twins = [templates[0], Template { person: 1, ..templates[1] }];
    assert_eq!(template_warnings(&names(3), &twins, 0.85, 0.5).unwrap().len(), 2);
    assert_eq!(template_warnings(&names(3), &[], 0.85, 0.5).unwrap(), []);
    let zero = Template { person: 0, label: "zero", vector: &[0.0, 0.0] };
    let error = template_warnings(&names(3), &[templates[0], zero], 0.85, 0.5).unwrap_err().to_string();
    assert_eq!(error, "template 1: the score is NaN, which is no finite number");
    let short = Template { person: 0, label: "short", vector: &[1.0] };
    assert!(template_warnings(&names(3), &[templates[0], short], 0.85, 0.5).is_err());
    assert!(template_warnings(&names(1), &templates, 0.85, 0.5).is_err());
}

fn visits() -> impl Strategy<Value = Vec<Visit>> {
    let score = || prop::option::weighted(0.9, -1.0_f64..=1.0);
    let one = (prop::option::of(0_usize..4), prop::collection::vec(score(), 4), score())
        .prop_map(|(person, scores, nearest_other_visit)| Visit { person, scores, nearest_other_visit });
    prop::collection::vec(one, 20..80)
}

proptest! {
    #[test]
    fn the_rules_hold(visits in visits(), rate in 0.1_f64..0.5, more in 0.0_f64..0.4) {
        let options = Options { false_accept_rate: rate, ambiguous_rate: rate + more, ..OPTIONS };
        let Ok(result) = calibrate(&names(4), &visits, &options) else { return Ok(()) };
        let t = result.thresholds;
        prop_assert!(t.unknown <= t.accept && t.cluster >= t.accept && t.margin >= options.least_margin);
        prop_assert!(t.unknown >= 0.3 && t.accept >= 0.3 && t.accept <= 1.002);
        prop_assert!(result.false_accepts.rate <= rate + 1e-9);
        prop_assert!(result.strangers.named.events <= result.false_accepts.events);
        // Within the plausible margins nobody is named wrongly more often than asked.
        if result.bases.margin != Basis::Bounded {
            prop_assert!(result.known.wrong.rate <= rate + 1e-9);
        }
        if t.cluster > t.accept && result.bases.cluster == Basis::Measured {
            prop_assert!(result.false_joins.rate <= rate + 1e-9);
        }
    }

    #[test]
    fn the_order_of_the_visits_does_not_matter(visits in visits(), seed in any::<u64>()) {
        let mut shuffled = visits.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(calibrate(&names(4), &visits, &OPTIONS), calibrate(&names(4), &shuffled, &OPTIONS));
    }

    #[test]
    fn a_smaller_rate_never_lowers_accept(visits in visits(), rate in 0.1_f64..0.5) {
        let at = |rate| calibrate(&names(4), &visits, &Options { false_accept_rate: rate, ..OPTIONS });
        if let (Ok(strict), Ok(lax)) = (at(rate), at(rate + 0.1)) {
            prop_assert!(strict.thresholds.accept >= lax.thresholds.accept);
        }
    }
}
