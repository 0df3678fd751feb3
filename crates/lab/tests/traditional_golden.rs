//! The detectors on the pictures of the reference results.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails where something fails, and says what it saw"
)]

use std::path::Path;

use serde_json::Value;
use sightline_lab::traditional::{FoundFace, GrayImage, HaarConfig, HaarDetector};
use sightline_lab::traditional::{SEETA_MODEL, SeetaConfig, SeetaDetector};
use sightline_testkit::{cache_dir, shared_or_skip};
use sightline_vision::{Picture, Rect, RgbImage, decode_still};

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
    let gray = if name.ends_with(".jpg") { luma(&bytes) } else { libpng_gray(&rgb) };
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

/// OpenCV has libpng turn colours into brightness, which cuts off where OpenCV itself rounds.
fn libpng_gray(image: &RgbImage) -> GrayImage {
    let gray = |p: &[u8]| ((u32::from(p[0]) * 9_797 + u32::from(p[1]) * 19_234 + u32::from(p[2]) * 3_737) >> 15) as u8;
    let pixels = image.data().chunks_exact(3).map(gray).collect();
    GrayImage::new(image.width() as usize, image.height() as usize, pixels).unwrap()
}

fn haar(config: HaarConfig) -> HaarDetector {
    HaarDetector::open(None, config).unwrap()
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
    let Some(shared) = shared_or_skip("on_the_references_pixels_the_boxes_are_the_references") else { return };
    let mut detector = haar(HaarConfig::default());
    for picture in golden(&shared) {
        let found = boxes(&detector.detect_gray(&picture.gray));
        assert_eq!(found, sorted(picture.boxes), "{}", picture.name);
    }
}

/// Brightness computed from decoded colours differs from a JPEG's own in the last bit. The largest picture has no colours.
#[test]
fn from_colours_the_boxes_are_nearly_the_references() {
    let Some(shared) = shared_or_skip("from_colours_the_boxes_are_nearly_the_references") else { return };
    let mut detector = haar(HaarConfig::default());
    let (mut wanted, mut found, mut met) = (0, 0, 0);
    for picture in golden(&shared).into_iter().filter(|picture| picture.rgb.width() < 3000) {
        let boxes = boxes(&detector.detect(Picture::Rgb(&picture.rgb)));
        met += picture.boxes.iter().filter(|rect| boxes.iter().any(|other| other.iou(rect) >= 0.8)).count();
        wanted += picture.boxes.len();
        found += boxes.len();
    }
    println!("{met} of {wanted} boxes met, {found} found");
    assert!(100 * met >= 95 * wanted && 100 * met >= 95 * found, "{met} of {wanted}, {found} found");
}

#[test]
fn a_threshold_on_the_curves_scores_is_min_neighbors() {
    let Some(shared) = shared_or_skip("a_threshold_on_the_curves_scores_is_min_neighbors") else { return };
    let mut detector = haar(HaarConfig::for_curve());
    for picture in golden(&shared).into_iter().skip(5) {
        let mut faces = detector.detect_gray(&picture.gray);
        faces.retain(|face| face.score > 5.0);
        assert_eq!(boxes(&faces), sorted(picture.boxes), "{}", picture.name);
    }
}

