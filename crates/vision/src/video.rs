//! The fast path of video: a frame's planes are scaled first, while they are one and a half bytes a pixel, and only the
//! small picture is turned into the network's floats. No full-size RGB exists.

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use fir::pixels::{U8, U8x2};

use crate::image::{ColorMatrix, ColorRange, ImageError, PlaneLayout, Planes};
use crate::tensor::Normalization;

/// Scales frames to a network's input size. Keeps its buffers, so one a thread.
#[derive(Default)]
pub struct VideoScaler {
    resizer: fir::Resizer,
    luma: Vec<u8>,
    /// U then V, or interleaved.
    chroma: Vec<u8>,
    /// A plane halved in width, or without its padding.
    buffer: Vec<u8>,
    /// What the chroma of one row adds to red, green and blue.
    tint: [Vec<f32>; 3],
}

impl VideoScaler {
    /// Fills `tensor` with `planes`, scaled to `width` x `height` (both even; the aspect is not kept), as three planes. What was
    /// in it goes; one that is used again for the same size is not cleared first.
    ///
    /// # Errors
    /// [`ImageError::Size`] for a side that is 0 or odd; [`ImageError::Decode`] if the scaler refuses, which a valid
    /// [`Planes`] does not cause.
    pub fn fill(
        &mut self,
        planes: &Planes,
        (width, height): (u32, u32),
        normalization: &Normalization,
        tensor: &mut Vec<f32>,
    ) -> Result<(), ImageError> {
        if width == 0 || height == 0 || width % 2 == 1 || height % 2 == 1 {
            return Err(ImageError::Size { width, height });
        }
        self.scale(planes, width, height).map_err(|reason| ImageError::Decode { format: "YUV", reason })?;
        let (width, height) = (width as usize, height as usize);
        let plane = width * height;
        tensor.resize(3 * plane, 0.0);
        let coefficients = Coefficients::new(planes.color());
        let interleaved = planes.layout() == PlaneLayout::Nv12;
        for y in 0..height {
            if y % 2 == 0 {
                self.tint_row(y / 2, width / 2, height / 2, interleaved, &coefficients);
            }
            let luma = &self.luma[y * width..][..width];
            for (index, (color, mean, scale)) in normalization.planes().into_iter().enumerate() {
                let line = &mut tensor[index * plane + y * width..][..width];
                for ((value, &luma), &tint) in line.iter_mut().zip(luma).zip(&self.tint[color]) {
                    let bright = f32::from(luma) * coefficients.luma + tint;
                    *value = (bright.clamp(0.0, 255.0) - mean) * scale;
                }
            }
        }
        Ok(())
    }

    fn scale(&mut self, planes: &Planes, width: u32, height: u32) -> Result<(), String> {
        let (chroma_width, chroma_height) = (width / 2, height / 2);
        let half = (chroma_width * chroma_height) as usize;
        self.luma.resize((width * height) as usize, 0);
        self.chroma.resize(2 * half, 0);
        let (w, h) = (planes.width(), planes.height());
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let resizer = &mut self.resizer;
        let buffer = &mut self.buffer;
        scale_plane::<U8>(resizer, buffer, planes.plane(0), (w, h), (width, height), &mut self.luma)?;
        let (from, to) = ((cw, ch), (chroma_width, chroma_height));
        match planes.layout() {
            PlaneLayout::I420 => {
                let (u, v) = self.chroma.split_at_mut(half);
                scale_plane::<U8>(resizer, buffer, planes.plane(1), from, to, u)?;
                scale_plane::<U8>(resizer, buffer, planes.plane(2), from, to, v)
            }
            PlaneLayout::Nv12 => scale_plane::<U8x2>(resizer, buffer, planes.plane(1), from, to, &mut self.chroma),
        }
    }

    /// Fills `tint` for chroma row `row`, each sample twice; the luma offset is included.
    fn tint_row(&mut self, row: usize, width: usize, height: usize, interleaved: bool, k: &Coefficients) {
        let (u, v, step) = if interleaved {
            let line = &self.chroma[2 * row * width..][..2 * width];
            (line, &line[1..], 2)
        } else {
            let (u, v) = self.chroma.split_at(width * height);
            (&u[row * width..][..width], &v[row * width..][..width], 1)
        };
        for tint in &mut self.tint {
            tint.resize(2 * width, 0.0);
        }
        let [red, green, blue] = &mut self.tint;
        let targets = red.chunks_exact_mut(2).zip(green.chunks_exact_mut(2)).zip(blue.chunks_exact_mut(2));
        for (((r, g), b), (&u, &v)) in targets.zip(u.iter().step_by(step).zip(v.iter().step_by(step))) {
            let (u, v) = (f32::from(u) - 128.0, f32::from(v) - 128.0);
            r.fill(k.offset + k.red_v * v);
            g.fill(k.offset - k.green_u * u - k.green_v * v);
            b.fill(k.offset + k.blue_u * u);
        }
    }
}

