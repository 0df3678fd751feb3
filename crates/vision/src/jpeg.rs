//! JPEG and PNG in and out of memory, over libjpeg-turbo.
//!
//! Pixels decoded here equal those of Pillow and OpenCV bit for bit (both use libjpeg-turbo with its defaults: accurate
//! integer DCT, smooth chroma upsampling). An EXIF rotation is not applied. Sizes are checked on the header, before a
//! pixel is decoded.

use std::sync::Arc;

use turbojpeg::{Compressor, Decompressor, PixelFormat, Subsamp, YuvImage, YuvPlanesImage};

use crate::convert::Yuv420;
use crate::image::{ColorMatrix, ColorRange, ImageError, PlaneLayout, Planes, RgbImage};

/// A progressive JPEG may name any number of scans over the same pixels; real ones have about ten.
const MAX_PROGRESSIVE_SCANS: u32 = 200;

/// How much colour detail a JPEG keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Subsampling {
    /// Colour at half width and height: what cameras do.
    #[default]
    Half,
    /// Colour at full size: for crops whose pixels matter.
    Full,
}

/// Reads a JPEG or PNG, told apart by its first bytes. Alpha is dropped, gray is copied to three channels.
///
/// # Errors
/// [`ImageError::TooManyPixels`] or [`ImageError::Size`] from the header alone, [`ImageError::Decode`] for anything
/// that is no intact picture of these formats.
pub fn decode_still(bytes: &[u8], pixel_limit: u64) -> Result<RgbImage, ImageError> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        decode_jpeg(bytes, pixel_limit)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        decode_png(bytes, pixel_limit)
    } else {
        Err(ImageError::Decode { format: "JPEG or PNG", reason: "the first bytes are of neither".to_owned() })
    }
}

/// Reads a JPEG as RGB.
///
/// # Errors
/// As [`decode_still`].
pub fn decode_jpeg(bytes: &[u8], pixel_limit: u64) -> Result<RgbImage, ImageError> {
    let (mut decompressor, header) = open_jpeg(bytes, pixel_limit)?;
    let (width, height) = (header.width, header.height);
    let mut pixels = vec![0; 3 * width * height];
    let output =
        turbojpeg::Image { pixels: pixels.as_mut_slice(), width, pitch: 3 * width, height, format: PixelFormat::RGB };
    decompressor.decompress(bytes, output).map_err(jpeg_error)?;
    RgbImage::new(to_u32(width), to_u32(height), pixels)
}

/// Reads a JPEG that [`encode_planes`] wrote back into planes, without converting colours. `color` is what the frame
/// had before: a JPEG has no place for it.
///
/// # Errors
/// As [`decode_still`]; also for a JPEG that is not YCbCr 4:2:0.
pub fn decode_planes(bytes: &[u8], pixel_limit: u64, color: (ColorMatrix, ColorRange)) -> Result<Planes, ImageError> {
    let (mut decompressor, header) = open_jpeg(bytes, pixel_limit)?;
    // The buffer below is sized for 4:2:0: libjpeg-turbo would write past it with any other subsampling.
    if header.subsamp != Subsamp::Sub2x2 || header.colorspace != turbojpeg::Colorspace::YCbCr {
        let reason = format!("{:?} {:?} instead of YCbCr 4:2:0", header.colorspace, header.subsamp);
        return Err(ImageError::Decode { format: "JPEG frame", reason });
    }
    let (width, height) = (header.width, header.height);
    // libjpeg-turbo's planes have even sides.
    let (even_width, even_height) = (width.next_multiple_of(2), height.next_multiple_of(2));
    let (luma, chroma) = (even_width * even_height, even_width * even_height / 4);
    let mut pixels = vec![0; luma + 2 * chroma];
    let output = YuvImage { pixels: pixels.as_mut_slice(), width, align: 1, height, subsamp: Subsamp::Sub2x2 };
    decompressor.decompress_to_yuv(bytes, output).map_err(jpeg_error)?;
    let at = [(0, even_width), (luma, even_width / 2), (luma + chroma, even_width / 2)];
    Planes::new(PlaneLayout::I420, (to_u32(width), to_u32(height)), color, &at, Arc::new(pixels))
}

