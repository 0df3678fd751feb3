//! The contact sheet: faces on which the detectors differ, cut out of their pictures, by who found them.

use std::collections::HashMap;

use sightline_vision::{Rect, RgbImage, Subsampling, cut_square, encode_rgb};

use super::truth::TRUTH;
use crate::agreement::Disagreement;
use crate::material::{Material, Shown};
use crate::rectangle::Rectangle;
use crate::report::{Mistake, Picture};

/// Pictures of a group.
const A_GROUP: usize = 6;

/// Groups that are shown.
const GROUPS: usize = 30;

/// Side of a picture, pixels.
const SIDE: u32 = 200;

/// How much of the surroundings a picture shows, in sides of the box.
const AROUND: f32 = 2.2;

/// Of the box that is drawn.
const COLOR: [u8; 3] = [255, 60, 0];

/// Of the pictures, 1 to 100.
const QUALITY: u8 = 85;

/// Faces that the same detectors found and the same missed.
#[derive(Debug)]
pub(super) struct Group {
    /// In words, with the number of them.
    pub(super) title: String,
    /// Some of them.
    pub(super) shown: Vec<Mistake>,
}

/// The groups, the largest first, with some pictures of each.
pub(super) fn sheet(material: &Material, disagreements: &[Disagreement]) -> Vec<Group> {
    let grouped = groups(disagreements);
    let chosen: Vec<Vec<&Disagreement>> = grouped.iter().take(GROUPS).map(|group| spread(group)).collect();
    let cut = cut_out(material, &chosen.concat());
    let mistake = |one: &Disagreement| {
        let picture = cut.get(&key(one)).map(|bytes| Picture::new(bytes.clone(), &one.file));
        Mistake::new("", picture.into_iter().collect())
    };
    let group = |(all, chosen): (&Vec<&Disagreement>, &Vec<&Disagreement>)| Group {
        title: title(all),
        shown: chosen.iter().map(|one| mistake(one)).collect(),
    };
    grouped.iter().zip(&chosen).map(group).collect()
}

fn groups(disagreements: &[Disagreement]) -> Vec<Vec<&Disagreement>> {
    let mut groups: Vec<Vec<&Disagreement>> = Vec::new();
    let mut at: HashMap<&[String], usize> = HashMap::new();
    for one in disagreements {
        let group = *at.entry(&one.found_by).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(one);
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

fn title(group: &[&Disagreement]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let named = |names: &[String]| names.iter().any(|name| name == TRUTH);
    let (what, missed) = match (named(&first.found_by), named(&first.missed_by)) {
        (true, _) => (["face", "faces"], "missed by"),
        (_, true) => (["box that fits no face", "boxes that fit no face"], "not by"),
        _ => (["box", "boxes"], "not by"),
    };
    let (found_by, missed_by) = (detectors(&first.found_by), detectors(&first.missed_by));
    let found_by = if found_by.is_empty() { "none".to_owned() } else { found_by.join(", ") };
    let missed = if missed_by.is_empty() { String::new() } else { format!(", {missed} {}", missed_by.join(", ")) };
    format!("{} {}: found by {found_by}{missed}", group.len(), what[usize::from(group.len() > 1)])
}

/// The names without the truth's.
fn detectors(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).filter(|name| *name != TRUTH).collect()
}

/// Some of a group, from its beginning to its end.
fn spread<'a>(group: &[&'a Disagreement]) -> Vec<&'a Disagreement> {
    let count = group.len().min(A_GROUP);
    (0..count).map(|nth| group[nth * group.len() / count]).collect()
}

/// A place in a picture.
type Key = (String, [u64; 4]);

fn key(one: &Disagreement) -> Key {
    let Rectangle { left, top, width, height } = one.area;
    (one.file.clone(), [left, top, width, height].map(f64::to_bits))
}

/// The faces as JPEG; those whose picture is gone are not among them.
fn cut_out(material: &Material, wanted: &[&Disagreement]) -> HashMap<Key, Vec<u8>> {
    let mut of_file: HashMap<&str, Vec<&Disagreement>> = HashMap::new();
    for one in wanted {
        of_file.entry(&one.file).or_default().push(one);
    }
    let items = material.items();
    let indices: Vec<usize> =
        (0..items.len()).filter(|index| of_file.contains_key(items[*index].name.as_str())).collect();
    let mut cut = HashMap::new();
    material.show(&indices, |index, coming| {
        if let Ok(shown) = coming.open() {
            for one in of_file.get(items[index].name.as_str()).into_iter().flatten() {
                cut.extend(crop(&shown, &one.area).map(|bytes| (key(one), bytes)));
            }
        }
        true
    });
    cut
}

