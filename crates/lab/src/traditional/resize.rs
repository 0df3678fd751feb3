//! Resizing brightness as OpenCV's `INTER_LINEAR_EXACT` does, to the last bit: weights in 1/256 and one rounding at the end.

use crate::traditional::gray::GrayImage;

/// Writes `image` at another size over `out`.
pub(crate) fn resize(image: &GrayImage, (width, height): (usize, usize), out: &mut Vec<u8>) {
    out.clear();
    if (width, height) == (image.width(), image.height()) {
        out.extend_from_slice(image.data());
        return;
    }
    let columns = taps(image.width(), width);
    let stretch = |y: usize, line: &mut Vec<u32>| {
        let row = &image.data()[y * image.width()..][..image.width()];
        let mix = |tap: &Tap| u32::from(row[tap.first]) * tap.weights[0] + u32::from(row[tap.second]) * tap.weights[1];
        line.clear();
        line.extend(columns.iter().map(mix));
    };
    let (mut upper, mut lower) = (Vec::with_capacity(width), Vec::with_capacity(width));
    for tap in taps(image.height(), height) {
        stretch(tap.first, &mut upper);
        stretch(tap.second, &mut lower);
        let mix = |(&a, &b): (&u32, &u32)| ((a * tap.weights[0] + b * tap.weights[1] + (1 << 15)) >> 16) as u8;
        out.extend(upper.iter().zip(&lower).map(mix));
    }
}

/// Two neighbours and their weights in 1/256.
struct Tap {
    first: usize,
    second: usize,
    weights: [u32; 2],
}

fn taps(from: usize, to: usize) -> Vec<Tap> {
    // In this order because OpenCV inverts the ratio that it was given.
    let scale = 1.0 / (to as f64 / from as f64);
    let last = from - 1;
    let tap = |index: usize| {
        let position = scale * (index as f64 + 0.5) - 0.5;
        let first = position.floor();
        if first < 0.0 {
            return Tap { first: 0, second: 0, weights: [256, 0] };
        }
        let fraction = ((position - first) * 256.0).round_ties_even() as u32;
        let first = first as usize;
        if first >= last {
            return Tap { first: last, second: last, weights: [256, 0] };
        }
        Tap { first, second: first + 1, weights: [256 - fraction, fraction] }
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::resize;
    use crate::traditional::gray::GrayImage;

    #[test]
    fn resizing_is_linear_and_exact() {
        let image = GrayImage::new(4, 2, vec![0, 100, 200, 255, 10, 110, 210, 245]).unwrap();
        let mut out = Vec::new();
        resize(&image, (4, 2), &mut out);
        assert_eq!(out, image.data());
        resize(&image, (2, 1), &mut out);
        // Means of four, halves upwards: (0 + 100 + 10 + 110) / 4 and (200 + 255 + 210 + 245) / 4 = 227.5.
        assert_eq!(out, [55, 228]);
        resize(&image, (8, 2), &mut out);
        assert_eq!(out[..8], [0, 25, 75, 125, 175, 214, 241, 255]);
    }
}
