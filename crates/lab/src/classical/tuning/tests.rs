//! Tests of folds and of the search.

use ndarray::Array2;

use super::*;
use crate::classical::testing::{error_of, people, picture};
use crate::classical::{EigenfacesSvm, Method};

/// As scikit-learn's `StratifiedKFold(3)` splits ten of one class and five of another (its own documentation's rule).
#[test]
fn folds_are_stratified_blocks() {
    let classes: Vec<usize> = (0..15).map(|i| usize::from(i >= 10)).collect();
    // Ranks 0 to 9 modulo 3: four, three, three; ranks 10 to 14: one, two, two.
    assert_eq!(folds(&classes, 2, 3), [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 1, 2, 2]);
}

#[test]
fn two_samples_a_person_are_never_in_one_fold() {
    for count in 2..7 {
        let classes: Vec<usize> = (0..20).map(|i| i % 10).collect();
        let folds = folds(&classes, 10, count);
        assert!((0..10).all(|person| folds[person] != folds[person + 10]), "{count}: {folds:?}");
    }
}

/// A ring around a middle: only a gamma that is neither too small nor too large tells them apart.
#[test]
fn the_search_finds_the_parameters_that_work() {
    let point = |i: usize| {
        let angle = (i * 7) as f64;
        let radius = if i.is_multiple_of(2) { 1.0 } else { 3.0 };
        [radius * angle.cos(), radius * angle.sin()]
    };
    let points = Array2::from((0..60).map(point).collect::<Vec<_>>());
    let classes: Vec<usize> = (0..60).map(|i| i % 2).collect();
    let problem = Problem { points: points.view(), classes: &classes, people: 2 };
    let grid = Grid { folds: 5, c: vec![1.0], gamma: vec![1e-6, 0.5, 1e5] };
    let chosen = grid.search(problem, 2).unwrap();
    assert_eq!((chosen.c, chosen.gamma), (1.0, 0.5));
    assert!(chosen.accuracy.unwrap() > 0.99, "{:?}", chosen.accuracy);
}

#[test]
fn of_equally_good_parameters_the_first_wins() {
    let points = Array2::from_shape_fn((20, 1), |(i, _)| if i % 2 == 0 { 1.0 } else { -1.0 });
    let classes: Vec<usize> = (0..20).map(|i| i % 2).collect();
    let problem = Problem { points: points.view(), classes: &classes, people: 2 };
    let chosen = Grid { folds: 4, c: vec![5.0, 1.0], gamma: vec![0.2, 0.1] }.search(problem, 2).unwrap();
    assert_eq!((chosen.c, chosen.gamma), (5.0, 0.2));
    assert!((chosen.accuracy.unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn a_person_with_one_picture_cannot_be_cross_validated() {
    let samples: Vec<_> =
        [0, 0, 0, 1].iter().enumerate().map(|(i, class)| (picture(2, &[i as f32, 0.5, 0.2, 0.1]), *class)).collect();
    let text = error_of(&Method::EigenfacesSvm(EigenfacesSvm::default()), &people(2), &samples);
    assert_eq!(
        text,
        "person 1 has one training sample; choosing parameters by cross-validation takes two of everybody: \
         give another, leave the person out or give the parameters"
    );
}

#[test]
fn a_grid_without_sense_is_refused() {
    let samples: Vec<_> = (0..4).map(|i| (picture(2, &[i as f32, 0.5, 0.2, 0.1]), i % 2)).collect();
    let text = |grid: Grid| {
        let tuning = Tuning::CrossValidated(grid);
        error_of(&Method::EigenfacesSvm(EigenfacesSvm { tuning, ..EigenfacesSvm::default() }), &people(2), &samples)
    };
    assert_eq!(text(Grid { folds: 1, ..Grid::default() }), "cross-validation takes 2 folds or more, not 1");
    assert_eq!(text(Grid { c: vec![], ..Grid::default() }), "cross-validation takes one C and one gamma or more");
    assert!(text(Grid { gamma: vec![0.1, -1.0], ..Grid::default() }).contains("gamma must be above 0, and is -1"));
}
