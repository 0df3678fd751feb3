//! From a picture with a face in it to the pixels an embedder takes. Works on full pictures and on generic crops alike: box and
//! landmarks are in the coordinates of the picture given.

use crate::convert::Region;
use crate::geometry::{Landmarks, Rect};
use crate::image::RgbImage;
use crate::resize::resize_pillow;
use crate::warp::{Similarity, warp};

/// facenet-pytorch's `extract_face`: the box grown by `margin` pixels at the scale of the result (half on each side), clipped to
/// the picture, truncated to whole pixels, resized to `size` x `size` as Pillow does it; aspect not kept. None for a box
/// that has no pixels in the picture, or a margin that leaves no room for the face.
#[must_use]
pub fn box_crop(image: &RgbImage, face: &Rect, margin: u32, size: u32) -> Option<RgbImage> {
    let region = box_region(image, face, margin, size)?;
    Some(resize_pillow(image, region, size, size))
}

fn box_region(image: &RgbImage, face: &Rect, margin: u32, size: u32) -> Option<Region> {
    if !face.is_valid() || margin >= size {
        return None;
    }
    // Doubles: the reference mixes single and double precision here, and truncates.
    let [x1, y1, x2, y2] = face.to_array().map(f64::from);
    let share = f64::from(margin) / f64::from(size - margin);
    let (dx, dy) = (share * (x2 - x1) / 2.0, share * (y2 - y1) / 2.0);
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let (left, top) = ((x1 - dx).clamp(0.0, width) as u32, (y1 - dy).clamp(0.0, height) as u32);
    let (right, bottom) = ((x2 + dx).clamp(0.0, width) as u32, (y2 + dy).clamp(0.0, height) as u32);
    (right > left && bottom > top).then(|| Region { x: left, y: top, width: right - left, height: bottom - top })
}

/// The chip in which the landmarks lie on `template` (pixels of the chip) as well as a rotation, a scale and a shift
/// can bring them there; black outside the picture. dlib's network takes faces this way. None for landmarks that fit no such
/// transform.
#[must_use]
pub fn similarity_chip(image: &RgbImage, landmarks: &Landmarks, template: &Landmarks, size: u32) -> Option<RgbImage> {
    let transform = Similarity::estimate(landmarks, template)?;
    Some(warp(image, &transform, size, size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{box_crop, box_region, similarity_chip};
    use crate::convert::Region;
    use crate::crop::cut_face;
    use crate::geometry::{Landmarks, Point, Rect};
    use crate::image::{Picture, RgbImage};

    fn noise(width: u32, height: u32) -> RgbImage {
        let data = (0..3 * width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        RgbImage::new(width, height, data).unwrap()
    }

    #[test]
    fn margin_is_split_and_clipped() {
        let image = noise(100, 100);
        let region = |face: Rect| box_region(&image, &face, 32, 160);
        // 64 pixels of box get 64 * 32 / 128 = 16 more, 8 on each side.
        let expected = Region { x: 12, y: 2, width: 80, height: 80 };
        assert_eq!(region(Rect::new(20.0, 10.0, 84.0, 74.0)), Some(expected));
        let clipped = Region { x: 0, y: 0, width: 72, height: 72 };
        assert_eq!(region(Rect::new(0.0, 0.0, 64.0, 64.0)), Some(clipped));
        assert_eq!(region(Rect::new(120.0, 0.0, 184.0, 64.0)), None);
        assert_eq!(box_region(&image, &Rect::new(0.0, 0.0, 9.0, 9.0), 160, 160), None);
    }

    #[test]
    fn the_generic_crop_serves_as_well_as_the_full_picture() {
        let image = noise(300, 300);
        let face = Rect::new(100.3, 90.8, 180.1, 190.6);
        let landmarks: Landmarks = [(120.0, 125.0), (160.0, 127.0), (140.0, 150.0), (124.0, 170.0), (157.0, 171.0)]
            .map(|(x, y)| Point { x, y });
        let template: Landmarks =
            [(47.5, 47.2), (102.3, 46.1), (74.9, 79.1), (51.3, 104.2), (97.6, 103.2)].map(|(x, y)| Point { x, y });
        let cut = cut_face(Picture::Rgb(&image), &face, &landmarks).unwrap();
        assert_eq!(box_crop(&image, &face, 32, 160).unwrap(), box_crop(&cut.image, &cut.face, 32, 160).unwrap());
        let full = similarity_chip(&image, &landmarks, &template, 150).unwrap();
        let generic = similarity_chip(&cut.image, &cut.landmarks, &template, 150).unwrap();
        let worst = full.data().iter().zip(generic.data()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 1, "{worst}");
    }

    proptest! {
        #[test]
        fn any_box_gives_the_size_asked_for_or_none(values in any::<[f32; 4]>(), (margin, size) in (0u32..50, 1u32..60)) {
            let image = noise(20, 10);
            let face = Rect::new(values[0], values[1], values[2], values[3]);
            if let Some(crop) = box_crop(&image, &face, margin, size) {
                prop_assert_eq!((crop.width(), crop.height()), (size, size));
            }
        }
    }
}
