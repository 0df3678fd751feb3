//! `sightline-lab detectors` on real pictures: MTCNN's reference by way of the command line, five detectors with and without a truth, and bad
//! data.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sightline_lab::rectangle::Rectangle;
use sightline_lab::wider::{Detection, parse_results};
use sightline_testkit::{cache_dir, shared_or_skip};
use sightline_vision::{RgbImage, Subsampling, decode_still, encode_rgb};
use tempfile::TempDir;

/// Pictures, the models, and where results go.
struct Place {
    folder: TempDir,
    shared: PathBuf,
}

impl Place {
    /// With the models of the cache; YuNet's only when asked for.
    fn new(test: &str, with_yunet: bool) -> Option<Self> {
        let shared = shared_or_skip(test)?;
        let place = Self { folder: TempDir::new().unwrap(), shared };
        let models = place.at("cache/models");
        std::fs::create_dir_all(&models).unwrap();
        for entry in std::fs::read_dir(cache_dir().join("models")).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_name().to_string_lossy().starts_with("yunet") {
                symlink(entry.path(), models.join(entry.file_name())).unwrap();
            }
        }
        let yunet = place.shared.join("data/models/yunet_n_dynamic.onnx");
        if with_yunet {
            symlink(&yunet, models.join("yunet_n_dynamic.onnx")).unwrap();
        }
        std::fs::create_dir(place.at("data")).unwrap();
        Some(place)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file of the shared data among the pictures.
    fn put(&self, file: &str, name: &str) {
        let link = self.at("data").join(name);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(self.shared.join(file), link).unwrap();
    }

    /// Puts a small picture without a face before all others: the one on which speed is measured, where speed is not what is tested.
    fn put_small(&self) {
        let picture = encode_rgb(&RgbImage::filled(64, 64, [90; 3]), 90, Subsampling::Half).unwrap();
        std::fs::write(self.at("data/0.jpg"), picture).unwrap();
    }

    fn command(&self, words: &[&str]) -> Output {
        let library = sightline_testkit::onnxruntime().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-lab"));
        command.arg("detectors").arg(self.at("data")).args(words).current_dir(self.folder.path());
        command.env("ORT_DYLIB_PATH", library).env("SIGHTLINE_CACHE", self.at("cache")).output().unwrap()
    }

    /// The results, and what was printed.
    fn run(&self, words: &[&str]) -> (Value, String, String) {
        let words: Vec<&str> =
            words.iter().copied().chain(["--json", "report.json", "--html", "report.html"]).collect();
        let output = self.command(&words);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{words:?}: {errors}");
        let report: Value = serde_json::from_slice(&std::fs::read(self.at("report.json")).unwrap()).unwrap();
        assert_eq!(report["complete"], true);
        (report["results"].clone(), String::from_utf8(output.stdout).unwrap(), errors)
    }

