//! The cascade laid over a level, and its verdict on each window.

use super::cascade::{Cascade, Stump};
use super::integral::{Corners, Integral};
use super::pyramid::Level;

/// A window of the picture, or several of them merged: x, y, width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// A cascade with its boxes counted out for one row length.
pub(super) struct Search {
    stages: Vec<LaidStage>,
    /// The window without its outermost pixels, by whose contrast features are divided.
    inner: Corners,
    inner_area: f64,
    /// Corners from the window's first to its last.
    span: usize,
}

struct LaidStage {
    threshold: f64,
    stumps: Vec<LaidStump>,
}

struct LaidStump {
    corners: [Corners; 3],
    weights: [f32; 3],
    threshold: f32,
    below: f32,
    above: f32,
}

/// What becomes of a window.
enum Verdict {
    Face,
    /// Too little contrast to judge.
    Flat,
    /// By the first stage: the window beside it is skipped as well.
    RejectedAtOnce,
    Rejected,
}

impl Search {
    pub(super) fn new(cascade: &Cascade, stride: usize) -> Self {
        let (width, height) = cascade.window;
        let stages = cascade.stages.iter().map(|stage| LaidStage {
            threshold: f64::from(stage.threshold),
            stumps: stage.stumps.iter().map(|stump| LaidStump::new(stump, stride)).collect(),
        });
        Self {
            stages: stages.collect(),
            inner: Corners::new((1, 1), (width - 2, height - 2), stride),
            inner_area: ((width - 2) * (height - 2)) as f64,
            span: height * stride + width + 1,
        }
    }

    /// Adds the windows of `level` that pass to `found`.
    pub(super) fn run(&self, integral: &Integral, level: &Level, found: &mut Vec<Window>) {
        let grown = |pixels: usize| (pixels as f32 * level.scale).round_ties_even() as i32;
        for y in (0..level.rows).step_by(level.step) {
            let mut x = 0;
            while x < level.columns {
                match self.judge(integral, y * integral.stride + x) {
                    Verdict::Face => {
                        let (width, height) = level.window;
                        found.push(Window { x: grown(x), y: grown(y), width, height });
                    }
                    Verdict::RejectedAtOnce => x += level.step,
                    Verdict::Rejected | Verdict::Flat => {}
                }
                x += level.step;
            }
        }
    }

    #[inline]
    fn judge(&self, integral: &Integral, first: usize) -> Verdict {
        let sums = &integral.sums[first..first + self.span];
        let squares = &integral.squares[first..first + self.span];
        // As OpenCV computes it, types included: the last bit decides now and then.
        let sum = f64::from(self.inner.sum(sums).cast_signed());
        let variance = self.inner_area * f64::from(self.inner.sum(squares)) - sum * sum;
        if variance <= 0.0 {
            return Verdict::Flat;
        }
        let norm = (1.0 / variance.sqrt()) as f32;
        if self.inner_area * f64::from(norm) >= 0.1 {
            return Verdict::Flat;
        }
        for (index, stage) in self.stages.iter().enumerate() {
            let mut votes = 0.0_f64;
            for stump in &stage.stumps {
                votes += f64::from(stump.vote(sums, norm));
            }
            if votes < stage.threshold {
                return if index == 0 { Verdict::RejectedAtOnce } else { Verdict::Rejected };
            }
        }
        Verdict::Face
    }
}

impl LaidStump {
    fn new(stump: &Stump, stride: usize) -> Self {
        let parts = stump.feature.parts;
        Self {
            corners: parts.map(|part| Corners::new((part.x, part.y), (part.width, part.height), stride)),
            weights: parts.map(|part| part.weight),
            threshold: stump.threshold,
            below: stump.below,
            above: stump.above,
        }
    }

    #[inline]
    fn vote(&self, sums: &[u32], norm: f32) -> f32 {
        let [first, second, third] = &self.corners;
        let [w1, w2, w3] = self.weights;
        let mut value = w1 * first.signed_sum(sums) + w2 * second.signed_sum(sums);
        if w3 != 0.0 {
            value += w3 * third.signed_sum(sums);
        }
        if value * norm < self.threshold { self.below } else { self.above }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cascade::Cascade;
    use super::super::cascade::tests::SMALL;
    use super::super::integral::Integral;
    use super::super::pyramid::Level;
    use super::{Search, Window};

    /// Windows found in a picture of `width` columns at the picture's own size.
    fn windows(pixels: &[u8], width: usize, step: usize) -> Vec<Window> {
        let cascade = Cascade::parse(SMALL, "small".as_ref()).unwrap();
        let mut integral = Integral::default();
        integral.fill(pixels, width);
        let height = pixels.len() / width;
        let (rows, columns) = (height + 1 - 4, width + 1 - 4);
        let level = Level { scale: 1.0, size: (width, height), window: (4, 4), step, rows, columns };
        let mut found = Vec::new();
        Search::new(&cascade, integral.stride).run(&integral, &level, &mut found);
        found
    }

    #[test]
    fn windows_with_a_bright_lower_half_pass() {
        let pixels = [[0_u8; 6], [30; 6], [0; 6], [200; 6], [255; 6], [200; 6]].concat();
        let places: Vec<(i32, i32)> = windows(&pixels, 6, 1).iter().map(|window| (window.x, window.y)).collect();
        assert_eq!(places, [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2)]);
    }

    #[test]
    fn flat_windows_do_not_pass() {
        assert!(windows(&[90; 36], 6, 1).is_empty());
    }

    #[test]
    fn after_a_rejection_by_the_first_stage_one_window_is_skipped() {
        // Columns 0 to 3 are darker below; of the windows further right, that at column 1 would pass were it looked at.
        let row = |dark: u8, bright: u8| [dark, bright, bright, bright, bright, bright];
        let pixels = [row(255, 0), row(255, 20), row(0, 60), row(0, 60)].concat();
        let places: Vec<i32> = windows(&pixels, 6, 1).iter().map(|window| window.x).collect();
        assert_eq!(places, [2]);
    }
}
