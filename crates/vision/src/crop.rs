//! Cutting faces out of frames, cheaply: only the pixels of the region are converted to RGB.
//!
//! A crop is generic: a square of twice the box at native resolution, at most 256 pixels a side, outside the frame filled with the
//! frame's border pixels. How a network wants its input aligned is decided later, from the landmarks in the crop's coordinates.

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use fir::pixels::U8x3;

use crate::convert::{Region, packed, region_to_rgb};
use crate::geometry::{Landmarks, Point, Rect};
use crate::image::{ImageError, Picture, RgbImage};

/// The crop's side as a multiple of the box's longer side: room for any alignment.
pub const CROP_FACTOR: f32 = 2.0;
/// Largest side of a crop: the face itself then has 128 pixels, what a FaceNet input of 160 shows of it.
pub const CROP_MAX_SIDE: u32 = 256;

/// A face cut out of its frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceCut {
    /// The pixels; square.
    pub image: RgbImage,
    /// The face's box in the crop's coordinates.
    pub face: Rect,
    /// The landmarks in the crop's coordinates.
    pub landmarks: Landmarks,
}

/// A square cut out of a picture, and how its coordinates follow from the picture's.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// The pixels; square.
    pub image: RgbImage,
    /// The picture's coordinates of the crop's upper left corner, whole pixels, maybe negative.
    pub origin: Point,
    /// Pixels of the crop for one pixel of the picture, at most 1.
    pub scale: f32,
}

impl Cut {
    /// From the picture's coordinates to the crop's.
    #[must_use]
    pub fn map(&self, point: Point) -> Point {
        Point { x: (point.x - self.origin.x) * self.scale, y: (point.y - self.origin.y) * self.scale }
    }

    /// From the picture's coordinates to the crop's.
    #[must_use]
    pub fn map_rect(&self, rect: &Rect) -> Rect {
        let (a, b) = (Point { x: rect.x1, y: rect.y1 }, Point { x: rect.x2, y: rect.y2 });
        let (a, b) = (self.map(a), self.map(b));
        Rect::new(a.x, a.y, b.x, b.y)
    }
}

/// Cuts the generic crop of a face, box and landmarks in the picture's pixels.
///
/// # Errors
/// [`ImageError::Region`] for a box that is not valid or lies outside the picture.
pub fn cut_face(picture: Picture<'_>, face: &Rect, landmarks: &Landmarks) -> Result<FaceCut, ImageError> {
    if !face.is_valid() {
        return Err(ImageError::Region("the face's box is not finite or has no area"));
    }
    let cut = cut_square(picture, &face.square(CROP_FACTOR), CROP_MAX_SIDE)?;
    let (face, landmarks) = (cut.map_rect(face), landmarks.map(|point| cut.map(point)));
    Ok(FaceCut { image: cut.image, face, landmarks })
}

/// Cuts the square around the centre of `region` whose side is the longer side of `region`, rounded outwards to whole pixels, and
/// shrinks it to `max_side` if it is larger. Outside the picture the border pixels are repeated.
///
/// # Errors
/// [`ImageError::Region`] when the square is not finite or shows nothing of the picture.
pub fn cut_square(picture: Picture<'_>, region: &Rect, max_side: u32) -> Result<Cut, ImageError> {
    let square = region.square(1.0);
    if !square.is_valid() {
        return Err(ImageError::Region("the region is not finite or has no area"));
    }
    let (left, top) = (square.x1.floor() as i64, square.y1.floor() as i64);
    let side = (square.width().ceil() as i64).max(1);
    let (width, height) = picture.size();
    let columns = visible(left, side, width).ok_or(ImageError::Region("the region is outside the picture"))?;
    let rows = visible(top, side, height).ok_or(ImageError::Region("the region is outside the picture"))?;
    let part = Region { x: columns.0, y: rows.0, width: columns.1, height: rows.1 };
    let converted = match picture {
        Picture::Rgb(image) => rgb_region(image, part)?,
        Picture::Planes(planes) => region_to_rgb(planes, part)?,
    };
    let max_side = max_side.max(1);
    // A square far larger than wanted is thinned out first, so that no box makes a huge canvas.
    let step = (side / (4 * i64::from(max_side))).max(1);
    let offset = (i64::from(part.x) - left, i64::from(part.y) - top);
    let canvas = canvas(converted, offset, side, step)?;
    let out_side = u32::try_from(side).map_or(max_side, |side| side.min(max_side));
    let image = shrink(canvas, out_side)?;
    let scale = out_side as f32 / side as f32;
    Ok(Cut { image, origin: Point { x: left as f32, y: top as f32 }, scale })
}