    fn refused(&self, words: &[&str]) -> String {
        let output = self.command(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The page without what its pictures are made of.
    fn html(&self) -> String {
        let page = std::fs::read_to_string(self.at("report.html")).unwrap();
        let parts = page.split("data:image/jpeg;base64,").enumerate();
        parts.map(|(nth, part)| if nth == 0 { part } else { &part[part.find('"').unwrap()..] }).collect()
    }
}

fn golden(place: &Place, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(place.shared.join("golden").join(file)).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// `[x1, y1, x2, y2]` of a golden file.
fn area(value: &Value) -> Rectangle {
    let [left, top, right, bottom] = numbers(value).try_into().unwrap();
    Rectangle::new(left, top, right - left, bottom - top)
}

/// The boxes that `--results` wrote, by picture.
fn found(place: &Place, detector: &str) -> BTreeMap<String, Vec<Detection>> {
    let text = std::fs::read_to_string(place.at("found").join(format!("{detector}.txt"))).unwrap();
    parse_results(&text).unwrap().into_iter().map(|image| (image.file, image.detections)).collect()
}

const QUICK: [&str; 4] = ["--timed", "1", "--rounds", "1"];

fn with<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(QUICK).collect()
}

/// Landmarks, large pictures and the rest of the reference are held against the library itself, in `sightline-infer`.
#[test]
fn mtcnn_finds_the_references_faces_for_every_setting() {
    let Some(place) = Place::new("detectors::mtcnn_finds_the_references_faces_for_every_setting", false) else {
        return;
    };
    let golden = golden(&place, "mtcnn.json");
    let images = golden["images"].as_array().unwrap().iter();
    let images: Vec<&Value> = images.filter(|record| record["width"].as_u64() < Some(1000)).collect();
    place.put_small();
    for (nth, record) in images.iter().enumerate() {
        // A lossless copy where there is one; a JPEG is decoded to the reference's very pixels.
        let file = record["file"].as_str().unwrap();
        let source = record["png"].as_str().map_or(format!("data/{file}"), |copy| format!("golden/{copy}"));
        place.put(&source, &format!("{nth:02}.{}", source.rsplit_once('.').unwrap().1));
    }
    let mut checked = 0;
    for (name, setting) in golden["settings"].as_object().unwrap() {
        let thresholds: Vec<String> = numbers(&setting["thresholds"]).iter().map(f64::to_string).collect();
        let (size, factor) = (setting["min_face_size"].to_string(), setting["factor"].to_string());
        place.run(&with(&[
            "--detectors",
            "mtcnn",
            "--min-face-size",
            &size,
            "--thresholds",
            &thresholds.join(","),
            "--factor",
            &factor,
            "--no-cache",
            "--results",
            "found",
        ]));
        let mut found = found(&place, "mtcnn");
        assert_eq!(found.remove("0.jpg"), Some(vec![]));
        assert_eq!(found.len(), images.len());
        for (record, (picture, faces)) in images.iter().zip(&found) {
            let expected = &record["results"][name];
            let boxes = expected["boxes"].as_array().unwrap();
            assert_eq!(faces.len(), boxes.len(), "{picture} {name}");
            // Largest first, as recorded.
            for ((face, expected), score) in faces.iter().zip(boxes).zip(numbers(&expected["probs"])) {
                assert!(
                    face.area.overlap_plus_one(&area(expected)) >= 0.999,
                    "{picture} {name}: {face:?} not {expected}"
                );
                assert!((face.score - score).abs() <= 1e-4, "{picture} {name}: {face:?} not {score}");
                checked += 1;
            }
        }
    }
    assert!(checked > 90, "{checked}");
}

/// The floats of a file that `--crops` wrote.
fn npy(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..start]).unwrap();
    assert!(header.contains("'<f4'") && header.contains("(3, 160, 160)"), "{header}");
    let numbers = bytes[start..].chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    numbers.collect()
}

/// Three planes, red first, as the floats are.
fn planes(image: &RgbImage) -> Vec<f32> {
    (0..3).flat_map(|channel| image.data().iter().skip(channel).step_by(3).map(|value| f32::from(*value))).collect()
}

#[test]
fn mtcnn_cuts_the_references_crops() {
    let Some(place) = Place::new("detectors::mtcnn_cuts_the_references_crops", false) else { return };
    let golden = golden(&place, "mtcnn.json");
    let items = golden["crops"]["items"].as_array().unwrap();
    for item in items.iter().filter(|item| item["margin"] == 0) {
        let record = golden["images"].as_array().unwrap().iter().find(|image| image["file"] == item["file"]).unwrap();
        let file = item["file"].as_str().unwrap();
        let source = record["png"].as_str().map_or(format!("data/{file}"), |copy| format!("golden/{copy}"));
        place.put(&source, file);
    }
    place.put_small();
    for margin in ["0", "32"] {
        for post_process in ["true", "false"] {
            let out = format!("{margin}-{post_process}");
            let words = ["--detectors", "mtcnn", "--crops", &out, "--margin", margin, "--post-process", post_process];
            let (_, _, errors) = place.run(&with(&words));
            assert!(errors.contains("10 faces cut out"), "{errors}");
        }
        for item in items.iter().filter(|item| item["margin"].as_u64() == margin.parse().ok()) {
            let file = item["file"].as_str().unwrap();
            let read = |post: &str| npy(&place.at(&format!("{margin}-{post}/{file}_1.npy")));
            let (raw, processed) = (read("false"), read("true"));
            let png = std::fs::read(place.shared.join("golden").join(item["png"].as_str().unwrap())).unwrap();
            let reference = planes(&decode_still(&png, 1 << 20).unwrap());
            let differences: Vec<f32> = raw.iter().zip(&reference).map(|(a, b)| (a - b).abs()).collect();
            let mean = differences.iter().sum::<f32>() / differences.len() as f32;
            assert!(mean <= 0.25 && differences.iter().all(|d| *d <= 1.0), "{file} m{margin}: {mean}");
            assert!(raw.iter().zip(&processed).all(|(raw, processed)| (raw - 127.5) / 128.0 == *processed), "{file}");
            for (floats, key, unit) in
                [(&raw, "tensor_post_process_false", 1.0), (&processed, "tensor_post_process_true", 1.0 / 128.0)]
            {
                let average = floats.iter().map(|value| f64::from(*value)).sum::<f64>() / floats.len() as f64;
                let expected = item[key]["mean"].as_f64().unwrap();
                assert!((average - expected).abs() <= 0.25 * unit, "{file} m{margin}: {average} not {expected}");
                for (value, expected) in floats.iter().zip(numbers(&item[key]["first_row_red"])) {
                    assert!((f64::from(*value) - expected).abs() <= unit, "{file} m{margin}: {value} not {expected}");
                }
            }
        }
    }
    assert!(!place.at("0-true/0.jpg_1.npy").exists());
}

