//! Tests on vectors small enough to compute by hand.

use super::*;
use crate::classical::Method;
use crate::classical::testing::{error_of, features, people, train};

#[test]
fn the_cosine_knows_no_length() {
    // Of one person along x (once long, once short) and y: the mean lies at 45 degrees whatever the lengths.
    let samples = [(features(&[100.0, 0.0]), 0), (features(&[0.0, 1.0]), 0), (features(&[0.0, -1.0]), 1)];
    let model = train(&Method::NearestMean, 2, &samples);
    let answer = model.predict(&features(&[7.0, 0.0])).unwrap();
    assert!((answer.scores[0] - 0.5_f64.sqrt()).abs() < 1e-6, "{answer:?}");
    assert!(answer.scores[1].abs() < 1e-6);
    assert_eq!((answer.class, answer.score()), (0, answer.scores[0]));
    assert_eq!((model.bytes(), model.learned()), (16, vec![("templates", 2.0)]));
}

#[test]
fn vectors_of_length_zero_are_like_nothing() {
    let samples = [(features(&[1.0, 0.0]), 0), (features(&[-1.0, 0.0]), 0), (features(&[0.0, 1.0]), 1)];
    let model = train(&Method::NearestMean, 2, &samples);
    assert_eq!(model.predict(&features(&[1.0, 0.0])).unwrap().scores, [0.0, 0.0]);
    assert_eq!(model.predict(&features(&[0.0, 0.0])).unwrap().scores, [0.0, 0.0]);
}

#[test]
fn one_sample_a_person_is_enough_here() {
    let samples = [(features(&[1.0, 0.0]), 0), (features(&[0.0, 1.0]), 1)];
    assert_eq!(train(&Method::NearestMean, 2, &samples).predict(&features(&[0.1, 0.9])).unwrap().class, 1);
}

#[test]
fn pictures_and_other_sizes_are_refused() {
    let samples = [(features(&[1.0, 0.0]), 0), (features(&[0.0, 1.0]), 1)];
    let model = train(&Method::NearestMean, 2, &samples);
    let text = |sample: Sample| model.predict(&sample).unwrap_err().to_string();
    assert_eq!(
        text(features(&[1.0; 3])),
        "the sample to recognise is a vector of 3 features, the others are a vector of 2 features: all must be alike"
    );
    assert_eq!(text(features(&[1.0, f32::NAN])), "the sample to recognise: value 1 is NaN, which is no finite number");
    let picture = Sample::Gray(crate::classical::GrayImage::new(2, 1, vec![0.0; 2]).unwrap());
    assert!(text(picture.clone()).contains("is a picture of 2x1 pixels"));
    let pictures = [(picture.clone(), 0), (picture, 1)];
    let names = people(2);
    assert_eq!(
        error_of(&Method::NearestMean, &names, &pictures),
        "this method takes features, and the training samples are a picture of 2x1 pixels"
    );
}
