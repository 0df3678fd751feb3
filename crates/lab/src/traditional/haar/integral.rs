//! Sums over boxes in constant time.

/// Sums of the pixels, and of their squares, above and to the left of each corner. They wrap around: differences come out
/// right as long as the box's own sum fits.
#[derive(Clone, Debug, Default)]
pub(super) struct Integral {
    /// Corners in a row: pixels in a row and one.
    pub(super) stride: usize,
    pub(super) sums: Vec<u32>,
    pub(super) squares: Vec<u32>,
}

impl Integral {
    /// Sums up `pixels`, rows of `width`.
    pub(super) fn fill(&mut self, pixels: &[u8], width: usize) {
        let stride = width + 1;
        let corners = stride * (pixels.len() / width + 1);
        self.stride = stride;
        for table in [&mut self.sums, &mut self.squares] {
            table.clear();
            table.resize(corners, 0);
        }
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            let from = y * stride;
            let (above_sums, sums) = self.sums[from..from + 2 * stride].split_at_mut(stride);
            let (above_squares, squares) = self.squares[from..from + 2 * stride].split_at_mut(stride);
            let (mut sum, mut square) = (0_u32, 0_u32);
            let above = above_sums[1..].iter().zip(&above_squares[1..]);
            let below = sums[1..].iter_mut().zip(&mut squares[1..]);
            for ((&pixel, (&sum_above, &square_above)), (sum_here, square_here)) in row.iter().zip(above).zip(below) {
                let pixel = u32::from(pixel);
                sum = sum.wrapping_add(pixel);
                square = square.wrapping_add(pixel * pixel);
                *sum_here = sum_above.wrapping_add(sum);
                *square_here = square_above.wrapping_add(square);
            }
        }
    }
}

/// The four corners of a box, counted from the window's first corner.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Corners([u32; 4]);

impl Corners {
    pub(super) fn new((x, y): (usize, usize), (width, height): (usize, usize), stride: usize) -> Self {
        let at = |x: usize, y: usize| (y * stride + x) as u32;
        Self([at(x, y), at(x + width, y), at(x, y + height), at(x + width, y + height)])
    }

    /// The sum over the box; `window` starts with the window's first corner.
    #[inline]
    pub(super) fn sum(&self, window: &[u32]) -> u32 {
        let [a, b, c, d] = self.0;
        let (top, bottom) =
            (window[a as usize].wrapping_sub(window[b as usize]), window[d as usize].wrapping_sub(window[c as usize]));
        top.wrapping_add(bottom)
    }

    /// The sum as OpenCV weighs it.
    #[inline]
    pub(super) fn signed_sum(&self, window: &[u32]) -> f32 {
        self.sum(window).cast_signed() as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    use super::{Corners, Integral};

    fn picture() -> impl Strategy<Value = (usize, Vec<u8>)> {
        (1_usize..12, 1_usize..12).prop_flat_map(|(width, height)| {
            (proptest::strategy::Just(width), proptest::collection::vec(proptest::num::u8::ANY, width * height))
        })
    }

    proptest! {
        #[test]
        fn boxes_sum_to_what_their_pixels_do((width, pixels) in picture(), x in 0_usize..12, y in 0_usize..12, w in 0_usize..12, h in 0_usize..12) {
            let height = pixels.len() / width;
            let (x, y) = (x.min(width), y.min(height));
            let (w, h) = (w.min(width - x), h.min(height - y));
            let mut integral = Integral::default();
            integral.fill(&[7; 20], 5);
            integral.fill(&pixels, width);
            let corners = Corners::new((x, y), (w, h), integral.stride);
            let inside = || (y..y + h).flat_map(|row| &pixels[row * width + x..row * width + x + w]).map(|&p| u32::from(p));
            prop_assert_eq!(corners.sum(&integral.sums), inside().sum::<u32>());
            prop_assert_eq!(corners.sum(&integral.squares), inside().map(|p| p * p).sum::<u32>());
        }
    }

    #[test]
    fn sums_that_wrap_still_give_the_box() {
        let (width, height) = (300, 300);
        let mut integral = Integral::default();
        integral.fill(&vec![255; width * height], width);
        // 255² * 90,000 is above 2^32.
        let corners = Corners::new((290, 290), (10, 10), integral.stride);
        assert_eq!(corners.sum(&integral.squares), 100 * 255 * 255);
    }
}