/// A box with its surroundings, drawn in.
fn crop(shown: &Shown, area: &Rectangle) -> Option<Vec<u8>> {
    let Rectangle { left, top, width, height } = *area;
    let rect = Rect::new(left as f32, top as f32, (left + width) as f32, (top + height) as f32);
    let mut cut = cut_square(shown.picture(), &rect.square(AROUND), SIDE).ok()?;
    let drawn = cut.map_rect(&rect);
    draw(&mut cut.image, &drawn);
    encode_rgb(&cut.image, QUALITY, Subsampling::Full).ok()
}

/// Draws the sides of a box, as far as they are in the picture.
fn draw(image: &mut RgbImage, rect: &Rect) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let thick = (width / 100).max(1) as f32;
    let inside =
        |x: f32, y: f32, by: f32| x >= rect.x1 - by && x < rect.x2 + by && y >= rect.y1 - by && y < rect.y2 + by;
    for (at, pixel) in image.data_mut().chunks_exact_mut(3).enumerate().take(width * height) {
        let (x, y) = ((at % width) as f32 + 0.5, (at / width) as f32 + 0.5);
        if inside(x, y, thick) && !inside(x, y, 0.0) {
            pixel.copy_from_slice(&COLOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use sightline_vision::{Rect, RgbImage, Subsampling, decode_still, encode_rgb};

    use super::{COLOR, draw, groups, sheet, spread, title};
    use crate::agreement::Disagreement;
    use crate::material::Material;
    use crate::rectangle::Rectangle;
    use crate::scratch::Scratch;

    fn one(file: &str, found: &[&str], missed: &[&str]) -> Disagreement {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let area = Rectangle::new(20.0, 10.0, 20.0, 20.0);
        Disagreement { file: file.to_owned(), area, found_by: names(found), missed_by: names(missed) }
    }

    #[test]
    fn boxes_are_grouped_by_who_found_them_the_largest_group_first() {
        let all = [one("1", &["a"], &["b", "c"]), one("2", &["b", "c"], &["a"]), one("3", &["b", "c"], &["a"])];
        let grouped = groups(&all);
        let files = |group: &[&Disagreement]| group.iter().map(|one| one.file.clone()).collect::<Vec<_>>();
        assert_eq!(grouped.iter().map(|group| files(group)).collect::<Vec<_>>(), [vec!["2", "3"], vec!["1"]]);
        let many: Vec<Disagreement> = (0..60).map(|nth| one(&nth.to_string(), &["a"], &["b"])).collect();
        assert_eq!(files(&spread(&groups(&many)[0])), ["0", "10", "20", "30", "40", "50"]);
    }

    #[test]
    fn titles_say_who_was_right_where_the_truth_is_known() {
        let said = |found: &[&str], missed: &[&str], count: usize| {
            let one = one("1", found, missed);
            title(&vec![&one; count])
        };
        assert_eq!(said(&["a"], &["b", "c"], 1), "1 box: found by a, not by b, c");
        assert_eq!(said(&["a"], &["truth", "b"], 2), "2 boxes that fit no face: found by a, not by b");
        assert_eq!(said(&["truth", "a"], &["b"], 1), "1 face: found by a, missed by b");
        assert_eq!(said(&["truth"], &["a", "b"], 2), "2 faces: found by none, missed by a, b");
        assert_eq!(said(&["a", "b"], &["truth"], 2), "2 boxes that fit no face: found by a, b");
    }

    #[test]
    fn the_box_is_drawn_around_and_not_over_the_face() {
        let mut image = RgbImage::filled(50, 40, [9; 3]);
        draw(&mut image, &Rect::new(10.0, 5.0, 30.0, 60.0));
        for (x, y, drawn) in
            [(9, 20, true), (30, 20, true), (20, 4, true), (20, 20, false), (10, 5, false), (8, 20, false)]
        {
            assert_eq!(image.pixel(x, y) == COLOR, drawn, "{x} {y}");
        }
    }

    #[test]
    fn a_sheet_shows_the_faces_of_pictures_that_are_there() {
        let scratch = Scratch::new();
        let jpeg = encode_rgb(&RgbImage::filled(80, 60, [9; 3]), 90, Subsampling::Half).unwrap();
        scratch.file("a.jpg", &jpeg).file("b.jpg", b"no picture");
        let material = Material::open(scratch.path(), 5.0).unwrap();
        let groups = sheet(&material, &[one("a.jpg", &["x"], &["y", "z"]), one("b.jpg", &["x"], &["y", "z"])]);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].title, "2 boxes: found by x, not by y, z");
        let pictures: Vec<usize> = groups[0].shown.iter().map(|one| one.pictures.len()).collect();
        assert_eq!(pictures, [1, 0]);
        let shown = decode_still(&groups[0].shown[0].pictures[0].bytes, 1 << 20).unwrap();
        assert_eq!((shown.width(), shown.height()), (44, 44));
        let orange = |pixel: [u8; 3]| pixel[0] > 180 && pixel[2] < 80;
        assert!(orange(shown.pixel(11, 22)) && !orange(shown.pixel(22, 22)), "{:?}", shown.pixel(11, 22));
    }
}
