//! `train` on a few real people: the model that it writes, going on after an interruption, and what goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use serde_json::Value;
use sightline_infer::{
    Detector, DetectorConfig, Device, Embedder, FaceCrop, Manifest, ModelStore, Runtime, default_cache_dir,
};
use sightline_testkit::{process, shared_or_skip};
use sightline_vision::{Picture, cut_face, decode_still};
use tempfile::TempDir;

/// Two of seven people test, two of the other five judge, three are learned from.
const FEW: [&str; 12] = [
    "--test=0.3",
    "--held-out=0.4",
    "--dimension=16",
    "--people=3",
    "--images=4",
    // So few are told apart by the usual one.
    "--margin=1.5",
    "--learning-rate=0.001",
    "--false-accept-rate=0.1",
    "--repeats=2",
    "--patience=100000",
    "--threads=2",
    "--seed=3",
];

/// A data set of its own, and a cache that has the models and nothing else.
struct Laboratory {
    folder: TempDir,
}

impl Laboratory {
    /// So many pictures of each of so many people.
    fn new(shared: &Path, people: usize, pictures: usize) -> Self {
        let laboratory = Self { folder: tempfile::tempdir().unwrap() };
        let from = shared.join("data/lfw-people70");
        for person in entries(&from).into_iter().take(people) {
            let to = laboratory.path("data").join(&person);
            std::fs::create_dir_all(&to).unwrap();
            for picture in entries(&from.join(&person)).into_iter().take(pictures) {
                std::fs::copy(from.join(&person).join(&picture), to.join(&picture)).unwrap();
            }
        }
        std::fs::create_dir_all(laboratory.path("heads")).unwrap();
        std::fs::create_dir_all(laboratory.path("cache")).unwrap();
        symlink(default_cache_dir().join("models"), laboratory.path("cache/models")).unwrap();
        laboratory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-lab"));
        command.current_dir(self.folder.path()).args(words).env("SIGHTLINE_CACHE", self.path("cache"));
        command.env("ORT_DYLIB_PATH", sightline_testkit::onnxruntime().unwrap()).env_remove("SIGHTLINE_MODELS");
        command
    }

    fn train(&self, out: &str, words: &[&str]) -> Output {
        self.command(&["train", "data", "--out", out]).args(words).output().unwrap()
    }

