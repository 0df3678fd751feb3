//! Tests of cutting and scaling.

use super::*;

fn photo(width: usize, height: usize) -> Vec<u8> {
    (0..width * height).flat_map(|i| [(i % width) as u8, (i / width) as u8, 30]).collect()
}

#[test]
fn an_unscaled_region_is_the_mean_of_the_colours() {
    let region = Region { left: 2, top: 1, width: 3, height: 2 };
    let gray = GrayImage::from_rgb(&photo(6, 4), (6, 4), region, (3, 2)).unwrap();
    let expected: Vec<f32> = [33, 34, 35, 34, 35, 36].iter().map(|sum| *sum as f32 / 255.0 / 3.0).collect();
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

/// What Pillow 13.0.0 makes of a region of 13x12 at 3,2: smaller both ways, then narrower and higher.
#[test]
fn scaling_equals_pillow_to_the_bit() {
    let value = |x: usize, y: usize, color: usize| (((x * 37 + y * 11 + color * 53) * (x + 3 * y + 1)) % 256) as u8;
    let rgb: Vec<u8> = (0..16 * 20 * 3).map(|i| value(i / 3 % 20, i / 60, i % 3)).collect();
    let region = Region { left: 3, top: 2, width: 13, height: 12 };
    #[rustfmt::skip]
    let smaller = [
        144, 95, 158, 154, 145, 168, 85, 150, 141, 107, 157, 111, 115, 151, 146, 142, 110, 126, 110, 121,
        141, 146, 135, 113, 131, 96, 120, 113, 82, 149, 162, 151, 125, 174, 125, 109, 151, 104, 123, 146,
        100, 115, 131, 139, 134, 146, 126, 143, 136, 130, 113, 88, 90, 145, 100, 66, 169, 143, 91, 141,
    ];
    assert_eq!(bicubic::scale(&rgb, 20, region, (5, 4)), smaller);
    #[rustfmt::skip]
    let higher = [
        107, 71, 161, 78, 142, 137, 93, 130, 168, 159, 132, 176, 81, 139, 123, 120, 157, 163, 167, 147,
        176, 106, 163, 129, 112, 174, 91, 157, 107, 149, 142, 170, 156, 108, 155, 66, 158, 75, 115, 156,
        131, 176, 143, 103, 160, 64, 157, 136, 97, 123, 129, 122, 63, 181, 121, 107, 140, 129, 101, 62,
        105, 56, 149, 172, 106, 135, 160, 122, 79, 119, 89, 91, 184, 135, 115, 160, 113, 125, 147, 124,
        84, 174, 137, 90, 143, 52, 126, 154, 132, 152, 144, 167, 113, 172, 158, 131, 116, 151, 136, 171,
        164, 158, 145, 93, 126, 144, 113, 171, 155, 130, 155, 92, 80, 150, 136, 68, 154, 125, 107, 116,
        67, 97, 160, 111, 53, 133, 130, 118, 87, 90, 77, 127, 109, 72, 161,
    ];
    assert_eq!(bicubic::scale(&rgb, 20, region, (3, 15)), higher);
}
