use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Candidate, Measured, Sample, Search, Searches, SplitRule, always_strangers, splits, summarise};
use crate::metrics::MetricError;
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::Proportion;

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

/// A search of templates of these people.
fn of_templates(mate: Option<usize>, row: &[f64], owners: &[usize]) -> Search {
    let candidates = owners.iter().zip(row).map(|(person, score)| Candidate { person: *person, score: *score });
    Search { mate, candidates: Some(candidates.collect()) }
}

/// A search of a gallery of people 0, 1, 2, … with one template each.
fn search(mate: Option<usize>, row: &[f64]) -> Search {
    let owners: Vec<usize> = (0..row.len()).collect();
    of_templates(mate, row, &owners)
}

/// The rates of rank 1 to `last`.
fn ranks(searches: &Searches, last: usize) -> Vec<f64> {
    (1..=last).map(|rank| searches.rank(rank).unwrap().rate).collect()
}

/// Four mated and four non-mated probes of three people.
fn by_hand() -> Vec<Search> {
    vec![
        search(Some(0), &[0.9, 0.1, 0.2]),
        search(Some(1), &[0.2, 0.6, 0.5]),
        search(Some(2), &[0.8, 0.1, 0.7]),
        search(Some(2), &[0.5, 0.5, 0.5]),
        search(None, &[0.75, 0.1, 0.2]),
        search(None, &[0.1, 0.55, 0.2]),
        search(None, &[0.1, 0.3, 0.2]),
        search(None, &[0.0, 0.0, 0.1]),
    ]
}

#[test]
fn ranks_by_hand() {
    let searches = Searches::new(&by_hand(), 3).unwrap();
    assert_eq!((searches.mated(), searches.non_mated(), searches.missed()), (4, 4, (0, 0)));
    // First, first, second, and last of a tie of three.
    assert_eq!(searches.ranks, [Some(1), Some(1), Some(2), Some(3)]);
    assert_eq!(ranks(&searches, 4), [0.5, 0.75, 1.0, 1.0]);
}

#[test]
fn dir_at_fpir_by_hand() {
    let searches = Searches::new(&by_hand(), 3).unwrap();
    // One of four may pass: the threshold is the second highest, .55. Of the first ranks .9 and .6 pass; the .7 is
    // second.
    let point = searches.dir_at_fpir(0.25).unwrap();
    assert_eq!((point.threshold, point.evidence), (Some(0.55), Evidence::Weak));
    assert_eq!((point.dir.events, point.dir.trials, point.fpir.events, point.fpir.trials), (2, 4, 1, 4));
    let error = searches.dir_at_fpir(0.1).unwrap_err().to_string();
    let text =
        "a rate of 0.1 cannot be measured with 4 non-mated probes: the smallest that these data can show is 0.25";
    assert_eq!(error, text);
    let curve: Vec<_> = searches.curve().iter().map(|p| (p.threshold, p.fpir, p.fnir)).collect();
    let by_hand = [
        (None, 0.0, 1.0),
        (Some(0.9), 0.0, 0.75),
        (Some(0.75), 0.25, 0.75),
        (Some(0.6), 0.25, 0.5),
        (Some(0.55), 0.5, 0.5),
        (Some(0.3), 0.75, 0.5),
        (Some(0.1), 1.0, 0.5),
    ];
    assert_eq!(curve, by_hand);
}

#[test]
fn a_person_scores_as_their_best_template() {
    let owners = [0, 1, 0, 1];
    let searches =
        [of_templates(Some(0), &[0.1, 0.5, 0.6, 0.2], &owners), of_templates(None, &[0.1, 0.4, 0.3, 0.2], &owners)];
    let searches = Searches::new(&searches, 2).unwrap();
    assert_eq!(
        (searches.ranks.as_slice(), searches.right.as_slice(), searches.alarms.as_slice()),
        ([Some(1)].as_slice(), [0.6].as_slice(), [0.4].as_slice())
    );
}

#[test]
fn probes_without_a_face() {
    let missed = |mate| Search { mate, candidates: None };
    let searches = [search(Some(0), &[0.9, 0.1]), missed(Some(1)), search(None, &[0.3, 0.2]), missed(None)];
    let searches = Searches::new(&searches, 2).unwrap();
    assert_eq!(searches.missed(), (1, 1));
    assert_eq!(searches.rank(2).unwrap().rate, 0.5);
    let point = searches.dir_at_fpir(0.5).unwrap();
    // One of two may raise an alarm, and only one can: all pass.
    assert_eq!((point.threshold, point.dir.rate, point.fpir.rate), (None, 0.5, 0.5));
    let last = *searches.curve().last().unwrap();
    assert_eq!((last.fpir, last.fnir), (0.5, 0.5));
}