#[test]
fn mtcnn_selects_the_references_faces() {
    let Some(place) = Place::new("detectors::mtcnn_selects_the_references_faces", false) else { return };
    let golden = golden(&place, "mtcnn.json");
    // Those on which the methods differ the most.
    let selections = golden["selection"].as_array().unwrap().iter();
    let selections: Vec<&Value> = selections
        .filter(|one| {
            ["photos/group/multiface.jpg", "photos/group/sample2.jpg"].contains(&one["file"].as_str().unwrap())
        })
        .collect();
    assert_eq!(selections.len(), 2);
    for selection in &selections {
        let file = selection["file"].as_str().unwrap();
        place.put(&format!("data/{file}"), file);
    }
    place.put_small();
    place.run(&with(&["--detectors", "mtcnn", "--crops", "all", "--keep-all"]));
    let mut indices = BTreeSet::new();
    for (method, words) in [
        ("largest", &["--selection-method", "largest", "--select-largest", "false"][..]),
        ("probability", &["--select-largest", "false"]),
        ("largest_over_threshold", &["--selection-method", "largest_over_threshold"]),
        ("center_weighted_size", &["--selection-method", "center_weighted_size"]),
    ] {
        place.run(&with(&[&["--detectors", "mtcnn", "--crops", "one"], words].concat()));
        for selection in &selections {
            let file = selection["file"].as_str().unwrap();
            let winner = &selection["winners"][method]["select_largest_true"];
            let index = winner["index_in_default"].as_u64().unwrap();
            let expected = npy(&place.at(&format!("all/{file}_{}.npy", index + 1)));
            assert_eq!(npy(&place.at(&format!("one/{file}_1.npy"))), expected, "{file} {method}");
            assert!(!place.at(&format!("one/{file}_2.npy")).exists());
            indices.insert(index);
        }
    }
    assert!(indices.len() >= 4, "the methods select different faces: {indices:?}");
}

#[test]
fn without_a_truth_the_detectors_are_held_against_each_other() {
    let Some(place) = Place::new("detectors::without_a_truth_the_detectors_are_held_against_each_other", false) else {
        return;
    };
    place.put("data/photos/group/multiface.jpg", "photos/multiface.jpg");
    place.put("data/photos/noface/empty_room.jpg", "photos/empty_room.jpg");
    place.put("data/clips/head-pose-face-detection-female.mp4", "clips/female.mp4");
    std::fs::write(place.at("data/broken.jpg"), b"\xFF\xD8\xFF\xE0 and no more").unwrap();
    std::fs::write(place.at("data/notes.txt"), b"text").unwrap();
    let (results, printed, errors) = place.run(&["--timed", "4", "--rounds", "2", "--threads", "2"]);
    // The missing model is said, with the way to it, and the others go on.
    assert!(errors.contains("yunet is not compared") && errors.contains("libfacedetection.train"), "{errors}");
    assert!(errors.contains("broken.jpg"), "{errors}");
    assert_eq!(results["unavailable"][0]["name"], "yunet");
    assert_eq!(results["left_out"][0]["file"], "broken.jpg");
    let pictures = results["pictures"].as_u64().unwrap();
    assert!((11..=13).contains(&pictures), "two pictures and a clip of 23 frames at 12 a second: {pictures}");
    let detectors = results["detectors"].as_array().unwrap();
    let names: Vec<&str> = detectors.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["mtcnn", "centerface", "haar", "seetaface"]);
    for (one, name) in detectors.iter().zip(names) {
        let count = |key: &str| one[key].as_u64().unwrap();
        assert!(count("detections") >= 6, "{name} finds the six faces of multiface: {one}");
        assert!(count("pictures_without") < pictures, "{one}");
        assert!(one["model"].as_str().unwrap().starts_with(&format!("{name}@")), "{one}");
        assert!(one["against_truth"].is_null(), "{one}");
        let speed = &one["speed"];
        let rate = |value: &Value| value.as_f64().unwrap();
        assert!(rate(&speed["one_thread"]) > 0.0 && rate(&speed["all_threads"]) > 0.0, "{one}");
        assert!(rate(&speed["range"][0]) <= rate(&speed["range"][1]), "{one}");
        assert_eq!((&speed["threads"], &speed["rounds"], &speed["pictures"]), (&2.into(), &2.into(), &4.into()));
        assert!(printed.contains(name), "{printed}");
    }
    let agreement = &results["agreement"];
    assert_eq!(agreement["pairs"].as_array().unwrap().len(), 6);
    assert!(agreement["agreed"].as_u64().unwrap() >= 5, "{agreement}");
    assert!(!agreement["disagreements"].as_array().unwrap().is_empty());
    let html = place.html();
    assert!(html.contains("yunet: not compared.") && html.contains("broken.jpg") && html.contains("not by"));
    assert!(html.matches("<img").count() >= 3, "the contact sheet");
    // Once more: from what was kept, to the same end.
    let lines = || -> usize {
        let kept = std::fs::read_dir(place.at("cache/lab")).unwrap();
        kept.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count()).sum()
    };
    let before = lines();
    assert_eq!(before as u64, 4 * pictures);
    let (again, _, _) = place.run(&with(&["--threads", "2"]));
    assert_eq!((lines(), &again["agreement"]), (before, &results["agreement"]));
}