impl std::fmt::Debug for VideoScaler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VideoScaler")
    }
}

/// Scales one plane with a triangle filter that grows when shrinking, so that small faces do not alias away.
fn scale_plane<P: fir::PixelTrait>(
    resizer: &mut fir::Resizer,
    buffer: &mut Vec<u8>,
    (bytes, stride): (&[u8], usize),
    (mut from_width, from_height): (u32, u32),
    (width, height): (u32, u32),
    target: &mut [u8],
) -> Result<(), String> {
    let row = from_width as usize * P::size();
    let lines = bytes.chunks(stride).map(|line| &line[..row]);
    let source = if P::size() == 1 && from_width == 2 * width {
        buffer.resize((width * from_height) as usize, 0);
        lines.zip(buffer.chunks_exact_mut(width as usize)).for_each(|(line, half)| halve(line, half));
        from_width = width;
        buffer.as_slice()
    } else if stride == row {
        bytes
    } else {
        buffer.clear();
        lines.for_each(|line| buffer.extend_from_slice(line));
        buffer.as_slice()
    };
    let from = TypedImageRef::<P>::from_buffer(from_width, from_height, source).map_err(|e| e.to_string())?;
    let mut to = TypedImage::<P>::from_buffer(width, height, target).map_err(|e| e.to_string())?;
    let options =
        fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear)).use_alpha(false);
    resizer.resize_typed(&from, &mut to, &options).map_err(|e| e.to_string())
}

/// A line at half its width, with the same filter: its weights are 1, 3, 3, 1. A camera of 1280 pixels and a network of 640 are the common
/// case, and in this form the compiler does many pixels at once.
fn halve(line: &[u8], half: &mut [u8]) {
    let mix = |a: u16, b: u16, c: u16, d: u16| ((a + d + 3 * (b + c) + 4) >> 3) as u8;
    let last = line.len() - 1;
    // At both ends the border pixel is repeated.
    let at = |x: usize| u16::from(line[x.min(last)]);
    match half {
        [first, inner @ .., end] => {
            let pairs = line[1..].as_chunks::<2>().0.iter().zip(line[3..].as_chunks::<2>().0);
            for (value, (left, right)) in inner.iter_mut().zip(pairs) {
                // As one number: single bytes at every second place are gathered one by one.
                let (left, right) = (u16::from_le_bytes(*left), u16::from_le_bytes(*right));
                *value = mix(left & 0xff, left >> 8, right & 0xff, right >> 8);
            }
            *first = mix(at(0), at(0), at(1), at(2));
            *end = mix(at(last - 2), at(last - 1), at(last), at(last));
        }
        [only] => *only = mix(at(0), at(0), at(1), at(1)),
        [] => {}
    }
}

/// RGB = luma * Y + offset + per-colour shares of Cb and Cr, for 8-bit samples.
struct Coefficients {
    luma: f32,
    offset: f32,
    red_v: f32,
    green_u: f32,
    green_v: f32,
    blue_u: f32,
}

