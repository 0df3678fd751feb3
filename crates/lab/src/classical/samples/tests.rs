//! Tests of what a training set refuses.

use super::*;
use crate::classical::testing::{features, pairs, people, picture};

fn error(names: &[String], samples: &[(Sample, usize)]) -> String {
    TrainingSet::new(names, pairs(samples)).unwrap_err().to_string()
}

#[test]
fn one_person_or_none_is_refused() {
    let samples = [(features(&[1.0]), 0)];
    assert_eq!(
        error(&people(1), &samples),
        "a recogniser needs two people or more to tell apart, here is only person 0"
    );
    assert_eq!(error(&[], &[]), "a recogniser needs two people or more to tell apart, here is nobody");
}

#[test]
fn a_person_without_sample_is_refused_and_one_with_a_single_sample_told() {
    let samples = [(features(&[1.0]), 0), (features(&[2.0]), 0), (features(&[3.0]), 1)];
    assert_eq!(error(&people(3), &samples), "person 2 has no training sample: give one or leave the person out");
    let names = people(2);
    let set = TrainingSet::new(&names, pairs(&samples)).unwrap();
    assert_eq!((set.with_one_sample(), set.counts()), (Some("person 1"), vec![2, 1]));
}

#[test]
fn nan_is_refused_with_its_place() {
    let samples = [(features(&[1.0, 2.0]), 0), (features(&[1.0, f32::NAN]), 1)];
    assert_eq!(error(&people(2), &samples), "training sample 1 (person 1): value 1 is NaN, which is no finite number");
    let samples = [(features(&[f32::NEG_INFINITY]), 0), (features(&[1.0]), 1)];
    assert!(error(&people(2), &samples).contains("training sample 0 (person 0): value 0 is -inf"));
}

#[test]
fn samples_of_other_sizes_and_kinds_are_refused() {
    let samples = [(picture(2, &[0.0; 4]), 0), (picture(2, &[0.0; 6]), 1)];
    assert_eq!(
        error(&people(2), &samples),
        "training sample 1 (person 1) is a picture of 2x3 pixels, the others are a picture of 2x2 pixels: all must be alike"
    );
    let samples = [(picture(2, &[0.0; 4]), 0), (features(&[0.0; 4]), 1)];
    assert!(error(&people(2), &samples).contains("is a vector of 4 features, the others are a picture of 2x2 pixels"));
    let samples = [(features(&[]), 0), (features(&[]), 1)];
    assert_eq!(error(&people(2), &samples), "training sample 0 (person 0) is empty");
}

#[test]
fn a_sample_of_nobody_is_refused() {
    let samples = [(features(&[1.0]), 0), (features(&[2.0]), 2)];
    assert_eq!(error(&people(2), &samples), "training sample 1 (unknown) is of person number 2, and 2 are listed");
}

#[test]
fn the_matrix_holds_the_values() {
    let samples = [(picture(2, &[0.0, 0.25, 0.5, 1.0]), 1), (picture(2, &[1.0; 4]), 0)];
    let names = people(2);
    let set = TrainingSet::new(&names, pairs(&samples)).unwrap();
    assert_eq!(set.matrix(), ndarray::array![[0.0, 0.25, 0.5, 1.0], [1.0, 1.0, 1.0, 1.0]]);
    assert_eq!(set.pictures().unwrap(), (2, 2));
    assert!(set.features().is_err());
}
