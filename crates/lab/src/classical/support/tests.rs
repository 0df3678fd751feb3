//! Tests against solutions that can be written down.

use ndarray::array;

use super::*;
use crate::classical::Method;
use crate::classical::testing::{clusters, error_of, features, people, train};

fn problem<'a>(points: &'a Array2<f64>, classes: &'a [usize], people: usize) -> Problem<'a> {
    Problem { points: points.view(), classes, people }
}

/// Two points, at 1 and at -1: the plane is in the middle, and the decision is the coordinate itself.
#[test]
fn two_points_have_the_plane_in_the_middle() {
    let points = array![[1.0, 0.0], [-1.0, 0.0]];
    let machines = Machines::fit(problem(&points, &[0, 1], 2), Kernel::Linear, 10.0).unwrap();
    let machine = &machines.machines[0];
    assert!(machine.threshold.abs() < 1e-3, "{}", machine.threshold);
    assert!((machines.vectors[[0, 0]] - 1.0).abs() < 1e-3 && machines.vectors[[0, 1]].abs() < 1e-3);
    // One vote, and a decision of 0.5 for the first person.
    let scores = machines.scores(array![0.5, 9.0].view());
    assert!((scores[0] - (1.0 + 0.5 / 4.5)).abs() < 1e-3 && (scores[1] + 0.5 / 4.5).abs() < 1e-3, "{scores:?}");
}

/// Three points on a line, 0 and 2 of one person, 3 of the other: the margin is between 2 and 3, 0 is no support vector.
#[test]
fn the_margin_is_between_the_nearest() {
    let points = array![[0.0], [2.0], [3.0]];
    let machines = Machines::fit(problem(&points, &[0, 0, 1], 2), Kernel::Linear, 1000.0).unwrap();
    let decision = |x: f64| machines.vectors[[0, 0]] * x - machines.machines[0].threshold;
    assert!((decision(2.0) - 1.0).abs() < 0.01 && (decision(3.0) + 1.0).abs() < 0.01);
    assert_eq!(machines.support_vectors, 2);
}

/// What an error costs is limited by C: with a small one both coefficients end at C times the weight (1 each here).
#[test]
fn coefficients_end_at_c() {
    let points = array![[1.0], [-1.0]];
    let machines = Machines::fit(problem(&points, &[0, 1], 2), Kernel::Linear, 0.1).unwrap();
    assert!((machines.vectors[[0, 0]] - 0.2).abs() < 1e-6, "{}", machines.vectors[[0, 0]]);
}

/// Everybody counts alike: of two people with 3 and 1 samples, weights are 4/2/3 and 4/2/1.
#[test]
fn weights_are_balanced() {
    let points = array![[1.0], [1.0], [1.0], [-1.0]];
    let weights = problem(&points, &[0, 0, 0, 1], 2).weights();
    assert!((weights[0] - 2.0 / 3.0).abs() < 1e-12 && (weights[1] - 2.0).abs() < 1e-12);
    // At a small C the coefficients are 3 * C * 2/3 and C * 2, which balance.
    let machines = Machines::fit(problem(&points, &[0, 0, 0, 1], 2), Kernel::Linear, 0.01).unwrap();
    assert!((machines.vectors[[0, 0]] - 0.04).abs() < 1e-6, "{}", machines.vectors[[0, 0]]);
}

/// A person around another: no plane tells them apart, a Gaussian does.
#[test]
fn a_gaussian_tells_a_ring_from_its_middle() {
    let ring = (0..24).map(|i| f64::from(i) * std::f64::consts::TAU / 24.0);
    let mut values: Vec<[f64; 2]> = ring.map(|angle| [3.0 * angle.cos(), 3.0 * angle.sin()]).collect();
    values.extend((0..24).map(|i| [f64::from(i % 5) * 0.1, f64::from(i / 5) * 0.1]));
    let points = Array2::from(values);
    let classes: Vec<usize> = (0..48).map(|i| i / 24).collect();
    let machines = Machines::fit(problem(&points, &classes, 2), Kernel::Gaussian { gamma: 0.5 }, 10.0).unwrap();
    let named = |x: f64, y: f64| Prediction::best_of(machines.scores(array![x, y].view())).class;
    for i in 0..100 {
        let angle = f64::from(i) * 0.0628;
        assert_eq!(named(2.9 * angle.cos(), 2.9 * angle.sin()), 0, "{angle}");
        assert_eq!(named(0.5 * angle.cos(), 0.5 * angle.sin()), 1, "{angle}");
    }
}

/// The shared support vectors give what the coefficients over all points give.
#[test]
fn sharing_vectors_changes_nothing() {
    let points = Array2::from_shape_fn((30, 3), |(i, j)| ((i * 37 + j * 11) % 17) as f64 / 17.0);
    let classes: Vec<usize> = (0..30).map(|i| i % 3).collect();
    let (data, kernel) = (problem(&points, &classes, 3), Kernel::Gaussian { gamma: 2.0 });
    let machines = Machines::fit(data, kernel, 5.0).unwrap();
    let point = array![0.3, 0.6, 0.1];
    let likeness: Vec<f64> = machines.vectors.outer_iter().map(|vector| kernel.of(vector, point.view())).collect();
    for machine in &machines.machines {
        let alone = solve(data, kernel, machine.people, (5.0, 5.0)).unwrap();
        let direct: f64 = alone.coefficients.iter().map(|(i, f)| f * kernel.of(points.row(*i), point.view())).sum();
        let shared: f64 = machine.coefficients.iter().map(|(i, f)| f * likeness[*i]).sum();
        assert!((direct - shared).abs() < 1e-9);
        assert!((alone.threshold - machine.threshold).abs() < 1e-12);
    }
}