/// First pixel and count of what `first..first + side` has inside `0..limit`.
fn visible(first: i64, side: i64, limit: u32) -> Option<(u32, u32)> {
    let end = first.saturating_add(side).min(i64::from(limit));
    let start = first.max(0);
    let count = u32::try_from(end.saturating_sub(start)).ok().filter(|&count| count > 0)?;
    Some((u32::try_from(start).ok()?, count))
}

fn rgb_region(image: &RgbImage, region: Region) -> Result<RgbImage, ImageError> {
    let row = 3 * image.width() as usize;
    let (start, bytes) = (3 * region.x as usize, 3 * region.width as usize);
    let lines = image.data().chunks_exact(row).skip(region.y as usize).take(region.height as usize);
    let data = packed(lines.map(|line| &line[start..start + bytes]));
    RgbImage::new(region.width, region.height, data)
}

/// Every `step`-th pixel of a square of `side` pixels in which `part` lies at `offset`, the rest filled from its border.
fn canvas(part: RgbImage, offset: (i64, i64), side: i64, step: i64) -> Result<RgbImage, ImageError> {
    if offset == (0, 0) && step == 1 && i64::from(part.width()) == side && i64::from(part.height()) == side {
        return Ok(part);
    }
    let count = side / step;
    let place =
        |index: i64, shift: i64, limit: u32| (index * step + step / 2 - shift).clamp(0, i64::from(limit) - 1) as usize;
    let columns: Vec<usize> = (0..count).map(|x| 3 * place(x, offset.0, part.width())).collect();
    let row = 3 * part.width() as usize;
    let mut data = Vec::with_capacity(3 * columns.len() * columns.len());
    for y in 0..count {
        let line = &part.data()[place(y, offset.1, part.height()) * row..][..row];
        for &x in &columns {
            data.extend_from_slice(&line[x..x + 3]);
        }
    }
    let pixels = u32::try_from(count).unwrap_or(u32::MAX);
    RgbImage::new(pixels, pixels, data)
}

