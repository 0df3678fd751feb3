//! The WIDER FACE evaluation against `golden/wider.json`, which `golden/wider_reference.py` made: our own typing in numpy of the
//! published Python evaluation's algorithm, with which a second typing by somebody else agrees to 1e-16.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use sightline_lab::{
    detection::{cases, evaluate_wider},
    rectangle::Rectangle,
    wider::{Detection, ResultImage, SubsetImage, TruthFace, TruthImage},
};

#[derive(Deserialize)]
struct Golden {
    sets: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    images: Vec<Image>,
    expected: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Image {
    file: String,
    faces: Vec<[f64; 4]>,
    detections: Vec<[f64; 5]>,
    easy: Vec<usize>,
    medium: Vec<usize>,
    hard: Vec<usize>,
}

#[derive(Deserialize)]
struct Expected {
    faces: usize,
    average_precision: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
}

impl Image {
    fn truth(&self) -> TruthImage {
        let face = |&[x, y, w, h]: &[f64; 4]| TruthFace { area: Rectangle::new(x, y, w, h), invalid: false };
        TruthImage { file: self.file.clone(), faces: self.faces.iter().map(face).collect() }
    }

    fn result(&self) -> ResultImage {
        let found = |&[x, y, w, h, score]: &[f64; 5]| Detection { area: Rectangle::new(x, y, w, h), score };
        let file = self.file.trim_end_matches(".jpg").to_owned();
        ResultImage { file, detections: self.detections.iter().map(found).collect() }
    }

    fn subset(&self, name: &str) -> SubsetImage {
        let counted = match name {
            "easy" => &self.easy,
            "medium" => &self.medium,
            _ => &self.hard,
        };
        SubsetImage { file: self.file.clone(), counted: counted.clone() }
    }
}

#[test]
fn average_precision_agrees_with_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/wider.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut compared = 0;
    for set in &golden.sets {
        let truth: Vec<_> = set.images.iter().map(Image::truth).collect();
        let results: Vec<_> = set.images.iter().map(Image::result).collect();
        for (name, expected) in &set.expected {
            let subset: Vec<_> = set.images.iter().map(|image| image.subset(name)).collect();
            let found = evaluate_wider(&cases(&truth, &results, Some(&subset)).unwrap()).unwrap();
            let context = format!("{}, {name}", set.name);
            assert_eq!(found.faces, expected.faces, "{context}");
            let difference = (found.average_precision - expected.average_precision).abs();
            assert!(difference <= 1e-6, "{context}: {} differs by {difference}", found.average_precision);
            let every_50th: Vec<_> = found.curve.iter().skip(49).step_by(50).collect();
            assert_eq!((every_50th.len(), expected.precision.len()), (20, 20));
            for (index, point) in every_50th.iter().enumerate() {
                assert!((point.precision - expected.precision[index]).abs() <= 1e-6, "{context}: {point:?}");
                assert!((point.recall - expected.recall[index]).abs() <= 1e-6, "{context}: {point:?}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}
