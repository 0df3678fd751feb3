//! The recognisers on the pictures and the split of golden/classical.json, against scikit-learn's results.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test: helpers may panic and say what they found")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use sightline_infer::{DetectorConfig, Device, ModelStore, Runtime};
use sightline_lab::classical::{
    Eigenfaces, EigenfacesSvm, GrayImage, Lbph, LinearSvm, Measure, Method, NearestMean, NearestNeighbour, Prediction,
    Recogniser, Region, Sample, TrainingSet, Tuning,
};
use sightline_lab::faces::{Choice, Models, embed};
use sightline_lab::progress::Progress;
use sightline_testkit::shared_or_skip;

/// What a recogniser may differ from the reference.
const TOLERANCE: f64 = 0.02;

fn golden(shared: &Path) -> Value {
    serde_json::from_slice(&fs::read(shared.join("golden/classical.json")).unwrap()).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Samples with the numbers of their people.
type Part = Vec<(Sample, usize)>;

struct Data {
    people: Vec<String>,
    train: Part,
    test: Part,
}

impl Data {
    /// Makes every sample from its place in the two lists, one after the other, and its file.
    fn new(golden: &Value, mut sample: impl FnMut(usize, &str) -> Sample) -> Self {
        let people = strings(&golden["classes"]);
        let class = |file: &str| people.iter().position(|person| file.starts_with(&format!("{person}/"))).unwrap();
        let (train, test) = (strings(&golden["train"]), strings(&golden["test"]));
        let count = train.len();
        let train = train.iter().enumerate().map(|(i, file)| (sample(i, file), class(file))).collect();
        let test = test.iter().enumerate().map(|(i, file)| (sample(count + i, file), class(file))).collect();
        Self { people, train, test }
    }

    fn fit(&self, method: &Method) -> Box<dyn Recogniser> {
        let samples = self.train.iter().map(|(sample, class)| (sample, *class));
        method.fit(&TrainingSet::new(&self.people, samples).unwrap()).unwrap()
    }

    /// `confusion[i][j]`: test samples of person i named j.
    fn confusion(&self, model: &dyn Recogniser) -> Vec<Vec<u64>> {
        self.confusion_by(model, |answer| answer.class)
    }

    fn confusion_by(&self, model: &dyn Recogniser, named: impl Fn(&Prediction) -> usize) -> Vec<Vec<u64>> {
        let mut confusion = vec![vec![0; self.people.len()]; self.people.len()];
        for (sample, class) in &self.test {
            confusion[*class][named(&model.predict(sample).unwrap())] += 1;
        }
        confusion
    }
}

fn pictures(shared: &Path, golden: &Value, region: Region, size: (usize, usize)) -> Data {
    Data::new(golden, |_, file| {
        let bytes = fs::read(shared.join("data/lfw-people70").join(file)).unwrap();
        let photo = turbojpeg::decompress(&bytes, turbojpeg::PixelFormat::RGB).unwrap();
        let gray = GrayImage::from_rgb(&photo.pixels, (photo.width, photo.height), region, size).unwrap();
        Sample::Gray(gray)
    })
}

/// FaceNet's vectors of the faces that MTCNN finds in the middle of the pictures.
fn embeddings(shared: &Path, golden: &Value) -> Data {
    let files: Vec<String> = [strings(&golden["train"]), strings(&golden["test"])].concat();
    let models = Models {
        runtime: Runtime::load(None, Device::Cpu, 1).unwrap(),
        store: ModelStore::default_location().unwrap(),
        detector: DetectorConfig::new("mtcnn"),
        embedder: "facenet".to_owned(),
        choice: Choice::Central,
    };
    let root = shared.join("data/lfw-people70");
    let outcomes = embed(&models, (&root, &files), 2, None, |_, _| Progress::hidden()).unwrap();
    Data::new(golden, |i, file| Sample::Features(outcomes[i].vector().unwrap_or_else(|| panic!("{file}")).to_vec()))
}

/// As the reference names: most machines win, of several the first. Ours breaks that tie by the machines' decisions, which
/// move a score by less than half.
fn by_votes(scores: &[f64]) -> usize {
    let votes = scores.iter().map(|score| score.round());
    votes.enumerate().fold((0, f64::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best }).0
}

fn accuracy(confusion: &[Vec<u64>]) -> f64 {
    let right: u64 = (0..confusion.len()).map(|i| confusion[i][i]).sum();
    right as f64 / confusion.iter().flatten().sum::<u64>() as f64
}

/// The counts that would have to move to make one confusion matrix of the other.
fn moved(confusion: &[Vec<u64>], golden: &Value) -> u64 {
    let golden: Vec<Vec<u64>> = serde_json::from_value(golden.clone()).unwrap();
    confusion.iter().flatten().zip(golden.iter().flatten()).map(|(a, b)| a.abs_diff(*b)).sum::<u64>() / 2
}

fn check(data: &Data, golden: &Value, name: &str, method: &Method) -> Box<dyn Recogniser> {
    let reference = &golden["results"][name];
    let model = data.fit(method);
    let confusion = data.confusion(&*model);
    let (found, expected) = (accuracy(&confusion), reference["accuracy"].as_f64().unwrap());
    let moved = moved(&confusion, &reference["confusion"]);
    println!("{name}: {found:.4}, reference {expected:.4}, {moved} named otherwise; {:?}", model.learned());
    assert!((found - expected).abs() <= TOLERANCE, "{name}: {found} instead of {expected}");
    model
}

#[test]
fn eigenfaces_agree_with_the_reference() {
    let Some(shared) = shared_or_skip("eigenfaces_agree_with_the_reference") else { return };
    let golden = golden(&shared);
    let data = pictures(&shared, &golden, Region::LFW, Region::LFW_SIZE);
    for (name, whiten) in [("eigenfaces_1nn", false), ("eigenfaces_1nn_whiten", true)] {
        let model = check(&data, &golden, name, &Method::Eigenfaces(Eigenfaces { whiten, ..Eigenfaces::default() }));
        assert_eq!(moved(&data.confusion(&*model), &golden["results"][name]["confusion"]), 0, "{name}");
    }
    let reference = &golden["results"]["pca_svc_rbf"];
    let chosen = |name: &str| reference["chosen"][name].as_f64().unwrap();
    let tuning = Tuning::Given { c: chosen("C"), gamma: chosen("gamma") };
    let method = Method::EigenfacesSvm(EigenfacesSvm { tuning, ..EigenfacesSvm::default() });
    let model = check(&data, &golden, "pca_svc_rbf", &method);
    let same_rule = data.confusion_by(&*model, |answer| by_votes(&answer.scores));
    assert_eq!(moved(&same_rule, &reference["confusion"]), 0, "every photo is named as by scikit-learn");
    let explained = model.learned().iter().find(|(name, _)| *name == "variance explained").unwrap().1;
    assert!((explained - reference["explained_variance"].as_f64().unwrap()).abs() < 1e-6, "{explained}");
}

#[test]
fn cross_validation_chooses_parameters_as_good_as_the_reference() {
    let Some(shared) = shared_or_skip("cross_validation_chooses_parameters_as_good_as_the_reference") else { return };
    let golden = golden(&shared);
    let data = pictures(&shared, &golden, Region::LFW, Region::LFW_SIZE);
    let method = Method::EigenfacesSvm(EigenfacesSvm::default());
    check(&data, &golden, "pca_svc_rbf", &method);
}

#[test]
fn embeddings_agree_with_the_reference() {
    let Some(shared) = shared_or_skip("embeddings_agree_with_the_reference") else { return };
    let golden = golden(&shared);
    let data = embeddings(&shared, &golden);
    let methods = [
        ("facenet_linear_svc", Method::LinearSvm(LinearSvm::default())),
        ("facenet_nearest_mean", Method::NearestMean(NearestMean { measure: Measure::Cosine })),
    ];
    for (name, method) in methods {
        let model = check(&data, &golden, name, &method);
        let errors = 147.0 * (1.0 - accuracy(&data.confusion(&*model)));
        assert!(errors < 1.5, "{name}: {errors} errors");
    }
    let neighbour = data.fit(&Method::NearestNeighbour(NearestNeighbour { measure: Measure::Cosine }));
    assert!(accuracy(&data.confusion(&*neighbour)) > 0.98);
}

/// The reference has no LBPH. It must do better than chance by far, and on larger pictures than eigenfaces' nearest.
#[test]
fn local_patterns_recognise() {
    let Some(shared) = shared_or_skip("local_patterns_recognise") else { return };
    let golden = golden(&shared);
    for (size, least) in [(Region::LFW_SIZE, 0.3), ((94, 125), 0.4)] {
        let data = pictures(&shared, &golden, Region::LFW, size);
        let model = data.fit(&Method::Lbph(Lbph::default()));
        let found = accuracy(&data.confusion(&*model));
        println!("lbph {}x{}: {found:.4}", size.0, size.1);
        assert!(found > least, "{found}");
    }
}