#[test]
fn against_a_truth_every_detector_has_its_figures() {
    let Some(place) = Place::new("detectors::against_a_truth_every_detector_has_its_figures", true) else { return };
    let golden = golden(&place, "centerface.json");
    // What the reference of CenterFace finds in full size is the truth here: CenterFace itself misses nothing.
    let (mut truth, mut pictures, mut faces) = ("photos/gone.jpg\n0\n".to_owned(), 0, 0);
    for record in golden["images"].as_array().unwrap().iter().filter(|record| record["width"].as_u64() < Some(800)) {
        let file = record["file"].as_str().unwrap();
        place.put(&format!("data/{file}"), file);
        let boxes = record["full"]["boxes"].as_array().unwrap();
        truth += &format!("{file}\n{}\n", boxes.len());
        for Rectangle { left, top, width, height } in boxes.iter().map(area) {
            truth += &format!("{left} {top} {width} {height} 0 0 0 0 0 0\n");
        }
        (pictures, faces) = (pictures + 1, faces + boxes.len());
    }
    assert!(pictures > 20 && faces > 20, "{pictures} pictures, {faces} faces");
    std::fs::write(place.at("truth.txt"), truth).unwrap();
    let (results, printed, errors) = place.run(&with(&["--truth", "truth.txt", "--width", "0"]));
    assert!(errors.contains("photos/gone.jpg: there is no such file"), "{errors}");
    assert_eq!(results["pictures"].as_u64().unwrap() as usize, pictures);
    assert_eq!(results["purpose"], "curve");
    let detectors = results["detectors"].as_array().unwrap();
    assert_eq!(detectors.len(), 5, "YuNet takes part");
    for one in detectors {
        let (name, judged) = (one["name"].as_str().unwrap(), &one["against_truth"]);
        let figures = &judged["figures"];
        let count = |key: &str| figures[key].as_u64().unwrap() as usize;
        assert_eq!(count("faces"), faces);
        assert_eq!(count("found") + count("missed"), faces);
        assert_eq!(count("detections"), count("found") + count("false_detections"));
        assert_eq!(one["detections"].as_u64().unwrap() as usize, count("detections"));
        let ap = judged["average_precision"].as_f64().unwrap();
        let least = if name == "centerface" { 0.999 } else { 0.5 };
        assert!((least..=1.0).contains(&ap), "{name}: {ap}");
        if name == "centerface" {
            assert_eq!((count("missed"), count("false_detections")), (0, 0), "{figures}");
        }
        let points = judged["curve"].as_array().unwrap();
        assert!(points.len() > 10, "{name}: a curve goes on below the detector's own threshold");
        let last = points.last().unwrap()["recall"].as_f64().unwrap();
        assert!(last >= judged["recall"].as_f64().unwrap(), "{name}: {last}");
    }
    assert!(printed.contains("AP") && printed.contains("truth"), "{printed}");
    // Nothing in the tables contradicts anything else.
    for (one, pair) in detectors.iter().zip(results["agreement"]["pairs"].as_array().unwrap()) {
        let figures = &one["against_truth"]["figures"];
        assert_eq!((&pair["first"], &pair["second"]), (&"truth".into(), &one["name"]));
        assert_eq!(
            (&pair["both"], &pair["only_first"], &pair["only_second"]),
            (&figures["found"], &figures["missed"], &figures["false_detections"])
        );
    }
    assert!(errors.contains("AP and the curve do not"), "{errors}");
    let html = place.html();
    for text in [
        "Speed and false detections",
        "Precision and recall",
        "false detections per image",
        "AP 1",
        "to 0.02",
        "two windows",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("Nothing to draw") && !html.contains("NaN"));
}

