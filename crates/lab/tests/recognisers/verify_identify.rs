//! `sightline-lab verify` and `identify` on real pictures: the reference figures, methods side by side, and bad data.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sightline_testkit::shared_or_skip;
use sightline_vision::{RgbImage, Subsampling, encode_rgb};
use tempfile::TempDir;

use super::{fails, read_json, succeeds};

/// As few bytes as make a file count as a picture.
const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes a file and the folders above it.
fn file(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn gray_jpeg() -> Vec<u8> {
    let gray = RgbImage::new(96, 96, vec![128; 96 * 96 * 3]).unwrap();
    encode_rgb(&gray, 90, Subsampling::Half).unwrap()
}

/// `verify` on the development set of LFW, held against the reference's figures and tolerances: those of its own score, and those of the
/// cosine.
fn verify(shared: &Path, models: &[&str], own: &Value, golden: &Value) {
    let (data, out) = (shared.join("data/lfw-dev"), TempDir::new().unwrap());
    let (pairs, results) = (data.join("pairs.txt"), out.path().join("results.json"));
    let mut words = vec!["verify", text(&data), "--pairs", text(&pairs), "--json", text(&results)];
    words.extend(models);
    let (table, _) = succeeds(&words);
    assert!(table.contains("600 of the same person, 600 of different people, in 2 folds"), "{table}");
    let results = &read_json(&results)["results"];
    assert_eq!(
        (&results["flip"], &results["subtract_mean"], &results["left_out"]),
        (&json!(false), &json!(false), &json!(0))
    );
    let found = &results["methods"][0];
    assert_eq!(found["missed"], json!({"same": 0, "different": 0}), "the reference misses no face either");
    let tar = found["tar"].as_array().unwrap().iter().find(|tar| tar["asked"] == 0.01).unwrap();
    let accuracy = &found["accuracy"]["spread"]["mean"];
    let figures = [
        ("accuracy", accuracy, &own["accuracy_mean"], 0.004),
        ("accuracy by cosine", accuracy, &golden["accuracy_mean"], 0.004),
        ("mean score of the same person", &found["same"]["mean"], &golden["same_mean_sd"][0], 0.005),
        ("mean score of different people", &found["different"]["mean"], &golden["different_mean_sd"][0], 0.005),
        ("TAR at FAR 0.01", &tar["measured"]["tar"]["rate"], &golden["tar_at_far"]["0.01"]["tar"], 0.004),
    ];
    let figures = figures
        .map(|(what, found, golden, tolerance)| (what, found.as_f64().unwrap(), golden.as_f64().unwrap(), tolerance));
    for (what, found, golden, tolerance) in figures {
        println!("{models:?}: {what} {found:.4}, golden {golden:.4} ± {tolerance}");
    }
    for (what, found, golden, tolerance) in figures {
        assert!((found - golden).abs() <= tolerance, "{what}");
    }
}

#[test]
fn both_pipelines_verify_as_the_reference_does() {
    let Some(shared) = shared_or_skip("commands::both_pipelines_verify_as_the_reference_does") else { return };
    let golden = &read_json(&shared.join("golden/lfw-dev.json"))["pipelines"];
    let mtcnn = ["--detector", "mtcnn", "--min-face", "40", "--embedder", "facenet"];
    verify(&shared, &mtcnn, &golden["mtcnn+facenet"], &golden["mtcnn+facenet"]);
    // The reference compares dlib's vectors by their distance too. An embedder of the pipeline gives unit vectors, so cosines are compared
    // here.
    let centerface = ["--detector", "centerface", "--threshold", "0.5", "--width", "0", "--embedder", "dlib"];
    verify(&shared, &centerface, &golden["centerface+dlib"], &golden["centerface+dlib"]["cos"]);
}

/// Four people with three pictures, ten with one, a picture without a face and one that is cut off; and pairs of them, one with a
/// picture that is missing.
fn some_people(shared: &Path) -> TempDir {
    let folder = TempDir::new().unwrap();
    let people = std::fs::read_dir(shared.join("data/lfw-people70")).unwrap().map(|entry| entry.unwrap().path());
    let mut people: Vec<_> = people.filter(|path| path.is_dir()).collect();
    people.sort();
    let copy = |name: &str, person: usize, from: usize, number: usize| {
        let mut files: Vec<_> =
            std::fs::read_dir(&people[person]).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        file(folder.path(), &format!("{name}/{name}_{number:04}.jpg"), &std::fs::read(&files[from]).unwrap());
    };
    for (person, name) in ["Ann", "Ben", "Cleo", "Dan"].iter().enumerate() {
        (0..3).for_each(|picture| copy(name, person, picture, picture + 1));
    }
    (0..10).for_each(|stranger| copy(&format!("S{stranger}"), 4 + stranger % 3, stranger, 1));
    file(folder.path(), "Room/Room_0001.jpg", &gray_jpeg());
    file(folder.path(), "Torn/Torn_0001.jpg", JPEG);
    let pairs = "2 4\nAnn 1 2\nBen 1 2\nCleo 1 2\nAnn 1 3\nAnn 1 Ben 1\nCleo 1 Dan 1\nAnn 2 Room 1\nBen 2 Nobody 1\n\
                 Dan 1 2\nDan 1 3\nBen 1 3\nCleo 2 3\nDan 2 Cleo 2\nTorn 1 Ann 3\nBen 3 Dan 3\nAnn 3 Cleo 3\n";
    file(folder.path(), "pairs.txt", pairs.as_bytes());
    folder
}

#[test]
fn verify_puts_methods_side_by_side_and_says_what_was_left_out() {
    let name = "commands::verify_puts_methods_side_by_side_and_says_what_was_left_out";
    let Some(shared) = shared_or_skip(name) else { return };
    let (data, out) = (some_people(&shared), TempDir::new().unwrap());
    let [pairs, results, page] = [data.path().join("pairs.txt"), out.path().join("r.json"), out.path().join("r.html")];
    let words =
        ["verify", text(data.path()), "--pairs", text(&pairs), "--embedder", "facenet,dlib", "--json", text(&results)];
    let (table, beside) = succeeds(&[&words[..], &["--html", text(&page)]].concat());
    for said in [
        "8 of the same person, 7 of different people, in 2 folds",
        "centerface + facenet",
        "centerface + dlib",
        "flip                               off",
        "mean subtraction                   off",
    ] {
        assert!(table.contains(said), "{said}: {table}");
    }
    for said in ["line 9: Nobody/Nobody_0001.jpg is missing", "Room/Room_0001.jpg: no face", "Torn/Torn_0001.jpg: "] {
        assert!(beside.contains(said), "{said}: {beside}");
    }
    let html = std::fs::read_to_string(&page).unwrap();
    let seen = |part: &str| html.matches(part).count();
    assert_eq!((seen("<h3>ROC</h3>"), seen("<h3>DET</h3>"), seen("<h3>Scores of same and different</h3>")), (1, 1, 2));
    assert!(html.contains("1 pairs were left out") && html.contains("no score"));
    let plain = read_json(&results);
    let models: Vec<&str> =
        plain["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(models, ["centerface", "facenet", "dlib"]);
    let plain = &plain["results"];
    assert_eq!((&plain["left_out"], &plain["missing"][0]["stem"]), (&json!(1), &json!("Nobody/Nobody_0001")));
    for method in plain["methods"].as_array().unwrap() {
        assert_eq!(method["missed"], json!({"same": 0, "different": 2}));
        // Two of seven count as accepted at every threshold.
        assert_eq!(
            method["tar"][0]["measured"]["refused"],
            "a rate of 0.1 cannot be measured with 7 different pairs: the smallest that these data can show is 0.143"
        );
    }
    let (table, _) = succeeds(&[&words[..], &["--flip", "--subtract-mean"]].concat());
    assert!(table.contains("mirror image are summed") && table.contains("the mean of the other folds"), "{table}");
    let other = &read_json(&results)["results"];
    assert_eq!((&other["flip"], &other["subtract_mean"]), (&json!(true), &json!(true)));
    for (plain, other) in plain["methods"].as_array().unwrap().iter().zip(other["methods"].as_array().unwrap()) {
        // Without the mean, different people have nothing in common.
        let mean = |method: &Value| method["different"]["mean"].as_f64().unwrap();
        assert!(mean(other) < mean(plain) && mean(other).abs() < 0.5, "{plain} {other}");
    }
}

#[test]
fn identify_puts_methods_side_by_side() {
    let Some(shared) = shared_or_skip("commands::identify_puts_methods_side_by_side") else { return };
    let (data, out) = (some_people(&shared), TempDir::new().unwrap());
    let [results, page] = [out.path().join("r.json"), out.path().join("r.html")];
    let words =
        ["identify", text(data.path()), "--embedder", "facenet,dlib", "--json", text(&results), "--html", text(&page)];
    let (table, beside) = succeeds(&words);
    let drawn: Vec<&str> = table.lines().take(5).filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(drawn, ["16", "10", "4", "8", "12"], "{table}");
    assert!(table.contains("centerface + facenet") && table.contains("centerface + dlib"), "{table}");
    assert!(beside.contains("Torn/Torn_0001.jpg: ") && beside.contains("0.01 cannot be measured with 12"), "{beside}");
    let results = &read_json(&results)["results"];
    for method in results["methods"].as_array().unwrap() {
        let summary = &method["summary"];
        assert_eq!((&summary["missed"], &summary["splits"]), (&json!([0, 20]), &json!(10)));
        assert!(summary["rank_1"]["mean"].as_f64().unwrap() > 0.9, "{summary}");
        assert_eq!((summary["dir"][2]["refused"].is_string(), &summary["dir"][3]["evidence"]), (true, &json!("weak")));
    }
    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(html.matches("<h3>DIR over FPIR</h3>").count(), 1);
    assert!(html.contains("Strangers, most alike somebody: centerface + dlib"));
}

#[test]
fn a_reader_that_is_gone_costs_no_file_and_what_was_kept_is_told() {
    let name = "commands::a_reader_that_is_gone_costs_no_file_and_what_was_kept_is_told";
    let Some(shared) = shared_or_skip(name) else { return };
    let (data, out) = (some_people(&shared), TempDir::new().unwrap());
    file(data.path(), "few.txt", b"1 1\nAnn 1 2\nAnn 1 Ben 1\n");
    let [pairs, json, page] = [data.path().join("few.txt"), out.path().join("r.json"), out.path().join("r.html")];
    // A cache of the test's own.
    let cache = out.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::os::unix::fs::symlink(sightline_testkit::cache_dir().join("models"), cache.join("models")).unwrap();
    let run = |json: &Path, to: &str| {
        let library = sightline_testkit::onnxruntime().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-lab"));
        command.args([
            "verify",
            text(data.path()),
            "--pairs",
            text(&pairs),
            "--json",
            text(json),
            "--html",
            text(&page),
        ]);
        command.env("ORT_DYLIB_PATH", library).env("SIGHTLINE_CACHE", &cache);
        let output = command.stdout(std::fs::File::create(to).unwrap()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&json, "/dev/full");
    assert!(code == Some(1) && said.contains("cannot print the tables: No space left"), "{said}");
    assert!(page.is_file() && !said.contains("from an earlier run"), "{said}");
    assert_eq!(read_json(&json)["recalled"], 0);
    let (code, said) = run(&json, "/dev/null");
    assert!(code == Some(0) && said.contains("pictures: 3 of 3 are kept from an earlier run"), "{said}");
    assert_eq!(read_json(&json)["recalled"], 3);
    std::fs::remove_file(&page).unwrap();
    let (code, said) = run(&out.path().join("no/r.json"), "/dev/null");
    assert!(code == Some(1) && said.contains("no/r.json: No such file") && page.is_file(), "{said}");
}

#[test]
fn verify_says_what_is_wrong_with_its_data() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    for name in ["people/Ann/Ann_0001.jpg", "people/Ann/Ann_0002.jpg", "people/Ben/Ben_0001.jpg"] {
        file(root, name, JPEG);
    }
    std::fs::create_dir(root.join("empty")).unwrap();
    file(root, "texts/a.txt", b"text");
    file(root, "texts/b.txt", b"text");
    file(root, "pairs.txt", b"1 1\nAnn 1 2\nAnn 1 Ben 1\n");
    file(root, "others.txt", b"1 1\nEve 1 2\nEve 1 Ben 1\n");
    file(root, "half.txt", b"1 1\nAnn 1 2\nAnn 1 Eve 1\n");
    file(root, "prose.txt", b"Once upon a time\n");
    file(root, "bytes.txt", b"\xFF\xD8\xFF");
    let run = |data: &str, pairs: &str, more: &[&str]| {
        let (data, pairs) = (root.join(data), root.join(pairs));
        fails(&[&["verify", text(&data), "--pairs", text(&pairs)], more].concat())
    };
    for (data, pairs, more, said) in [
        ("gone", "pairs.txt", &[][..], "cannot read the data set"),
        ("empty", "pairs.txt", &[], "is empty: expected a folder for each person"),
        ("texts", "pairs.txt", &[], "has no folder for a person, only 2 files, 0 of them pictures"),
        ("people", "gone.txt", &[], "gone.txt: No such file"),
        ("people", "prose.txt", &[], "is no list of pairs"),
        ("people", "prose.txt", &[], "line 1: expected the number of folds and of pairs"),
        ("people", "bytes.txt", &[], "bytes.txt: stream did not contain valid UTF-8"),
        ("people", "others.txt", &[], "the first one lacking Eve/Eve_0001.jpg"),
        ("people", "half.txt", &[], "line 3: Eve/Eve_0001.jpg is missing"),
        ("people", "half.txt", &[], "no pair of different people in"),
        ("people", "pairs.txt", &["--subtract-mean"], "takes the mean from the other folds"),
        ("people", "pairs.txt", &["--embedder", "facenet,nope"], "no model `nope`; known embedders: "),
        ("people", "pairs.txt", &["--detector", "mtcnn,"], "--detector takes a name"),
        // None of them can be read.
        ("people", "pairs.txt", &[], "Ben/Ben_0001.jpg: "),
        ("people", "pairs.txt", &[], "no face was found in any of 3 pictures: another --detector"),
    ] {
        let error = run(data, pairs, more);
        assert!(error.contains(said), "{data} {pairs} {more:?}: {error}");
    }
}

#[test]
fn identify_says_what_is_wrong_with_its_data() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    file(root, "single/Ann/1.jpg", JPEG);
    file(root, "single/Ben/1.jpg", JPEG);
    file(root, "double/Ann/1.jpg", JPEG);
    file(root, "double/Ann/2.jpg", JPEG);
    file(root, "faceless/Ann/1.jpg", &gray_jpeg());
    file(root, "faceless/Ann/2.jpg", &gray_jpeg());
    file(root, "faceless/Ben/1.jpg", &gray_jpeg());
    std::fs::create_dir(root.join("empty")).unwrap();
    file(root, "texts/Ann/a.txt", b"text");
    for (data, more, said) in [
        ("gone", &[][..], "cannot read the data set"),
        ("empty", &[], "is empty: expected a folder for each person"),
        ("texts", &[], "has 1 folders but no picture in them (1 files skipped, the first: Ann/a.txt"),
        ("single", &[], "has 2 people, 2 of them with one picture"),
        ("double", &[], "there is no person left over as a stranger"),
        ("double", &["--kept-out", "7"], "--kept-out 7 is no share"),
        ("double", &["--templates", "0"], "enrolls nobody"),
        ("double", &["--splits", "1"], "it takes 2 draws"),
        ("faceless", &[], "no face was found in any of 3 pictures: another --detector"),
    ] {
        let error = fails(&[&["identify", text(&root.join(data))], more].concat());
        assert!(error.contains(said), "{data} {more:?}: {error}");
    }
}