impl Coefficients {
    /// From the luma weights of red and blue of ITU-R BT.601 and BT.709.
    fn new((matrix, range): (ColorMatrix, ColorRange)) -> Self {
        let (red, blue) = match matrix {
            ColorMatrix::Bt601 => (0.299, 0.114),
            ColorMatrix::Bt709 => (0.2126, 0.0722),
        };
        let green = 1.0 - red - blue;
        let (luma, chroma, black) = match range {
            ColorRange::Limited => (255.0 / 219.0, 255.0 / 224.0, 16.0),
            ColorRange::Full => (1.0, 1.0, 0.0),
        };
        Self {
            luma,
            offset: -black * luma,
            red_v: 2.0 * (1.0 - red) * chroma,
            green_u: 2.0 * (1.0 - blue) * blue / green * chroma,
            green_v: 2.0 * (1.0 - red) * red / green * chroma,
            blue_u: 2.0 * (1.0 - blue) * chroma,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fast_image_resize as fir;
    use fir::pixels::{U8, U8x2};

    use super::{VideoScaler, scale_plane};
    use crate::convert::to_rgb;
    use crate::image::{ColorMatrix, ColorRange, PlaneLayout, Planes};
    use crate::tensor::{Normalization, append_tensor};

    /// Smooth colours, so that scaling before and after the conversion agree.
    fn scene(layout: PlaneLayout, color: (ColorMatrix, ColorRange), padding: usize) -> Planes {
        let (w, h) = (64, 48);
        let (cw, ch) = (w / 2, h / 2);
        let wave = |x: usize, y: usize, phase: f32| {
            (128.0 + 60.0 * ((x as f32 / 19.0 + phase).sin() * (y as f32 / 13.0 + phase).cos())) as u8
        };
        let mut data = vec![];
        for y in 0..h {
            data.extend((0..w).map(|x| wave(x, y, 0.0)));
            data.extend(vec![255; padding]);
        }
        let luma = data.len();
        let (at, length) = match layout {
            PlaneLayout::I420 => {
                for phase in [1.0, 2.0] {
                    for y in 0..ch {
                        data.extend((0..cw).map(|x| wave(2 * x, 2 * y, phase)));
                        data.extend(vec![0; padding]);
                    }
                }
                let stride = cw + padding;
                (vec![(0, w + padding), (luma, stride), (luma + stride * ch, stride)], data.len() - padding)
            }
            PlaneLayout::Nv12 => {
                for y in 0..ch {
                    data.extend((0..cw).flat_map(|x| [wave(2 * x, 2 * y, 1.0), wave(2 * x, 2 * y, 2.0)]));
                    data.extend(vec![0; padding]);
                }
                (vec![(0, w + padding), (luma, w + padding)], data.len() - padding)
            }
        };
        data.truncate(length);
        Planes::new(layout, (w as u32, h as u32), color, &at, Arc::new(data)).unwrap()
    }

    #[test]
    fn equals_converting_first_at_the_same_size() {
        for layout in [PlaneLayout::I420, PlaneLayout::Nv12] {
            for matrix in [ColorMatrix::Bt601, ColorMatrix::Bt709] {
                for range in [ColorRange::Limited, ColorRange::Full] {
                    for padding in [0, 6] {
                        let planes = scene(layout, (matrix, range), padding);
                        let norm = Normalization { mean: [10.0; 3], scale: [0.5; 3], bgr: true };
                        let (mut video, mut rgb) = (vec![], vec![]);
                        VideoScaler::default().fill(&planes, (64, 48), &norm, &mut video).unwrap();
                        append_tensor(&to_rgb(&planes).unwrap(), &norm, &mut rgb);
                        assert_eq!(video.len(), rgb.len());
                        let worst = video.iter().zip(&rgb).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                        // Half of the 2 grey values that the converter's integers may be off.
                        assert!(worst <= 1.0, "{layout:?} {matrix:?} {range:?} {padding}: {worst}");
                    }
                }
            }
        }
    }

    #[test]
    fn scaling_keeps_the_mean() {
        let planes = scene(PlaneLayout::I420, (ColorMatrix::Bt601, ColorRange::Full), 3);
        let mean = |size: (u32, u32)| {
            let mut tensor = vec![];
            VideoScaler::default().fill(&planes, size, &Normalization::NONE, &mut tensor).unwrap();
            assert_eq!(tensor.len() as u32, 3 * size.0 * size.1);
            tensor.iter().sum::<f32>() / tensor.len() as f32
        };
        assert!((mean((64, 48)) - mean((22, 18))).abs() < 3.0);
    }

    #[test]
    fn halving_is_the_same_filter() {
        let mut state = 7u32;
        for (width, height, padding) in [(64, 16, 0), (66, 5, 3), (4, 4, 0), (2, 2, 1)] {
            let stride = width + padding;
            let noise = (0..stride * height).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            });
            let plane: Vec<u8> = noise.collect();
            let scale = |plane: &[u8], stride: usize| {
                let (mut buffer, mut out) = (vec![], vec![0; width / 2 * height]);
                let (from, to) = ((width as u32, height as u32), (width as u32 / 2, height as u32));
                let resizer = &mut fir::Resizer::new();
                scale_plane::<U8>(resizer, &mut buffer, (plane, stride), from, to, &mut out).unwrap();
                out
            };
            let halved = scale(&plane, stride);
            for (line, half) in plane.chunks(stride).zip(halved.chunks(width / 2)) {
                // Two channels of the same picture take the general way.
                let double: Vec<u8> = line[..width].iter().flat_map(|&value| [value; 2]).collect();
                let mut general = vec![0; width];
                let (from, to) = ((width as u32, 1), (width as u32 / 2, 1));
                let resizer = &mut fir::Resizer::new();
                let plane = (double.as_slice(), 2 * width);
                scale_plane::<U8x2>(resizer, &mut vec![], plane, from, to, &mut general).unwrap();
                let inside = 1..(width / 2).saturating_sub(1).max(1);
                for x in inside.clone() {
                    assert!(half[x].abs_diff(general[2 * x]) <= 1, "{x}: {} {}", half[x], general[2 * x]);
                }
                // The general way leaves out what is beyond the border, which weighs a seventh at most.
                for x in (0..width / 2).filter(|x| !inside.contains(x)) {
                    assert!(half[x].abs_diff(general[2 * x]) <= 255 / 7, "{x}: {} {}", half[x], general[2 * x]);
                }
            }
        }
    }

    #[test]
    fn odd_and_empty_sizes_are_refused() {
        let planes = scene(PlaneLayout::Nv12, (ColorMatrix::Bt601, ColorRange::Full), 0);
        for size in [(0, 2), (2, 0), (3, 2), (2, 5)] {
            assert!(VideoScaler::default().fill(&planes, size, &Normalization::NONE, &mut vec![]).is_err());
        }
    }
}
