//! Tests of the evaluation against numbers computed by hand, and of what must hold for any boxes.

use proptest::prelude::*;

use super::*;
use crate::{rectangle::Rectangle, wider::Detection};

fn face(left: f64, counts: bool) -> CaseFace {
    CaseFace { area: Rectangle::new(left, 0.0, 9.0, 9.0), counts }
}

fn detection(left: f64, score: f64) -> Detection {
    Detection { area: Rectangle::new(left, 0.0, 9.0, 9.0), score }
}

fn case(faces: &[CaseFace], detections: &[Detection]) -> Case {
    Case { file: "a.jpg".into(), faces: faces.to_vec(), detections: detections.to_vec() }
}

/// Three faces of which one is missed; by falling score: right, false, right, twice the same, ignored.
fn example() -> Vec<Case> {
    let faces = [face(0.0, true), face(100.0, true), face(200.0, true), face(300.0, false)];
    let detections = [
        detection(300.0, 0.05),
        detection(1.0, 1.0),
        detection(50.0, 0.8),
        detection(100.0, 0.6),
        detection(2.0, 0.4),
        detection(500.0, 0.0),
    ];
    vec![case(&faces, &detections)]
}

#[test]
fn average_precision_by_hand() {
    let result = evaluate_wider(&example()).unwrap();
    assert_eq!(result.faces, 3);
    // Recall 1/3 at precision 1, 2/3 at 2/3; the third face is never found.
    assert!((result.average_precision - (1.0 / 3.0 + 2.0 / 9.0)).abs() < 1e-12, "{}", result.average_precision);
    let at = |threshold: f64| {
        let point = result.curve.iter().find(|point| (point.threshold - threshold).abs() < 1e-9).unwrap();
        (point.precision, point.recall)
    };
    assert_eq!(at(0.999), (1.0, 1.0 / 3.0));
    assert_eq!(at(0.7), (0.5, 1.0 / 3.0));
    assert_eq!(at(0.5), (2.0 / 3.0, 2.0 / 3.0));
    assert_eq!(at(0.3), (2.0 / 4.0, 2.0 / 3.0));
    assert_eq!(at(0.0), (2.0 / 5.0, 2.0 / 3.0), "the detection of the ignored face is no proposal");
    assert_eq!(result.curve.len(), WIDER_THRESHOLDS);
}

#[test]
fn figures_by_hand() {
    let mut cases = example();
    cases.push(case(&[], &[detection(0.0, 0.9)]));
    let result = figures(&cases, 0.4);
    let expected = Figures {
        threshold: 0.4,
        images: 2,
        faces: 3,
        detections: 5,
        found: 2,
        missed: 1,
        false_detections: 3,
        ignored: 0,
    };
    assert_eq!(result, expected);
    assert_eq!((result.precision(), result.recall()), (Some(0.4), Some(2.0 / 3.0)));
    assert_eq!(figures(&cases, 0.01).ignored, 1);
    let nothing = figures(&[], 0.5);
    assert_eq!((nothing.precision(), nothing.recall()), (None, None));
}

#[test]
fn pictures_without_faces_are_in_the_figures_and_not_in_the_protocol() {
    let mut cases = example();
    cases.push(case(&[], &[detection(0.0, 1.0)]));
    assert_eq!(figures(&cases, 1.0).precision(), Some(0.5));
    assert_eq!(evaluate_wider(&cases), evaluate_wider(&example()));
}

#[test]
fn scores_are_normalised_over_the_whole_set() {
    // The picture without faces adds no proposal, but its score is the largest: 0.5 becomes 0.25.
    let cases =
        [case(&[face(0.0, true)], &[detection(0.0, 0.5), detection(90.0, 0.0)]), case(&[], &[detection(0.0, 2.0)])];
    let curve = evaluate_wider(&cases).unwrap().curve;
    let first_found = curve.iter().find(|point| point.recall > 0.0).unwrap();
    assert!((first_found.threshold - 0.25).abs() < 1e-9, "{}", first_found.threshold);
}

#[test]
fn detections_with_one_score_are_all_taken() {
    let cases = [case(&[face(0.0, true), face(50.0, true)], &[detection(0.0, 7.0), detection(90.0, 7.0)])];
    assert_eq!(evaluate_wider(&cases).unwrap().average_precision, 0.25);
    let nothing = [case(&[face(0.0, true)], &[])];
    assert_eq!(evaluate_wider(&nothing).unwrap().average_precision, 0.0);
}

#[test]
fn half_an_overlap_is_enough() {
    // Nine pixels by one, counted the WIDER way: shifted by a third of that, the overlap is exactly a half.
    let wide = CaseFace { area: Rectangle::new(0.0, 0.0, 8.0, 0.0), counts: true };
    let found = |left: f64| {
        let detection = Detection { area: Rectangle::new(left, 0.0, 8.0, 0.0), score: 1.0 };
        figures(&[case(&[wide], &[detection])], 0.0).found
    };
    assert_eq!((found(3.0), found(3.01)), (1, 0));
}

#[test]
fn a_detection_belongs_to_the_face_it_overlaps_most() {
    // It overlaps both, the ignored one more.
    let faces = [face(0.0, true), face(3.0, false)];
    let result = figures(&[case(&faces, &[detection(2.0, 1.0)])], 0.0);
    assert_eq!((result.found, result.ignored, result.missed), (0, 1, 1));
    // Of equals it is the first.
    for (faces, ignored) in [([face(0.0, true), face(0.0, false)], 0), ([face(0.0, false), face(0.0, true)], 1)] {
        let result = figures(&[case(&faces, &[detection(0.0, 1.0)])], 0.0);
        assert_eq!((result.found, result.ignored), (1 - ignored, ignored));
    }
}

