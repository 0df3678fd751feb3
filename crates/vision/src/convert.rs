//! From planar YUV to packed RGB: whole frames for stills and previews, regions for crops.

use std::borrow::Cow;

use yuv::{YuvBiPlanarImage, YuvConversionMode, YuvPlanarImage, YuvRange, YuvStandardMatrix};

use crate::image::{ColorMatrix, ColorRange, ImageError, PlaneLayout, Planes, RgbImage};

/// A part of a picture in whole pixels, inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
}

impl Region {
    /// All of a picture of this size.
    #[must_use]
    pub const fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }
}

/// Converts a whole frame. For stills, previews and detectors that need full-size RGB; video goes through
/// [`crate::VideoScaler`] and [`crate::cut_square`], which convert only what is needed.
///
/// # Errors
/// [`ImageError::Decode`] when the converter refuses, which a valid [`Planes`] does not cause.
pub fn to_rgb(planes: &Planes) -> Result<RgbImage, ImageError> {
    region_to_rgb(planes, Region::whole(planes.width(), planes.height()))
}

/// Converts a region, whose corner is moved up and left to even coordinates so that chroma samples stay whole; returns
/// the picture of the region asked for.
pub(crate) fn region_to_rgb(planes: &Planes, region: Region) -> Result<RgbImage, ImageError> {
    let (x, y) = (region.x & !1, region.y & !1);
    let (extra_x, extra_y) = (region.x - x, region.y - y);
    let (width, height) = (region.width + extra_x, region.height + extra_y);
    let mut rgb = vec![0; 3 * width as usize * height as usize];
    convert(planes, Region { x, y, width, height }, &mut rgb)?;
    if extra_x == 0 && extra_y == 0 {
        return RgbImage::new(width, height, rgb);
    }
    let lines = rgb.chunks_exact(3 * width as usize).skip(extra_y as usize);
    let data = packed(lines.map(|line| &line[3 * extra_x as usize..]));
    RgbImage::new(region.width, region.height, data)
}

/// Lines of equal length, one after the other. Copies line by line: byte by byte takes as long as converting them.
pub(crate) fn packed<'a>(lines: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut data = Vec::new();
    let count = lines.len();
    for line in lines {
        if data.is_empty() {
            data.reserve_exact(count * line.len());
        }
        data.extend_from_slice(line);
    }
    data
}

fn convert(planes: &Planes, region: Region, rgb: &mut [u8]) -> Result<(), ImageError> {
    let (matrix, range) = planes.color();
    let matrix = match matrix {
        ColorMatrix::Bt601 => YuvStandardMatrix::Bt601,
        ColorMatrix::Bt709 => YuvStandardMatrix::Bt709,
    };
    let range = match range {
        ColorRange::Limited => YuvRange::Limited,
        ColorRange::Full => YuvRange::Full,
    };
    let (x, y) = (region.x as usize, region.y as usize);
    let (width, height) = (region.width, region.height);
    let (half_width, half_height) = (width.div_ceil(2) as usize, height.div_ceil(2) as usize);
    // The converter wants whole rows, the last one too: where that one is cut off, they are copied together.
    let part = |index: usize, column: usize, row: usize, bytes: usize, rows: usize| -> (Cow<'_, [u8]>, u32) {
        let (plane, stride) = planes.plane(index);
        let rest = &plane[row * stride + column..];
        match rest.get(..rows * stride) {
            Some(whole) => (Cow::Borrowed(whole), stride as u32),
            None => {
                let lines = rest.chunks(stride).take(rows).map(|line| &line[..bytes]);
                (Cow::Owned(packed(lines)), bytes as u32)
            }
        }
    };
    let (y_plane, y_stride) = part(0, x, y, width as usize, height as usize);
    let done = match planes.layout() {
        PlaneLayout::I420 => {
            let (u, u_stride) = part(1, x / 2, y / 2, half_width, half_height);
            let (v, v_stride) = part(2, x / 2, y / 2, half_width, half_height);
            let image = YuvPlanarImage {
                y_plane: &y_plane,
                y_stride,
                u_plane: &u,
                u_stride,
                v_plane: &v,
                v_stride,
                width,
                height,
            };
            yuv::yuv420_to_rgb(&image, rgb, 3 * width, range, matrix)
        }
        PlaneLayout::Nv12 => {
            let (uv, uv_stride) = part(1, x, y / 2, 2 * half_width, half_height);
            let image = YuvBiPlanarImage { y_plane: &y_plane, y_stride, uv_plane: &uv, uv_stride, width, height };
            yuv::yuv_nv12_to_rgb(&image, rgb, 3 * width, range, matrix, YuvConversionMode::Balanced)
        }
    };
    done.map_err(|error| ImageError::Decode { format: "YUV", reason: error.to_string() })
}

