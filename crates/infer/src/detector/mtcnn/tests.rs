use sightline_vision::{Picture, Point, Rect, RgbImage};

use super::{Mtcnn, MtcnnParams, SelectionMethod, select};
use crate::detector::{Detection, Detector, DetectorConfig};
use crate::golden::{self, Expected};

fn open(params: MtcnnParams) -> Mtcnn {
    let (runtime, store) = golden::models();
    Mtcnn::open(&runtime, &store, "mtcnn", params).unwrap()
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let refused = |params: MtcnnParams| params.check().unwrap_err().to_string();
    let default = MtcnnParams::default;
    assert!(default().check().is_ok());
    assert!(refused(MtcnnParams { factor: 1.0, ..default() }).contains("factor"));
    assert!(refused(MtcnnParams { min_face_size: 5, ..default() }).contains("min_face_size"));
    assert!(refused(MtcnnParams { thresholds: [0.6, f32::NAN, 0.7], ..default() }).contains("thresholds"));
    assert!(refused(MtcnnParams { margin: 160, ..default() }).contains("margin"));
}

#[test]
fn the_smallest_face_searched_for_is_the_larger_of_both_settings() {
    let (_, store) = golden::models();
    let manifest = store.detector("mtcnn").unwrap();
    assert_eq!(MtcnnParams::of(manifest, 0.0).unwrap(), MtcnnParams::default());
    assert_eq!(MtcnnParams::of(manifest, 80.0).unwrap().min_face_size, 80);
}

#[test]
fn agrees_with_the_reference_for_every_setting() {
    let test = "mtcnn::agrees_with_the_reference_for_every_setting";
    let Some(file) = golden::file("mtcnn.json", test) else { return };
    let pictures = golden::pictures("mtcnn.json", test).unwrap();
    let mut checked = 0;
    for (name, setting) in file["settings"].as_object().unwrap() {
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        let thresholds: Vec<f32> = setting["thresholds"].as_array().unwrap().iter().map(|t| number(t) as f32).collect();
        let mut mtcnn = open(MtcnnParams {
            min_face_size: number(&setting["min_face_size"]) as u32,
            thresholds: thresholds.try_into().unwrap(),
            factor: number(&setting["factor"]),
            ..MtcnnParams::default()
        });
        for picture in &pictures {
            let found = mtcnn.detect(&picture.image).unwrap();
            let what = format!("{} {name}", picture.name);
            let expected = Expected::read(&picture.record["results"][name], "probs");
            expected.compare(&found, &what);
            // Largest first, as recorded.
            for (face, other) in found.iter().zip(&expected.faces) {
                assert!(face.bbox.iou(&other.bbox) >= 0.999, "{what}: another order");
            }
            checked += found.len();
        }
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn orders_by_probability_when_asked() {
    let Some(pictures) = golden::pictures("mtcnn.json", "mtcnn::orders_by_probability_when_asked") else { return };
    let mut mtcnn = open(MtcnnParams { select_largest: false, ..MtcnnParams::default() });
    for picture in &pictures {
        let expected = Expected::read(&picture.record["results"]["default"], "probs");
        let found = mtcnn.detect(&picture.image).unwrap();
        let order = picture.record["order_select_largest_false"].as_array().unwrap();
        assert_eq!(order.len(), found.len(), "{}", picture.name);
        for (face, index) in found.iter().zip(order) {
            let index = usize::try_from(index.as_u64().unwrap()).unwrap();
            assert!(face.bbox.iou(&expected.faces[index].bbox) >= 0.999, "{}", picture.name);
        }
    }
}

#[test]
fn selects_the_recorded_face() {
    let Some(file) = golden::file("mtcnn.json", "mtcnn::selects_the_recorded_face") else { return };
    let images = file["images"].as_array().unwrap();
    for selection in file["selection"].as_array().unwrap() {
        let record = images.iter().find(|image| image["file"] == selection["file"]).unwrap();
        let picture = golden::picture(record);
        for (method, winners) in selection["winners"].as_object().unwrap() {
            let selection_method: SelectionMethod =
                serde_json::from_value(serde_json::Value::String(method.clone())).unwrap();
            for (key, select_largest) in [("select_largest_true", true), ("select_largest_false", false)] {
                let mut mtcnn = open(MtcnnParams {
                    select_largest,
                    selection_method: Some(selection_method),
                    ..MtcnnParams::default()
                });
                let faces = mtcnn.forward(&picture.image).unwrap();
                let bbox: Vec<f32> =
                    winners[key]["box"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
                let expected = Rect::new(bbox[0], bbox[1], bbox[2], bbox[3]);
                assert_eq!(faces.len(), 1);
                assert!(faces[0].detection.bbox.iou(&expected) >= 0.999, "{} {method} {key}", picture.name);
            }
        }
    }
}

#[test]
fn cuts_the_recorded_crops() {
    let Some(file) = golden::file("mtcnn.json", "mtcnn::cuts_the_recorded_crops") else { return };
    let images = file["images"].as_array().unwrap();
    for item in file["crops"]["items"].as_array().unwrap() {
        let picture = golden::picture(images.iter().find(|image| image["file"] == item["file"]).unwrap());
        let margin = u32::try_from(item["margin"].as_u64().unwrap()).unwrap();
        let reference = golden::png(item["png"].as_str().unwrap());
        for post_process in [true, false] {
            let mut mtcnn = open(MtcnnParams { margin, post_process, ..MtcnnParams::default() });
            let face = mtcnn.forward(&picture.image).unwrap().remove(0);
            let differences: Vec<u32> =
                face.image.data().iter().zip(reference.data()).map(|(a, b)| u32::from(a.abs_diff(*b))).collect();
            let mean = f64::from(differences.iter().sum::<u32>()) / differences.len() as f64;
            assert!(mean <= 0.25 && differences.iter().all(|d| *d <= 1), "{} m{margin}: {mean}", picture.name);
            let expected = |i: usize| {
                let value = f32::from(face.image.data()[3 * i]);
                if post_process { (value - 127.5) / 128.0 } else { value }
            };
            assert!((0..160 * 160).all(|i| face.tensor[i] == expected(i)), "{} m{margin}", picture.name);
        }
    }
}

fn face(x: f32, y: f32, side: f32, score: f32) -> Detection {
    Detection { bbox: Rect::new(x, y, x + side, y + side), score, landmarks: [Point::default(); 5] }
}

#[test]
fn selection_by_each_method() {
    let faces = [face(0.0, 0.0, 50.0, 0.8), face(45.0, 45.0, 10.0, 0.95), face(80.0, 80.0, 20.0, 0.99)];
    let pick = |method| select::select(&faces, method, (100, 100)).map(|face| face.bbox.x1);
    assert_eq!(pick(SelectionMethod::Largest), Some(0.0));
    assert_eq!(pick(SelectionMethod::Probability), Some(80.0));
    assert_eq!(pick(SelectionMethod::LargestOverThreshold), Some(80.0));
    assert_eq!(pick(SelectionMethod::CenterWeightedSize), Some(45.0));
    assert_eq!(select::select(&faces[..1], SelectionMethod::LargestOverThreshold, (100, 100)), None);
}

#[test]
fn tiny_and_faceless_pictures_have_no_faces() {
    let (runtime, store) = golden::models();
    let mut detector = Detector::open(&runtime, &store, &DetectorConfig::new("mtcnn")).unwrap();
    for (width, height) in [(1, 1), (11, 400), (300, 200)] {
        let image = RgbImage::filled(width, height, [90, 120, 30]);
        assert_eq!(detector.detect(Picture::Rgb(&image)).unwrap(), []);
    }
}