/// Of many people with few samples the vectors are kept, not a sum a machine: the decisions are the same.
#[test]
fn folding_changes_nothing() {
    let points = Array2::from_shape_fn((24, 3), |(i, j)| ((i * 37 + j * 11) % 17) as f64 / 17.0);
    let classes: Vec<usize> = (0..24).map(|i| i % 12).collect();
    let data = problem(&points, &classes, 12);
    let shared = Machines::fit(data, Kernel::Linear, 5.0).unwrap();
    let vectors = shared.vectors.clone();
    assert!(vectors.nrows() <= 24, "{}", vectors.nrows());
    let point = array![0.3, 0.6, 0.1];
    let scores = shared.scores(point.view());
    let folded = shared.folded(Problem { points: vectors.view(), ..data });
    assert_eq!(folded.vectors.nrows(), 66);
    for (a, b) in scores.iter().zip(folded.scores(point.view())) {
        assert!((a - b).abs() < 1e-9);
    }
}

/// The conditions of Karush, Kuhn and Tucker hold: the solver has found the optimum, not something near it.
#[test]
fn the_solution_is_optimal() {
    let points = Array2::from_shape_fn((40, 2), |(i, j)| ((i * 29 + j * 13) % 23) as f64 / 23.0);
    let classes: Vec<usize> = (0..40).map(|i| usize::from(i % 7 < 3)).collect();
    let data = problem(&points, &classes, 2);
    let weights = data.weights();
    let (kernel, c) = (Kernel::Gaussian { gamma: 3.0 }, 2.0);
    let machine = solve(data, kernel, (0, 1), (c * weights[0], c * weights[1])).unwrap();
    let balance: f64 = machine.coefficients.iter().map(|(_, factor)| factor).sum();
    assert!(balance.abs() < 1e-9, "{balance}");
    for (place, &class) in classes.iter().enumerate() {
        let sum: f64 = machine.coefficients.iter().map(|(i, f)| f * kernel.of(points.row(*i), points.row(place))).sum();
        let side = if class == 0 { 1.0 } else { -1.0 };
        let margin = side * (sum - machine.threshold);
        let factor = machine.coefficients.iter().find(|(i, _)| *i == place).map_or(0.0, |(_, f)| f * side);
        let (most, slack) = (c * weights[class], 2.0 * TOLERANCE);
        assert!((0.0..=most + 1e-9).contains(&factor), "{factor}");
        assert!(factor >= most || margin >= 1.0 - slack, "{place}: {margin} {factor}");
        assert!(factor <= 0.0 || margin <= 1.0 + slack, "{place}: {margin} {factor}");
    }
}

#[test]
fn five_people_are_told_apart_and_the_same_each_time() {
    let centres: Vec<Vec<f32>> = (0..5).map(|i| (0..8).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect();
    let method = Method::LinearSvm(LinearSvm::default());
    let model = train(&method, 5, &clusters(&centres, 6, 0.2, 1));
    let again = train(&method, 5, &clusters(&centres, 6, 0.2, 1));
    for (sample, class) in clusters(&centres, 20, 0.2, 2) {
        let answer = model.predict(&sample).unwrap();
        assert_eq!(answer.class, class);
        assert!(answer.score() > 3.9, "{answer:?}");
        assert_eq!(answer, again.predict(&sample).unwrap());
    }
    assert_eq!(model.learned()[..2], [("C", 1.0), ("machines", 10.0)]);
    assert!(model.bytes() > 10 * 8 * 8);
}

#[test]
fn one_sample_a_person_is_enough_for_given_parameters() {
    let samples = [(features(&[1.0, 0.0]), 0), (features(&[0.0, 1.0]), 1), (features(&[-1.0, -1.0]), 2)];
    let model = train(&Method::LinearSvm(LinearSvm::default()), 3, &samples);
    for (sample, class) in &samples {
        assert_eq!(model.predict(sample).unwrap().class, *class);
    }
}

#[test]
fn the_same_sample_of_two_people_ends_and_names_one() {
    let samples = [(features(&[1.0]), 0), (features(&[1.0]), 1)];
    let model = train(&Method::LinearSvm(LinearSvm::default()), 2, &samples);
    assert!(model.predict(&features(&[1.0])).unwrap().class < 2);
}

#[test]
fn costs_must_be_positive() {
    let samples = [(features(&[1.0]), 0), (features(&[2.0]), 1)];
    for c in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let text = error_of(&Method::LinearSvm(LinearSvm { c }), &people(2), &samples);
        assert!(text.starts_with("support vector machines: C must be above 0, and is"), "{text}");
    }
}