fn shrink(image: RgbImage, side: u32) -> Result<RgbImage, ImageError> {
    if image.width() == side && image.height() == side {
        return Ok(image);
    }
    let refuse = |reason: String| ImageError::Decode { format: "crop", reason };
    let mut out = RgbImage::filled(side, side, [0; 3]);
    let from = TypedImageRef::<U8x3>::from_buffer(image.width(), image.height(), image.data())
        .map_err(|error| refuse(error.to_string()))?;
    let mut to =
        TypedImage::<U8x3>::from_buffer(side, side, out.data_mut()).map_err(|error| refuse(error.to_string()))?;
    let options =
        fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear)).use_alpha(false);
    fir::Resizer::new().resize_typed(&from, &mut to, &options).map_err(|error| refuse(error.to_string()))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{cut_face, cut_square};
    use crate::convert::to_rgb;
    use crate::geometry::{Point, Rect};
    use crate::image::{ColorMatrix, ColorRange, Picture, Planes, RgbImage};

    fn noise(width: u32, height: u32) -> RgbImage {
        let data = (0..3 * width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        RgbImage::new(width, height, data).unwrap()
    }

    #[test]
    fn pixels_are_native_and_landmarks_follow() {
        let image = noise(100, 80);
        let face = Rect::new(40.5, 30.25, 60.5, 54.25);
        let landmarks = [Point { x: 45.0, y: 38.0 }; 5];
        let cut = cut_face(Picture::Rgb(&image), &face, &landmarks).unwrap();
        // The square of twice the longer side (24) around (50.5, 42.25) starts at (26.5, 18.25).
        assert_eq!((cut.image.width(), cut.image.height()), (48, 48));
        assert_eq!(cut.landmarks[0], Point { x: 45.0 - 26.0, y: 38.0 - 18.0 });
        assert_eq!(cut.face, Rect::new(14.5, 12.25, 34.5, 36.25));
        assert_eq!(cut.image.pixel(19, 20), image.pixel(45, 38));
    }

    #[test]
    fn outside_the_frame_the_border_is_repeated() {
        let image = noise(20, 20);
        let cut = cut_square(Picture::Rgb(&image), &Rect::new(-5.0, -5.0, 5.0, 5.0), 256).unwrap();
        assert_eq!(cut.image.width(), 10);
        assert_eq!(cut.image.pixel(0, 0), image.pixel(0, 0));
        assert_eq!(cut.image.pixel(4, 7), image.pixel(0, 2));
        assert_eq!(cut.image.pixel(9, 9), image.pixel(4, 4));
        assert!(cut_square(Picture::Rgb(&image), &Rect::new(20.0, 0.0, 30.0, 10.0), 256).is_err());
        assert!(cut_square(Picture::Rgb(&image), &Rect::new(0.0, 0.0, f32::NAN, 10.0), 256).is_err());
    }

    #[test]
    fn a_large_face_is_shrunk() {
        let mut image = RgbImage::filled(1000, 900, [50; 3]);
        for (index, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
            pixel.fill(((index % 1000) / 5) as u8);
        }
        for max_side in [256, 40] {
            let cut = cut_square(Picture::Rgb(&image), &Rect::new(100.0, 50.0, 900.0, 850.0), max_side).unwrap();
            assert_eq!((cut.image.width(), cut.image.height()), (max_side, max_side));
            for source in [200.0f32, 500.0, 800.0] {
                let here = cut.map(Point { x: source, y: 400.0 });
                let got = cut.image.pixel(here.x as u32, here.y as u32)[0];
                assert!((f32::from(got) - source / 5.0).abs() < 3.0, "{max_side} {source} {got}");
            }
        }
    }

    #[test]
    fn planes_give_the_same_crop_as_rgb() {
        let data: Vec<u8> = (0..64 * 48 * 3 / 2).map(|i| (i * 31 % 200) as u8 + 20).collect();
        let color = (ColorMatrix::Bt709, ColorRange::Limited);
        let planes = Planes::from_i420((64, 48), color, data).unwrap();
        let rgb = to_rgb(&planes).unwrap();
        let region = Rect::new(13.0, 7.0, 39.0, 33.0);
        let a = cut_square(Picture::Planes(&planes), &region, 256).unwrap();
        let b = cut_square(Picture::Rgb(&rgb), &region, 256).unwrap();
        assert_eq!(a.origin, b.origin);
        let worst = a.image.data().iter().zip(b.image.data()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 1, "{worst}");
    }

    proptest! {
        #[test]
        fn any_box_gives_a_bounded_square_or_an_error(
            (x, y, w, h) in (-1e6f32..1e6, -1e6f32..1e6, 0.0f32..1e6, 0.0f32..1e6), near in any::<bool>(),
        ) {
            let image = noise(33, 21);
            let (x, y, w, h) = if near { (x / 2e4, y / 2e4, w / 2e4, h / 2e4) } else { (x, y, w, h) };
            let face = Rect::new(x, y, x + w, y + h);
            if let Ok(cut) = cut_face(Picture::Rgb(&image), &face, &[face.center(); 5]) {
                prop_assert_eq!(cut.image.width(), cut.image.height());
                prop_assert!(cut.image.width() <= 256);
                let side = cut.image.width() as f32;
                let centre = cut.landmarks[0];
                // The face is in the middle of its crop.
                prop_assert!((centre.x - side / 2.0).abs() <= 1.0 && (centre.y - side / 2.0).abs() <= 1.0);
            }
        }
    }
}
