//! Both pipelines over folds 1 and 2 of LFW View 2 (1,583 pictures, 1,200 pairs): faces, accuracy and scores as the golden file has them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]
#![allow(clippy::print_stdout, reason = "the figures are what one wants to see when it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use sightline_infer::{Detection, Detector, DetectorConfig, Device, Embedder, FaceCrop, ModelStore, Runtime};
use sightline_vision::{FaceCut, Picture, RgbImage, cut_face, decode_still};

/// Pairs of a fold: as many of one person as of two.
const FOLD: usize = 600;

/// Pictures taken at a time: as many crops as the embed stage puts into one inference.
const BATCH: usize = 8;

/// Vectors by picture. A picture without a face in its middle has none.
type Vectors = BTreeMap<String, Vec<f32>>;

/// A line of pairs.txt.
struct Pair {
    pictures: [String; 2],
    same: bool,
}

/// A detector and the embedder of its faces. One for a thread.
struct Pipeline {
    detector: Detector,
    embedder: Embedder,
}

#[test]
fn both_pipelines_reach_the_golden_scores() {
    let Some(shared) = sightline_testkit::shared_or_skip("lfw::both_pipelines_reach_the_golden_scores") else { return };
    let golden = std::fs::read_to_string(shared.join("golden/lfw-dev.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let golden = ["mtcnn+facenet", "centerface+dlib"].map(|name| &golden["pipelines"][name]);
    let photos = shared.join("data/lfw-dev");
    let pairs = read_pairs(&photos.join("pairs.txt"));
    // The protocol itself first, on the reference's own scores.
    for pipeline in golden {
        assert!((accuracy(&pairs, &numbers(&pipeline["scores"])) - number(&pipeline["accuracy_mean"])).abs() < 1e-9);
    }

    let names: BTreeSet<&str> = pairs.iter().flat_map(|pair| &pair.pictures).map(String::as_str).collect();
    let vectors = embed_all(&photos, &names.iter().copied().collect::<Vec<_>>());
    for (pipeline, vectors) in golden.iter().zip(&vectors) {
        assert_eq!(pipeline["images"], names.len());
        let missed: Vec<&str> = names.iter().copied().filter(|name| !vectors.contains_key(*name)).collect();
        assert_eq!(pipeline["missed"], serde_json::json!(missed), "{}", pipeline["description"]);
    }

    let scores = vectors.map(|vectors| cosines(&pairs, &vectors));
    let differences = scores[0].iter().zip(numbers(&golden[0]["scores"])).map(|(found, wanted)| (found - wanted).abs());
    println!("mtcnn+facenet: worst difference of a pair {:.4}", differences.fold(0.0, f64::max));
    // An embedder gives unit vectors: dlib is held against the golden cosines, of which there is no list by pair.
    let facenet = compare("mtcnn+facenet", &pairs, &scores[0], golden[0]);
    let dlib = compare("centerface+dlib", &pairs, &scores[1], &golden[1]["cos"]);
    let figures = [facenet, dlib].concat();
    for (line, _) in &figures {
        println!("{line}");
    }
    for (line, within) in figures {
        assert!(within, "{line}");
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(number).collect()
}

/// The lines after the header: a person with two pictures, or two persons with one picture each.
fn read_pairs(file: &Path) -> Vec<Pair> {
    let text = std::fs::read_to_string(file).unwrap();
    let picture = |person: &str, index: &str| format!("{person}/{person}_{index:0>4}.jpg");
    let pairs = text.lines().skip(1).map(|line| match *line.split_whitespace().collect::<Vec<_>>() {
        [person, a, b] => Pair { pictures: [picture(person, a), picture(person, b)], same: true },
        [one, a, other, b] => Pair { pictures: [picture(one, a), picture(other, b)], same: false },
        _ => panic!("{line}"),
    });
    let pairs: Vec<Pair> = pairs.collect();
    assert_eq!(pairs.len(), 2 * FOLD);
    pairs
}

/// The vectors of MTCNN and FaceNet, and those of CenterFace and dlib's network. Every processor takes the next few pictures.
fn embed_all(photos: &Path, names: &[&str]) -> [Vectors; 2] {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut pipelines = open_pipelines();
        let mut found = [Vectors::new(), Vectors::new()];
        while let Some(names) = names.chunks(BATCH).nth(next.fetch_add(1, Ordering::Relaxed)) {
            let read = |name: &&str| decode_still(&std::fs::read(photos.join(name)).unwrap(), 1_000_000).unwrap();
            let pictures: Vec<RgbImage> = names.iter().map(read).collect();
            for (pipeline, found) in pipelines.iter_mut().zip(&mut found) {
                let vectors = names.iter().zip(pipeline.embed(&pictures));
                found.extend(vectors.filter_map(|(name, vector)| Some(((*name).to_owned(), vector?))));
            }
        }
        found
    };
    let mut all = [Vectors::new(), Vectors::new()];
    thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            for (all, found) in all.iter_mut().zip(thread.join().unwrap()) {
                all.extend(found);
            }
        }
    });
    all
}

