//! The analysis with made-up models, and with real ones on photos where they are.

use std::sync::{Arc, Mutex};

use sightline_infer::{
    Detection, Detector, DetectorConfig, Device, Embedder, FaceCrop, FaceDetector, FaceEmbedder, InferError, ItemError,
    ModelStore, Runtime,
};
use sightline_vision::{Picture, Point, QualityGates, Rect, RgbImage, Subsampling, encode_rgb};
use sightline_wire::service::{AnalyseImage, FailureKind};

use super::{Analyst, AnalystConfig};

struct FakeDetector(Vec<Detection>);

impl FaceDetector for FakeDetector {
    fn detect(&mut self, _: Picture<'_>) -> Result<Vec<Detection>, InferError> {
        Ok(self.0.clone())
    }

    fn model_id(&self) -> &str {
        "finder@000000000000"
    }
}

/// The vector of a face is the width of its box in the crop.
struct FakeEmbedder;

impl FaceEmbedder for FakeEmbedder {
    fn embed(&mut self, crops: &[FaceCrop<'_>]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError> {
        assert!(crops.len() <= 8);
        Ok(crops.iter().map(|crop| Ok(vec![crop.face.width()])).collect())
    }

    fn model_id(&self) -> &str {
        "embedder@000000000000"
    }
}

fn analyst(found: Vec<Detection>) -> Analyst<FakeDetector, FakeEmbedder> {
    let config = AnalystConfig { pixel_limit: 1_000_000, gates: QualityGates::default() };
    Analyst::new(Arc::new(Mutex::new(FakeDetector(found))), Arc::new(Mutex::new(FakeEmbedder)), config)
}

fn detection(x: f32, width: f32) -> Detection {
    let point = |dx: f32, dy: f32| Point { x: x + width * dx, y: 50.0 + width * dy };
    Detection {
        bbox: Rect::new(x, 50.0, x + width, 50.0 + width),
        score: 0.9,
        landmarks: [point(0.3, 0.4), point(0.7, 0.4), point(0.5, 0.6), point(0.35, 0.8), point(0.65, 0.8)],
    }
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encode_rgb(&RgbImage::filled(width, height, [120, 90, 60]), 90, Subsampling::Half).unwrap()
}

#[test]
fn faces_come_largest_first_with_their_own_vectors() {
    let widths = [30.0, 10.0, 50.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0];
    let found = widths.map(|width| detection(40.0, width)).to_vec();
    let answer = analyst(found).answer(AnalyseImage { embed: true }, &jpeg(400, 300)).unwrap();
    assert_eq!((answer.width, answer.height), (400, 300));
    assert_eq!((&*answer.detector, &*answer.embedder), ("finder@000000000000", "embedder@000000000000"));
    let found: Vec<f32> = answer.faces.iter().map(|face| face.bbox[2] - face.bbox[0]).collect();
    assert_eq!(found, [50.0, 30.0, 24.0, 22.0, 20.0, 18.0, 16.0, 14.0, 12.0, 10.0]);
    for face in &answer.faces {
        let vector = face.vector.as_ref().unwrap();
        assert!((vector[0] - (face.bbox[2] - face.bbox[0])).abs() < 0.01);
    }
    assert_eq!(answer.faces[9].flaw.as_deref(), Some("small"));
    assert_eq!(answer.faces[0].landmarks[2], [65.0, 80.0]);
}

#[test]
fn vectors_are_made_only_on_request() {
    let answer = analyst(vec![detection(40.0, 50.0)]).answer(AnalyseImage { embed: false }, &jpeg(400, 300)).unwrap();
    assert_eq!(answer.faces.len(), 1);
    assert_eq!(answer.faces[0].vector, None);
    assert_eq!(answer.embedder, "embedder@000000000000");
}

#[test]
fn a_picture_without_faces_is_no_failure() {
    assert!(analyst(vec![]).answer(AnalyseImage { embed: true }, &jpeg(40, 30)).unwrap().faces.is_empty());
}

#[test]
fn too_large_and_unreadable_pictures_are_told_apart() {
    let analyst = analyst(vec![]);
    let kind = |bytes: &[u8]| analyst.answer(AnalyseImage { embed: true }, bytes).unwrap_err().kind;
    assert_eq!(kind(&jpeg(1100, 1000)), FailureKind::TooLarge);
    assert_eq!(kind(b"hello"), FailureKind::Invalid);
    assert_eq!(kind(&[]), FailureKind::Invalid);
    // Sides that a header claims: what libjpeg still takes, and the format's limit, which it does not.
    let mut huge = jpeg(40, 30);
    let header = huge.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    huge[header + 5..header + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert_eq!(kind(&huge), FailureKind::TooLarge);
    huge[header + 5..header + 9].fill(0xff);
    assert!(matches!(kind(&huge), FailureKind::TooLarge | FailureKind::Invalid));
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn real_models_tell_people_in_photos_apart() {
    let Some(shared) = sightline_testkit::shared_or_skip("real_models_tell_people_in_photos_apart") else { return };
    let runtime = Runtime::load(None, Device::Cpu, 1).unwrap();
    let store = ModelStore::default_location().unwrap();
    let detector = Detector::open(&runtime, &store, &DetectorConfig::new("centerface")).unwrap();
    let embedder = Embedder::open(&runtime, &store, "facenet").unwrap();
    let config = AnalystConfig { pixel_limit: 50_000_000, gates: QualityGates::default() };
    let analyst = Analyst::new(Arc::new(Mutex::new(detector)), Arc::new(Mutex::new(embedder)), config);
    let faces = |photo: &str| {
        let bytes = std::fs::read(shared.join("data/photos").join(photo)).unwrap();
        analyst.answer(AnalyseImage { embed: true }, &bytes).unwrap().faces
    };
    let vector = |photo: &str| {
        let faces = faces(photo);
        assert_eq!(faces.len(), 1, "{photo}");
        let vector = faces[0].vector.clone().unwrap();
        assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-3);
        vector
    };
    let (obama, obama_again) = (vector("train/obama/obama.jpg"), vector("test/obama1.jpg"));
    let biden = vector("train/biden/biden.jpg");
    let (same, different) = (cosine(&obama, &obama_again), cosine(&obama, &biden));
    println!("same {same:.3}, different {different:.3}");
    assert!(same > 0.5 && different < 0.3, "same {same}, different {different}");
    assert!(faces("noface/empty_room.jpg").is_empty());
}