/// Writes RGB as JPEG; `quality` from 1 to 100 (raised or lowered into it).
///
/// # Errors
/// [`ImageError::Encode`] when libjpeg-turbo refuses.
pub fn encode_rgb(image: &RgbImage, quality: u8, subsampling: Subsampling) -> Result<Vec<u8>, ImageError> {
    let mut compressor = compressor(quality)?;
    let subsamp = match subsampling {
        Subsampling::Half => Subsamp::Sub2x2,
        Subsampling::Full => Subsamp::None,
    };
    compressor.set_subsamp(subsamp).map_err(encode_error)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let input = turbojpeg::Image { pixels: image.data(), width, pitch: 3 * width, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(input).map_err(encode_error)
}

/// Writes the samples of a frame as JPEG without going through RGB. The samples are kept as they are: a frame in BT.709
/// or limited range looks a little flat in a picture viewer, and [`decode_planes`] needs the frame's colours again.
///
/// # Errors
/// [`ImageError::Encode`] when libjpeg-turbo refuses.
pub fn encode_planes(planes: &Planes, quality: u8) -> Result<Vec<u8>, ImageError> {
    let mut compressor = compressor(quality)?;
    let (width, height) = (planes.width() as usize, planes.height() as usize);
    let direct = planes.layout() == PlaneLayout::I420 && width.is_multiple_of(2) && height.is_multiple_of(2);
    if direct {
        let ((y, y_stride), (u, u_stride), (v, v_stride)) = (planes.plane(0), planes.plane(1), planes.plane(2));
        let image = YuvPlanesImage {
            y_plane: y,
            u_plane: u,
            v_plane: v,
            width,
            height,
            y_stride,
            u_stride,
            v_stride,
            subsamp: Subsamp::Sub2x2,
        };
        return compressor.compress_yuv_planes_to_vec(&image).map_err(encode_error);
    }
    let even = Yuv420::even_copy(planes);
    let image = YuvPlanesImage {
        y_plane: even.y.as_slice(),
        u_plane: even.u.as_slice(),
        v_plane: even.v.as_slice(),
        width,
        height,
        y_stride: even.width,
        u_stride: even.width / 2,
        v_stride: even.width / 2,
        subsamp: Subsamp::Sub2x2,
    };
    compressor.compress_yuv_planes_to_vec(&image).map_err(encode_error)
}

fn decode_png(bytes: &[u8], pixel_limit: u64) -> Result<RgbImage, ImageError> {
    let refuse = |error: image::ImageError| ImageError::Decode { format: "PNG", reason: error.to_string() };
    let reader = || image::ImageReader::with_format(std::io::Cursor::new(bytes), image::ImageFormat::Png);
    let (width, height) = reader().into_dimensions().map_err(refuse)?;
    check_pixels(width.into(), height.into(), pixel_limit)?;
    let picture = reader().decode().map_err(refuse)?;
    RgbImage::new(width, height, picture.into_rgb8().into_raw())
}

fn open_jpeg(bytes: &[u8], pixel_limit: u64) -> Result<(Decompressor, turbojpeg::DecompressHeader), ImageError> {
    let mut decompressor = Decompressor::new().map_err(jpeg_error)?;
    decompressor.set_scan_limit(MAX_PROGRESSIVE_SCANS).map_err(jpeg_error)?;
    let header = decompressor.read_header(bytes).map_err(jpeg_error)?;
    check_pixels(header.width as u64, header.height as u64, pixel_limit)?;
    Ok((decompressor, header))
}

fn check_pixels(width: u64, height: u64, limit: u64) -> Result<(), ImageError> {
    let side = u64::from(Planes::MAX_SIDE);
    let (w, h) = (to_u32(width), to_u32(height));
    if width == 0 || height == 0 {
        return Err(ImageError::Size { width: w, height: h });
    }
    if width.saturating_mul(height) > limit {
        return Err(ImageError::TooManyPixels { width: w, height: h, limit });
    }
    if width > side || height > side {
        return Err(ImageError::Size { width: w, height: h });
    }
    Ok(())
}

fn compressor(quality: u8) -> Result<Compressor, ImageError> {
    let mut compressor = Compressor::new().map_err(encode_error)?;
    compressor.set_quality(i32::from(quality.clamp(1, 100))).map_err(encode_error)?;
    Ok(compressor)
}

fn to_u32(value: impl TryInto<u32>) -> u32 {
    value.try_into().unwrap_or(u32::MAX)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err calls")]
fn jpeg_error(error: turbojpeg::Error) -> ImageError {
    ImageError::Decode { format: "JPEG", reason: error.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err calls")]
fn encode_error(error: turbojpeg::Error) -> ImageError {
    ImageError::Encode(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Subsampling, decode_jpeg, decode_planes, decode_still, encode_planes, encode_rgb};
    use crate::image::{ColorMatrix, ColorRange, ImageError, PlaneLayout, Planes, RgbImage};

    const COLOR: (ColorMatrix, ColorRange) = (ColorMatrix::Bt709, ColorRange::Limited);
    const LIMIT: u64 = 1 << 24;

    fn gradient(width: u32, height: u32) -> RgbImage {
        let mut data = Vec::new();
        for y in 0..height {
            for x in 0..width {
                data.extend([(x * 2 % 256) as u8, (y * 2 % 256) as u8, ((x + y) % 256) as u8]);
            }
        }
        RgbImage::new(width, height, data).unwrap()
    }

    fn smooth_planes(width: u32, height: u32, layout: PlaneLayout) -> Planes {
        let (w, h) = (width as usize, height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let mut data: Vec<u8> = (0..w * h).map(|i| (i % w + i / w) as u8 / 2 + 30).collect();
        let u: Vec<u8> = (0..cw * ch).map(|i| (i % cw) as u8 / 2 + 60).collect();
        let v: Vec<u8> = (0..cw * ch).map(|i| (i / cw) as u8 / 2 + 90).collect();
        match layout {
            PlaneLayout::I420 => {
                data.extend(u);
                data.extend(v);
                Planes::from_i420((width, height), COLOR, data).unwrap()
            }
            PlaneLayout::Nv12 => {
                data.extend(u.into_iter().zip(v).flat_map(|(u, v)| [u, v]));
                let at = [(0, w), (w * h, 2 * cw)];
                Planes::new(layout, (width, height), COLOR, &at, std::sync::Arc::new(data)).unwrap()
            }
        }
    }

    #[test]
    fn rgb_survives_jpeg() {
        let image = gradient(64, 48);
        let jpeg = encode_rgb(&image, 95, Subsampling::Full).unwrap();
        let back = decode_still(&jpeg, LIMIT).unwrap();
        assert_eq!((back.width(), back.height()), (64, 48));
        let worst = image.data().iter().zip(back.data()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.unwrap() <= 8, "{worst:?}");
    }

    #[test]
    fn planes_survive_jpeg_in_both_layouts_and_odd_sizes() {
        for (width, height) in [(64, 48), (63, 47), (1, 1), (2, 3)] {
            for layout in [PlaneLayout::I420, PlaneLayout::Nv12] {
                let planes = smooth_planes(width, height, layout);
                let jpeg = encode_planes(&planes, 95).unwrap();
                let back = decode_planes(&jpeg, LIMIT, COLOR).unwrap();
                assert_eq!((back.width(), back.height(), back.color()), (width, height, COLOR));
                let ((before, s0), (after, s1)) = (planes.plane(0), back.plane(0));
                for y in 0..height as usize {
                    for x in 0..width as usize {
                        let (a, b) = (before[y * s0 + x], after[y * s1 + x]);
                        assert!(a.abs_diff(b) <= 4, "{width}x{height} {layout:?} ({x},{y}): {a} {b}");
                    }
                }
                let (u, _) = back.plane(1);
                assert!(u[0].abs_diff(60) <= 4, "{layout:?} {}", u[0]);
            }
        }
    }

    #[test]
    fn a_frame_of_another_subsampling_is_refused() {
        let jpeg = encode_rgb(&gradient(32, 32), 90, Subsampling::Full).unwrap();
        let refused = decode_planes(&jpeg, LIMIT, COLOR);
        assert!(matches!(refused, Err(ImageError::Decode { format: "JPEG frame", .. })));
    }

    #[test]
    fn limits_are_checked_on_the_header() {
        let mut jpeg = encode_rgb(&gradient(64, 48), 90, Subsampling::Half).unwrap();
        assert!(matches!(
            decode_still(&jpeg, 64 * 48 - 1),
            Err(ImageError::TooManyPixels { width: 64, height: 48, .. })
        ));
        // A frame header that says 65,500 x 65,500, with no pixel data to match; libjpeg refuses anything above by itself.
        let at = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        let mut claim = |side: u16| {
            let [high, low] = side.to_be_bytes();
            jpeg[at + 5..at + 9].copy_from_slice(&[high, low, high, low]);
            jpeg.clone()
        };
        let jpeg = claim(65_500);
        assert!(matches!(decode_still(&jpeg, LIMIT), Err(ImageError::TooManyPixels { .. })));
        assert!(matches!(decode_still(&jpeg, u64::MAX), Err(ImageError::Size { width: 65_500, .. })));
        assert!(matches!(decode_planes(&jpeg, LIMIT, COLOR), Err(ImageError::TooManyPixels { .. })));
        assert!(matches!(decode_still(&claim(65_535), u64::MAX), Err(ImageError::Decode { .. })));
    }

    #[test]
    fn broken_pictures_are_refused() {
        let jpeg = encode_rgb(&gradient(64, 48), 90, Subsampling::Half).unwrap();
        assert!(decode_jpeg(&jpeg[..jpeg.len() / 2], LIMIT).is_err());
        assert!(matches!(decode_still(b"GIF89a", LIMIT), Err(ImageError::Decode { .. })));
        assert!(decode_still(&[], LIMIT).is_err());
        assert!(decode_still(b"\x89PNG\r\n\x1a\nrubbish", LIMIT).is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), png in any::<bool>()) {
            let _unused = decode_still(&bytes, LIMIT);
            let head: &[u8] = if png { b"\x89PNG\r\n\x1a\n" } else { &[0xff, 0xd8, 0xff, 0xdb] };
            bytes.splice(0..0, head.iter().copied());
            let _unused = decode_still(&bytes, LIMIT);
            let _unused = decode_planes(&bytes, LIMIT, COLOR);
        }

        #[test]
        fn flipped_bytes_never_panic(flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8)) {
            let mut jpeg = encode_rgb(&gradient(40, 24), 80, Subsampling::Half).unwrap();
            for (index, value) in flips {
                let at = index.index(jpeg.len());
                jpeg[at] = value;
            }
            let _unused = decode_still(&jpeg, LIMIT);
            let _unused = decode_planes(&jpeg, LIMIT, COLOR);
        }
    }
}
