use proptest::prelude::*;
use serde_json::Value;
use sightline_vision::{Landmarks, Point, Rect, RgbImage, Similarity, append_tensor, similarity_chip};

use super::{Embedder, FaceCrop, normalized};
use crate::error::ItemError;
use crate::golden;

fn open(model: &str) -> Embedder {
    let (runtime, store) = golden::models();
    Embedder::open(&runtime, &store, model).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn points(value: &Value) -> Landmarks {
    let points: Vec<Point> =
        value.as_array().unwrap().iter().map(|point| Point { x: numbers(point)[0], y: numbers(point)[1] }).collect();
    points.try_into().unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| f64::from(*p) * f64::from(*q)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The network's own numbers, not normalised.
fn raw(embedder: &mut Embedder, image: &RgbImage) -> Vec<f32> {
    embedder.tensor.clear();
    append_tensor(image, &embedder.normalization, &mut embedder.tensor);
    embedder.raw(1).unwrap()
}

fn compare(embedder: &mut Embedder, items: &Value, vector: &str) {
    let items = items.as_array().unwrap();
    assert!(items.len() >= 8);
    for item in items {
        let name = item["png"].as_str().unwrap();
        let (found, expected) = (raw(embedder, &golden::png(name)), numbers(&item[vector]));
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert_eq!(found.len(), expected.len());
        assert!(worst <= 1e-5 && cosine(&found, &expected) >= 0.99999, "{name}: {worst}");
        let unit = embedder.embed_inputs(&[golden::png(name)]).unwrap().remove(0).unwrap();
        assert!((cosine(&unit, &unit) - 1.0).abs() < 1e-9 && cosine(&unit, &expected) >= 0.99999, "{name}");
    }
}

#[test]
fn facenet_agrees_with_the_reference() {
    let Some(file) = golden::file("facenet.json", "embedder::facenet_agrees_with_the_reference") else { return };
    compare(&mut open("facenet"), &file["items"], "embedding");
}

#[test]
fn dlib_agrees_with_the_reference() {
    let Some(file) = golden::file("dlib.json", "embedder::dlib_agrees_with_the_reference") else { return };
    let mut embedder = open("dlib");
    compare(&mut embedder, &file["items"], "vector");
    compare(&mut embedder, &file["aligned"], "vector");
}

#[test]
fn chips_are_aligned_as_the_reference_aligns_them() {
    let name = "embedder::chips_are_aligned_as_the_reference_aligns_them";
    let Some(file) = golden::file("dlib.json", name) else { return };
    let photos = sightline_testkit::shared_data().unwrap().join("data");
    let mut embedder = open("dlib");
    let template = embedder.template("centerface@0123456789ab").unwrap();
    assert_eq!(template, points(&file["template_centerface"]));
    for item in file["aligned"].as_array().unwrap() {
        let landmarks = points(&item["landmarks"]);
        let matrix = Similarity::estimate(&landmarks, &template).unwrap().to_matrix();
        for (row, expected) in matrix.iter().zip(item["matrix"].as_array().unwrap()) {
            for (value, expected) in row.iter().zip(expected.as_array().unwrap()) {
                assert!((value - expected.as_f64().unwrap()).abs() <= 1e-3, "{}", item["png"]);
            }
        }
        let photo = std::fs::read(photos.join(item["source"].as_str().unwrap())).unwrap();
        let photo = sightline_vision::decode_still(&photo, 100_000_000).unwrap();
        let chip = similarity_chip(&photo, &landmarks, &template, 150).unwrap();
        let reference = golden::png(item["png"].as_str().unwrap());
        let differences = chip.data().iter().zip(reference.data()).map(|(a, b)| u32::from(a.abs_diff(*b)));
        let differences: Vec<u32> = differences.collect();
        let mean = f64::from(differences.iter().sum::<u32>()) / differences.len() as f64;
        assert!(mean <= 0.25 && differences.iter().all(|d| *d <= 4), "{}: {mean}", item["png"]);
        assert!(cosine(&raw(&mut embedder, &chip), &numbers(&item["vector"])) >= 0.9999, "{}", item["png"]);
    }
}

#[test]
fn one_bad_input_leaves_the_others_their_vectors() {
    let mut embedder = open("dlib");
    let image = RgbImage::filled(200, 200, [90, 100, 110]);
    let landmarks: Landmarks =
        [(80.0, 80.0), (120.0, 80.0), (100.0, 100.0), (85.0, 120.0), (115.0, 120.0)].map(|(x, y)| Point { x, y });
    let good =
        FaceCrop { image: &image, face: Rect::new(60.0, 50.0, 140.0, 150.0), landmarks, detector: "centerface@00" };
    let same_point = FaceCrop { landmarks: [Point { x: 3.0, y: 3.0 }; 5], ..good };
    let nan = FaceCrop { landmarks: [Point { x: f32::NAN, y: 3.0 }; 5], ..good };
    let stranger = FaceCrop { detector: "haar@00", ..good };
    let vectors = embedder.embed_crops(&[same_point, good, nan, stranger, good]).unwrap();
    assert!(matches!(vectors[0], Err(ItemError::Alignment(_))) && matches!(vectors[2], Err(ItemError::Alignment(_))));
    assert_eq!(vectors[3], Err(ItemError::Alignment("no template for this detector")));
    assert_eq!(vectors[1].as_ref().unwrap(), vectors[4].as_ref().unwrap());
    assert!(embedder.embed_crops(&[]).unwrap().is_empty());
}

#[test]
fn an_input_of_another_size_is_refused_with_both_sizes() {
    let mut embedder = open("dlib");
    let answers =
        embedder.embed_inputs(&[RgbImage::filled(160, 150, [0; 3]), RgbImage::filled(150, 150, [9; 3])]).unwrap();
    let message = answers[0].as_ref().unwrap_err().to_string();
    assert!(message.contains("160x150") && message.contains("150x150"), "{message}");
    assert!(answers[1].is_ok());
}

proptest! {
    #[test]
    fn whatever_is_normalised_is_a_unit_vector(values in proptest::collection::vec(any::<f32>(), 1..40)) {
        match normalized(&values) {
            Ok(unit) => prop_assert!((cosine(&unit, &unit) - 1.0).abs() < 1e-5 && unit.iter().all(|v| v.is_finite())),
            Err(reason) => prop_assert!(matches!(reason, ItemError::Vector(_))),
        }
    }
}

#[test]
fn vectors_without_direction_are_refused() {
    assert_eq!(normalized(&[0.0; 4]), Err(ItemError::Vector("zero")));
    assert_eq!(normalized(&[1.0, f32::NAN]), Err(ItemError::Vector("not finite")));
    assert_eq!(normalized(&[f32::INFINITY]), Err(ItemError::Vector("not finite")));
}