    fn trained(&self, out: &str, words: &[&str]) -> String {
        let output = self.train(out, words);
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn refused(&self, out: &str, words: &[&str]) -> String {
        let output = self.train(out, words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", text(&output.stderr));
        text(&output.stderr)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The head of the best epoch, out of the checkpoint: weight and bias.
fn head(checkpoint: &Path) -> (Vec<f32>, Vec<f32>) {
    let bytes = std::fs::read(checkpoint).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |name: &str| -> Vec<f32> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    (numbers("best.0"), numbers("best.1"))
}

/// Weight times vector plus bias, of length 1.
fn applied((weight, bias): &(Vec<f32>, Vec<f32>), vector: &[f32]) -> Vec<f64> {
    let row = |(weights, bias): (&[f32], &f32)| {
        f64::from(*bias) + weights.iter().zip(vector).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    let values: Vec<f64> = weight.chunks_exact(vector.len()).zip(bias).map(row).collect();
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    values.iter().map(|value| value / length).collect()
}

/// The model in `heads` through the code of the pipeline, against the embedder alone and the head by hand.
fn check_model(laboratory: &Laboratory, id: &str, dimension: usize) {
    let runtime = Runtime::load(Some(&sightline_testkit::onnxruntime().unwrap()), Device::Cpu, 1).unwrap();
    let store = ModelStore::new(&default_cache_dir().join("models"), Some(&laboratory.path("heads"))).unwrap();
    let manifest = store.embedder(id).unwrap();
    let base = store.embedder("facenet").unwrap();
    assert_eq!((&manifest.input, &manifest.family), (&base.input, &base.family));
    let mut detector = Detector::open(&runtime, &store, &DetectorConfig::new("centerface")).unwrap();
    let mut embedders = ["facenet", id].map(|id| Embedder::open(&runtime, &store, id).unwrap());
    assert_eq!(embedders[1].dimension(), dimension);
    assert_ne!(embedders[0].model_id(), embedders[1].model_id());
    let head = head(&laboratory.path(&format!("heads/{id}.checkpoint")));
    for person in entries(&laboratory.path("data")) {
        let folder = laboratory.path("data").join(person);
        let bytes = std::fs::read(folder.join(&entries(&folder)[0])).unwrap();
        let image = decode_still(&bytes, 1 << 24).unwrap();
        let face = detector.detect(Picture::Rgb(&image)).unwrap()[0];
        let cut = cut_face(Picture::Rgb(&image), &face.bbox, &face.landmarks).unwrap();
        let crop = FaceCrop { image: &cut.image, face: cut.face, landmarks: cut.landmarks, detector: "centerface" };
        let [plain, found] =
            embedders.each_mut().map(|embedder| embedder.embed_crops(&[crop]).unwrap().remove(0).unwrap());
        let wanted = applied(&head, &plain);
        assert_eq!(found.len(), dimension);
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((f64::from(*found) - wanted).abs() < 1e-4, "{found} instead of {wanted}");
        }
    }
}

#[test]
fn a_trained_head_is_a_model_like_any_other() {
    let name = "train::a_trained_head_is_a_model_like_any_other";
    let Some(shared) = shared_or_skip(name) else { return };
    let laboratory = Laboratory::new(&shared, 7, 8);
    // Somebody with one picture: a stranger.
    let stranger = shared.join("data/lfw-dev");
    let stranger = stranger.join(&entries(&stranger)[0]);
    std::fs::create_dir_all(laboratory.path("data/Stranger")).unwrap();
    std::fs::copy(stranger.join(&entries(&stranger)[0]), laboratory.path("data/Stranger/1.jpg")).unwrap();

    // A folder for models that is not there is made.
    std::fs::remove_dir(laboratory.path("heads")).unwrap();
    let words = [&FEW[..], &["--epochs=6", "--json=whole.json", "--html=whole.html", "--write-test=unseen"]].concat();
    let printed = laboratory.trained("heads/whole.onnx", &words);
    assert!(printed.contains("3 people, 24 pictures") && printed.contains("principal components"), "{printed}");
    assert!(printed.contains("embedder: whole") && printed.contains("too few to show"), "{printed}");
    let results = &laboratory.json("whole.json")["results"];
    assert_eq!(results["people"]["alone"], serde_json::json!(["Stranger"]));
    assert_eq!(results["people"]["test"], serde_json::json!([2, 16]));
    assert_eq!(results["epochs"].as_array().unwrap().len(), 7);
    assert_eq!(results["comparison"]["runs"].as_array().unwrap().len(), 2);
    // The first run of the comparison is the model itself.
    let trained = &results["comparison"]["runs"][0]["true_accept"][0];
    assert_eq!((&trained[0], &trained[1]), (&Value::from("trained"), &results["roc"][0]["true_accept"]));
    let page = std::fs::read_to_string(laboratory.path("whole.html")).unwrap();
    assert_eq!(page.matches("<figure>").count(), 6);
    check_model(&laboratory, "whole", 16);
    let manifest = std::fs::read_to_string(laboratory.path("heads/whole.toml")).unwrap();
    let manifest = Manifest::parse("whole.toml", &manifest).unwrap();
    let thresholds = manifest.thresholds.unwrap();
    // 16 visits of the people who test, and the stranger's.
    assert!((thresholds.false_accept_rate - 1.0 / 17.0).abs() < 1e-9, "{thresholds:?}");
    assert!(thresholds.data.contains("16 single photos of 2 people of data"), "{}", thresholds.data);

    unseen(&laboratory);
    resumed(&laboratory);
    interrupted(&laboratory);
    comparison_interrupted(&laboratory);
}

/// The people whom nothing was learned from are a data set, and listed.
fn unseen(laboratory: &Laboratory) {
    let people = laboratory.json("heads/whole.people.json");
    let names = |part: &str| -> Vec<String> { serde_json::from_value(people[part].clone()).unwrap() };
    let [training, judges, test, alone] = ["training", "judges", "test", "one_picture"].map(names);
    assert_eq!((training.len(), judges.len(), test.len(), alone.len()), (3, 2, 2, 1));
    let mut everybody = [&training[..], &judges, &test, &alone].concat();
    everybody.sort();
    assert_eq!(everybody, entries(&laboratory.path("data")));
    let mut unseen = [test, alone].concat();
    unseen.sort();
    assert_eq!(entries(&laboratory.path("unseen")), unseen);
    assert!(laboratory.path("unseen").join(&unseen[0]).read_link().unwrap().starts_with("../data"));
    let mut identify = laboratory.command(&["identify", "unseen", "--splits=2", "--embedder=whole"]);
    let output = identify.env("SIGHTLINE_MODELS", laboratory.path("heads")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("rank 1"), "{}", text(&output.stdout));
}

/// Stopped while the recipe is compared: what there is, and the whole comparison without training the model anew.
fn comparison_interrupted(laboratory: &Laboratory) {
    let few: Vec<&str> = FEW.into_iter().filter(|word| *word != "--repeats=2").chain(["--epochs=6"]).collect();
    let words = [&["train", "data", "--out=heads/compared.onnx", "--json=compared.json"], &few[..]].concat();
    let many = [&words[..], &["--repeats=1000"]].concat();
    let child = laboratory.command(&many).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    // Written right before.
    while !laboratory.path("heads/compared.people.json").exists() {
        assert!(Instant::now() < deadline, "no model after a minute");
        sleep(Duration::from_millis(20));
    }
    process::signal(child.id(), "TERM").unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("of 1000 trainings of the comparison") && errors.contains("--resume --force"), "{errors}");
    let report = laboratory.json("compared.json");
    assert_eq!(report["complete"], false);
    assert!(report["results"]["comparison"]["runs"].as_array().unwrap().len() < 1000);
    let model = std::fs::read(laboratory.path("heads/compared.onnx")).unwrap();
    let again = [&words[1..], &["--repeats=2", "--resume", "--force"]].concat();
    let output = laboratory.command(&[&["train"], &again[..]].concat()).output().unwrap();
    assert!(output.status.success() && !text(&output.stderr).contains("epoch 1:"), "{}", text(&output.stderr));
    assert!(std::fs::read(laboratory.path("heads/compared.onnx")).unwrap() == model);
    assert_eq!(laboratory.json("compared.json")["results"]["comparison"]["runs"].as_array().unwrap().len(), 2);
}

/// Three epochs, and then the other three.
fn resumed(laboratory: &Laboratory) {
    let words = |more: &[&'static str]| [&FEW[..], &["--repeats=0"], more].concat();
    let few: Vec<&str> = words(&[]).into_iter().filter(|word| *word != "--repeats=2").collect();
    laboratory.trained("heads/parts.onnx", &[&few[..], &["--epochs=3"]].concat());
    let half = std::fs::read(laboratory.path("heads/parts.onnx")).unwrap();
    let again = [&few[..], &["--epochs=6"]].concat();
    let error = laboratory.refused("heads/parts.onnx", &again);
    assert!(error.contains("parts.onnx is there already") && error.contains("--force"), "{error}");
    let resume = [&again[..], &["--resume", "--force", "--json=parts.json"]].concat();
    laboratory.trained("heads/parts.onnx", &resume);
    let [whole, parts] =
        ["whole", "parts"].map(|id| std::fs::read(laboratory.path(&format!("heads/{id}.onnx"))).unwrap());
    assert!(whole == parts && half != parts);
    let [whole, parts] = ["whole.json", "parts.json"].map(|name| laboratory.json(name)["results"]["epochs"].clone());
    assert_eq!(whole, parts);
    let other = [&resume[..], &["--dropout=0.3"]].concat();
    let error = laboratory.refused("heads/parts.onnx", &other);
    assert!(error.contains("parts.checkpoint: was made with other settings"), "{error}");
}

/// Stopped by TERM, as Ctrl-C would, in the middle, and continued to the same end as without.
fn interrupted(laboratory: &Laboratory) {
    let few: Vec<&str> = FEW.into_iter().filter(|word| *word != "--repeats=2").chain(["--repeats=0"]).collect();
    let start = [&["train", "data", "--out=heads/stopped.onnx", "--epochs=100000"], &few[..]].concat();
    let mut child = laboratory.command(&start).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("epoch 2:") {
        line.clear();
        assert_ne!(errors.read_line(&mut line).unwrap(), 0, "ended before epoch 2");
    }
    process::signal(child.id(), "TERM").unwrap();
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    let done = rest.split("interrupted after ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(rest.contains("heads/stopped.checkpoint") && rest.contains("--resume"), "{rest}");
    assert!(!laboratory.path("heads/stopped.onnx").exists());
    let epochs = format!("--epochs={}", done.parse::<u32>().unwrap() + 2);
    laboratory.trained("heads/stopped.onnx", &[&few[..], &["--resume", &epochs]].concat());
    laboratory.trained("heads/straight.onnx", &[&few[..], &[&epochs]].concat());
    let [stopped, straight] =
        ["stopped", "straight"].map(|id| std::fs::read(laboratory.path(&format!("heads/{id}.onnx"))).unwrap());
    assert!(stopped == straight);
}

#[test]
fn a_classifier_names_its_people() {
    let Some(shared) = shared_or_skip("train::a_classifier_names_its_people") else { return };
    let laboratory = Laboratory::new(&shared, 3, 6);
    let words = ["--classifier", "--num-classes=5", "--epochs=4", "--json=c.json", "--html=c.html"];
    let printed = laboratory.trained("heads/c.onnx", &words);
    assert!(printed.contains("best epoch") && !printed.contains("epochs, the best"), "{printed}");
    assert!(printed.contains("no gallery takes it") && printed.contains("nearest mean"), "{printed}");
    let results = &laboratory.json("c.json")["results"];
    // A quarter of six pictures, rounded down.
    assert_eq!(results["recognition"]["classifier"]["trials"], 3);
    assert_eq!((&results["model"]["dimension"], &results["model"]["manifest"]), (&Value::from(5), &Value::Null));
    let names = laboratory.json("heads/c.classes.json");
    assert_eq!(names["classes"], serde_json::json!(entries(&laboratory.path("data"))));
    assert!(!laboratory.path("heads/c.toml").exists());
    // Without its logits it is the embedder.
    let words = ["--classifier", "--classify=false", "--epochs=1", "--json=p.json"];
    let printed = laboratory.trained("heads/plain.onnx", &words);
    assert_eq!(laboratory.json("p.json")["results"]["model"]["dimension"], 512);
    assert!(printed.contains("the embedder's own vector") && !printed.contains("logits"), "{printed}");
    assert!(!laboratory.path("heads/plain.classes.json").exists());
    // Nothing stays of a classifier that is replaced.
    laboratory.trained("heads/c.onnx", &[&words[..], &["--force"]].concat());
    assert!(!laboratory.path("heads/c.classes.json").exists());
}

#[test]
fn what_goes_wrong_is_said_and_nothing_is_broken() {
    let Some(shared) = shared_or_skip("train::what_goes_wrong_is_said_and_nothing_is_broken") else { return };
    let laboratory = Laboratory::new(&shared, 7, 1);
    let error = laboratory.refused("heads/a.onnx", &[]);
    assert!(error.contains("none of 7 people has two pictures"), "{error}");
    assert!(laboratory.refused("heads/a.pt", &[]).contains(".onnx"));
    assert!(laboratory.refused("no/where/a.onnx", &[]).contains("cannot make"));
    let error = laboratory.refused("heads/a.onnx", &["--threshold-rate=2"]);
    assert!(error.contains("--threshold-rate is 2") && entries(&laboratory.path("heads")).is_empty(), "{error}");
    assert!(laboratory.refused("heads/a.onnx", &["--write-test=data/x"]).contains("would be a person"));
    let taken = laboratory.refused("heads/a.onnx", &["--id=facenet"]);
    assert!(taken.contains("`facenet` already") && taken.contains("--id"), "{taken}");
    assert!(laboratory.refused("heads/a.onnx", &["--id=a b"]).contains("`id`"));
    assert!(laboratory.refused("heads/a.onnx", &["--resume"]).contains("there is no checkpoint"));
    std::fs::write(laboratory.path("other.toml"), "[package]").unwrap();
    let error = laboratory.refused("a.onnx", &[]);
    assert!(error.contains("other.toml") && error.contains("models alone"), "{error}");

    let laboratory = Laboratory::new(&shared, 7, 4);
    let error = laboratory.refused("heads/a.onnx", &["--test=0.3", "--held-out=0.4"]);
    assert!(error.contains("128 principal components of 12 vectors") && error.contains("--start random"), "{error}");
    let error = laboratory.refused("heads/a.onnx", &["--test=0.01"]);
    assert!(error.contains("--test 0.01 keeps 0") && error.contains("--classifier"), "{error}");
    symlink("/dev/full", laboratory.path("heads/full.onnx")).unwrap();
    let small = [&FEW[..], &["--dimension=8", "--epochs=2"]].concat();
    let small: Vec<&str> = small.into_iter().filter(|word| *word != "--dimension=16").collect();
    let error = laboratory.refused("heads/full.onnx", &small);
    assert!(error.contains("heads/full.onnx: No space left"), "{error}");
    assert!(!laboratory.path("heads/full.toml").exists());
    symlink("/dev/full", laboratory.path("full")).unwrap();
    let error = laboratory.refused("heads/a.onnx", &[&small[..], &["--checkpoint=full"]].concat());
    assert!(error.contains("nothing was trained") && error.contains("No space left"), "{error}");
    // A report that cannot be written takes nothing from the model.
    let error = laboratory.refused("heads/a.onnx", &[&small[..], &["--json=full"]].concat());
    assert!(error.contains("cannot write full") && error.contains("No space left"), "{error}");
    assert!(laboratory.path("heads/a.onnx").is_file() && laboratory.path("heads/a.toml").is_file());
    assert!(std::fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    let small: Vec<&str> = small.into_iter().filter(|word| !word.starts_with("--learning-rate")).collect();
    let error = laboratory.refused("heads/b.onnx", &[&small[..], &["--learning-rate=1e39"]].concat());
    assert!(error.contains("no longer a number") && error.contains("b.checkpoint has the last"), "{error}");
}