/// The counts are those of OpenCV 4.11's `detectMultiScale2` on the same pixels.
#[test]
fn scores_are_opencvs_counts_of_neighbors() {
    let Some(shared) = shared_or_skip("scores_are_opencvs_counts_of_neighbors") else { return };
    let mut detector = haar(HaarConfig::for_curve());
    let expected: [(&str, &[f32]); 2] = [
        (
            "group/multiface.jpg",
            &[91.0, 90.0, 87.0, 72.0, 66.0, 59.0, 13.0, 6.0, 5.0, 4.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
        ),
        ("test/kit_with_rose.jpg", &[133.0, 106.0, 6.0, 6.0, 3.0, 2.0, 2.0]),
    ];
    for (name, counts) in expected {
        let gray = luma(&std::fs::read(shared.join("data/photos").join(name)).unwrap());
        let scores: Vec<f32> = detector.detect_gray(&gray).iter().map(|face| face.score).collect();
        assert_eq!(scores, counts, "{name}");
    }
}

fn seeta(config: SeetaConfig) -> SeetaDetector {
    SeetaDetector::open(&cache_dir().join("models").join(SEETA_MODEL.name), config).unwrap()
}

/// There is no reference for SeetaFace: the sure faces of another detector stand in for it.
#[test]
fn seetaface_finds_the_sure_faces_of_centerface() {
    let Some(shared) = shared_or_skip("seetaface_finds_the_sure_faces_of_centerface") else { return };
    let detector = seeta(SeetaConfig::default());
    let file: Value = serde_json::from_slice(&std::fs::read(shared.join("golden/centerface.json")).unwrap()).unwrap();
    let (mut wanted, mut met, mut found) = (0, 0, 0);
    for record in file["images"].as_array().unwrap() {
        let bytes = std::fs::read(shared.join("data").join(record["file"].as_str().unwrap())).unwrap();
        let faces = detector.detect(Picture::Rgb(&decode_still(&bytes, 1 << 28).unwrap()));
        assert!(faces.iter().all(|face| face.score >= 2.0));
        let sure = centerface(&record["full"]);
        met += sure.iter().filter(|rect| faces.iter().any(|face| face.bbox.iou(rect) >= 0.4)).count();
        wanted += sure.len();
        found += faces.len();
    }
    println!("{met} of {wanted} faces met, {found} found");
    assert!(
        wanted >= 60 && 100 * met >= 90 * wanted && 100 * found <= 110 * wanted,
        "{met} of {wanted}, {found} found"
    );
}

/// Boxes of score .8 and above that SeetaFace's windows are not too large for.
fn centerface(record: &Value) -> Vec<Rect> {
    let boxes = record["boxes"].as_array().unwrap().iter().zip(record["scores"].as_array().unwrap());
    let sure = boxes.filter(|(_, score)| score.as_f64().unwrap() >= 0.8);
    let rects = sure.map(|(rect, _)| {
        let [x1, y1, x2, y2] = std::array::from_fn(|at| rect[at].as_f64().unwrap() as f32);
        Rect::new(x1, y1, x2, y2)
    });
    rects.filter(|rect| rect.width() >= 40.0).collect()
}

#[test]
fn seetaface_boxes_are_in_pixels_of_the_picture_whatever_the_smallest_face() {
    let Some(shared) = shared_or_skip("seetaface_boxes_are_in_pixels_of_the_picture_whatever_the_smallest_face") else {
        return;
    };
    let bytes = std::fs::read(shared.join("data/photos/group/multiface.jpg")).unwrap();
    let gray = luma(&bytes);
    let with = |min_face| seeta(SeetaConfig { min_face, ..SeetaConfig::default() }).detect_gray(&gray);
    let faces = with(40);
    let sure = faces.iter().filter(|face| face.score >= 20.0);
    assert_eq!(sure.clone().count(), 6);
    for min_face in [20, 60, 80] {
        let others = with(min_face);
        for face in sure.clone() {
            let best = others.iter().map(|other| other.bbox.iou(&face.bbox)).fold(0.0, f32::max);
            assert!(best >= 0.6, "{min_face}: {face:?} {best} {others:?}");
        }
    }
    assert!(with(200).is_empty());
    assert!(seeta(SeetaConfig::for_curve()).detect_gray(&gray).len() >= faces.len());
    let surest = seeta(SeetaConfig { threshold: 25.0, ..SeetaConfig::default() }).detect_gray(&gray);
    assert_eq!(surest, faces.iter().filter(|face| face.score >= 25.0).copied().collect::<Vec<_>>());
}

#[test]
fn seetaface_takes_pictures_of_any_size() {
    let detector = seeta(SeetaConfig { min_face: 20, ..SeetaConfig::for_curve() });
    let mut random = fastrand::Rng::with_seed(1);
    for (width, height) in [(1, 1), (1, 200), (200, 1), (19, 19), (20, 20), (25, 31), (39, 300), (300, 40), (41, 41)] {
        let pixels = std::iter::repeat_with(|| random.u8(..)).take(width * height).collect();
        let image = GrayImage::new(width, height, pixels).unwrap();
        assert!(detector.detect_gray(&image).is_empty(), "{width}x{height}");
    }
}
