//! Tests on pictures small enough to code by hand.

use super::*;
use crate::classical::Method;
use crate::classical::testing::{error_of, people, picture, train};

fn one_cell() -> Lbph {
    Lbph { columns: 1, rows: 1, ..Lbph::default() }
}

/// The codes of a picture with four neighbours, by hand: bit 0 right, 1 up, 2 left, 3 down.
#[test]
fn four_neighbours_by_hand() {
    let lbph = Lbph { neighbours: 4, ..one_cell() };
    let descriptor = Descriptor::new(lbph, 3, 3);
    #[rustfmt::skip]
    let values = [
        0.0, 0.9, 0.0,
        0.2, 0.5, 0.5,
        0.0, 0.4, 0.0,
    ];
    // Right is equal and counts, up is lighter, left and down are darker.
    assert_eq!(descriptor.code(&values, 4), 0b0011);
}

/// Diagonal neighbours lie between pixels, at 0.7071: shares .0858 (own pixel), .2071 (two sides), .5 (corner).
#[test]
fn diagonal_neighbours_are_interpolated() {
    let descriptor = Descriptor::new(one_cell(), 3, 3);
    #[rustfmt::skip]
    let values = [
        0.0, 0.0, 1.0,
        0.0, 0.5, 0.0,
        0.0, 0.0, 0.0,
    ];
    // Up right: .5 * 1 + .0858 * .5 = .5429, above the middle; all others below.
    assert_eq!(descriptor.code(&values, 4), 0b0000_0010);
    let mut darker = values;
    darker[2] = 0.9;
    // .4929 now.
    assert_eq!(descriptor.code(&darker, 4), 0);
}

#[test]
fn a_flat_picture_has_one_code_at_any_brightness() {
    for radius in 1..=3 {
        for neighbours in [3, 5, 8, 12, 16] {
            let lbph = Lbph { radius, neighbours, ..one_cell() };
            for level in [0.0_f32, 0.1, 1.0 / 3.0, 0.7, 0.999, 1.0] {
                let histogram = Descriptor::new(lbph.clone(), 9, 10).histograms(&[level; 90]);
                assert!((histogram[(1 << neighbours) - 1] - 1.0).abs() < 1e-6, "{radius} {neighbours} {level}");
            }
        }
    }
}

#[test]
fn every_cell_is_a_histogram_that_adds_to_one() {
    let values: Vec<f32> = (0..17 * 14).map(|i| ((i * 7919) % 101) as f32 / 100.0).collect();
    let lbph = Lbph { columns: 3, rows: 2, ..Lbph::default() };
    let histograms = Descriptor::new(lbph, 17, 14).histograms(&values);
    assert_eq!(histograms.len(), 6 * 256);
    for cell in histograms.chunks(256) {
        assert!((cell.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

/// Cells of 2x2 in a picture of 6x6: the top left one covers columns and rows 1 and 2.
#[test]
fn cells_cover_the_inner_pixels() {
    let lbph = Lbph { columns: 2, rows: 2, ..Lbph::default() };
    let descriptor = Descriptor::new(lbph, 6, 6);
    let mut values = vec![0.5; 36];
    values[3 * 6 + 4] = 1.0;
    let histograms = descriptor.histograms(&values);
    let codes: Vec<usize> =
        [(3, 3), (3, 4), (4, 3), (4, 4)].iter().map(|(r, c)| descriptor.code(&values, r * 6 + c)).collect();
    for (pattern, share) in histograms[3 * 256..].iter().enumerate() {
        let expected = codes.iter().filter(|code| **code == pattern).count() as f32 / 4.0;
        assert!((share - expected).abs() < 1e-6, "{pattern}");
    }
    // The light pixel has darker neighbours only.
    assert_eq!(codes[1], 0);
}

#[test]
fn chi_square_by_hand() {
    // 2 * (.25/1.5 + .25/.5 + 0 + 0)
    let distance = chi_square(&[1.0, 0.0, 0.0, 0.3], &[0.5, 0.5, 0.0, 0.3]);
    assert!((distance - 2.0 * (0.25 / 1.5 + 0.5)).abs() < 1e-6, "{distance}");
}

/// More values than are added side by side, and some left over.
#[test]
fn chi_square_counts_every_value() {
    let (a, b): (Vec<f32>, Vec<f32>) = (0..37).map(|i| ((i % 5) as f32 / 37.0, (i % 7) as f32 / 37.0)).unzip();
    let term = |(a, b): (&f32, &f32)| if a + b > 0.0 { f64::from((a - b) * (a - b) / (a + b)) } else { 0.0 };
    let expected = 2.0 * a.iter().zip(&b).map(term).sum::<f64>();
    assert!((chi_square(&a, &b) - expected).abs() < 1e-6);
}

#[test]
fn brightness_and_contrast_do_not_matter() {
    let pattern = |person: usize, gain: f32, shift: f32| {
        let value = |i: usize| ((i * (person * 13 + 7)) % 31) as f32 / 31.0;
        picture(20, &(0..400).map(|i| value(i) * gain + shift).collect::<Vec<f32>>())
    };
    let samples: Vec<_> = (0..3).map(|person| (pattern(person, 1.0, 0.0), person)).collect();
    let model = train(&Method::Lbph(Lbph::default()), 3, &samples);
    for person in 0..3 {
        let answer = model.predict(&pattern(person, 0.4, 0.3)).unwrap();
        assert_eq!(answer.class, person);
        assert!(answer.score() > -1e-6, "{answer:?}");
    }
    assert_eq!(model.bytes(), 3 * 64 * 256 * 4 + 3 * 8);
}

#[test]
fn parameters_without_sense_are_refused() {
    let names = people(2);
    let samples = [(picture(9, &[0.0; 81]), 0), (picture(9, &[1.0; 81]), 1)];
    let text = |lbph: Lbph| error_of(&Method::Lbph(lbph), &names, &samples);
    assert_eq!(text(Lbph::default()), "LBPH: a picture of 9x9 is too small for 8x8 cells at radius 1");
    assert!(text(Lbph { radius: 0, ..one_cell() }).contains("must be 1 or more"));
    assert!(text(Lbph { neighbours: 17, ..one_cell() }).contains("1 to 16 are possible"));
    assert!(text(Lbph { radius: usize::MAX, ..one_cell() }).contains("too small"));
}
