//! Tests of cutting and scaling.

use super::*;

fn photo(width: usize, height: usize) -> Vec<u8> {
    (0..width * height).flat_map(|i| [(i % width) as u8, (i / width) as u8, 30]).collect()
}

#[test]
fn an_unscaled_region_is_the_mean_of_the_colours() {
    let region = Region { left: 2, top: 1, width: 3, height: 2 };
    let gray = GrayImage::from_rgb(&photo(6, 4), (6, 4), region, (3, 2)).unwrap();
    let expected: Vec<f32> =
        [33, 34, 35, 34, 35, 36].iter().map(|sum| *sum as f32 / 255.0 / 3.0).collect();
    for (value, expected) in gray.values().iter().zip(&expected) {
        assert!((value - expected).abs() < 1e-6, "{value} {expected}");
    }
}

#[test]
fn pixels_around_the_region_have_no_share() {
    let region = Region { left: 4, top: 4, width: 8, height: 8 };
    let mut rgb = vec![255; 3 * 16 * 16];
    for row in 4..12 {
        rgb[3 * (row * 16 + 4)..3 * (row * 16 + 12)].fill(102);
    }
    let gray = GrayImage::from_rgb(&rgb, (16, 16), region, (4, 4)).unwrap();
    assert!(gray.values().iter().all(|value| (value - 0.4).abs() < 1e-6), "{:?}", gray.values());
}

#[test]
fn what_cannot_be_cut_says_so() {
    let text = |rgb: &[u8], region, size| GrayImage::from_rgb(rgb, (6, 4), region, size).unwrap_err().to_string();
    let whole = Region { left: 0, top: 0, width: 6, height: 4 };
    assert_eq!(text(&[0; 10], whole, (2, 2)), "10 bytes do not fill a photo of 6x4");
    let outside = Region { left: 1, ..whole };
    assert_eq!(text(&photo(6, 4), outside, (2, 2)), "a region of 6x4 at 1,0 cannot be cut from a photo of 6x4");
    let far = Region { left: usize::MAX, ..whole };
    assert!(text(&photo(6, 4), far, (2, 2)).contains("cannot be cut"));
    assert!(text(&photo(6, 4), whole, (0, 2)).contains("no pixels"));
    let short = GrayImage::new(2, 2, vec![0.0; 3]).unwrap_err();
    assert_eq!(short.to_string(), "3 values do not fill a picture of 2x2");
}
