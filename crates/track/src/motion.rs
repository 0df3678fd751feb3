//! Where a face should be now: a constant-velocity Kalman filter for its centre (as in SORT), a running mean for its
//! size.
//!
//! All noise is in face widths, so that near and far faces are treated alike.

use sightline_vision::{Point, Rect};

/// Standard deviation of a detector's box centre: boxes of a still face shake by a few hundredths of their width.
const MEASURE_SIGMA: f32 = 0.08;
/// Standard deviation of a face's acceleration, widths/s²: somebody who starts walking reaches about 9 widths/s (1.5
/// m/s at 16 cm a face) within a second.
const ACCELERATION_SIGMA: f32 = 9.0;
/// Standard deviation of the speed of a face that was seen once, widths/s.
const FIRST_SPEED_SIGMA: f32 = 9.0;
/// A face that is not seen keeps its speed for so long, then it is expected where it would have come to.
const COAST_SECONDS: f32 = 1.0;
/// Weight of a new size against the ones before.
const SIZE_GAIN: f32 = 0.7;

/// One coordinate: position, speed, and their covariance.
#[derive(Clone, Copy, Debug)]
struct Axis {
    position: f32,
    speed: f32,
    position_variance: f32,
    covariance: f32,
    speed_variance: f32,
}

impl Axis {
    fn new(position: f32, width: f32) -> Self {
        Self {
            position,
            speed: 0.0,
            position_variance: (MEASURE_SIGMA * width).powi(2),
            covariance: 0.0,
            speed_variance: (FIRST_SPEED_SIGMA * width).powi(2),
        }
    }

    fn expected(&self, seconds: f32) -> f32 {
        self.position + self.speed * seconds.min(COAST_SECONDS)
    }

    fn advance(&mut self, seconds: f32, width: f32) {
        let noise = (ACCELERATION_SIGMA * width).powi(2);
        let (s, s2) = (seconds, seconds * seconds);
        self.position = self.expected(seconds);
        self.position_variance += 2.0 * s * self.covariance + s2 * self.speed_variance + noise * s2 * s2 / 4.0;
        self.covariance += s * self.speed_variance + noise * s2 * s / 2.0;
        self.speed_variance += noise * s2;
    }

    fn correct(&mut self, measured: f32, width: f32) {
        let total = self.position_variance + (MEASURE_SIGMA * width).powi(2);
        let (gain, speed_gain) = (self.position_variance / total, self.covariance / total);
        let error = measured - self.position;
        self.position += gain * error;
        self.speed += speed_gain * error;
        self.speed_variance -= speed_gain * self.covariance;
        self.position_variance *= 1.0 - gain;
        self.covariance *= 1.0 - gain;
    }

    fn scale(&mut self, factor: f32) {
        self.position *= factor;
        self.speed *= factor;
        self.position_variance *= factor * factor;
        self.covariance *= factor * factor;
        self.speed_variance *= factor * factor;
    }
}

/// The movement of one face. Coordinates in pixels of the frame, times in nanoseconds of the camera's frame clock.
#[derive(Clone, Debug)]
pub(crate) struct Motion {
    x: Axis,
    y: Axis,
    width: f32,
    height: f32,
    at_ns: i64,
}

impl Motion {
    /// A face first seen at `at_ns`.
    pub(crate) fn new(at_ns: i64, seen: &Rect) -> Self {
        let (center, width) = (seen.center(), seen.width());
        Self { x: Axis::new(center.x, width), y: Axis::new(center.y, width), width, height: seen.height(), at_ns }
    }

    /// Seconds from the last sight to `at_ns`.
    pub(crate) fn seconds_until(&self, at_ns: i64) -> f32 {
        at_ns.saturating_sub(self.at_ns).max(0) as f32 * 1e-9
    }

    /// Where the face should be at `at_ns`.
    pub(crate) fn expected(&self, at_ns: i64) -> Rect {
        let seconds = self.seconds_until(at_ns);
        let center = Point { x: self.x.expected(seconds), y: self.y.expected(seconds) };
        let (half_width, half_height) = (self.width / 2.0, self.height / 2.0);
        Rect::new(center.x - half_width, center.y - half_height, center.x + half_width, center.y + half_height)
    }

    /// The face was seen at `at_ns`.
    pub(crate) fn correct(&mut self, at_ns: i64, seen: &Rect) {
        let seconds = self.seconds_until(at_ns);
        let center = seen.center();
        for (axis, measured) in [(&mut self.x, center.x), (&mut self.y, center.y)] {
            axis.advance(seconds, self.width);
            axis.correct(measured, self.width);
        }
        self.width += SIZE_GAIN * (seen.width() - self.width);
        self.height += SIZE_GAIN * (seen.height() - self.height);
        self.at_ns = self.at_ns.max(at_ns);
    }

    /// The frames changed their size by these factors.
    pub(crate) fn scale(&mut self, x: f32, y: f32) {
        self.x.scale(x);
        self.y.scale(y);
        self.width *= x;
        self.height *= y;
    }
}

#[cfg(test)]
mod tests {
    use super::Motion;
    use sightline_vision::Rect;

    const FRAME_NS: i64 = 200_000_000;

    fn face(x: f32) -> Rect {
        Rect::new(x - 20.0, 80.0, x + 20.0, 130.0)
    }

    #[test]
    fn a_walker_is_expected_one_step_further() {
        let mut motion = Motion::new(0, &face(100.0));
        for frame in 1..4 {
            motion.correct(frame * FRAME_NS, &face(100.0 + 60.0 * frame as f32));
        }
        let x = motion.expected(4 * FRAME_NS).center().x;
        assert!((x - 340.0).abs() < 8.0, "expected at {x}");
    }

    #[test]
    fn coasting_ends_after_a_second() {
        let mut motion = Motion::new(0, &face(100.0));
        for frame in 1..6 {
            motion.correct(frame * FRAME_NS, &face(100.0 + 60.0 * frame as f32));
        }
        let (one, two) = (motion.expected(10 * FRAME_NS).center().x, motion.expected(15 * FRAME_NS).center().x);
        assert!((one - 700.0).abs() < 30.0, "after a second at {one}");
        assert_eq!(one, two);
    }

    #[test]
    fn a_still_face_stays() {
        let mut motion = Motion::new(0, &face(100.0));
        for frame in 1..20_u8 {
            let shake = if frame % 2 == 0 { 1.0 } else { -1.0 };
            motion.correct(i64::from(frame) * FRAME_NS, &face(100.0 + shake));
        }
        let expected = motion.expected(25 * FRAME_NS);
        assert!((expected.center().x - 100.0).abs() < 15.0, "drifted to {expected:?}");
        assert!((expected.width() - 40.0).abs() < 1.0);
    }
}