#[test]
fn lists_of_the_best_only() {
    let list = |scores: &[(usize, f64)]| {
        Some(scores.iter().map(|(person, score)| Candidate { person: *person, score: *score }).collect())
    };
    let searches = [
        Search { mate: Some(7), candidates: list(&[(7, 0.9), (3, 0.5)]) },
        Search { mate: Some(8), candidates: list(&[(7, 0.4), (3, 0.3)]) },
        Search { mate: None, candidates: list(&[(7, 0.2)]) },
    ];
    let searches = Searches::new(&searches, 10).unwrap();
    assert_eq!(ranks(&searches, 2), [0.5, 0.5]);
    assert_eq!(searches.rank(3), Err(MetricError::ListTooShort { rank: 3, kept: 2, gallery: 10 }));
}

#[test]
fn bad_input_is_named() {
    let mut searches = by_hand();
    searches[5] = search(None, &[0.1, f64::NAN, 0.2]);
    let error = Searches::new(&searches, 3).unwrap_err().to_string();
    assert_eq!(error, "search 5: the score is NaN, which is no finite number");
    assert!(matches!(Searches::new(&by_hand()[..4], 3), Err(MetricError::Nothing(_))));
    assert!(matches!(Searches::new(&by_hand()[4..], 3), Err(MetricError::Nothing(_))));
}

#[test]
fn summary_over_splits_by_hand() {
    let first = Searches::new(&by_hand(), 3).unwrap();
    let mut other = by_hand();
    other[2] = search(Some(2), &[0.1, 0.1, 0.7]);
    let second = Searches::new(&other, 3).unwrap();
    let summary = summarise(&[first.clone(), second], &[0.01, 0.25]).unwrap();
    // Rank 1: one half and three quarters; sample deviation of the two is .125 * sqrt 2.
    near(summary.rank_1.mean, 0.625);
    near(summary.rank_1.std, 0.125 * 2.0_f64.sqrt());
    near(summary.rank_1.sem, 0.125);
    near(summary.rank_5.mean, 1.0);
    assert!(matches!(&summary.dir[0].measured, Measured::Refused { reason } if reason.contains("0.25")));
    let Measured::Shown { evidence, dir, dir_interval, fpir, fpir_interval, threshold } = &summary.dir[1].measured
    else {
        panic!("refused")
    };
    assert_eq!((*evidence, dir.mean, fpir.mean, threshold.unwrap().mean), (Evidence::Weak, 0.625, 0.25, 0.55));
    // Two and three of four; one of four in both.
    let (two, three, one) = (Proportion::of(2, 4), Proportion::of(3, 4), Proportion::of(1, 4));
    assert_eq!((dir_interval.low, dir_interval.high), (two.low, three.high));
    assert_eq!((fpir_interval.low, fpir_interval.high), (one.low, one.high));
    assert_eq!((summary.mated.as_slice(), summary.non_mated.as_slice()), ([4, 4].as_slice(), [4, 4].as_slice()));
    assert!(matches!(summarise(&[first], &[0.25]), Err(MetricError::TooFew { .. })));
}

