//! The golden figures of the reference data: same pairs, same scores, same numbers. Skipped where the data are not
//! there.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where something fails")]

use std::path::Path;

use serde_json::Value;
use sightline_lab::metrics::MetricError;
use sightline_lab::metrics::classification::{Answer, Confusion};
use sightline_lab::metrics::statistics::Spread;
use sightline_lab::metrics::verification::{Pair, Pairs, Scale, ThresholdPolicy};
use sightline_testkit::shared_or_skip;

/// The golden scores are rounded to five decimals.
const ROUNDED: f64 = 0.51e-5;

/// serde_json reads decimals to within one unit of the last place.
const ULP: f64 = 2e-16;

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn near(a: f64, b: &Value, tolerance: f64) {
    let b = b.as_f64().unwrap();
    assert!((a - b).abs() <= tolerance, "{a} is not {b}");
}

/// The lines of pairs.txt in order: in each fold `size` lines of three words (same), then `size` of four (different).
fn pairs(text: &str, scores: &[Value]) -> Pairs {
    let mut lines = text.lines();
    let header: Vec<usize> = lines.next().unwrap().split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [folds, size] = header[..] else { panic!("header") };
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    assert_eq!((lines.len(), scores.len()), (2 * folds * size, 2 * folds * size));
    let pair = |(i, (line, score)): (usize, (&&str, &Value))| {
        let same = line.split_whitespace().count() == 3;
        assert_eq!(same, i % (2 * size) < size);
        Pair { same, fold: i / (2 * size), score: score.as_f64() }
    };
    Pairs::new(lines.iter().zip(scores).enumerate().map(pair).collect()).unwrap()
}

#[test]
fn lfw_dev_verification() {
    let Some(shared) = shared_or_skip("metrics_golden::lfw_dev_verification") else { return };
    let (golden, list) = (shared.join("golden/lfw-dev.json"), shared.join("data/lfw-dev/pairs.txt"));
    let golden = json(&golden);
    let text = std::fs::read_to_string(list).unwrap();
    for name in ["mtcnn+facenet", "centerface+dlib"] {
        let golden = &golden["pipelines"][name];
        let pairs = pairs(&text, golden["scores"].as_array().unwrap());
        let accuracy = pairs.accuracy(ThresholdPolicy::Scores).unwrap();
        near(accuracy.spread.mean, &golden["accuracy_mean"], 1e-15);
        for fold in &accuracy.folds {
            near(fold.correct.rate, &golden["accuracy_test_fold1_fold2"][fold.fold], ULP);
            near(fold.threshold, &golden["thresholds_used_on_fold1_fold2"][fold.fold], ROUNDED);
        }
        let best = pairs.best_accuracy(ThresholdPolicy::Scores).unwrap();
        near(best.correct.rate, &golden["best_accuracy_all_pairs"], ULP);
        near(best.threshold, &golden["best_threshold_all_pairs"], ROUNDED);
        near(pairs.auc(), &golden["auc"], 1e-15);
        let at_hundredth = pairs.tar_at_far(0.01).unwrap().point;
        // 0.001 of 600 is no error at all: no rate, but a count.
        let at_none = pairs.tar_at_false_accepts(0);
        for (point, far) in [(at_hundredth, "0.01"), (at_none, "0.001")] {
            let golden = &golden["tar_at_far"][far];
            near(point.threshold.unwrap(), &golden["threshold"], ROUNDED);
            near(point.tar.rate, &golden["tar"], ULP);
            assert_eq!(point.far.events as u64, golden["false_accepts"].as_u64().unwrap());
        }
        for (same, key) in [(true, "same_mean_sd"), (false, "different_mean_sd")] {
            let scores = pairs.scores(same).unwrap();
            near(scores.mean, &golden[key][0], ROUNDED);
            near(scores.std, &golden[key][1], ROUNDED);
        }
        assert!(matches!(pairs.tar_at_far(0.001), Err(MetricError::RateTooSmall { trials: 600, .. })));
    }
}

