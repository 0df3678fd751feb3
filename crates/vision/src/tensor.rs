//! From pixels to the numbers a network takes: planar (NCHW) 32-bit floats.

use crate::image::RgbImage;

/// `tensor = (pixel - mean) * scale` for each plane of the tensor, and which colour each plane holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Subtracted, in the order of the tensor's planes.
    pub mean: [f32; 3],
    /// Multiplied, in the order of the tensor's planes.
    pub scale: [f32; 3],
    /// The first plane is blue instead of red.
    pub bgr: bool,
}

impl Normalization {
    /// RGB as it is, 0 to 255.
    pub const NONE: Self = Self { mean: [0.0; 3], scale: [1.0; 3], bgr: false };

    /// For each plane of the tensor: its colour (0 red, 1 green, 2 blue), mean and scale.
    pub(crate) fn planes(&self) -> [(usize, f32, f32); 3] {
        let color = |plane: usize| if self.bgr { 2 - plane } else { plane };
        [0, 1, 2].map(|plane| (color(plane), self.mean[plane], self.scale[plane]))
    }
}

/// Appends the three planes of `image` to `tensor`.
pub fn append_tensor(image: &RgbImage, normalization: &Normalization, tensor: &mut Vec<f32>) {
    for (color, mean, scale) in normalization.planes() {
        tensor.extend(image.data().chunks_exact(3).map(|pixel| (f32::from(pixel[color]) - mean) * scale));
    }
}

#[cfg(test)]
mod tests {
    use super::{Normalization, append_tensor};
    use crate::image::RgbImage;

    #[test]
    fn planes_follow_the_order_asked_for() {
        let image = RgbImage::new(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap();
        let mut tensor = vec![];
        append_tensor(&image, &Normalization::NONE, &mut tensor);
        assert_eq!(tensor, [10.0, 40.0, 20.0, 50.0, 30.0, 60.0]);
        tensor.clear();
        let bgr = Normalization { mean: [30.0, 0.0, 0.0], scale: [2.0, 1.0, 1.0], bgr: true };
        append_tensor(&image, &bgr, &mut tensor);
        assert_eq!(tensor, [0.0, 60.0, 20.0, 50.0, 10.0, 40.0]);
    }
}
