//! Pillow's `Image.crop(region).resize(size, BICUBIC)` to the last bit: a cubic filter that grows when shrinking, columns
//! first with rounding to bytes in between, weights in 1/2^22. (Where the rows shrink more than the columns, Pillow 13 may
//! take the rows first, and bytes differ by 1 to 3.)

use super::Region;

/// The cubic's parameter in Pillow (and in the Catmull-Rom spline).
const A: f64 = -0.5;
/// How far the cubic reaches, in pixels of the smaller of both pictures.
const REACH: f64 = 2.0;
const PRECISION_BITS: u32 = 22;
const ROUND: i32 = 1 << (PRECISION_BITS - 1);

/// The pixels that make one pixel, from the first one on.
struct Filter {
    first: usize,
    weights: Vec<i32>,
}

/// The region of a picture, scaled; three bytes a pixel. Pixels around the region have no share.
pub(super) fn scale(rgb: &[u8], width: usize, region: Region, size: (usize, usize)) -> Vec<u8> {
    let (columns, rows) = (filters(region.width, size.0), filters(region.height, size.1));
    let mut narrow = Vec::with_capacity(3 * size.0 * region.height);
    for line in rgb.chunks_exact(3 * width).skip(region.top).take(region.height) {
        let line = &line[3 * region.left..];
        for filter in &columns {
            let taps = line[3 * filter.first..].chunks_exact(3);
            narrow.extend((0..3).map(|color| weigh(filter, taps.clone().map(|pixel| pixel[color]))));
        }
    }
    let row = 3 * size.0;
    let mut scaled = Vec::with_capacity(row * size.1);
    for filter in &rows {
        let lines = narrow[row * filter.first..].chunks_exact(row);
        scaled.extend((0..row).map(|place| weigh(filter, lines.clone().map(|line| line[place]))));
    }
    scaled
}

fn weigh(filter: &Filter, taps: impl Iterator<Item = u8>) -> u8 {
    let sum = taps.zip(&filter.weights).fold(ROUND, |sum, (value, weight)| sum + i32::from(value) * weight);
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

fn filters(from: usize, to: usize) -> Vec<Filter> {
    let step = from as f64 / to as f64;
    let spread = step.max(1.0);
    let filter = |index: usize| {
        let center = (index as f64 + 0.5) * step;
        let first = (center - REACH * spread + 0.5).max(0.0) as usize;
        let end = ((center + REACH * spread + 0.5) as usize).min(from);
        let weights: Vec<f64> =
            (first..end).map(|pixel| cubic((pixel as f64 - center + 0.5) * (1.0 / spread))).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: &f64| (weight / sum * f64::from(1 << PRECISION_BITS)).round() as i32;
        Filter { first, weights: weights.iter().map(fixed).collect() }
    };
    (0..to).map(filter).collect()
}

fn cubic(distance: f64) -> f64 {
    let x = distance.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < REACH {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
