//! Eigenfaces on the pictures and the split of golden/classical.json: every test picture gets the name that scikit-learn gave it. The
//! accuracies of all recognisers, their parameters chosen by themselves, are in `classify.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails where something fails")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use sightline_lab::classical::{
    Eigenfaces, EigenfacesSvm, GrayImage, Method, Prediction, Recogniser, Region, Sample, TrainingSet, Tuning,
};
use sightline_testkit::shared_or_skip;

/// Samples with the numbers of their people.
type Part = Vec<(Sample, usize)>;

struct Data {
    people: Vec<String>,
    train: Part,
    test: Part,
}

impl Data {
    fn new(shared: &Path, golden: &Value) -> Self {
        let strings = |name: &str| -> Vec<String> { serde_json::from_value(golden[name].clone()).unwrap() };
        let people = strings("classes");
        let class = |file: &str| people.iter().position(|person| file.starts_with(&format!("{person}/"))).unwrap();
        let part = |name: &str| strings(name).iter().map(|file| (picture(shared, file), class(file))).collect();
        Self { train: part("train"), test: part("test"), people }
    }

    fn fit(&self, method: &Method) -> Box<dyn Recogniser> {
        let samples = self.train.iter().map(|(sample, class)| (sample, *class));
        method.fit(&TrainingSet::new(&self.people, samples).unwrap()).unwrap()
    }

    /// `confusion[i][j]`: test samples of person i named j.
    fn confusion(&self, model: &dyn Recogniser, named: impl Fn(&Prediction) -> usize) -> Value {
        let mut confusion = vec![vec![0; self.people.len()]; self.people.len()];
        for (sample, class) in &self.test {
            confusion[*class][named(&model.predict(sample).unwrap())] += 1;
        }
        confusion.into()
    }
}

fn picture(shared: &Path, file: &str) -> Sample {
    let bytes = fs::read(shared.join("data/lfw-people70").join(file)).unwrap();
    let photo = turbojpeg::decompress(&bytes, turbojpeg::PixelFormat::RGB).unwrap();
    let (sides, size) = ((photo.width, photo.height), Region::LFW_SIZE);
    Sample::Gray(GrayImage::from_rgb(&photo.pixels, sides, Region::LFW, size).unwrap())
}

/// As the reference names: most machines win, of several the first. Ours breaks that tie by the machines' decisions, which
/// move a score by less than half.
fn by_votes(answer: &Prediction) -> usize {
    let votes = answer.scores.iter().map(|score| score.round());
    votes.enumerate().fold((0, f64::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best }).0
}

#[test]
fn every_picture_is_named_as_by_the_reference() {
    let Some(shared) = shared_or_skip("classical_golden::every_picture_is_named_as_by_the_reference") else { return };
    let golden: Value = serde_json::from_slice(&fs::read(shared.join("golden/classical.json")).unwrap()).unwrap();
    let (data, references) = (Data::new(&shared, &golden), &golden["results"]);
    for (name, whiten) in [("eigenfaces_1nn", false), ("eigenfaces_1nn_whiten", true)] {
        let model = data.fit(&Method::Eigenfaces(Eigenfaces { whiten, ..Eigenfaces::default() }));
        assert_eq!(data.confusion(&*model, |answer| answer.class), references[name]["confusion"], "{name}");
    }
    let reference = &references["pca_svc_rbf"];
    let chosen = |name: &str| reference["chosen"][name].as_f64().unwrap();
    let tuning = Tuning::Given { c: chosen("C"), gamma: chosen("gamma") };
    let model = data.fit(&Method::EigenfacesSvm(EigenfacesSvm { tuning, ..EigenfacesSvm::default() }));
    assert_eq!(data.confusion(&*model, by_votes), reference["confusion"]);
    let explained = model.learned().iter().find(|(name, _)| *name == "variance explained").unwrap().1;
    assert!((explained - reference["explained_variance"].as_f64().unwrap()).abs() < 1e-6, "{explained}");
}
