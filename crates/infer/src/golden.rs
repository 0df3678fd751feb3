//! The reference results, for tests: pictures with exactly known pixels and what the original implementations find in them.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sightline_vision::{Landmarks, Point, Rect, RgbImage, decode_still};

use crate::detector::Detection;
use crate::session::{Device, Runtime};
use crate::store::ModelStore;

/// A picture of a golden file.
pub(crate) struct GoldenPicture {
    pub(crate) name: String,
    pub(crate) image: RgbImage,
    /// The file's record of it.
    pub(crate) record: Value,
}

/// The runtime and the converted models in the cache.
pub(crate) fn models() -> (Runtime, ModelStore) {
    let library = sightline_testkit::onnxruntime().unwrap();
    let runtime = Runtime::load(Some(&library), Device::Cpu, 1).unwrap();
    (runtime, ModelStore::new(&sightline_testkit::cache_dir().join("models"), None).unwrap())
}

/// A golden file, or None (said and counted) where the shared data is not at hand.
pub(crate) fn file(name: &str, test: &str) -> Option<Value> {
    let shared = sightline_testkit::shared_or_skip(test)?;
    Some(serde_json::from_str(&std::fs::read_to_string(shared.join("golden").join(name)).unwrap()).unwrap())
}

/// A lossless picture beside the golden files.
pub(crate) fn png(path: &str) -> RgbImage {
    let folder = sightline_testkit::shared_data().unwrap().join("golden");
    decode_still(&std::fs::read(folder.join(path)).unwrap(), 100_000_000).unwrap()
}

/// The pictures of a golden file. Each has the reference's exact pixels: the lossless copy, or a JPEG whose decoded hash agrees.
pub(crate) fn pictures(name: &str, test: &str) -> Option<Vec<GoldenPicture>> {
    let golden = file(name, test)?;
    let records = golden["images"].as_array().unwrap();
    Some(records.iter().map(picture).collect())
}

/// The picture that a record names by `file`, `png` and `rgb_sha256`.
pub(crate) fn picture(record: &Value) -> GoldenPicture {
    let shared = sightline_testkit::shared_data().unwrap();
    let name = record["file"].as_str().unwrap().to_owned();
    let path = match record["png"].as_str() {
        Some(copy) => shared.join("golden").join(copy),
        None => shared.join("data").join(&name),
    };
    let image = exact(&path, record["rgb_sha256"].as_str().unwrap());
    GoldenPicture { name, image, record: record.clone() }
}

fn exact(path: &Path, rgb_sha256: &str) -> RgbImage {
    let image = decode_still(&std::fs::read(path).unwrap(), 100_000_000).unwrap();
    let sum: String = Sha256::digest(image.data()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sum, rgb_sha256, "{} decodes to other pixels than the reference's", path.display());
    image
}

/// Faces of a golden file.
pub(crate) struct Expected {
    pub(crate) faces: Vec<Detection>,
}

impl Expected {
    /// Reads `boxes`, `landmarks` and the scores under the key `scores`.
    pub(crate) fn read(record: &Value, scores: &str) -> Self {
        let numbers = |value: &Value| -> Vec<f32> {
            value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
        };
        let boxes = record["boxes"].as_array().unwrap();
        let landmarks = record["landmarks"].as_array().unwrap();
        let faces = boxes.iter().zip(landmarks).zip(numbers(&record[scores])).map(|((bbox, points), score)| {
            let b = numbers(bbox);
            let points: Vec<Point> = points.as_array().unwrap().iter().map(|p| point(&numbers(p))).collect();
            let landmarks: Landmarks = points.try_into().unwrap();
            Detection { bbox: Rect::new(b[0], b[1], b[2], b[3]), score, landmarks }
        });
        Self { faces: faces.collect() }
    }

    /// Same number, every box with IoU of at least .999, score within 1e-4, landmarks within .05 pixels: the tolerances of the golden
    /// files' description. The order is free.
    pub(crate) fn compare(&self, found: &[Detection], what: &str) {
        assert_eq!(found.len(), self.faces.len(), "{what}: number of faces");
        for face in &self.faces {
            let best = found.iter().max_by(|a, b| a.bbox.iou(&face.bbox).total_cmp(&b.bbox.iou(&face.bbox))).unwrap();
            assert!(best.bbox.iou(&face.bbox) >= 0.999, "{what}: {best:?} instead of {face:?}");
            assert!((best.score - face.score).abs() <= 1e-4, "{what}: score {} not {}", best.score, face.score);
            for (a, b) in best.landmarks.iter().zip(&face.landmarks) {
                assert!((a.x - b.x).hypot(a.y - b.y) <= 0.05, "{what}: {a:?} instead of {b:?}");
            }
        }
    }
}

fn point(numbers: &[f32]) -> Point {
    Point { x: numbers[0], y: numbers[1] }
}