#[test]
fn splits_of_lfw_kind() {
    let pictures = [1, 3, 1, 2, 5];
    let rule = SplitRule { templates: 1, kept_out: 0.0, seed: 7 };
    let drawn = splits(&pictures, rule, 10).unwrap();
    assert_eq!(drawn, splits(&pictures, rule, 10).unwrap());
    for split in &drawn {
        assert_eq!(split.gallery.iter().map(|s| s.person).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!((split.mated.len(), split.non_mated.len()), (2 + 1 + 4, 2));
    }
    let galleries: BTreeSet<&[Sample]> = drawn.iter().map(|split| split.gallery.as_slice()).collect();
    assert!(galleries.len() > 3);
    // Those with one picture are the strangers of every split; with others kept out, of every draw other ones.
    assert_eq!(always_strangers(&drawn), 2);
    let several = splits(&[2; 8], SplitRule { kept_out: 0.5, ..rule }, 10).unwrap();
    assert_eq!((several[0].non_mated.len(), always_strangers(&several), always_strangers(&[])), (8, 0, 0));
    let nobody = splits(&[1, 1], rule, 1).unwrap_err().to_string();
    assert!(nobody.contains("could be enrolled"), "{nobody}");
    let no_stranger = splits(&[2, 2], rule, 1).unwrap_err().to_string();
    assert!(no_stranger.contains("stranger"), "{no_stranger}");
    assert!(splits(&pictures, SplitRule { kept_out: f64::NAN, ..rule }, 1).is_err());
    assert!(splits(&pictures, SplitRule { templates: 0, ..rule }, 1).is_err());
}

fn searches() -> impl Strategy<Value = Vec<Search>> {
    let row = prop::option::weighted(0.9, prop::collection::vec((-10_i32..=10).prop_map(|s| f64::from(s) / 10.0), 4));
    let one = (prop::option::of(0_usize..4), row);
    prop::collection::vec(one, 1..50).prop_map(|rows| {
        let known = rows.into_iter().map(|(mate, row)| match row {
            Some(row) => search(mate, &row),
            None => Search { mate, candidates: None },
        });
        let fixed = [search(Some(1), &[0.1, 0.8, 0.1, 0.1]), search(None, &[0.2; 4])];
        known.chain(fixed).collect()
    })
}

proptest! {
    #[test]
    fn the_curve_falls_and_the_ranks_rise(list in searches()) {
        let searches = Searches::new(&list, 4).unwrap();
        for step in searches.curve().windows(2) {
            prop_assert!(step[1].fpir >= step[0].fpir && step[1].fnir <= step[0].fnir);
            prop_assert!(step[0].threshold.is_none_or(|t| step[1].threshold.unwrap() < t));
        }
        let cmc = ranks(&searches, 4);
        prop_assert!(cmc.windows(2).all(|step| step[1] >= step[0]));
        // Accepting everything, what is right is what is first.
        prop_assert!((1.0 - searches.curve().last().unwrap().fnir - cmc[0]).abs() < 1e-12);
        let found = searches.mated() - searches.missed().0;
        prop_assert!((cmc[3] - found as f64 / searches.mated() as f64).abs() < 1e-12);
    }

    #[test]
    fn the_order_does_not_matter(list in searches(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut shuffled = list.clone();
        random.shuffle(&mut shuffled);
        for search in &mut shuffled {
            search.candidates.iter_mut().for_each(|list| random.shuffle(list));
        }
        let (a, b) = (Searches::new(&list, 4).unwrap(), Searches::new(&shuffled, 4).unwrap());
        prop_assert_eq!(a.curve(), b.curve());
        prop_assert_eq!(ranks(&a, 4), ranks(&b, 4));
        prop_assert_eq!(a.dir_at_fpir(0.5), b.dir_at_fpir(0.5));
    }

    #[test]
    fn alarms_stay_within_what_was_asked(list in searches(), asked in 0.01_f64..0.99) {
        let searches = Searches::new(&list, 4).unwrap();
        if let Ok(point) = searches.dir_at_fpir(asked) {
            prop_assert!(point.fpir.rate <= asked + 1e-9);
            prop_assert!(point.threshold.is_none_or(|t| (-1.0..=1.0).contains(&t)));
            prop_assert!(point.dir.rate <= searches.rank(1).unwrap().rate);
        } else {
            prop_assert!(asked * (searches.non_mated() as f64) < 1.0);
        }
    }

    #[test]
    fn nobody_is_both_enrolled_and_a_stranger(
        pictures in prop::collection::vec(0_usize..6, 1..40),
        templates in 1_usize..3,
        kept_out in 0.0_f64..=1.0,
        seed in any::<u64>(),
    ) {
        let Ok(drawn) = splits(&pictures, SplitRule { templates, kept_out, seed }, 3) else { return Ok(()) };
        for split in drawn {
            let people = |samples: &[Sample]| samples.iter().map(|s| s.person).collect::<BTreeSet<_>>();
            let (gallery, mated, strangers) = (people(&split.gallery), people(&split.mated), people(&split.non_mated));
            prop_assert_eq!(&gallery, &mated);
            prop_assert!(gallery.is_disjoint(&strangers));
            prop_assert_eq!(split.gallery.len(), gallery.len() * templates);
            let all = [split.gallery, split.mated, split.non_mated].concat();
            prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
            prop_assert_eq!(all.len(), pictures.iter().sum::<usize>());
        }
    }
}