/// A packed I420 copy with even sides, the last column and row repeated.
pub(crate) struct Yuv420 {
    pub(crate) width: usize,
    pub(crate) y: Vec<u8>,
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
}

impl Yuv420 {
    pub(crate) fn even_copy(planes: &Planes) -> Self {
        let (w, h) = (planes.width() as usize, planes.height() as usize);
        let (width, height) = (w.next_multiple_of(2), h.next_multiple_of(2));
        let mut luma = Vec::with_capacity(width * height);
        let (source, stride) = planes.plane(0);
        for row in 0..height {
            let line = &source[row.min(h - 1) * stride..][..w];
            luma.extend_from_slice(line);
            luma.extend(line.last().copied().filter(|_| width > w));
        }
        let (half_width, half_height) = (width / 2, height / 2);
        let chroma = |index: usize, first: usize, step: usize| -> Vec<u8> {
            let (source, stride) = planes.plane(index);
            (0..half_height)
                .flat_map(|row| (0..half_width).map(move |x| source[row * stride + first + step * x]))
                .collect()
        };
        let (u, v) = match planes.layout() {
            PlaneLayout::I420 => (chroma(1, 0, 1), chroma(2, 0, 1)),
            PlaneLayout::Nv12 => (chroma(1, 0, 2), chroma(1, 1, 2)),
        };
        Self { width, y: luma, u, v }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Region, region_to_rgb, to_rgb};
    use crate::image::{ColorMatrix, ColorRange, PlaneLayout, Planes};

    fn noise(width: u32, height: u32, layout: PlaneLayout) -> Planes {
        let (w, h) = (width as usize, height as usize);
        let chroma = w.div_ceil(2) * h.div_ceil(2);
        let data: Vec<u8> = (0..w * h + 2 * chroma).map(|i| (i * 7919 % 251) as u8).collect();
        let color = (ColorMatrix::Bt709, ColorRange::Limited);
        match layout {
            PlaneLayout::I420 => Planes::from_i420((width, height), color, data).unwrap(),
            PlaneLayout::Nv12 => {
                let at = [(0, w), (w * h, 2 * w.div_ceil(2))];
                Planes::new(layout, (width, height), color, &at, Arc::new(data)).unwrap()
            }
        }
    }

    #[test]
    fn a_region_equals_the_same_part_of_the_whole() {
        for layout in [PlaneLayout::I420, PlaneLayout::Nv12] {
            for (width, height) in [(31, 17), (32, 18)] {
                let planes = noise(width, height, layout);
                let whole = to_rgb(&planes).unwrap();
                for (x, y, w, h) in [(0, 0, 5, 4), (3, 5, 8, 7), (4, 2, 1, 1), (width - 3, height - 2, 3, 2)] {
                    let part = region_to_rgb(&planes, Region { x, y, width: w, height: h }).unwrap();
                    for row in 0..h {
                        for column in 0..w {
                            let (a, b) = (part.pixel(column, row), whole.pixel(x + column, y + row));
                            let worst = a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max();
                            // Vector and scalar code of the converter round differently at the ends of rows.
                            assert!(worst.unwrap() <= 1, "{layout:?} {a:?} {b:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn black_white_and_red_come_out_right() {
        let pixel = |y: u8, u: u8, v: u8, color| {
            let planes = Planes::from_i420((2, 2), color, vec![y, y, y, y, u, v]).unwrap();
            to_rgb(&planes).unwrap().pixel(0, 0)
        };
        let limited = (ColorMatrix::Bt601, ColorRange::Limited);
        assert_eq!(pixel(16, 128, 128, limited), [0, 0, 0]);
        assert_eq!(pixel(235, 128, 128, limited), [255, 255, 255]);
        assert_eq!(pixel(255, 128, 128, (ColorMatrix::Bt601, ColorRange::Full)), [255, 255, 255]);
        // Red is Y 81, Cb 90, Cr 240 in BT.601 and Y 63, Cb 102, Cr 240 in BT.709.
        for (yuv, matrix) in [([81, 90, 240], ColorMatrix::Bt601), ([63, 102, 240], ColorMatrix::Bt709)] {
            let [r, g, b] = pixel(yuv[0], yuv[1], yuv[2], (matrix, ColorRange::Limited));
            assert!(r > 250 && g < 5 && b < 5, "{matrix:?} {r} {g} {b}");
        }
    }
}
