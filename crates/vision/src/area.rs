//! Adaptive area pooling, as PyTorch's `interpolate(mode = "area")`: what MTCNN's picture pyramid and crops are made with.
//!
//! Bin `i` of `out` covers the whole source pixels `floor(i * in / out) .. ceil((i + 1) * in / out)` and is their unweighted
//! mean, also when enlarging. This is not OpenCV's `INTER_AREA`, which weighs the pixels at the border of a bin.

use crate::convert::Region;
use crate::image::RgbImage;
use crate::tensor::Normalization;

/// Reused between calls: column sums of one row of bins, and the bins.
#[derive(Clone, Debug, Default)]
pub struct AreaPool {
    sums: Vec<u32>,
    columns: Vec<(usize, usize, f32)>,
}

impl AreaPool {
    /// Appends `region` of `image`, pooled to `width` x `height`, to `tensor` as three planes. The means are not rounded
    /// to bytes. Appends nothing when a side is 0 or the region is not inside the picture.
    pub fn append(
        &mut self,
        image: &RgbImage,
        region: Region,
        (width, height): (u32, u32),
        normalization: &Normalization,
        tensor: &mut Vec<f32>,
    ) {
        let inside =
            |first: u32, count: u32, side: u32| count > 0 && first.checked_add(count).is_some_and(|end| end <= side);
        if width == 0
            || height == 0
            || !inside(region.x, region.width, image.width())
            || !inside(region.y, region.height, image.height())
        {
            return;
        }
        let (out_width, out_height) = (width as usize, height as usize);
        self.columns.clear();
        self.columns.extend((0..out_width).map(|i| {
            let (first, end) = bin(i, region.width as usize, out_width);
            (3 * first, 3 * end, 1.0 / (end - first) as f32)
        }));
        let start = tensor.len();
        let plane = out_width * out_height;
        tensor.resize(start + 3 * plane, 0.0);
        let target = &mut tensor[start..];
        for y in 0..out_height {
            let (first, end) = bin(y, region.height as usize, out_height);
            self.sum_rows(image, region, first, end);
            let rows = 1.0 / (end - first) as f32;
            for (index, (color, mean, scale)) in normalization.planes().into_iter().enumerate() {
                let line = &mut target[index * plane + y * out_width..][..out_width];
                for (value, &(from, to, share)) in line.iter_mut().zip(&self.columns) {
                    let sum: u32 = self.sums[from..to].iter().skip(color).step_by(3).sum();
                    *value = (sum as f32 * rows * share - mean) * scale;
                }
            }
        }
    }

    /// Sums the rows `first..end` of the region, column by column.
    fn sum_rows(&mut self, image: &RgbImage, region: Region, first: usize, end: usize) {
        let stride = 3 * image.width() as usize;
        let bytes = 3 * region.width as usize;
        self.sums.clear();
        self.sums.resize(bytes, 0);
        for y in first..end {
            let start = (region.y as usize + y) * stride + 3 * region.x as usize;
            for (sum, &value) in self.sums.iter_mut().zip(&image.data()[start..start + bytes]) {
                *sum += u32::from(value);
            }
        }
    }
}

fn bin(index: usize, from: usize, to: usize) -> (usize, usize) {
    (index * from / to, ((index + 1) * from).div_ceil(to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::AreaPool;
    use crate::convert::Region;
    use crate::image::RgbImage;
    use crate::tensor::Normalization;

    /// The definition, pixel by pixel.
    fn slow(image: &RgbImage, region: Region, width: usize, height: usize, color: usize) -> Vec<f32> {
        let mut out = vec![];
        for y in 0..height {
            for x in 0..width {
                let span = |i: usize, from: u32, to: usize| {
                    let from = from as usize;
                    (i * from / to)..(((i + 1) * from).div_ceil(to))
                };
                let mut values = vec![];
                for row in span(y, region.height, height) {
                    for column in span(x, region.width, width) {
                        let pixel = image.pixel(region.x + column as u32, region.y + row as u32);
                        values.push(f32::from(pixel[color]));
                    }
                }
                out.push(values.iter().sum::<f32>() / values.len() as f32);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            (w, h, to_w, to_h) in (1u32..25, 1u32..25, 1u32..30, 1u32..30), (x, y) in (0u32..25, 0u32..25),
        ) {
            let data = (0..3 * w * h).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let image = RgbImage::new(w, h, data).unwrap();
            let (x, y) = (x % w, y % h);
            let region = Region { x, y, width: w - x, height: h - y };
            let mut tensor = vec![7.0];
            let norm = Normalization { mean: [1.0; 3], scale: [0.5; 3], bgr: true };
            AreaPool::default().append(&image, region, (to_w, to_h), &norm, &mut tensor);
            let expected: Vec<f32> = [2, 1, 0].into_iter()
                .flat_map(|c| slow(&image, region, to_w as usize, to_h as usize, c)).collect();
            prop_assert_eq!(tensor.len(), expected.len() + 1);
            for (got, want) in tensor[1..].iter().zip(expected) {
                prop_assert!((got - (want - 1.0) * 0.5).abs() < 1e-4, "{} {}", got, want);
            }
        }
    }

    #[test]
    fn a_region_outside_appends_nothing() {
        let image = RgbImage::filled(4, 4, [1; 3]);
        let mut tensor = vec![];
        let mut pool = AreaPool::default();
        for region in [Region { x: 2, y: 0, width: 3, height: 1 }, Region { x: 0, y: 0, width: 0, height: 1 }] {
            pool.append(&image, region, (2, 2), &Normalization::NONE, &mut tensor);
        }
        pool.append(&image, Region::whole(4, 4), (0, 2), &Normalization::NONE, &mut tensor);
        assert!(tensor.is_empty());
    }
}