/// No golden figures exist for LFW's grid on these pairs; they must lie near those of the other policy.
#[test]
fn lfw_dev_on_the_grid() {
    let Some(shared) = shared_or_skip("metrics_golden::lfw_dev_on_the_grid") else { return };
    let (golden, list) = (shared.join("golden/lfw-dev.json"), shared.join("data/lfw-dev/pairs.txt"));
    let golden = json(&golden);
    let text = std::fs::read_to_string(list).unwrap();
    for (name, scale) in [("mtcnn+facenet", Scale::Cosine), ("centerface+dlib", Scale::MinusDistance)] {
        let golden = &golden["pipelines"][name];
        let pairs = pairs(&text, golden["scores"].as_array().unwrap());
        let accuracy = pairs.accuracy(ThresholdPolicy::LfwGrid(scale)).unwrap();
        near(accuracy.spread.mean, &golden["accuracy_mean"], 0.004);
        let val = pairs.val_at_far(0.01, scale).unwrap();
        println!("{name}: {accuracy:?} {val:?} {:?}", pairs.equal_error());
        near(val.val.mean, &golden["tar_at_far"]["0.01"]["tar"], 0.02);
        assert!(pairs.val_at_far(0.001, scale).is_err());
    }
}

/// What an independent program makes of generated pairs, in ten folds, with ties on the grid and missed faces: a threshold that is a step
/// off, or not interpolated, shows.
#[test]
fn lfw_s_grid_and_validation_rate() {
    let golden: Value = serde_json::from_str(include_str!("golden/verification.json")).unwrap();
    let pair = |row: &Value| Pair {
        same: row[1].as_bool().unwrap(),
        fold: row[0].as_u64().unwrap() as usize,
        score: row[2].as_f64(),
    };
    let pairs = Pairs::new(golden["pairs"].as_array().unwrap().iter().map(pair).collect()).unwrap();
    let accuracy = pairs.accuracy(ThresholdPolicy::LfwGrid(Scale::Cosine)).unwrap();
    let spread = |found: Spread, golden: &Value| {
        for (found, key) in [(found.mean, "mean"), (found.std, "std"), (found.sem, "sem")] {
            near(found, &golden[key], 1e-9);
        }
    };
    for golden in golden["expected"].as_array().unwrap() {
        let val = pairs.val_at_far(golden["asked"].as_f64().unwrap(), Scale::Cosine).unwrap();
        let folds = golden["folds"].as_array().unwrap();
        assert_eq!((accuracy.folds.len(), val.folds.len()), (folds.len(), folds.len()));
        for ((accuracy, val), golden) in accuracy.folds.iter().zip(&val.folds).zip(folds) {
            near(accuracy.threshold, &golden["threshold"], 1e-9);
            near(accuracy.correct.rate, &golden["accuracy"], 1e-9);
            near(val.threshold, &golden["val_threshold"], 1e-9);
            near(val.val, &golden["val"], 1e-9);
            near(val.far, &golden["far"], 1e-9);
        }
        spread(accuracy.spread, &golden["accuracy"]);
        spread(val.val, &golden["val"]);
        spread(val.far, &golden["far"]);
    }
}

#[test]
fn classical_confusion_matrices() {
    let Some(shared) = shared_or_skip("metrics_golden::classical_confusion_matrices") else { return };
    let golden = shared.join("golden/classical.json");
    let golden = json(&golden);
    let classes: Vec<String> =
        golden["classes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().to_owned()).collect();
    for (name, result) in golden["results"].as_object().unwrap() {
        let rows = result["confusion"].as_array().unwrap();
        let mut answers = Vec::new();
        for (truth, row) in rows.iter().enumerate() {
            for (predicted, count) in row.as_array().unwrap().iter().enumerate() {
                let count = count.as_u64().unwrap() as usize;
                answers.extend(std::iter::repeat_n((truth, Answer::Class(predicted)), count));
            }
        }
        let confusion = Confusion::new(classes.clone(), &answers).unwrap();
        near(confusion.recognition().rate, &result["accuracy"], 1e-15);
        assert_eq!(confusion.false_recognition().events as u64, result["errors"].as_u64().unwrap(), "{name}");
        let averages = confusion.averages();
        near(averages.precision, &result["macro_precision"], 1e-12);
        near(averages.recall, &result["macro_recall"], 1e-12);
        near(averages.f1, &result["macro_f1"], 1e-12);
    }
}
