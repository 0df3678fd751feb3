//! The two kinds of picture: packed RGB and the planar YUV that decoders produce.

use std::sync::Arc;

/// Why pixels could not be taken as a picture.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The buffer is smaller than width, height and stride ask for.
    #[error("{what}: {got} bytes where {width}x{height} needs {need}")]
    TooShort {
        /// Which buffer or plane.
        what: &'static str,
        /// Bytes there are.
        got: usize,
        /// Bytes there must be.
        need: usize,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A side is zero or larger than [`Planes::MAX_SIDE`].
    #[error("a picture of {width}x{height} is outside 1 to {max} pixels a side", max = Planes::MAX_SIDE)]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// More pixels than the caller allows; said by the header, before anything is decoded.
    #[error("a picture of {width}x{height} has more than the {limit} pixels allowed: send a smaller one")]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Pixels allowed.
        limit: u64,
    },
    /// The bytes are no picture of a format that is read here.
    #[error("not a readable {format} picture: {reason}")]
    Decode {
        /// The format that was tried.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A box that is not finite, has no area or lies outside the picture.
    #[error("no region to cut: {0}")]
    Region(&'static str),
    /// The picture could not be written as JPEG.
    #[error("cannot encode the picture: {0}")]
    Encode(String),
}

/// Packed 8-bit RGB, rows from the top, no padding between rows.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl RgbImage {
    /// Takes `data` (`3 * width * height` bytes, RGB).
    ///
    /// # Errors
    /// [`ImageError::Size`] or [`ImageError::TooShort`] when the numbers do not fit.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Self, ImageError> {
        check_size(width, height)?;
        let need = 3 * width as usize * height as usize;
        if data.len() != need {
            return Err(ImageError::TooShort { what: "RGB picture", got: data.len(), need, width, height });
        }
        Ok(Self { width, height, data })
    }

    /// A picture of one colour; sides are raised to at least 1.
    #[must_use]
    pub fn filled(width: u32, height: u32, rgb: [u8; 3]) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let data = rgb.repeat(width as usize * height as usize);
        Self { width, height, data }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The bytes, `3 * width * height`.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The pixel at column `x` and row `y`, both clamped to the picture.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let x = x.min(self.width - 1) as usize;
        let y = y.min(self.height - 1) as usize;
        let at = 3 * (y * self.width as usize + x);
        [self.data[at], self.data[at + 1], self.data[at + 2]]
    }
}

impl std::fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbImage({}x{})", self.width, self.height)
    }
}

/// How the chroma of a [`Planes`] is stored; both are 4:2:0 (half width and half height, rounded up).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaneLayout {
    /// Three planes: Y, U, V.
    I420,
    /// Two planes: Y and interleaved U, V.
    Nv12,
}

/// The matrix that turns YUV into RGB, from the stream's own signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ColorMatrix {
    /// ITU-R BT.601: standard definition, and JPEG.
    #[default]
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// Whether luma uses 16..235 or 0..255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ColorRange {
    /// 16..235 (video).
    #[default]
    Limited,
    /// 0..255 (JPEG).
    Full,
}

/// One plane inside the shared buffer of a [`Planes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plane {
    offset: usize,
    stride: usize,
    rows: usize,
    row_bytes: usize,
}

/// A decoded frame as the decoder left it: planar YUV 4:2:0 in a shared, read-only buffer. Cloning is cheap.
#[derive(Clone)]
pub struct Planes {
    layout: PlaneLayout,
    width: u32,
    height: u32,
    matrix: ColorMatrix,
    range: ColorRange,
    planes: [Plane; 3],
    buffer: Arc<dyn AsRef<[u8]> + Send + Sync>,
}

impl Planes {
    /// Largest side accepted anywhere: 16 thousand pixels, twice 8K video.
    pub const MAX_SIDE: u32 = 16_384;

