//! Tests of the folder reader.

use super::*;
use crate::scratch::Scratch;

fn files(dataset: &Dataset) -> Vec<(&str, usize)> {
    dataset.samples().iter().map(|sample| (sample.file.as_str(), sample.class)).collect()
}

#[test]
fn classes_and_pictures_in_the_order_of_torchvision() {
    let scratch = Scratch::new();
    // Capital letters sort before small ones; "a-b" before "a/in", because the folder's path is one text.
    for name in
        ["zoe/1.jpg", "Zoe/1.jpg", "anna/a/in/2.jpg", "anna/a-b/1.jpg", "anna/b.JPG", "anna/10.jpg", "anna/9.jpg"]
    {
        scratch.picture(name);
    }
    let dataset = Dataset::open(scratch.path()).unwrap();
    assert_eq!(dataset.classes(), ["Zoe", "anna", "zoe"]);
    assert_eq!(
        files(&dataset),
        [
            ("Zoe/1.jpg", 0),
            ("anna/10.jpg", 1),
            ("anna/9.jpg", 1),
            ("anna/b.JPG", 1),
            ("anna/a-b/1.jpg", 1),
            ("anna/a/in/2.jpg", 1),
            ("zoe/1.jpg", 2),
        ]
    );
    assert!(dataset.path(&dataset.samples()[4]).is_file());
    assert!(dataset.skipped().is_empty());
    assert_eq!(dataset.counts(), [1, 5, 1]);
}

#[test]
fn a_relative_path_gives_the_same_data_set() {
    let scratch = Scratch::new();
    scratch.picture("anna/1.jpg").picture("ben/1.jpg");
    let here = std::env::current_dir().unwrap();
    let mut relative: PathBuf = here.components().skip(1).map(|_| "..").collect();
    relative.push(scratch.path().strip_prefix("/").unwrap());
    relative.push(".");
    assert!(relative.is_relative());
    let (by_relative, by_absolute) = (Dataset::open(&relative).unwrap(), Dataset::open(scratch.path()).unwrap());
    assert_eq!(by_relative.samples(), by_absolute.samples());
    assert_eq!(by_relative.classes(), by_absolute.classes());
    assert!(by_relative.root().is_absolute());
    assert!(by_relative.path(&by_relative.samples()[0]).is_file());
}

#[test]
fn what_is_no_picture_is_listed_with_its_reason() {
    let scratch = Scratch::new();
    scratch.picture("anna/1.jpg").file("anna/faces.jsonl", b"{}").file("anna/empty.png", b"");
    scratch.file("anna/deep/note.jpg", b"only text").picture("stray.jpg").file("readme.txt", b"read me");
    let dataset = Dataset::open(scratch.path()).unwrap();
    assert_eq!(files(&dataset), [("anna/1.jpg", 0)]);
    let skipped: Vec<String> = dataset.skipped().iter().map(Skipped::to_string).collect();
    assert_eq!(
        skipped,
        [
            "stray.jpg: lies in no person's folder",
            "anna/empty.png: the file is empty",
            "anna/faces.jsonl: not a picture by its name",
            "anna/deep/note.jpg: named as a picture, but its content is none",
        ]
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
    elsewhere.picture("1.jpg");
    scratch.picture("anna/1.jpg");
    symlink(elsewhere.path(), scratch.path().join("ben")).unwrap();
    symlink(scratch.path().join("anna"), scratch.path().join("anna/again")).unwrap();
    symlink(scratch.path().join("gone.jpg"), scratch.path().join("anna/broken.jpg")).unwrap();
    fs::write(scratch.path().join("anna").join(std::ffi::OsStr::from_bytes(b"\xFF.jpg")), b"x").unwrap();
    let dataset = Dataset::open(scratch.path()).unwrap();
    assert_eq!(files(&dataset), [("anna/1.jpg", 0), ("ben/1.jpg", 1)]);
    let reasons: Vec<_> = dataset.skipped().iter().map(|skipped| &skipped.reason).collect();
    assert!(
        matches!(reasons[..], [SkipReason::NameNotUtf8, SkipReason::LinkLoop, SkipReason::Unreadable(_)]),
        "{reasons:?}"
    );
}

#[test]
fn a_person_without_a_picture_keeps_the_class_index() {
    let scratch = Scratch::new();
    scratch.picture("anna/1.jpg").file("ben/notes.txt", b"nothing").picture("cleo/1.jpg");
    let dataset = Dataset::open(scratch.path()).unwrap();
    assert_eq!((dataset.classes()[1].as_str(), dataset.counts()), ("ben", vec![1, 0, 1]));
    assert_eq!(files(&dataset), [("anna/1.jpg", 0), ("cleo/1.jpg", 2)]);
}

#[test]
fn folders_that_are_no_data_set_say_what_is_wrong() {
    let message = |scratch: &Scratch| Dataset::open(scratch.path()).unwrap_err().to_string();
    let scratch = Scratch::new();
    assert!(message(&scratch).contains("is empty: expected a folder for each person"));
    scratch.file("a.txt", b"text").file("b.txt", b"text");
    assert!(message(&scratch).contains("no folder for a person, only 2 files, 0 of them pictures"));
    scratch.file("anna/a.txt", b"text").file("anna/b.txt", b"text");
    let text = message(&scratch);
    assert!(text.contains("has 1 folders but no picture in them (2 files skipped, the first: anna/a.txt"), "{text}");
    let gone = scratch.path().join("gone");
    assert!(Dataset::open(&gone).unwrap_err().to_string().starts_with("cannot read the data set"));
    let file = scratch.path().join("a.txt");
    assert!(matches!(Dataset::open(&file), Err(DatasetError::Read { .. })));
}

#[test]
fn a_folder_with_an_empty_person_only_names_no_file() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("anna")).unwrap();
    let text = Dataset::open(scratch.path()).unwrap_err().to_string();
    assert!(text.contains("no picture in them (0 files skipped); pictures end in .jpg"), "{text}");
}
