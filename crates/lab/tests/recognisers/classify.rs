//! `sightline-lab classify` on real pictures: the reference figures, a written split, aligned faces, and bad data.

use std::path::Path;

use serde_json::Value;
use sightline_testkit::shared_or_skip;
use tempfile::TempDir;

use super::read_json;

fn classify<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["classify"], words].concat()
}

fn succeeds(words: &[&str]) -> (String, String) {
    super::succeeds(&classify(words))
}

fn fails(words: &[&str]) -> String {
    super::fails(&classify(words))
}

/// So many pictures of each of these people.
fn some_people(shared: &Path, people: &[(&str, usize)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (person, count) in people {
        let (from, to) = (shared.join("data/lfw-people70").join(person), folder.path().join(person));
        std::fs::create_dir(&to).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().take(*count) {
            std::fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    folder
}

fn method<'a>(results: &'a Value, name: &str) -> &'a Value {
    let methods = results["results"]["methods"].as_array().unwrap();
    &methods.iter().find(|method| method["name"] == name).unwrap()["outcome"]
}

#[test]
fn the_reference_s_split_gives_the_reference_s_accuracies() {
    let Some(shared) = shared_or_skip("classify::the_reference_s_split_gives_the_reference_s_accuracies") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let (data, split) = (shared.join("data/lfw-people70"), shared.join("golden/classical.json"));
    let (results, page) = (folder.path().join("results.json"), folder.path().join("page.html"));
    let methods = "facenet,facenet-svm,eigenfaces,eigenfaces-svm,lbph";
    let (table, _) = succeeds(&[
        data.to_str().unwrap(),
        "--split",
        split.to_str().unwrap(),
        "--methods",
        methods,
        "--detector",
        "mtcnn",
        "--min-face",
        "40",
        "--json",
        results.to_str().unwrap(),
        "--html",
        page.to_str().unwrap(),
    ]);
    let (golden, results) = (read_json(&split), read_json(&results));
    for (name, reference, tolerance) in [
        ("facenet", "facenet_nearest_mean", 1.5 / 147.0),
        ("facenet-svm", "facenet_linear_svc", 1.5 / 147.0),
        ("eigenfaces", "eigenfaces_1nn", 0.02),
        ("eigenfaces-svm", "pca_svc_rbf", 0.02),
    ] {
        let rate = &method(&results, name)["recognition"];
        let (found, expected) =
            (rate["rate"].as_f64().unwrap(), golden["results"][reference]["accuracy"].as_f64().unwrap());
        assert_eq!(rate["trials"], 147, "{name}");
        assert!((found - expected).abs() <= tolerance, "{name}: {found} instead of {expected}");
        assert!(table.contains(&format!("{found:.4} (")), "{name}: {table}");
    }
    let lbph = &method(&results, "lbph");
    assert!(lbph["recognition"]["rate"].as_f64().unwrap() > 0.4, "{lbph}");
    assert!(lbph["memory"]["recogniser"].as_u64().unwrap() > 343 * 64 * 256, "a histogram for each cell and picture");
    assert_eq!(
        (&results["results"]["crop"], &results["results"]["split"]["train"]),
        (&Value::from("lfw"), &golden["train"])
    );
    let models: Vec<&str> =
        results["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert!(models.contains(&"facenet") && models.iter().any(|name| name.starts_with("mtcnn")), "{models:?}");
    let page = std::fs::read_to_string(page).unwrap();
    // A heat map of each method, and a section of confusions of each that makes mistakes.
    for name in methods.split(',') {
        assert!(page.contains(&format!("<h3>{name}</h3>")), "{name}");
        assert_eq!(page.contains(&format!("confusions: {name}<")), !name.starts_with("facenet"), "{name}");
    }
    assert!(page.contains("data:image/jpeg;base64,") && page.contains("Recognition against false recognition"));
}

#[test]
fn a_written_split_repeats_the_run() {
    let Some(shared) = shared_or_skip("classify::a_written_split_repeats_the_run") else { return };
    let data =
        some_people(&shared, &[("Ariel_Sharon", 10), ("Colin_Powell", 10), ("Hugo_Chavez", 10), ("Tony_Blair", 1)]);
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (split, first, second, third) = (at("split.json"), at("1.json"), at("2.json"), at("3.json"));
    let root = data.path().to_str().unwrap();
    let methods = ["--methods", "eigenfaces,lbph"];
    let drawn = ["--train-share", "0.6", "--seed", "5", "--write-split", &split, "--json", &first];
    let (_, beside) = succeeds(&[&[root][..], &methods, &drawn].concat());
    assert!(beside.contains("Tony_Blair has fewer than 2 pictures"), "{beside}");
    succeeds(&[&[root][..], &methods, &["--split", &split, "--json", &second]].concat());
    let (first, second) = (read_json(first.as_ref()), read_json(second.as_ref()));
    assert_eq!((&first["seed"], &first["results"]["split"]), (&Value::from(5), &read_json(split.as_ref())));
    assert_eq!(first["results"]["split"], second["results"]["split"]);
    for name in ["eigenfaces", "lbph"] {
        let (first, second) = (&method(&first, name), &method(&second, name));
        assert_eq!((&first["confusion"], &first["answers"]), (&second["confusion"], &second["answers"]), "{name}");
        assert_eq!(first["recognition"]["trials"], 12);
    }
    // The aligned face, of the same pictures: every face is found, and the detector is among the models.
    succeeds(&[&[root][..], &methods, &["--split", &split, "--crop", "face", "--json", &third]].concat());
    let third = read_json(third.as_ref());
    assert_eq!((&third["results"]["crop"], &third["models"][0]["name"]), (&"face".into(), &"centerface".into()));
    for name in ["eigenfaces", "lbph"] {
        let outcome = &method(&third, name);
        assert_eq!(outcome["missed"]["events"], 0);
        assert!(outcome["recognition"]["rate"].as_f64().unwrap() > 1.0 / 3.0, "{name}: {}", outcome["recognition"]);
    }
}

/// No face in any picture is the failure of the embedder's method alone.
#[test]
fn a_method_that_sees_nothing_leaves_the_others() {
    let data = TempDir::new().unwrap();
    for person in 0..2_u8 {
        let folder = data.path().join(format!("stripes{person}"));
        std::fs::create_dir(&folder).unwrap();
        for number in 0..4_u8 {
            let mut image = sightline_vision::RgbImage::filled(250, 250, [0; 3]);
            for (place, value) in image.data_mut().iter_mut().enumerate() {
                let (x, y) = (place / 3 % 250, place / 750);
                let along = if person == 0 { x } else { y };
                *value = if along / 10 % 2 == 0 { 200 } else { 20 * number };
            }
            let bytes = sightline_vision::encode_rgb(&image, 90, sightline_vision::Subsampling::Half).unwrap();
            std::fs::write(folder.join(format!("{number}.jpg")), bytes).unwrap();
        }
    }
    let json = data.path().join("results.json");
    let root = data.path().to_str().unwrap();
    let (table, beside) =
        succeeds(&[root, "--methods", "dlib,eigenfaces", "--json", json.to_str().unwrap(), "--threads", "2"]);
    assert!(table.contains("dlib        could not learn") && table.contains("eigenfaces  1.0000 ("), "{table}");
    assert!(beside.contains("dlib: no face was found in any of 8 pictures"), "{beside}");
    assert!(beside.contains("split: drawn by picture, no visit is known"), "{beside}");
    let results = read_json(&json);
    assert_eq!(results["results"]["drawn"], "by_picture");
    assert!(method(&results, "dlib")["refused"].as_str().unwrap().contains("no face was found"));
    assert!(fails(&[root, "--methods", "dlib"]).contains("no method could learn these people"));
}

#[test]
fn what_cannot_be_classified_says_why() {
    let Some(shared) = shared_or_skip("classify::what_cannot_be_classified_says_why") else { return };
    let folder = TempDir::new().unwrap();
    let empty = folder.path().to_str().unwrap();
    assert!(fails(&[empty]).contains("is empty: expected a folder for each person"));
    let texts = TempDir::new().unwrap();
    std::fs::create_dir(texts.path().join("notes")).unwrap();
    std::fs::write(texts.path().join("notes/a.txt"), "text").unwrap();
    let told = fails(&[texts.path().to_str().unwrap()]);
    assert!(told.contains("no picture in them") && told.contains("notes/a.txt: not a picture by its name"), "{told}");
    let one = some_people(&shared, &[("Tony_Blair", 4), ("Hugo_Chavez", 1)]);
    let told = fails(&[one.path().to_str().unwrap(), "--methods", "eigenfaces"]);
    assert!(told.contains("people with 2 pictures or more: 1;"), "{told}");
    let two = some_people(&shared, &[("Tony_Blair", 4), ("Hugo_Chavez", 2)]);
    let root = two.path().to_str().unwrap();
    let told = fails(&[root, "--methods", "eigenfaces,lpbh"]);
    assert!(told.contains("lpbh is none of eigenfaces") && told.contains("facenet"), "{told}");
    // What is typed wrongly.
    for (words, part) in [(["--embedder", "dlib"], "--methods dlib,dlib-svm"), (["--least", "1"], "not in 2..")] {
        let output = super::lab(&classify(&[&[root][..], &words].concat()));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && told.contains(part), "{told}");
    }
    assert!(fails(&[root, "--split", "no/split.json"]).contains("no/split.json: No such file"));
    // One training picture of somebody: machines cannot be tuned, the others do their work.
    let (table, beside) = succeeds(&[root, "--methods", "eigenfaces-svm,eigenfaces"]);
    assert!(beside.contains("eigenfaces-svm: Hugo_Chavez has one training sample") && beside.contains("--least 3"));
    assert!(table.contains("could not learn") && table.contains("eigenfaces "), "{table}");
    assert!(fails(&[root, "--methods", "eigenfaces-svm"]).contains("no method could learn"));
    std::fs::write(two.path().join("split.json"), r#"{"classes": ["a"], "train": ["a/1.jpg"], "test": ["a/2.jpg"]}"#)
        .unwrap();
    let split = two.path().join("split.json");
    let told = fails(&[root, "--split", split.to_str().unwrap()]);
    assert!(told.contains("2 files of the split are not in the data set, the first: a/1.jpg"), "{told}");
}
