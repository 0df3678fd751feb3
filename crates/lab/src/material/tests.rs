use std::path::Path;

use sightline_vision::{RgbImage, Subsampling, encode_rgb};

use super::{Coming, Material, Shown, file_of, frame_name};
use crate::scratch::Scratch;

fn jpeg() -> Vec<u8> {
    encode_rgb(&RgbImage::filled(24, 16, [90, 120, 30]), 90, Subsampling::Half).unwrap()
}

fn open(folder: &Path) -> Result<Material, String> {
    Material::open(folder, 5.0).map_err(|error| error.to_string())
}

fn names(material: &Material) -> Vec<&str> {
    material.items().iter().map(|item| item.name.as_str()).collect()
}

fn all(material: &Material) -> Vec<(usize, Result<Shown, String>)> {
    let wanted: Vec<usize> = (0..material.items().len()).collect();
    let mut shown = Vec::new();
    material.show(&wanted, |index, coming| {
        shown.push((index, coming.open()));
        true
    });
    shown
}

#[test]
fn pictures_of_nested_folders_come_in_the_order_of_their_names() {
    let scratch = Scratch::new();
    scratch.file("b/2.JPG", &jpeg()).file("a.jpg", &jpeg()).file("b/1/x.png", b"no picture").file("b/notes.txt", b"");
    #[cfg(unix)]
    std::os::unix::fs::symlink(scratch.path(), scratch.path().join("b/back")).unwrap();
    let material = open(scratch.path()).unwrap();
    assert_eq!(names(&material), ["a.jpg", "b/1/x.png", "b/2.JPG"]);
    assert_eq!(material.path(&material.items()[2]), scratch.path().join("b/2.JPG"));
    let shown = all(&material);
    assert_eq!(shown.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(shown[0].1.as_ref().unwrap().picture().size(), (24, 16));
    assert!(shown[1].1.as_ref().unwrap_err().contains("neither"));
    let mut seen = 0;
    material.show(&[0, 2], |index, _| {
        seen = index;
        false
    });
    assert_eq!(seen, 0, "enough after the first");
    let one = open(&scratch.path().join("b/2.JPG")).unwrap();
    assert_eq!((names(&one), all(&one).len()), (vec!["2.JPG"], 1));
}

#[test]
fn where_there_is_nothing_to_look_at_it_is_said() {
    let scratch = Scratch::new();
    scratch.file("texts/a.txt", b"a").file("texts/b.txt", b"b");
    std::fs::create_dir(scratch.path().join("empty")).unwrap();
    let said = |folder: &str| open(&scratch.path().join(folder)).unwrap_err();
    assert!(said("empty").contains("no picture and no video (0 other files)"), "{}", said("empty"));
    assert!(said("texts").contains("(2 other files)") && said("texts").contains(".jpg"), "{}", said("texts"));
    assert!(said("gone").contains("gone"));
    scratch.file("clips/noise.mp4", &[7; 5000]);
    assert!(said("clips").contains("none of the 1 files") && said("clips").contains("noise.mp4"), "{}", said("clips"));
}

#[test]
fn frames_of_a_video_are_named_by_their_time_and_come_again() {
    let clip = sightline_testkit::clip("cap13_edit2").unwrap();
    let material = Material::open(&clip, 1.0).unwrap();
    assert_eq!((names(&material).len(), material.left_out()), (31, &[][..]), "30.6 seconds");
    assert_eq!(names(&material)[..2], ["cap13_edit2.mp4#0.000", "cap13_edit2.mp4#1.000"]);
    let mut sizes = Vec::new();
    material.show(&[3, 7], |index, coming| {
        sizes.push((index, coming.open().unwrap().picture().size()));
        true
    });
    assert_eq!(sizes, [(3, (400, 300)), (7, (400, 300))]);
    let mut first = None;
    material.show(&[3, 7], |index, _| {
        first = Some(index);
        false
    });
    assert_eq!(first, Some(3));
    // The file goes away between the two: what is lost is said, each once.
    let gone = Material { root: "/nowhere".into(), ..material };
    let mut lost = Vec::new();
    gone.show(&[3, 7], |index, coming| {
        lost.push((index, matches!(coming, Coming::Lost(reason) if reason.contains("nothing at this"))));
        true
    });
    assert_eq!(lost, [(3, true), (7, true)]);
}

#[test]
fn a_list_names_pictures_and_frames_below_the_folder_or_its_images() {
    let scratch = Scratch::new();
    scratch.file("images/0--Parade/a.jpg", &jpeg()).file("images/0--Parade/b.jpg", &jpeg());
    let listed = |names: &[&str]| {
        Material::listed(scratch.path(), names.iter().copied(), 5.0).map_err(|error| error.to_string())
    };
    let material = listed(&["0--Parade/b.jpg", "0--Parade/gone.jpg"]).unwrap();
    assert_eq!(names(&material), ["0--Parade/b.jpg"]);
    assert_eq!(material.left_out()[0].to_string(), "0--Parade/gone.jpg: there is no such file");
    assert_eq!(material.path(&material.items()[0]), scratch.path().join("images/0--Parade/b.jpg"));
    assert!(listed(&["gone.jpg", "too.jpg"]).unwrap_err().contains("none of the 2 files"));
    let clip = sightline_testkit::clip("cap13_edit2").unwrap();
    let frames = ["cap13_edit2.mp4#2.000", "cap13_edit2.mp4#2.500", "other.mp4#2.000"];
    for (data, other) in
        [(clip.parent().unwrap(), "there is no such file"), (&clip, "only cap13_edit2.mp4 is looked at")]
    {
        let of_clip = Material::listed(data, frames, 1.0).unwrap();
        assert_eq!(names(&of_clip), ["cap13_edit2.mp4#2.000"]);
        let left_out: Vec<String> = of_clip.left_out().iter().map(ToString::to_string).collect();
        let missing = "cap13_edit2.mp4#2.500: there is no such frame".to_owned();
        assert_eq!(left_out, [format!("other.mp4#2.000: {other}"), missing]);
    }
}

#[test]
fn of_a_video_that_breaks_off_the_beginning_is_looked_at() {
    let whole = std::fs::read(sightline_testkit::clip("cap13_edit2").unwrap()).unwrap();
    let scratch = Scratch::new();
    scratch.file("half.mp4", &whole[..whole.len() / 2]);
    let material = open(scratch.path()).unwrap();
    let frames = names(&material).len();
    assert!((40..120).contains(&frames) && all(&material).iter().all(|(_, shown)| shown.is_ok()), "{frames}");
    let said = material.left_out()[0].to_string();
    assert!(said.starts_with(&format!("half.mp4: after {frames} frames: its pictures end after")), "{said}");
}

#[test]
fn names_of_frames() {
    assert_eq!(frame_name("a/b.mp4", 12_400_000_000), "a/b.mp4#12.400");
    assert_eq!(file_of("a/b.mp4#12.400"), "a/b.mp4");
    assert_eq!(file_of("a/#1 fan.jpg"), "a/#1 fan.jpg");
}
