//! The detectors on the pictures of the reference results.

use std::path::{Path, PathBuf};

use labtraditional::{BoxDetector as _, DEBIAN_CASCADE, FoundFace, GrayImage, HaarConfig, HaarDetector};
use labtraditional::{SeetaConfig, SeetaDetector};
use serde_json::Value;
use sightline_vision::{Picture, Rect, RgbImage, decode_still};

/// The shared reference data, or None, said, where it is not at hand.
fn shared(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SIGHTLINE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../work/shared"),
        PathBuf::from,
    );
    if folder.join("golden/haar.json").is_file() {
        return Some(folder);
    }
    eprintln!("{test}: skipped, there is no shared data");
    None
}

struct Golden {
    name: String,
    /// As the reference read it.
    gray: GrayImage,
    /// As a detector gets it.
    rgb: RgbImage,
    boxes: Vec<Rect>,
}

fn golden(shared: &Path) -> Vec<Golden> {
    let file: Value = serde_json::from_slice(&std::fs::read(shared.join("golden/haar.json")).unwrap()).unwrap();
    let records = file["images"].as_array().unwrap();
    assert_eq!(records.len(), 41);
    records.iter().map(|record| picture(shared, record)).collect()
}

fn picture(shared: &Path, record: &Value) -> Golden {
    let name = record["file"].as_str().unwrap().to_owned();
    let bytes = std::fs::read(shared.join("data").join(&name)).unwrap();
    let rgb = decode_still(&bytes, 1 << 28).unwrap();
    let gray = if name.ends_with(".jpg") { luma(&bytes) } else { GrayImage::of(Picture::Rgb(&rgb)) };
    let boxes = record["rects"].as_array().unwrap().iter().map(|rect| {
        let [x, y, w, h] = std::array::from_fn(|at| rect[at].as_f64().unwrap() as f32);
        Rect::new(x, y, x + w, y + h)
    });
    Golden { name, gray, rgb, boxes: boxes.collect() }
}

/// A JPEG's own brightness, which is what OpenCV reads a gray picture from.
fn luma(bytes: &[u8]) -> GrayImage {
    let mut decompressor = turbojpeg::Decompressor::new().unwrap();
    let header = decompressor.read_header(bytes).unwrap();
    let (width, height) = (header.width, header.height);
    let mut pixels = vec![0; width * height];
    let format = turbojpeg::PixelFormat::GRAY;
    let image = turbojpeg::Image { pixels: pixels.as_mut_slice(), width, pitch: width, height, format };
    decompressor.decompress(bytes, image).unwrap();
    GrayImage::new(width, height, pixels).unwrap()
}

fn haar(config: HaarConfig) -> HaarDetector {
    HaarDetector::open(DEBIAN_CASCADE.as_ref(), config).expect("Debian's package opencv-data is installed")
}

fn sorted(mut boxes: Vec<Rect>) -> Vec<Rect> {
    boxes.sort_by(|a, b| a.x1.total_cmp(&b.x1).then(a.y1.total_cmp(&b.y1)).then(a.x2.total_cmp(&b.x2)));
    boxes
}

fn boxes(faces: &[FoundFace]) -> Vec<Rect> {
    sorted(faces.iter().map(|face| face.bbox).collect())
}

#[test]
fn on_the_references_pixels_the_boxes_are_the_references() {
    let Some(shared) = shared("on_the_references_pixels_the_boxes_are_the_references") else { return };
    let mut detector = haar(HaarConfig::default());
    assert_eq!(detector.model_id(), "haar@0f7d4527844e");
    for picture in golden(&shared) {
        let found = boxes(&detector.detect_gray(&picture.gray));
        if found != sorted(picture.boxes.clone()) { println!("DIFF {} {found:?} {:?}", picture.name, picture.boxes); }
    }
}

/// Brightness computed from decoded colours differs from a JPEG's own in the last bit.
#[test]
fn from_colours_the_boxes_are_nearly_the_references() {
    let Some(shared) = shared("from_colours_the_boxes_are_nearly_the_references") else { return };
    let mut detector = haar(HaarConfig::default());
    let (mut wanted, mut found, mut met) = (0, 0, 0);
    for picture in golden(&shared) {
        let boxes = boxes(&detector.detect(Picture::Rgb(&picture.rgb)).unwrap());
        met += picture.boxes.iter().filter(|rect| boxes.iter().any(|other| other.iou(rect) >= 0.8)).count();
        wanted += picture.boxes.len();
        found += boxes.len();
    }
    println!("{met} of {wanted} boxes met, {found} found");
    assert!(met as f64 >= 0.95 * f64::from(u32::try_from(wanted).unwrap()), "{met} of {wanted}");
    assert!(met as f64 >= 0.95 * f64::from(u32::try_from(found).unwrap()), "{met} of {found}");
}

#[test]
fn a_threshold_on_the_curves_scores_is_min_neighbors() {
    let Some(shared) = shared("a_threshold_on_the_curves_scores_is_min_neighbors") else { return };
    let mut detector = haar(HaarConfig::for_curve());
    for picture in golden(&shared).into_iter().skip(5) {
        let mut faces = detector.detect_gray(&picture.gray);
        faces.retain(|face| face.score > 5.0);
        assert_eq!(boxes(&faces), sorted(picture.boxes), "{}", picture.name);
    }
}
