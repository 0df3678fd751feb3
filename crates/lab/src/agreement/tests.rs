//! Tests of the comparison without a truth.

use proptest::prelude::*;

use super::*;

fn found(left: f64, top: f64, score: f64) -> Detection {
    Detection { area: Rectangle::new(left, top, 10.0, 10.0), score }
}

fn detector(name: &str, images: &[(&str, &[Detection])]) -> DetectorResults {
    let image = |(file, detections): &(&str, &[Detection])| ResultImage {
        file: (*file).to_owned(),
        detections: detections.to_vec(),
    };
    DetectorResults { detector: name.to_owned(), images: images.iter().map(image).collect() }
}

/// Everybody finds the face at 0; two find the one at 50; one alone finds 90 in picture b, and another 70.
fn three() -> Vec<DetectorResults> {
    vec![
        detector("mtcnn", &[("a", &[found(0.0, 0.0, 0.9), found(50.0, 0.0, 0.8)]), ("b", &[])]),
        detector("haar", &[("a", &[found(1.0, 0.0, 5.0)]), ("b", &[found(90.0, 20.0, 2.0), found(70.0, 20.0, 2.0)])]),
        detector("yunet", &[("a", &[found(51.0, 0.0, 0.3), found(0.0, 1.0, 0.2)]), ("b", &[])]),
    ]
}

#[test]
fn pairs_and_disagreements_by_hand() {
    let agreement = agree(&three()).unwrap();
    let counts: Vec<_> = agreement
        .pairs
        .iter()
        .map(|pair| (pair.first.as_str(), pair.second.as_str(), pair.both, pair.only_first, pair.only_second))
        .collect();
    assert_eq!(counts, [("mtcnn", "haar", 1, 1, 2), ("mtcnn", "yunet", 2, 0, 0), ("haar", "yunet", 1, 2, 1)]);
    assert_eq!(agreement.pairs[0].share(), Some(0.25));
    assert_eq!(agreement.agreed, 1);
    let listed: Vec<_> = agreement
        .disagreements
        .iter()
        .map(|one| (one.file.as_str(), one.area.left, one.found_by.join(" "), one.missed_by.join(" ")))
        .collect();
    let text = |names: &str| names.to_owned();
    assert_eq!(
        listed,
        [
            ("b", 70.0, text("haar"), text("mtcnn yunet")),
            ("b", 90.0, text("haar"), text("mtcnn yunet")),
            ("a", 50.0, text("mtcnn yunet"), text("haar")),
        ]
    );
}

#[test]
fn boxes_are_matched_as_against_a_truth() {
    // Both boxes of the one overlap the one box of the other; only one can have it.
    let near = [found(0.0, 0.0, 0.1), found(2.0, 0.0, 0.9)];
    assert_eq!((count_matches(&near, &[found(1.0, 0.0, 1.0)]), count_matches(&[found(1.0, 0.0, 1.0)], &near)), (1, 1));
    // Each is of the box that it overlaps most, also where another would be left.
    assert_eq!(count_matches(&near, &[found(2.0, 0.0, 0.1), found(2.0, 1.0, 0.9)]), 1);
    // An overlap of exactly one half by the convention with a pixel more is a match: eight wide, shifted by a third of nine.
    let wide = |left: f64| Detection { area: Rectangle::new(left, 0.0, 8.0, 4.0), score: 1.0 };
    assert_eq!((count_matches(&[wide(0.0)], &[wide(3.0)]), count_matches(&[wide(0.0)], &[wide(3.1)])), (1, 0));
}

#[test]
fn what_the_first_found_goes_before_what_others_found() {
    // The third's box is of the first's face, though a wrong one of the second overlaps it more.
    let detectors =
        [(0.0, "truth"), (5.5, "a"), (3.0, "b")].map(|(left, name)| detector(name, &[("x", &[found(left, 0.0, 0.5)])]));
    let agreement = agree(&detectors).unwrap();
    let by: Vec<_> = agreement.disagreements.iter().map(|one| one.found_by.join(" ")).collect();
    assert_eq!(by, ["a", "truth b"]);
    assert_eq!((agreement.pairs[0].both, agreement.pairs[1].both), (0, 1));
}

#[test]
fn detectors_that_find_nothing() {
    let agreement = agree(&[detector("a", &[("x", &[])]), detector("b", &[("x", &[])])]).unwrap();
    assert_eq!((agreement.agreed, agreement.disagreements.len()), (0, 0));
    assert_eq!(agreement.pairs[0].share(), None);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let message = |detectors: &[DetectorResults]| agree(detectors).unwrap_err().to_string();
    let one = detector("a", &[("x", &[])]);
    assert_eq!(message(&[]), "agreement needs two detectors, not 0");
    assert_eq!(message(std::slice::from_ref(&one)), "agreement needs two detectors, not 1");
    for other in [detector("b", &[("y", &[])]), detector("b", &[])] {
        assert_eq!(message(&[one.clone(), other]), "b did not look at the same pictures as a");
    }
}

fn detections() -> impl Strategy<Value = Vec<Detection>> {
    let one = (0_u8..20, 0_u8..20, 1_u8..9, 0_u8..3).prop_map(|(x, y, side, score)| Detection {
        area: Rectangle::new(f64::from(x), f64::from(y), f64::from(side), f64::from(side)),
        score: f64::from(score),
    });
    prop::collection::vec(one, 0..6)
}

proptest! {
    #[test]
    fn order_does_not_matter_and_every_box_is_counted(
        boxes in prop::collection::vec(prop::collection::vec(detections(), 3), 1..4), seed in any::<u64>(),
    ) {
        let images = |which: usize| -> Vec<ResultImage> {
            let image = |(i, of): (usize, &Vec<Vec<Detection>>)| ResultImage { file: format!("{i}"), detections: of[which].clone() };
            boxes.iter().enumerate().map(image).collect()
        };
        let detectors: Vec<_> =
            (0..3).map(|which| DetectorResults { detector: format!("d{which}"), images: images(which) }).collect();
        let agreement = agree(&detectors).unwrap();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut shuffled = detectors.clone();
        for one in &mut shuffled {
            fastrand::Rng::with_seed(seed).shuffle(&mut one.images);
            one.images.iter_mut().for_each(|image| random.shuffle(&mut image.detections));
        }
        prop_assert_eq!(&agreement, &agree(&shuffled).unwrap());
        let count = |which: usize| detectors[which].images.iter().map(|image| image.detections.len()).sum::<usize>();
        prop_assert_eq!(agreement.pairs[1].both + agreement.pairs[1].only_first, count(0));
        prop_assert_eq!(agreement.pairs[1].both + agreement.pairs[1].only_second, count(2));
        let in_groups = agreement.disagreements.iter().map(|one| one.found_by.len()).sum::<usize>();
        prop_assert_eq!(3 * agreement.agreed + in_groups, count(0) + count(1) + count(2));
        // The groups say the same as the pairs with the first.
        for (pair, other) in [(0, "d1"), (1, "d2")] {
            let has = |one: &&Disagreement| ["d0", other].iter().all(|name| one.found_by.iter().any(|by| by == name));
            let both = agreement.agreed + agreement.disagreements.iter().filter(has).count();
            prop_assert_eq!(both, agreement.pairs[pair].both);
        }
    }
}