fn open_pipelines() -> [Pipeline; 2] {
    let library = sightline_testkit::onnxruntime().unwrap();
    let runtime = Runtime::load(Some(&library), Device::Cpu, 1).unwrap();
    let store = ModelStore::default_location().unwrap();
    let mtcnn = DetectorConfig { min_face: 40.0, ..DetectorConfig::new("mtcnn") };
    let centerface = DetectorConfig { threshold: Some(0.5), width: Some(0), ..DetectorConfig::new("centerface") };
    [(mtcnn, "facenet"), (centerface, "dlib")].map(|(detector, embedder)| Pipeline {
        detector: Detector::open(&runtime, &store, &detector).unwrap(),
        embedder: Embedder::open(&runtime, &store, embedder).unwrap(),
    })
}

impl Pipeline {
    /// As the stages do it: from the picture to a generic crop, from the crop to a vector.
    fn embed(&mut self, pictures: &[RgbImage]) -> Vec<Option<Vec<f32>>> {
        let detector = self.detector.model_id().to_string();
        let cuts: Vec<Option<FaceCut>> = pictures.iter().map(|picture| self.cut(picture)).collect();
        let crops = cuts.iter().flatten().map(|cut| FaceCrop {
            image: &cut.image,
            face: cut.face,
            landmarks: cut.landmarks,
            detector: &detector,
        });
        let crops: Vec<FaceCrop<'_>> = crops.collect();
        let mut vectors = self.embedder.embed_crops(&crops).unwrap().into_iter().map(Result::unwrap);
        cuts.iter().map(|cut| cut.as_ref().and_then(|_| vectors.next())).collect()
    }

    /// The crop of the face whose box lies nearest to the picture's middle, if that is within 100 pixels: LFW is centred on its
    /// people, and others stand around them.
    fn cut(&mut self, picture: &RgbImage) -> Option<FaceCut> {
        let distance = |face: &Detection| {
            let center = face.bbox.center();
            (center.x - picture.width() as f32 / 2.0).abs() + (center.y - picture.height() as f32 / 2.0).abs()
        };
        let faces = self.detector.detect(Picture::Rgb(picture)).unwrap();
        let face = faces.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        (distance(face) <= 100.0).then(|| cut_face(Picture::Rgb(picture), &face.bbox, &face.landmarks).unwrap())
    }
}

/// The pairs' scores, in order. A face that was not found is like no other.
fn cosines(pairs: &[Pair], vectors: &Vectors) -> Vec<f64> {
    let cosine = |pair: &Pair| -> Option<f64> {
        let [a, b] = &pair.pictures;
        Some(vectors.get(a)?.iter().zip(vectors.get(b)?).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum())
    };
    pairs.iter().map(|pair| cosine(pair).unwrap_or(-1.0)).collect()
}

/// For each fold the share of its pairs that are told rightly by the threshold that tells most pairs of the other fold rightly; the
/// mean of both.
fn accuracy(pairs: &[Pair], scores: &[f64]) -> f64 {
    let right = |fold: usize, threshold: f64| {
        let (pairs, scores) = (&pairs[FOLD * fold..][..FOLD], &scores[FOLD * fold..][..FOLD]);
        pairs.iter().zip(scores).filter(|(pair, score)| (**score >= threshold) == pair.same).count()
    };
    let threshold = |fold: usize| {
        let candidates = scores[FOLD * fold..][..FOLD].iter().rev();
        // The last of equal ones, from the end: the first.
        *candidates.max_by_key(|candidate| right(fold, **candidate)).unwrap()
    };
    (right(0, threshold(1)) + right(1, threshold(0))) as f64 / pairs.len() as f64
}

/// What was found, and whether that is within the golden files' tolerances.
fn compare(name: &str, pairs: &[Pair], scores: &[f64], golden: &Value) -> [(String, bool); 3] {
    let mean = |same: bool| {
        let of_kind = pairs.iter().zip(scores).filter(|(pair, _)| pair.same == same);
        of_kind.map(|(_, score)| score).sum::<f64>() / FOLD as f64
    };
    let figure = |what: &str, found: f64, golden: &Value, tolerance: f64| {
        let golden = number(golden);
        (format!("{name}: {what} {found:.4}, golden {golden:.4}"), (found - golden).abs() <= tolerance)
    };
    [
        figure("accuracy", accuracy(pairs, scores), &golden["accuracy_mean"], 0.004),
        figure("mean of same", mean(true), &golden["same_mean_sd"][0], 0.005),
        figure("mean of different", mean(false), &golden["different_mean_sd"][0], 0.005),
    ]
}
