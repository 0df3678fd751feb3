use proptest::prelude::*;

use super::{Missed, Pair, Pairs, Scale, TarAtFar, ThresholdPolicy};
use crate::metrics::MetricError;
use crate::metrics::rate::Evidence;

const SCORES: ThresholdPolicy = ThresholdPolicy::Scores;

/// Pairs of one fold after the other.
fn pairs(folds: &[(&[f64], &[f64])]) -> Pairs {
    let mut pairs = Vec::new();
    for (fold, (same, different)) in folds.iter().enumerate() {
        pairs.extend(same.iter().map(|score| Pair { same: true, fold, score: Some(*score) }));
        pairs.extend(different.iter().map(|score| Pair { same: false, fold, score: Some(*score) }));
    }
    Pairs::new(pairs).unwrap()
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

#[test]
fn the_threshold_comes_from_the_other_fold() {
    // Fold 0 is parted by 0.5 (the lowest best), fold 1 by 0.8.
    let pairs = pairs(&[(&[0.9, 0.5], &[0.4, 0.1]), (&[0.95, 0.8], &[0.7, 0.2])]);
    let accuracy = pairs.accuracy(SCORES).unwrap();
    let [first, second] = accuracy.folds[..] else { panic!("two folds") };
    // 0.8 misses the 0.5 of fold 0; 0.5 accepts the 0.7 of fold 1.
    assert_eq!((first.fold, first.threshold, first.correct.rate), (0, 0.8, 0.75));
    assert_eq!((second.fold, second.threshold, second.correct.rate), (1, 0.5, 0.75));
    assert_eq!((accuracy.spread.mean, accuracy.spread.std, accuracy.spread.sem), (0.75, 0.0, 0.0));
    // On all pairs 0.5 and 0.8 both make one mistake: the lower is taken.
    let best = pairs.best_accuracy(SCORES).unwrap();
    assert_eq!((best.threshold, best.correct.events, best.correct.trials), (0.5, 7, 8));
}

#[test]
fn mean_deviation_and_standard_error_of_unequal_folds() {
    // Each of the three thresholds comes from the other two folds and is 0.6 or 0.7; only fold 2 errs, once in two.
    let pairs = pairs(&[(&[0.9], &[0.1]), (&[0.6], &[0.2]), (&[0.7], &[0.65])]);
    let accuracy = pairs.accuracy(SCORES).unwrap();
    let rates: Vec<f64> = accuracy.folds.iter().map(|fold| fold.correct.rate).collect();
    let thresholds: Vec<f64> = accuracy.folds.iter().map(|fold| fold.threshold).collect();
    // Others of 0: same .6 .7, different .2 .65: .6 and .7 both make one mistake; others of 1: .7 parts; others of 2:
    // .6 parts.
    assert_eq!(thresholds, [0.6, 0.7, 0.6]);
    assert_eq!(rates, [1.0, 0.5, 0.5]);
    near(accuracy.spread.mean, 2.0 / 3.0);
    near(accuracy.spread.std, (1.0_f64 / 18.0).sqrt());
    near(accuracy.spread.sem, (1.0_f64 / 54.0).sqrt());
}

#[test]
fn the_grid_is_strict_and_walks_in_hundredths() {
    // Distances: same 0.1 and 0.205, different 0.5: on the grid .21 is the first threshold that takes both.
    let scored = |distance: f64| -distance.sqrt();
    let grid = ThresholdPolicy::LfwGrid(Scale::MinusDistance);
    let fold: (&[f64], &[f64]) = (&[scored(0.1), scored(0.205)], &[scored(0.5)]);
    let pairs = pairs(&[fold, fold]);
    let accuracy = pairs.accuracy(grid).unwrap();
    near(accuracy.folds[0].threshold, 0.21);
    assert_eq!(accuracy.spread.mean, 1.0);
    // A cosine of 0.9 is a squared distance of 0.2; exactly on a step of the grid it is not below it.
    near(Scale::Cosine.squared_distance(0.9), 0.2);
    let half = self::pairs(&[(&[0.75], &[0.5]), (&[0.75], &[0.5])]);
    near(half.accuracy(ThresholdPolicy::LfwGrid(Scale::Cosine)).unwrap().folds[0].threshold, 0.51);
}

#[test]
fn val_interpolates_between_two_steps_of_the_grid() {
    // Ten different pairs at squared distances .3005, .4005, …: one passes from .301 on, two from .401 on.
    let different: Vec<f64> = (0..10).map(|i| -(0.3005 + 0.1 * f64::from(i)).sqrt()).collect();
    let same = [-(0.4_f64).sqrt(), -(0.4003_f64).sqrt(), -(0.4009_f64).sqrt(), -(0.1_f64).sqrt()];
    let pairs = pairs(&[(&same, &different), (&same, &different)]);
    let val = pairs.val_at_far(0.15, Scale::MinusDistance).unwrap();
    // FAR .1 up to .400, .2 from .401 on: half of the way is .4005.
    near(val.folds[0].threshold, 0.4005);
    assert_eq!(val.folds[0].val, 0.75);
    // Rounding decides whether .4005 itself lies below .4005.
    assert!((0.1..=0.2).contains(&val.folds[0].far));
    assert_eq!((val.evidence, val.val.count, val.val.std), (Evidence::Weak, 2, 0.0));
    // On a step of the staircase the last equal step counts.
    near(pairs.val_at_far(0.1, Scale::MinusDistance).unwrap().folds[0].threshold, 0.4);
    // The rate must be one that ten pairs can show.
    assert!(matches!(pairs.val_at_far(0.09, Scale::MinusDistance), Err(MetricError::RateTooSmall { trials: 10, .. })));
}

#[test]
fn val_without_a_threshold_that_reaches_the_rate_accepts_nobody() {
    // Distances of 5 lie beyond the grid: davidsandberg's threshold is then 0.
    let pairs = pairs(&[(&[-0.5], &[-5.0, -6.0]), (&[-0.5], &[-5.0, -6.0])]);
    let val = pairs.val_at_far(0.5, Scale::MinusDistance).unwrap();
    assert_eq!((val.folds[0].threshold, val.val.mean, val.far.mean), (0.0, 0.0, 0.0));
}

#[test]
fn scores_that_depend_on_the_fold_that_is_tried() {
    // When fold 0 is tried, fold 1 is parted by 0.6 and fold 0 scores 0.7 and 0.1; when fold 1 is tried, fold 0 is
    // parted by 0.3, and fold 1 scores 0.2 and 0.4: both wrong.
    let by_fold = [[0.7, 0.1, 0.6, 0.5], [0.3, 0.0, 0.2, 0.4]];
    let list = [(true, 0), (false, 0), (true, 1), (false, 1)];
    let list: Vec<Pair> = list.map(|(same, fold)| Pair { same, fold, score: None }).to_vec();
    let pairs = Pairs::fitted(list.clone(), |index, fold| Some(by_fold[fold][index])).unwrap();
    let accuracy = pairs.accuracy(SCORES).unwrap();
    let found: Vec<_> = accuracy.folds.iter().map(|fold| (fold.threshold, fold.correct.rate)).collect();
    assert_eq!(found, [(0.6, 1.0), (0.3, 0.0)]);
    // Together each pair has the score of its own fold: 0.7 and 0.2 against 0.1 and 0.4.
    let own: Vec<f64> = pairs.pairs().iter().filter_map(|pair| pair.score).collect();
    assert_eq!((own, pairs.auc()), (vec![0.7, 0.1, 0.2, 0.4], 0.75));
    let nan = Pairs::fitted(list, |index, fold| Some(if (index, fold) == (2, 0) { f64::NAN } else { 0.0 }));
    assert_eq!(nan.unwrap_err().to_string(), "pair 2: the score is NaN, which is no finite number");
}

#[test]
fn val_takes_the_scores_of_the_fold_that_is_tried() {
    // Squared distances when fold 0 is tried: the other fold's different pairs .4 and 1; when fold 1 is: .5 and .75.
    let by_fold = [[0.3, 0.2, 0.9, 0.1, 0.4, 1.0], [0.3, 0.5, 0.75, 0.5, 0.2, 0.9]];
    let kinds = [(true, 0), (false, 0), (false, 0), (true, 1), (false, 1), (false, 1)];
    let list = kinds.map(|(same, fold)| Pair { same, fold, score: None }).to_vec();
    let pairs = Pairs::fitted(list, |index, fold| Some(1.0 - by_fold[fold][index] / 2.0)).unwrap();
    let val = pairs.val_at_far(0.5, Scale::Cosine).unwrap();
    // One of two passes up to the second one's distance.
    let found: Vec<_> = val.folds.iter().map(|fold| (fold.threshold, fold.val, fold.far)).collect();
    assert_eq!(found, [(1.0, 1.0, 1.0), (0.75, 1.0, 0.5)]);
}

#[test]
fn tar_at_far_by_hand() {
    let different: Vec<f64> = (0..20).map(|i| f64::from(i) / 20.0).collect();
    let pairs = pairs(&[(&[0.97, 0.93, 0.86, 0.1], &different)]);
    // One of twenty may pass: the threshold is the second highest, 0.9.
    let TarAtFar { point, evidence, .. } = pairs.tar_at_far(0.05).unwrap();
    assert_eq!((point.threshold, evidence, point.allowed), (Some(0.9), Evidence::Weak, 1));
    assert_eq!((point.tar.events, point.tar.trials, point.far.events, point.far.trials), (2, 4, 1, 20));
    assert!((point.tar.low - 0.067_586).abs() < 1e-6 && (point.tar.high - 0.932_414).abs() < 1e-6);
    assert_eq!(pairs.tar_at_far(0.5).unwrap().evidence, Evidence::Sound);
    let error = pairs.tar_at_far(0.04).unwrap_err().to_string();
    assert!(error.contains("the smallest that these data can show is 0.05"), "{error}");
    let none = pairs.tar_at_false_accepts(0);
    assert_eq!((none.threshold, none.tar.rate, none.far.rate), (Some(0.95), 0.25, 0.0));
    // Never all of the different pairs.
    assert_eq!(pairs.tar_at_false_accepts(99).threshold, Some(0.0));
}

#[test]
fn ties_do_not_pass() {
    let pairs = pairs(&[(&[0.5, 0.6], &[0.5, 0.5, 0.5, 0.1])]);
    let point = pairs.tar_at_far(0.25).unwrap().point;
    assert_eq!((point.threshold, point.tar.events, point.far.events), (Some(0.5), 1, 0));
}

#[test]
fn curves_by_hand() {
    let pairs = pairs(&[(&[0.9, 0.6], &[0.7, 0.3])]);
    let roc: Vec<(Option<f64>, f64, f64)> = pairs.roc().iter().map(|p| (p.threshold, p.far, p.tar)).collect();
    let by_hand =
        [(None, 0.0, 0.0), (Some(0.9), 0.0, 0.5), (Some(0.7), 0.5, 0.5), (Some(0.6), 0.5, 1.0), (Some(0.3), 1.0, 1.0)];
    assert_eq!(roc, by_hand);
    assert_eq!(pairs.det()[2].frr, 0.5);
    // .9 beats both, .6 beats one of two.
    assert_eq!(pairs.auc(), 0.75);
    let equal = pairs.equal_error();
    assert_eq!((equal.rate, equal.threshold), (0.5, Some(0.7)));
}

#[test]
fn equal_error_lies_between_two_thresholds() {
    // FAR and FRR: (0, 1/3) then, at a tie, (1/2, 0): they cross at 1/3 - t/3 = t/2, t = .4, rate .2.
    let pairs = pairs(&[(&[0.9, 0.8, 0.5], &[0.5, 0.1])]);
    near(pairs.equal_error().rate, 0.2);
    assert_eq!(self::pairs(&[(&[0.9], &[0.1])]).equal_error().rate, 0.0);
    // Everything upside down.
    assert_eq!(self::pairs(&[(&[0.1], &[0.9])]).equal_error().rate, 1.0);
    near(pairs.auc(), 5.5 / 6.0);
}

#[test]
fn missed_faces_are_errors_everywhere() {
    let scores = [(true, Some(0.9)), (true, None), (false, Some(0.1)), (false, None)];
    let list = (0..2).flat_map(|fold| scores.map(|(same, score)| Pair { same, fold, score })).collect();
    let pairs = Pairs::new(list).unwrap();
    assert_eq!(pairs.missed(), Missed { same: 2, different: 2 });
    assert_eq!(pairs.accuracy(SCORES).unwrap().spread.mean, 0.5);
    assert_eq!(pairs.accuracy(ThresholdPolicy::LfwGrid(Scale::Cosine)).unwrap().spread.mean, 0.5);
    let roc = pairs.roc();
    assert_eq!((roc[0].far, roc[0].tar), (0.5, 0.0));
    assert_eq!((roc[2].far, roc[2].tar), (1.0, 0.5));
    assert_eq!(pairs.auc(), 0.25);
    assert_eq!(pairs.equal_error().rate, 0.5);
    // Two of the four different pairs pass whatever the threshold.
    let point = pairs.tar_at_far(0.25).unwrap().point;
    assert_eq!((point.threshold, point.tar.events, point.far.events), (None, 0, 2));
    let point = pairs.tar_at_far(0.5).unwrap().point;
    assert_eq!((point.threshold, point.tar.events, point.far.events), (Some(0.1), 2, 2));
    assert_eq!(pairs.val_at_far(0.5, Scale::Cosine).unwrap().far.mean, 0.5);
    assert_eq!(pairs.scores(true).unwrap().count, 2);
}

#[test]
fn bad_input_is_named() {
    let pair = |same, score| Pair { same, fold: 0, score };
    let error = |pairs: &[Pair]| Pairs::new(pairs.to_vec()).unwrap_err().to_string();
    let nan = error(&[pair(true, Some(0.1)), pair(false, Some(f64::NAN))]);
    assert_eq!(nan, "pair 1: the score is NaN, which is no finite number");
    assert!(error(&[pair(true, Some(f64::INFINITY)), pair(false, None)]).contains("pair 0"));
    assert_eq!(error(&[]), "there is no pair of the same person");
    assert_eq!(error(&[pair(true, Some(0.1))]), "there is no pair of different people");
    assert!(error(&[pair(true, None), pair(false, None)]).contains("face found"));
    let one_fold = pairs(&[(&[0.9], &[0.1])]);
    assert_eq!(one_fold.accuracy(SCORES).unwrap_err().to_string(), "1 folds: at least 2 are needed");
    assert!(matches!(one_fold.val_at_far(0.5, Scale::Cosine), Err(MetricError::TooFew { .. })));
}

/// Scores on a coarse grid, so that ties are common; every tenth face is missed.
fn any_pairs() -> impl Strategy<Value = Vec<Pair>> {
    let score = prop_oneof![9 => (-20_i32..=20).prop_map(|s| Some(f64::from(s) / 20.0)), 1 => Just(None)];
    let pair = (any::<bool>(), 0_usize..3, score).prop_map(|(same, fold, score)| Pair { same, fold, score });
    // One pair of each kind in each fold, so that every metric exists.
    prop::collection::vec(pair, 0..60).prop_map(|mut pairs| {
        for fold in 0..3 {
            pairs.push(Pair { same: true, fold, score: Some(0.8) });
            pairs.push(Pair { same: false, fold, score: Some(0.2) });
        }
        pairs
    })
}

proptest! {
    #[test]
    fn the_roc_never_falls_and_its_area_is_the_auc(list in any_pairs()) {
        let pairs = Pairs::new(list).unwrap();
        let roc = pairs.roc();
        let mut area = 0.0;
        for step in roc.windows(2) {
            prop_assert!(step[1].far >= step[0].far && step[1].tar >= step[0].tar);
            prop_assert!(step[0].threshold.is_none_or(|t| step[1].threshold.unwrap() < t));
            area += (step[1].far - step[0].far) * (step[1].tar + step[0].tar) / 2.0;
        }
        prop_assert_eq!(roc.last().unwrap().far, 1.0);
        prop_assert!((area - pairs.auc()).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&pairs.auc()));
    }

    #[test]
    fn the_order_of_the_pairs_does_not_matter(list in any_pairs(), seed in any::<u64>()) {
        let mut shuffled = list.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let (a, b) = (Pairs::new(list).unwrap(), Pairs::new(shuffled).unwrap());
        for policy in [SCORES, ThresholdPolicy::LfwGrid(Scale::Cosine)] {
            prop_assert_eq!(a.accuracy(policy), b.accuracy(policy));
            prop_assert_eq!(a.best_accuracy(policy), b.best_accuracy(policy));
        }
        prop_assert_eq!(a.roc(), b.roc());
        prop_assert_eq!((a.auc(), a.equal_error()), (b.auc(), b.equal_error()));
        prop_assert_eq!(a.tar_at_far(0.5), b.tar_at_far(0.5));
        prop_assert_eq!(a.val_at_far(0.5, Scale::Cosine), b.val_at_far(0.5, Scale::Cosine));
        prop_assert_eq!((a.scores(true), a.scores(false)), (b.scores(true), b.scores(false)));
    }

    #[test]
    fn scores_that_do_not_depend_on_the_fold_are_plain_ones(list in any_pairs()) {
        let plain = Pairs::new(list.clone()).unwrap();
        let fitted = Pairs::fitted(list.clone(), |index, _| list[index].score).unwrap();
        prop_assert_eq!(plain.accuracy(SCORES), fitted.accuracy(SCORES));
        prop_assert_eq!(plain.val_at_far(0.5, Scale::Cosine), fitted.val_at_far(0.5, Scale::Cosine));
        prop_assert_eq!(plain.pairs(), fitted.pairs());
    }

    #[test]
    fn thresholds_lie_inside_the_scores(list in any_pairs(), asked in 0.4_f64..0.99) {
        let scores = || list.iter().filter_map(|pair| pair.score);
        let (low, high) = (scores().fold(f64::MAX, f64::min), scores().fold(f64::MIN, f64::max));
        let pairs = Pairs::new(list.clone()).unwrap();
        for fold in pairs.accuracy(SCORES).unwrap().folds {
            prop_assert!((low..=high).contains(&fold.threshold));
        }
        prop_assert!(pairs.tar_at_far(asked).unwrap().point.threshold.is_none_or(|t| (low..=high).contains(&t)));
        prop_assert!(pairs.equal_error().threshold.is_none_or(|t| (low..=high).contains(&t)));
    }

    #[test]
    fn no_more_false_accepts_than_allowed_and_more_allowed_accept_more(list in any_pairs(), allowed in 0_usize..40) {
        let pairs = Pairs::new(list).unwrap();
        let (strict, lax) = (pairs.tar_at_false_accepts(allowed), pairs.tar_at_false_accepts(allowed + 1));
        prop_assert!(strict.threshold.is_none() || strict.far.events <= allowed);
        prop_assert!(lax.tar.events >= strict.tar.events);
    }

    #[test]
    fn the_equal_error_lies_between_the_curves(list in any_pairs()) {
        let pairs = Pairs::new(list).unwrap();
        let rate = pairs.equal_error().rate;
        prop_assert!((0.0..=1.0).contains(&rate));
        // At every threshold one of the two errors is at least as great as where they meet, or both are on one side of
        // it.
        prop_assert!(pairs.det().iter().all(|p| p.far.max(p.frr) >= rate - 1e-12));
    }

    #[test]
    fn accuracy_is_at_least_as_good_on_what_it_was_chosen_on(list in any_pairs()) {
        let pairs = Pairs::new(list).unwrap();
        let best = pairs.best_accuracy(SCORES).unwrap().correct.rate;
        let correct: usize = pairs.accuracy(SCORES).unwrap().folds.iter().map(|fold| fold.correct.events).sum();
        prop_assert!(best >= correct as f64 / pairs.pairs().len() as f64);
    }
}
