//! Tests of the text formats.

use proptest::prelude::*;

use super::*;

const TRUTH: &str = "0--Parade/a b.jpg\r\n2\r\n449 330 122 149 2 1 1 0 2 1 \r\n1 2 3 4 0 0 0 1 0 0 \r\n\
                     0--Parade/none.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n1--X/plain.jpg\n1\n1.5 -2 3 0\n";

#[test]
fn ground_truth_as_published() {
    let images = parse_truth(TRUTH).unwrap();
    let files: Vec<_> = images.iter().map(|image| (image.file.as_str(), image.faces.len())).collect();
    assert_eq!(files, [("0--Parade/a b.jpg", 2), ("0--Parade/none.jpg", 0), ("1--X/plain.jpg", 1)]);
    let face = |area: [f64; 4], invalid| {
        let [left, top, width, height] = area;
        TruthFace { area: Rectangle::new(left, top, width, height), invalid }
    };
    assert_eq!(images[0].faces, [face([449.0, 330.0, 122.0, 149.0], false), face([1.0, 2.0, 3.0, 4.0], true)]);
    assert_eq!(images[2].faces, [face([1.5, -2.0, 3.0, 0.0], false)]);
}

#[test]
fn a_picture_without_faces_may_lack_the_line_of_zeros() {
    let images = parse_truth("a.jpg\n0\nb.jpg\n0\n0 0 0 0 0 0 0 0 0 0\nc.jpg\n1\n0 0 0 0 0 0 0 0 0 0\n").unwrap();
    let counts: Vec<_> = images.iter().map(|image| image.faces.len()).collect();
    assert_eq!(counts, [0, 0, 1], "a count of 1 makes the zeros a face");
    assert_eq!(parse_truth("").unwrap(), []);
}

#[test]
fn wrong_ground_truth_names_the_line() {
    let message = |text: &str| parse_truth(text).unwrap_err().to_string();
    assert_eq!(message("a.jpg\nmany\n"), "line 2: expected the number of faces, found `many`");
    assert_eq!(message("a.jpg\n"), "the file ends where the number of faces was expected for a.jpg");
    assert!(message("a.jpg\n2\n1 2 3 4\n").starts_with("the file ends where a face"));
    assert!(message("a.jpg\n2\n1 2 3 4\nb.jpg\n0\n").starts_with("line 4: expected a face"));
    assert!(message("a.jpg\n18446744073709551615\n1 2 3 4\n").starts_with("the file ends"));
    assert_eq!(message("a.jpg\n0\na.jpg\n0\n"), "line 3: a.jpg comes twice");
    for row in ["1 2 3", "1 2 -3 4", "1 2 NaN 4", "1 2 3 inf", "1 2 3 4 5", "1 2 3 4 0 0 0 2 0 0"] {
        assert!(message(&format!("a.jpg\n1\n{row}\n")).starts_with("line 3: expected a face"), "{row}");
    }
}

#[test]
fn results_of_one_picture_and_of_many() {
    let images = parse_results("a\n1\n1 2 3 4 0.9\nb\n0\n").unwrap();
    assert_eq!(images.len(), 2);
    assert_eq!(images[0].detections[0].score, 0.9);
    let message = |row: &str| parse_results(&format!("a\n1\n{row}\n")).unwrap_err().to_string();
    for row in ["1 2 3 4", "1 2 3 4 5 6", "1 2 3 -4 1", "1 2 3 4 NaN", "x"] {
        assert!(message(row).starts_with("line 3: expected a detection"), "{row}");
    }
}

#[test]
fn subset_lists() {
    let images = parse_subset("a.jpg\n2\n3\n1\nb.jpg\n0\n").unwrap();
    assert_eq!((&images[0].counted[..], &images[1].counted[..]), (&[3, 1][..], &[][..]));
    for row in ["0", "-1", "1.5", "x"] {
        assert!(parse_subset(&format!("a.jpg\n1\n{row}\n")).is_err(), "{row}");
    }
    assert!(
        parse_subset("a.jpg\n2\n1\n1\n").unwrap_err().to_string().starts_with("line 4: expected the number of another")
    );
}

fn rectangles() -> impl Strategy<Value = Rectangle> {
    (-1e4_f64..1e4, -1e4_f64..1e4, 0_f64..1e4, 0_f64..1e4).prop_map(|(x, y, w, h)| Rectangle::new(x, y, w, h))
}

proptest! {
    #[test]
    fn results_survive_writing_and_reading(
        boxes in prop::collection::vec(prop::collection::vec((rectangles(), -1e3_f64..1e3), 0..4), 0..4),
    ) {
        let detections = |boxes: &[(Rectangle, f64)]| boxes.iter().map(|&(area, score)| Detection { area, score }).collect();
        let image = |(index, boxes): (usize, &Vec<_>)| ResultImage {
            file: format!("{index}--event/picture {index}.jpg"),
            detections: detections(boxes),
        };
        let results: Vec<ResultImage> = boxes.iter().enumerate().map(image).collect();
        prop_assert_eq!(parse_results(&write_results(&results)).unwrap(), results);
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "[0-9a. \n-]{0,60}") {
        drop((parse_truth(&text), parse_results(&text), parse_subset(&text)));
    }
}
