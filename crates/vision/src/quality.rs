//! How good a face picture is, and why it is not good enough.
//!
//! Everything is measured on the generic crop, so it costs the same for a frame of any size: sharpness as the variance of the
//! Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000) of the face scaled to 64 x 64 pixels, so that
//! it says how much detail the face has and not how large it is; frontality from where the nose lies between the eyes.

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use fir::pixels::U8;

use crate::crop::FaceCut;
use crate::geometry::{Landmarks, Point, Rect};

/// The measured quality of one face.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// All of it in one number, 0 (useless) to 1 (ideal): what best shots are chosen by and vectors are weighted by.
    pub score: f32,
    /// Variance of the Laplacian of the luma of the face at a fixed size.
    pub sharpness: f32,
    /// 1 for a face that looks into the camera, 0 for a profile.
    pub frontality: f32,
}

/// Why a face is not worth embedding. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QualityReason {
    /// Smaller than asked for.
    Small,
    /// Not sharp.
    Blurred,
    /// Turned too far from the camera.
    Turned,
    /// Partly outside the frame.
    Truncated,
    /// The detector is not sure that it is a face.
    LowScore,
}

impl QualityReason {
    /// Every reason, in the order of [`QualityReason::as_str`].
    pub const ALL: [Self; 5] = [Self::Small, Self::Blurred, Self::Turned, Self::Truncated, Self::LowScore];

    /// The name used in events, reports and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Blurred => "blurred",
            Self::Turned => "turned",
            Self::Truncated => "truncated",
            Self::LowScore => "low_score",
        }
    }
}

/// What a face must reach to be worth embedding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QualityGates {
    /// Shorter side of the box in source pixels.
    pub min_size: f32,
    /// [`Quality::sharpness`].
    pub min_sharpness: f32,
    /// [`Quality::frontality`].
    pub min_frontality: f32,
    /// Share of the face that may lie outside the frame.
    pub max_outside: f32,
    /// The detector's score.
    pub min_score: f32,
}

impl Default for QualityGates {
    fn default() -> Self {
        Self { min_size: 20.0, min_sharpness: 25.0, min_frontality: 0.15, max_outside: 0.15, min_score: 0.6 }
    }
}

/// Where a face was found: what the crop alone does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceOrigin {
    /// Box in the frame's pixels.
    pub bbox: Rect,
    /// Landmarks in the frame's pixels.
    pub landmarks: Landmarks,
    /// Width and height of the frame.
    pub frame: (u32, u32),
    /// The detector's score, 0 to 1.
    pub score: f32,
}

/// Measures a face and says which gate it fails first, if any: size, truncation, score, pose, sharpness.
#[must_use]
pub fn assess(cut: &FaceCut, origin: &FaceOrigin, gates: &QualityGates) -> (Quality, Option<QualityReason>) {
    let size = origin.bbox.width().min(origin.bbox.height()).max(0.0);
    let sharpness = sharpness(cut);
    let frontality = frontality(&origin.landmarks);
    let quality = Quality { score: combine(size, sharpness, frontality, origin.score), sharpness, frontality };
    let reason = if size < gates.min_size {
        Some(QualityReason::Small)
    } else if outside(origin) > gates.max_outside {
        Some(QualityReason::Truncated)
    } else if origin.score < gates.min_score {
        Some(QualityReason::LowScore)
    } else if frontality < gates.min_frontality {
        Some(QualityReason::Turned)
    } else if sharpness < gates.min_sharpness {
        Some(QualityReason::Blurred)
    } else {
        None
    };
    (quality, reason)
}

/// Side at which more pixels no longer help: the face in FaceNet's 160 pixel input.
const FULL_SIZE: f32 = 128.0;
/// Sharpness that counts half.
const HALF_SHARPNESS: f32 = 100.0;

/// Weighted geometric mean of four shares: one that is useless makes the whole useless.
fn combine(size: f32, sharpness: f32, frontality: f32, score: f32) -> f32 {
    let share = |value: f32, weight: f32| value.clamp(0.0, 1.0).powf(weight);
    let total = share(size / FULL_SIZE, 0.3)
        * share(sharpness / (sharpness + HALF_SHARPNESS), 0.25)
        * share(frontality, 0.3)
        * share(score, 0.15);
    if total.is_finite() { total } else { 0.0 }
}

/// Side to which a face is scaled before its sharpness is measured.
const SHARPNESS_SIDE: u32 = 64;

