//! Tests on pictures of a few pixels.

use super::*;
use crate::classical::testing::{clusters, error_of, features, people, picture, train};
use crate::classical::{Lbph, Method};

/// Pictures of two pixels: the people differ in the first one, the second is louder and says nothing.
fn loud() -> Vec<(Sample, usize)> {
    let values = [[0.0, 0.0], [0.1, 9.0], [1.0, 8.0], [1.1, 1.0]];
    values.iter().zip([0, 0, 1, 1]).map(|(values, class)| (picture(2, values), class)).collect()
}

fn pictures(samples: Vec<(Sample, usize)>) -> Vec<(Sample, usize)> {
    samples.into_iter().map(|(sample, class)| (picture(4, sample.values()), class)).collect()
}

#[test]
fn whitening_makes_quiet_differences_count() {
    // Of the second person (1, 8) is nearest, at 2.2; of the first (0.1, 9), at 3.0. In units of the pixels' spreads (about
    // 0.6 and 4.7) the distances are 1.7 and 0.7.
    let probe = picture(2, &[0.05, 6.0]);
    let plain = train(&Method::Eigenfaces(Eigenfaces { components: 2, whiten: false }), 2, &loud());
    assert_eq!(plain.predict(&probe).unwrap().class, 1);
    let whitened = train(&Method::Eigenfaces(Eigenfaces { components: 2, whiten: true }), 2, &loud());
    assert_eq!(whitened.predict(&probe).unwrap().class, 0);
}

/// With all components and no whitening the distance is that of the pictures themselves.
#[test]
fn all_components_keep_distances() {
    let samples = pictures(clusters(&[vec![0.2; 12], vec![0.8; 12]], 4, 0.5, 3));
    let model = train(&Method::Eigenfaces(Eigenfaces { components: 100, whiten: false }), 2, &samples);
    let probe = &samples[2].0;
    let direct = |class: usize| {
        let of_class = samples.iter().filter(|(_, c)| *c == class);
        let distance = |values: &[f32]| {
            values.iter().zip(probe.values()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        of_class.map(|(sample, _)| distance(sample.values())).fold(f64::INFINITY, f64::min)
    };
    let answer = model.predict(probe).unwrap();
    assert!(answer.scores[0].abs() < 1e-5 && (answer.scores[1] + direct(1)).abs() < 1e-5, "{answer:?}");
    // Eight pictures span seven directions.
    assert_eq!(model.learned()[0], ("components", 7.0));
    assert!((model.learned()[1].1 - 1.0).abs() < 1e-9);
}

#[test]
fn machines_learn_people_from_pictures() {
    let centres: Vec<Vec<f32>> =
        (0..3).map(|person| (0..20).map(|i| if i % 3 == person { 0.8 } else { 0.2 }).collect()).collect();
    let samples = pictures(clusters(&centres, 8, 0.3, 5));
    let method = Method::EigenfacesSvm(EigenfacesSvm { components: 10, ..EigenfacesSvm::default() });
    let (model, again) = (train(&method, 3, &samples), train(&method, 3, &samples));
    for (sample, class) in pictures(clusters(&centres, 10, 0.3, 6)) {
        let answer = model.predict(&sample).unwrap();
        assert_eq!(answer.class, class);
        assert_eq!(answer, again.predict(&sample).unwrap());
    }
    let names: Vec<&str> = model.learned().iter().map(|(name, _)| *name).collect();
    let expected =
        ["components", "variance explained", "C", "gamma", "cross-validation accuracy", "machines", "support vectors"];
    assert_eq!(names, expected);
}

#[test]
fn equal_pictures_cannot_be_learned() {
    let samples = vec![(picture(2, &[0.5; 4]), 0), (picture(2, &[0.5; 4]), 1)];
    let text = error_of(&Method::Eigenfaces(Eigenfaces::default()), &people(2), &samples);
    assert_eq!(text, "all training samples are the same: there is nothing to tell people apart by");
}

#[test]
fn two_pictures_are_enough_for_the_nearest() {
    let samples = vec![(picture(2, &[0.1, 0.2, 0.3, 0.4]), 0), (picture(2, &[0.9, 0.2, 0.3, 0.4]), 1)];
    for whiten in [false, true] {
        let model = train(&Method::Eigenfaces(Eigenfaces { components: 150, whiten }), 2, &samples);
        assert_eq!(model.predict(&picture(2, &[0.8, 0.2, 0.3, 0.4])).unwrap().class, 1);
    }
}

#[test]
fn features_are_refused() {
    let samples = vec![(features(&[0.5]), 0), (features(&[0.7]), 1)];
    for method in [Method::Eigenfaces(Eigenfaces::default()), Method::EigenfacesSvm(EigenfacesSvm::default())] {
        let text = error_of(&method, &people(2), &samples);
        assert_eq!(text, "this method takes gray pictures, and the training samples are a vector of 1 features");
    }
    let text = error_of(&Method::Eigenfaces(Eigenfaces { components: 0, whiten: false }), &people(2), &loud());
    assert_eq!(text, "one principal component or more must be kept");
}

/// The order of the training samples decides nothing.
#[test]
fn the_order_does_not_matter() {
    let centre = |person: usize| (0..100).map(|i| (i % (person + 2)) as f32 / 4.0).collect();
    let centres: Vec<Vec<f32>> = (0..3).map(centre).collect();
    let draw = |seed| -> Vec<(Sample, usize)> {
        let samples = clusters(&centres, 5, 0.6, seed);
        samples.into_iter().map(|(sample, class)| (picture(10, sample.values()), class)).collect()
    };
    let (samples, mut turned) = (draw(8), draw(8));
    turned.reverse();
    let lbph = Lbph { columns: 2, rows: 2, ..Lbph::default() };
    let whitened = Eigenfaces { components: 9, whiten: true };
    for method in [Method::Eigenfaces(whitened), Method::Lbph(lbph)] {
        let (model, other) = (train(&method, 3, &samples), train(&method, 3, &turned));
        for (sample, _) in draw(9) {
            let (one, two) = (model.predict(&sample).unwrap(), other.predict(&sample).unwrap());
            assert!(one.scores.iter().zip(&two.scores).all(|(a, b)| (a - b).abs() < 1e-6), "{one:?} {two:?}");
        }
    }
}