/// A threshold on what is found for a curve gives what is found in use.
#[test]
fn for_a_curve_the_same_faces_are_found_and_more() {
    let Some(place) = Place::new("detectors::for_a_curve_the_same_faces_are_found_and_more", true) else { return };
    for (file, name) in
        [("group/multiface.jpg", "a.jpg"), ("group/sample2.jpg", "b.jpg"), ("test/kit_with_rose.jpg", "c.jpg")]
    {
        place.put(&format!("data/photos/{file}"), name);
    }
    place.put_small();
    place.run(&with(&["--results", "found"]));
    let names = ["mtcnn", "centerface", "yunet", "haar", "seetaface"];
    let in_use = names.map(|name| found(&place, name));
    std::fs::write(place.at("truth.txt"), "0.jpg\n0\na.jpg\n1\n0 0 9 9\nb.jpg\n0\nc.jpg\n0\n").unwrap();
    let (results, _, _) = place.run(&with(&["--results", "found", "--truth", "truth.txt"]));
    for ((name, in_use), one) in names.iter().zip(in_use).zip(results["detectors"].as_array().unwrap()) {
        let least = one["least_score"].as_f64().unwrap();
        let (mut all, mut kept) = (0, 0);
        for (picture, faces) in found(&place, name) {
            all += faces.len();
            let sure: Vec<Detection> = faces.into_iter().filter(|face| face.score >= least).collect();
            kept += sure.len();
            assert_eq!(sure, in_use[&picture], "{name} {picture}");
        }
        assert!(kept > 5 && all > kept, "{name}: {kept} of {all}");
    }
}

#[test]
fn bad_data_and_words_are_said_clearly() {
    let Some(place) = Place::new("detectors::bad_data_and_words_are_said_clearly", false) else { return };
    assert!(place.refused(&[]).contains("no picture and no video (0 other files)"));
    std::fs::write(place.at("data/a.txt"), b"text").unwrap();
    assert!(place.refused(&[]).contains("(1 other files)"));
    place.put("data/clips/one-by-one-person-detection.mp4", "behind.mp4");
    let (results, _, errors) =
        place.run(&with(&["--detectors", "haar,centerface", "--fps", "0.05", "--haar-min-size", "250"]));
    assert!(results["pictures"].as_u64().unwrap() >= 5, "{results}");
    assert!(errors.contains("behind.mp4: counting its frames"), "{errors}");
    assert!(errors.contains("no detector found a face in any of"), "people from behind: {errors}");
    for (words, said) in [
        (&["--detectors", "hog"][..], "known are centerface, mtcnn, yunet, haar, seetaface"),
        (&["--detectors", "haar,mtcnn,haar"], "haar is given twice"),
        (&["--detectors", "yunet"], "none of the detectors can be used"),
        (&["--detectors", "seetaface", "--seeta-model", "gone.bin"], "gone.bin is missing: `cargo xtask setup`"),
        (&["--fps", "0"], "--fps: 0 is not above 0"),
        (&["--threshold", "7"], "--threshold: 7 is not from 0 to 1"),
        (
            &["--detectors", "mtcnn", "--threshold", ".99"],
            "--threshold is for centerface and yunet, not among --detectors",
        ),
        (&["--truth", "gone.txt"], "gone.txt"),
    ] {
        let errors = place.refused(words);
        assert!(errors.contains(said), "{words:?}: {errors}");
    }
    std::fs::write(place.at("truth.txt"), b"a.jpg\nmany\n").unwrap();
    assert!(place.refused(&["--truth", "truth.txt"]).contains("truth.txt: line 2"));
    std::fs::write(place.at("truth.txt"), b"gone.jpg\n0\n").unwrap();
    assert!(place.refused(&["--truth", "truth.txt"]).contains("none of the 1 files"));
}
