//! Brightness: the one channel that traditional detectors look at.

use sightline_vision::{ColorRange, Picture, Planes, RgbImage};

use crate::traditional::resize::resize;

/// OpenCV's weights of red, green and blue (.299, .587, .114) in 1/32768.
const WEIGHTS: [u32; 3] = [9_798, 19_235, 3_735];

/// 8-bit brightness from 0 to 255, rows from the top, no padding between rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrayImage {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl GrayImage {
    /// Takes `width * height` bytes; None when there are more or fewer, or none.
    #[must_use]
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        (!data.is_empty() && width.checked_mul(height) == Some(data.len())).then_some(Self { width, height, data })
    }

    /// The brightness of a picture: what OpenCV's `COLOR_RGB2GRAY` gives for RGB, and the luma of video, stretched to the
    /// full range where it is not.
    #[must_use]
    pub fn of(picture: Picture<'_>) -> Self {
        match picture {
            Picture::Rgb(image) => Self::of_rgb(image),
            Picture::Planes(planes) => Self::of_planes(planes),
        }
    }

    fn of_rgb(image: &RgbImage) -> Self {
        let [red, green, blue] = WEIGHTS;
        let mut data = vec![0; image.data().len() / 3];
        for (gray, pixel) in data.iter_mut().zip(image.data().chunks_exact(3)) {
            let sum = u32::from(pixel[0]) * red + u32::from(pixel[1]) * green + u32::from(pixel[2]) * blue;
            *gray = ((sum + (1 << 14)) >> 15) as u8;
        }
        Self { width: image.width() as usize, height: image.height() as usize, data }
    }

    fn of_planes(planes: &Planes) -> Self {
        let (width, height) = (planes.width() as usize, planes.height() as usize);
        let (luma, stride) = planes.plane(0);
        let mut data: Vec<u8> = Vec::with_capacity(width * height);
        for row in luma.chunks(stride).take(height) {
            data.extend_from_slice(&row[..width]);
        }
        if planes.color().1 == ColorRange::Limited {
            let table = stretch_table();
            for value in &mut data {
                *value = table[usize::from(*value)];
            }
        }
        Self { width, height, data }
    }

    /// The picture at another size, its sides raised to at least 1.
    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let mut data = Vec::with_capacity(width * height);
        resize(self, (width, height), &mut data);
        Self { width, height, data }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// The bytes, `width * height`.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

/// Luma of video, 16 to 235, to 0 to 255.
fn stretch_table() -> [u8; 256] {
    std::array::from_fn(|value| {
        let above = value.saturating_sub(16);
        ((above * 255 + 109) / 219).min(255) as u8
    })
}

#[cfg(test)]
mod tests {
    use sightline_vision::{ColorMatrix, ColorRange, Picture, Planes, RgbImage};

    use super::GrayImage;

    #[test]
    fn the_size_must_fit() {
        assert!(GrayImage::new(2, 3, vec![0; 6]).is_some());
        assert!(GrayImage::new(2, 3, vec![0; 5]).is_none());
        assert!(GrayImage::new(0, 3, vec![]).is_none());
        assert!(GrayImage::new(usize::MAX, 2, vec![0; 6]).is_none());
    }

    #[test]
    fn colours_weigh_as_opencv_weighs_them() {
        let pixels = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 200, 30], [7, 7, 7]];
        let image = RgbImage::new(6, 1, pixels.concat()).unwrap();
        assert_eq!(GrayImage::of(Picture::Rgb(&image)).data(), [76, 150, 29, 255, 124, 7]);
    }

    #[test]
    fn video_gives_its_luma_in_the_full_range() {
        let data = vec![16, 126, 235, 0, 255, 17, 128, 128, 128, 128];
        let planes = |range| Planes::from_i420((3, 2), (ColorMatrix::Bt709, range), data.clone()).unwrap();
        let full = GrayImage::of(Picture::Planes(&planes(ColorRange::Full)));
        assert_eq!(full.data(), [16, 126, 235, 0, 255, 17]);
        let limited = GrayImage::of(Picture::Planes(&planes(ColorRange::Limited)));
        assert_eq!(limited.data(), [0, 128, 255, 0, 255, 1]);
        assert_eq!((limited.width(), limited.height()), (3, 2));
    }
}
