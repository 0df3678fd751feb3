//! Similarity transforms (rotation, one scale, shift) and warping by them.

use crate::geometry::{Landmarks, Point};
use crate::image::RgbImage;

/// `x' = a x - b y + tx`, `y' = b x + a y + ty`: rotation and scale in `a` and `b`, no reflection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Scale times the cosine of the angle.
    pub a: f64,
    /// Scale times the sine of the angle.
    pub b: f64,
    /// Shift to the right.
    pub tx: f64,
    /// Shift down.
    pub ty: f64,
}

impl Similarity {
    /// The similarity that brings `from` closest to `to` in the sense of least squares (Umeyama, "Least-squares estimation
    /// of transformation parameters between two point patterns", 1991; in the plane and without reflection it has this
    /// closed form). None for points that all coincide or are not finite.
    #[must_use]
    pub fn estimate(from: &Landmarks, to: &Landmarks) -> Option<Self> {
        let (from_center, to_center) = (mean(from), mean(to));
        let (mut dot, mut cross, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py) = (f64::from(p.x) - from_center.0, f64::from(p.y) - from_center.1);
            let (qx, qy) = (f64::from(q.x) - to_center.0, f64::from(q.y) - to_center.1);
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
            spread += px * px + py * py;
        }
        let (a, b) = (dot / spread, cross / spread);
        let (tx, ty) =
            (to_center.0 - a * from_center.0 + b * from_center.1, to_center.1 - b * from_center.0 - a * from_center.1);
        let usable = [a, b, tx, ty].iter().all(|v| v.is_finite()) && a * a + b * b > f64::EPSILON;
        usable.then_some(Self { a, b, tx, ty })
    }

    /// Where a point goes.
    #[must_use]
    pub fn apply(&self, point: Point) -> Point {
        let (x, y) = (f64::from(point.x), f64::from(point.y));
        Point { x: (self.a * x - self.b * y + self.tx) as f32, y: (self.b * x + self.a * y + self.ty) as f32 }
    }

    /// The two rows of the matrix, as OpenCV writes them.
    #[must_use]
    pub const fn to_matrix(&self) -> [[f64; 3]; 2] {
        [[self.a, -self.b, self.tx], [self.b, self.a, self.ty]]
    }

    /// The transform back. None when it would not be finite.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        let inverse = Self { a, b, tx: -a * self.tx + b * self.ty, ty: -b * self.tx - a * self.ty };
        [inverse.a, inverse.b, inverse.tx, inverse.ty].iter().all(|v| v.is_finite()).then_some(inverse)
    }
}

fn mean(points: &Landmarks) -> (f64, f64) {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + f64::from(p.x), y + f64::from(p.y)));
    (x / count, y / count)
}

/// Cuts a `width` x `height` picture: pixel `p` of it shows what `transform` (from the source to the result, in pixel
/// indexes: 0 is the centre of the first pixel) brings there. Bilinear, black outside the source, as OpenCV's `warpAffine`
/// but without its rounding of positions to 1/32 pixel.
#[must_use]
pub fn warp(image: &RgbImage, transform: &Similarity, width: u32, height: u32) -> RgbImage {
    let mut out = RgbImage::filled(width, height, [0; 3]);
    let Some(back) = transform.inverse() else {
        return out;
    };
    let row = 3 * out.width() as usize;
    for (y, line) in out.data_mut().chunks_exact_mut(row).enumerate() {
        for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
            let (x, y) = (x as f64, y as f64);
            let source_x = (back.a * x - back.b * y + back.tx) as f32;
            let source_y = (back.b * x + back.a * y + back.ty) as f32;
            if let Some(color) = sample(image, source_x, source_y) {
                pixel.copy_from_slice(&color);
            }
        }
    }
    out
}

/// Bilinear; neighbours outside count as black; None where no neighbour is inside.
fn sample(image: &RgbImage, x: f32, y: f32) -> Option<[u8; 3]> {
    let (width, height) = (image.width() as i64, image.height() as i64);
    let (left, top) = (x.floor(), y.floor());
    let (column, line) = (left as i64, top as i64);
    if column < -1 || line < -1 || column >= width || line >= height {
        return None;
    }
    let (fx, fy) = (x - left, y - top);
    let mut sums = [0.5f32; 3];
    for (dx, dy, weight) in
        [(0, 0, (1.0 - fx) * (1.0 - fy)), (1, 0, fx * (1.0 - fy)), (0, 1, (1.0 - fx) * fy), (1, 1, fx * fy)]
    {
        let (px, py) = (column + dx, line + dy);
        if (0..width).contains(&px) && (0..height).contains(&py) {
            let at = 3 * (py * width + px) as usize;
            for (sum, &value) in sums.iter_mut().zip(&image.data()[at..at + 3]) {
                *sum += weight * f32::from(value);
            }
        }
    }
    Some(sums.map(|sum| sum as u8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Similarity, warp};
    use crate::geometry::{Landmarks, Point};
    use crate::image::RgbImage;

    const FACE: Landmarks = [
        Point { x: 30.0, y: 40.0 },
        Point { x: 70.0, y: 41.0 },
        Point { x: 50.0, y: 60.0 },
        Point { x: 35.0, y: 80.0 },
        Point { x: 66.0, y: 79.0 },
    ];

    #[test]
    fn a_shift_moves_pixels_exactly() {
        let mut image = RgbImage::filled(8, 8, [10, 20, 30]);
        image.data_mut()[3 * (3 * 8 + 2)] = 200;
        let shifted = warp(&image, &Similarity { a: 1.0, b: 0.0, tx: 2.0, ty: -1.0 }, 8, 8);
        assert_eq!(shifted.pixel(4, 2), [200, 20, 30]);
        assert_eq!(shifted.pixel(0, 0), [0, 0, 0]);
        assert_eq!(shifted.pixel(7, 7), [0, 0, 0]);
    }

    #[test]
    fn useless_points_give_none() {
        let same = [Point { x: 1.0, y: 1.0 }; 5];
        assert!(Similarity::estimate(&same, &FACE).is_none());
        assert!(Similarity::estimate(&FACE, &same).is_none());
        let mut broken = FACE;
        broken[2].x = f32::NAN;
        assert!(Similarity::estimate(&broken, &FACE).is_none());
    }

    proptest! {
        #[test]
        fn a_known_transform_is_found_again(
            (scale, angle, tx, ty) in (0.1f64..5.0, -3.1f64..3.1, -200.0f64..200.0, -200.0f64..200.0),
        ) {
            let known = Similarity { a: scale * angle.cos(), b: scale * angle.sin(), tx, ty };
            let found = Similarity::estimate(&FACE, &FACE.map(|p| known.apply(p))).unwrap();
            for (got, want) in [(found.a, known.a), (found.b, known.b), (found.tx, known.tx), (found.ty, known.ty)] {
                prop_assert!((got - want).abs() < 1e-3, "{:?} {:?}", found, known);
            }
            let back = known.inverse().unwrap();
            for point in FACE {
                let round = back.apply(known.apply(point));
                prop_assert!((round.x - point.x).abs() < 1e-2 && (round.y - point.y).abs() < 1e-2);
            }
        }

        #[test]
        fn warping_never_panics(values in any::<[f64; 4]>()) {
            let [a, b, tx, ty] = values;
            let image = RgbImage::filled(5, 4, [9; 3]);
            let out = warp(&image, &Similarity { a, b, tx, ty }, 6, 7);
            prop_assert_eq!((out.width(), out.height()), (6, 7));
        }
    }
}