    /// Takes a buffer with the offset and stride in bytes of each plane (two for NV12, three for I420).
    ///
    /// # Errors
    /// [`ImageError::Size`] or [`ImageError::TooShort`] when a plane would reach past the buffer.
    pub fn new(
        layout: PlaneLayout,
        (width, height): (u32, u32),
        (matrix, range): (ColorMatrix, ColorRange),
        offsets_and_strides: &[(usize, usize)],
        buffer: Arc<dyn AsRef<[u8]> + Send + Sync>,
    ) -> Result<Self, ImageError> {
        check_size(width, height)?;
        let (w, h) = (width as usize, height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let shapes: &[(&'static str, usize, usize)] = match layout {
            PlaneLayout::I420 => &[("Y plane", w, h), ("U plane", cw, ch), ("V plane", cw, ch)],
            PlaneLayout::Nv12 => &[("Y plane", w, h), ("UV plane", 2 * cw, ch)],
        };
        let length = (*buffer).as_ref().len();
        let mut planes = [Plane { offset: 0, stride: 0, rows: 0, row_bytes: 0 }; 3];
        for (index, &(what, row_bytes, rows)) in shapes.iter().enumerate() {
            let (offset, stride) = offsets_and_strides.get(index).copied().unwrap_or((usize::MAX, 0));
            let last_row = stride.checked_mul(rows - 1);
            let need = last_row.and_then(|b| b.checked_add(offset)).and_then(|b| b.checked_add(row_bytes));
            match need {
                Some(need) if need <= length && stride >= row_bytes => {}
                _ => {
                    let need = need.unwrap_or(usize::MAX);
                    return Err(ImageError::TooShort { what, got: length, need, width, height });
                }
            }
            planes[index] = Plane { offset, stride, rows, row_bytes };
        }
        Ok(Self { layout, width, height, matrix, range, planes, buffer })
    }

    /// Tightly packed I420 in a vector: Y, then U, then V.
    ///
    /// # Errors
    /// As [`Planes::new`].
    pub fn from_i420(size: (u32, u32), color: (ColorMatrix, ColorRange), data: Vec<u8>) -> Result<Self, ImageError> {
        let (w, h) = (size.0 as usize, size.1 as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let at = [(0, w), (w * h, cw), (w * h + cw * ch, cw)];
        Self::new(PlaneLayout::I420, size, color, &at, Arc::new(data))
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// I420 or NV12.
    #[must_use]
    pub const fn layout(&self) -> PlaneLayout {
        self.layout
    }

    /// Matrix and range of the colours.
    #[must_use]
    pub const fn color(&self) -> (ColorMatrix, ColorRange) {
        (self.matrix, self.range)
    }

    /// The bytes of plane `index` (Y 0; U and V 1 and 2, or interleaved UV 1) and its stride in bytes. The slice ends
    /// with the last pixel, not with the last row's padding.
    #[must_use]
    pub fn plane(&self, index: usize) -> (&[u8], usize) {
        let p = self.planes[index];
        let bytes: &[u8] = (*self.buffer).as_ref();
        (&bytes[p.offset..p.offset + p.stride * p.rows.saturating_sub(1) + p.row_bytes], p.stride)
    }
}

impl std::fmt::Debug for Planes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Planes({:?} {}x{})", self.layout, self.width, self.height)
    }
}

/// Either kind of picture, borrowed: what detectors take, so that video never becomes full-size RGB.
#[derive(Clone, Copy, Debug)]
pub enum Picture<'a> {
    /// Packed RGB: stills.
    Rgb(&'a RgbImage),
    /// Planar YUV: video.
    Planes(&'a Planes),
}

impl Picture<'_> {
    /// Width and height in pixels.
    #[must_use]
    pub const fn size(&self) -> (u32, u32) {
        match self {
            Self::Rgb(image) => (image.width, image.height),
            Self::Planes(planes) => (planes.width, planes.height),
        }
    }
}

fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    let fits = |side: u32| (1..=Planes::MAX_SIDE).contains(&side);
    if fits(width) && fits(height) { Ok(()) } else { Err(ImageError::Size { width, height }) }
}

#[cfg(test)]
mod tests {
    use super::{ColorMatrix, ColorRange, ImageError, Planes, RgbImage};

    #[test]
    fn planes_refuse_a_short_buffer() {
        let color = (ColorMatrix::Bt601, ColorRange::Limited);
        assert!(Planes::from_i420((5, 3), color, vec![0; 15 + 6 + 6]).is_ok());
        let short = Planes::from_i420((5, 3), color, vec![0; 15 + 6 + 5]);
        assert!(matches!(short, Err(ImageError::TooShort { what: "V plane", .. })));
        assert!(matches!(Planes::from_i420((0, 3), color, vec![]), Err(ImageError::Size { .. })));
    }

    #[test]
    fn rgb_refuses_a_wrong_length() {
        assert!(RgbImage::new(2, 2, vec![0; 12]).is_ok());
        assert!(RgbImage::new(2, 2, vec![0; 11]).is_err());
        assert!(RgbImage::new(65_535, 65_535, vec![]).is_err());
    }
}