fn sharpness(cut: &FaceCut) -> f32 {
    let side = cut.image.width();
    let clamp = |value: f32, limit: u32| (value.max(0.0) as u32).min(limit);
    let (x1, y1) = (clamp(cut.face.x1, side - 1), clamp(cut.face.y1, cut.image.height() - 1));
    let (x2, y2) = (clamp(cut.face.x2.ceil(), side), clamp(cut.face.y2.ceil(), cut.image.height()));
    let (width, height) = (x2.saturating_sub(x1).max(1), y2.saturating_sub(y1).max(1));
    let row = 3 * side as usize;
    let luma: Vec<u8> = cut
        .image
        .data()
        .chunks_exact(row)
        .skip(y1 as usize)
        .take(height as usize)
        .flat_map(|line| line[3 * x1 as usize..3 * (x1 + width) as usize].chunks_exact(3))
        // The luma of BT.601 in 1/256.
        .map(|p| ((77 * u32::from(p[0]) + 150 * u32::from(p[1]) + 29 * u32::from(p[2])) >> 8) as u8)
        .collect();
    scaled(&luma, width, height).map_or(0.0, |pixels| laplacian_variance(&pixels))
}

fn scaled(luma: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    let mut out = vec![0; (SHARPNESS_SIDE * SHARPNESS_SIDE) as usize];
    let from = TypedImageRef::<U8>::from_buffer(width, height, luma).ok()?;
    let mut to = TypedImage::<U8>::from_buffer(SHARPNESS_SIDE, SHARPNESS_SIDE, &mut out).ok()?;
    let options =
        fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear)).use_alpha(false);
    fir::Resizer::new().resize_typed(&from, &mut to, &options).ok()?;
    Some(out)
}

fn laplacian_variance(pixels: &[u8]) -> f32 {
    let side = SHARPNESS_SIDE as usize;
    let (mut sum, mut squares, mut count) = (0i64, 0i64, 0i64);
    for y in 1..side - 1 {
        let at = |row: usize, x: usize| i32::from(pixels[row * side + x]);
        for x in 1..side - 1 {
            let value = at(y - 1, x) + at(y + 1, x) + at(y, x - 1) + at(y, x + 1) - 4 * at(y, x);
            sum += i64::from(value);
            squares += i64::from(value * value);
            count += 1;
        }
    }
    let mean = sum as f64 / count as f64;
    (squares as f64 / count as f64 - mean * mean) as f32
}

/// How evenly the nose lies between the eyes along the line through them, and between the mouth's corners along theirs; 0 when it
/// lies outside, when the points are not finite or coincide.
fn frontality(landmarks: &Landmarks) -> f32 {
    let [left_eye, right_eye, nose, left_mouth, right_mouth] = *landmarks;
    let balance = |a: Point, b: Point| {
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let along = ((nose.x - a.x) * dx + (nose.y - a.y) * dy) / (dx * dx + dy * dy);
        1.0 - (2.0 * along - 1.0).abs()
    };
    let value = 0.6 * balance(left_eye, right_eye) + 0.4 * balance(left_mouth, right_mouth);
    if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 }
}