#[test]
fn the_area_is_below_the_envelope() {
    let point = |precision: f64, recall: f64| CurvePoint { threshold: 0.0, precision, recall };
    // A quarter at 0.5, lifted to 0.75 by the better precision at the next recall, and a half at 0.75.
    let curve = [point(0.5, 0.25), point(0.75, 0.75), point(0.6, 0.75)];
    assert!((average_precision(&curve) - 0.5625).abs() < 1e-15);
    assert_eq!(average_precision(&[]), 0.0);
}

#[test]
fn what_cannot_be_evaluated() {
    assert_eq!(evaluate_wider(&[]), Err(DetectionError::NoFaces));
    let ignored = [case(&[face(0.0, false)], &[detection(0.0, 1.0)])];
    assert_eq!(evaluate_wider(&ignored), Err(DetectionError::NoFaces));
    for score in [f64::NAN, f64::INFINITY] {
        let cases = [case(&[face(0.0, true)], &[detection(0.0, score)])];
        assert_eq!(evaluate_wider(&cases), Err(DetectionError::Score("a.jpg".into())));
    }
}

fn areas() -> impl Strategy<Value = Rectangle> {
    // A coarse grid, so that boxes meet and overlaps of exactly one half occur.
    (0_u8..12, 0_u8..12, 0_u8..8, 0_u8..8)
        .prop_map(|(x, y, w, h)| Rectangle::new(f64::from(x), f64::from(y), f64::from(w), f64::from(h)))
}

fn any_case() -> impl Strategy<Value = Case> {
    let faces = prop::collection::vec((areas(), any::<bool>()), 0..5);
    // Few different scores, so that equal ones occur.
    let detections = prop::collection::vec((areas(), -3_i8..6), 0..8);
    (faces, detections).prop_map(|(faces, detections)| Case {
        file: "a.jpg".into(),
        faces: faces.into_iter().map(|(area, counts)| CaseFace { area, counts }).collect(),
        detections: detections.into_iter().map(|(area, score)| Detection { area, score: f64::from(score) }).collect(),
    })
}

/// A few pictures, one of them with a face that counts.
fn any_cases() -> impl Strategy<Value = Vec<Case>> {
    (prop::collection::vec(any_case(), 0..4), any_case(), areas()).prop_map(|(mut cases, mut last, area)| {
        last.faces.push(CaseFace { area, counts: true });
        cases.push(last);
        cases
    })
}

proptest! {
    #[test]
    fn curves_are_sane(cases in any_cases()) {
        let wider = evaluate_wider(&cases).unwrap();
        prop_assert!((0.0..=1.0).contains(&wider.average_precision), "{}", wider.average_precision);
        for point in &wider.curve {
            prop_assert!((0.0..=1.0).contains(&point.precision) && (0.0..=1.0).contains(&point.recall));
        }
        for pair in wider.curve.windows(2) {
            prop_assert!(pair[0].threshold > pair[1].threshold && pair[0].recall <= pair[1].recall);
        }
        let lowest = figures(&cases, f64::NEG_INFINITY);
        prop_assert_eq!(lowest.found + lowest.missed, lowest.faces);
        let all: usize = cases.iter().map(|case| case.detections.len()).sum();
        prop_assert_eq!(lowest.detections + lowest.ignored, all);
    }

    #[test]
    fn the_order_of_pictures_and_detections_does_not_matter(
        cases in any_cases(), seed in any::<u64>(), threshold in -4_i8..7,
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut shuffled = cases.clone();
        random.shuffle(&mut shuffled);
        shuffled.iter_mut().for_each(|case| random.shuffle(&mut case.detections));
        prop_assert_eq!(evaluate_wider(&cases), evaluate_wider(&shuffled));
        let threshold = f64::from(threshold);
        prop_assert_eq!(figures(&cases, threshold), figures(&shuffled, threshold));
    }

    #[test]
    fn a_scale_and_a_shift_of_the_scores_change_nothing(cases in any_cases()) {
        let mut moved = cases.clone();
        // Powers of two: the arithmetic stays exact.
        moved.iter_mut().flat_map(|case| &mut case.detections).for_each(|one| one.score = one.score * 4.0 + 64.0);
        prop_assert_eq!(evaluate_wider(&cases), evaluate_wider(&moved));
    }

    #[test]
    fn a_perfect_detector_has_an_average_precision_of_one(cases in any_cases()) {
        let distinct = |case: &Case| {
            let faces = case.faces.iter().enumerate();
            let place = |(index, face): (usize, &CaseFace)| CaseFace {
                area: Rectangle { left: face.area.left + 100.0 * index as f64, ..face.area },
                ..*face
            };
            let faces: Vec<CaseFace> = faces.map(place).collect();
            let detections = faces.iter().map(|face| Detection { area: face.area, score: 1.0 }).collect();
            Case { file: case.file.clone(), faces, detections }
        };
        let perfect: Vec<Case> = cases.iter().map(distinct).collect();
        prop_assert_eq!(evaluate_wider(&perfect).unwrap().average_precision, 1.0);
    }
}
