//! Gray pictures of faces, and how they are cut from colour photos.

mod bicubic;

use serde::Serialize;

use super::error::ClassicalError;

/// A gray picture, row by row, from 0 (black) to 1 (white).
#[derive(Clone, Debug, PartialEq)]
pub struct GrayImage {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// The first column.
    pub left: usize,
    /// The first row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Region {
    /// What scikit-learn's `fetch_lfw_people` cuts from the 250x250 photos of LFW.
    pub const LFW: Self = Self { left: 78, top: 70, width: 94, height: 125 };
    /// The width and height that `fetch_lfw_people` shrinks it to.
    pub const LFW_SIZE: (usize, usize) = (47, 62);
}

impl GrayImage {
    /// A picture of gray values.
    ///
    /// # Errors
    /// When the values do not fill the picture, or it has no pixel.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Result<Self, ClassicalError> {
        if width == 0 || height == 0 {
            return Err(ClassicalError::Picture(format!("a picture of {width}x{height} has no pixels")));
        }
        if width.checked_mul(height) != Some(values.len()) {
            let count = values.len();
            return Err(ClassicalError::Picture(format!("{count} values do not fill a picture of {width}x{height}")));
        }
        Ok(Self { width, height, values })
    }

    /// Cuts a region from a photo (three bytes a pixel: red, green, blue), scales it to a width and height, and takes
    /// the mean of the three colours.
    ///
    /// This is `fetch_lfw_people`'s way: Pillow's antialiased bicubic filter on the colours as bytes comes first, the
    /// mean after. The aspect is not kept.
    ///
    /// # Errors
    /// When the bytes do not fill the photo, the region leaves it, or nothing is left of it.
    pub fn from_rgb(
        rgb: &[u8],
        photo: (usize, usize),
        region: Region,
        size: (usize, usize),
    ) -> Result<Self, ClassicalError> {
        let (width, height) = photo;
        if width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3)) != Some(rgb.len()) {
            let count = rgb.len();
            return Err(ClassicalError::Picture(format!("{count} bytes do not fill a photo of {width}x{height}")));
        }
        let inside =
            |start: usize, length: usize, end| length > 0 && start.checked_add(length).is_some_and(|e| e <= end);
        if !inside(region.left, region.width, width) || !inside(region.top, region.height, height) {
            let Region { left, top, width: across, height: down } = region;
            let region = format!("a region of {across}x{down} at {left},{top}");
            return Err(ClassicalError::Picture(format!("{region} cannot be cut from a photo of {width}x{height}")));
        }
        if size.0 == 0 || size.1 == 0 {
            return Err(ClassicalError::Picture(format!("a picture of {}x{} has no pixels", size.0, size.1)));
        }
        let scaled = bicubic::scale(rgb, width, region, size);
        let gray = |pixel: &[u8]| pixel.iter().map(|&value| f32::from(value) / 255.0).sum::<f32>() / 3.0;
        Self::new(size.0, size.1, scaled.chunks_exact(3).map(gray).collect())
    }

    /// Pixels across.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels down.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The gray values, row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

#[cfg(test)]
mod tests;