/// Share of the face's area outside the frame. Detectors clip boxes to the frame, so the face is taken to be at least as large as
/// its landmarks say: three eye or eye-to-mouth distances around their centre.
fn outside(origin: &FaceOrigin) -> f32 {
    let [left_eye, right_eye, _, left_mouth, right_mouth] = origin.landmarks;
    let middle = |a: Point, b: Point| Point { x: (a.x + b.x) / 2.0, y: (a.y + b.y) / 2.0 };
    let distance = |a: Point, b: Point| (a.x - b.x).hypot(a.y - b.y);
    let (eyes, mouth) = (middle(left_eye, right_eye), middle(left_mouth, right_mouth));
    let half = distance(left_eye, right_eye).max(distance(eyes, mouth)) * 1.1;
    let center = middle(eyes, mouth);
    let by_landmarks = Rect::new(center.x - half, center.y - half, center.x + half, center.y + half);
    let face = Rect {
        x1: by_landmarks.x1.min(origin.bbox.x1),
        y1: by_landmarks.y1.min(origin.bbox.y1),
        x2: by_landmarks.x2.max(origin.bbox.x2),
        y2: by_landmarks.y2.max(origin.bbox.y2),
    };
    let frame = Rect::new(0.0, 0.0, origin.frame.0 as f32, origin.frame.1 as f32);
    let share = 1.0 - face.intersection(&frame).area() / face.area();
    if share.is_finite() { share } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FaceOrigin, QualityGates, QualityReason, assess, frontality};
    use crate::crop::cut_face;
    use crate::geometry::{Landmarks, Point, Rect};
    use crate::image::{Picture, RgbImage};

    fn points(raw: [(f32, f32); 5]) -> Landmarks {
        raw.map(|(x, y)| Point { x, y })
    }

    fn face_at(x: f32, y: f32) -> (Rect, Landmarks) {
        let landmarks = [(30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 80.0), (65.0, 80.0)];
        (Rect::new(x, y, x + 100.0, y + 120.0), points(landmarks.map(|(px, py)| (x + px, y + py))))
    }

    /// Stripes `period` pixels wide, as a stand-in for detail.
    fn stripes(period: usize) -> RgbImage {
        let mut image = RgbImage::filled(400, 400, [0; 3]);
        for (index, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
            let wave = ((index % 400) as f32 / period as f32 * std::f32::consts::TAU).sin();
            pixel.fill((128.0 + 100.0 * wave) as u8);
        }
        image
    }

    fn judge(image: &RgbImage, x: f32, y: f32, score: f32) -> (super::Quality, Option<QualityReason>) {
        let (bbox, landmarks) = face_at(x, y);
        let cut = cut_face(Picture::Rgb(image), &bbox, &landmarks).unwrap();
        let origin = FaceOrigin { bbox, landmarks, frame: (image.width(), image.height()), score };
        assess(&cut, &origin, &QualityGates::default())
    }

    #[test]
    fn a_good_face_passes_and_each_gate_has_its_reason() {
        let sharp = stripes(6);
        let (quality, reason) = judge(&sharp, 150.0, 150.0, 0.95);
        assert_eq!(reason, None);
        assert!(quality.score > 0.7 && quality.frontality > 0.95, "{quality:?}");
        let (blurred, reason) = judge(&stripes(80), 150.0, 150.0, 0.95);
        assert_eq!(reason, Some(QualityReason::Blurred));
        assert!(blurred.score < quality.score);
        assert_eq!(judge(&sharp, 340.0, 150.0, 0.95).1, Some(QualityReason::Truncated));
        assert_eq!(judge(&sharp, 150.0, 150.0, 0.5).1, Some(QualityReason::LowScore));
    }

    #[test]
    fn a_turned_head_is_less_frontal() {
        let frontal = points([(30.0, 40.0), (70.0, 42.0), (50.0, 60.0), (35.0, 80.0), (65.0, 81.0)]);
        let half = points([(30.0, 40.0), (70.0, 42.0), (60.0, 60.0), (38.0, 80.0), (66.0, 81.0)]);
        let profile = points([(30.0, 40.0), (45.0, 42.0), (60.0, 60.0), (35.0, 80.0), (48.0, 81.0)]);
        assert!(frontality(&frontal) > 0.95);
        assert!((0.3..0.7).contains(&frontality(&half)), "{}", frontality(&half));
        assert_eq!(frontality(&profile), 0.0);
        assert_eq!(frontality(&[Point { x: 1.0, y: 1.0 }; 5]), 0.0);
    }

    #[test]
    fn sharpness_does_not_depend_on_size() {
        let large = stripes(8);
        let mut small = RgbImage::filled(200, 200, [0; 3]);
        for y in 0..200 {
            for x in 0..200 {
                let pixel = large.pixel(2 * x, 2 * y);
                small.data_mut()[3 * (y * 200 + x) as usize..][..3].copy_from_slice(&pixel);
            }
        }
        let (bbox, landmarks) = face_at(150.0, 150.0);
        let half = |p: Point| Point { x: p.x / 2.0, y: p.y / 2.0 };
        let small_box = Rect::new(75.0, 75.0, 125.0, 135.0);
        let a = cut_face(Picture::Rgb(&large), &bbox, &landmarks).unwrap();
        let b = cut_face(Picture::Rgb(&small), &small_box, &landmarks.map(half)).unwrap();
        let (a, b) = (super::sharpness(&a), super::sharpness(&b));
        assert!(a / b > 0.5 && a / b < 2.0, "{a} {b}");
    }

    proptest! {
        #[test]
        fn scores_stay_between_0_and_1(
            (x, y) in (-50.0f32..390.0, -50.0f32..390.0), moves in any::<[(i8, i8); 5]>(), score in any::<f32>(),
        ) {
            let image = stripes(9);
            let (bbox, mut landmarks) = face_at(x, y);
            for (point, (dx, dy)) in landmarks.iter_mut().zip(moves) {
                point.x += f32::from(dx);
                point.y += f32::from(dy);
            }
            let cut = cut_face(Picture::Rgb(&image), &bbox, &landmarks).unwrap();
            let origin = FaceOrigin { bbox, landmarks, frame: (400, 400), score };
            let (quality, _) = assess(&cut, &origin, &QualityGates::default());
            prop_assert!((0.0..=1.0).contains(&quality.score));
            prop_assert!((0.0..=1.0).contains(&quality.frontality));
            prop_assert!(quality.sharpness.is_finite() && quality.sharpness >= 0.0);
        }
    }
}
