//! The cascade laid over a level, and its verdict on each window.

use super::cascade::{Cascade, Stump};
use super::integral::{Corners, Integral, Rows};
use super::pyramid::Level;

/// Stages judged for all windows of a row at once, which is faster as long as most of them have to be judged.
const ROW_STAGES: usize = 3;

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

/// What the first stages say of the windows of one row.
#[derive(Default)]
struct Row {
    /// What features are multiplied with, which evens out contrast; 0 where there is too little contrast to judge.
    norms: Vec<f32>,
    /// Sums of one stage.
    votes: Vec<f64>,
    /// How many stages were passed.
    passed: Vec<usize>,
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
        let (row_stages, stages) = self.stages.split_at(ROW_STAGES.min(self.stages.len()));
        let mut row = Row::new(level.columns);
        for y in (0..level.rows).step_by(level.step) {
            let first = y * integral.stride;
            self.measure(integral, first, &mut row.norms);
            row.judge(row_stages, &integral.sums[first..]);
            let mut x = 0;
            while x < level.columns {
                let norm = row.norms[x];
                if norm > 0.0 && row.passed[x] == row_stages.len() {
                    let sums = &integral.sums[first + x..first + x + self.span];
                    if stages.iter().all(|stage| stage.passes(sums, norm)) {
                        let (width, height) = level.window;
                        found.push(Window { x: grown(x), y: grown(y), width, height });
                    }
                } else if norm > 0.0 && row.passed[x] == 0 {
                    // OpenCV skips the window beside one that the first stage rejects.
                    x += level.step;
                }
                x += level.step;
            }
        }
    }

    /// The contrast of the windows that start in a row, computed as OpenCV does, types included: the last bit decides now
    /// and then.
    fn measure(&self, integral: &Integral, first: usize, norms: &mut [f32]) {
        let sums = self.inner.rows(&integral.sums[first..], norms.len());
        let squares = self.inner.rows(&integral.squares[first..], norms.len());
        for (x, norm) in norms.iter_mut().enumerate() {
            let sum = f64::from(sums.sum(x).cast_signed());
            let variance = self.inner_area * f64::from(squares.sum(x)) - sum * sum;
            let inverse = (1.0 / variance.sqrt()) as f32;
            let judged = variance > 0.0 && self.inner_area * f64::from(inverse) < 0.1;
            *norm = if judged { inverse } else { 0.0 };
        }
    }
}

impl Row {
    fn new(columns: usize) -> Self {
        Self { norms: vec![0.0; columns], votes: vec![0.0; columns], passed: vec![0; columns] }
    }

    /// `sums` starts with the first corner of the row's first window.
    fn judge(&mut self, stages: &[LaidStage], sums: &[u32]) {
        self.passed.fill(0);
        for (index, stage) in stages.iter().enumerate() {
            self.votes.fill(0.0);
            for stump in &stage.stumps {
                stump.vote_all(sums, &self.norms, &mut self.votes);
            }
            for (passed, &votes) in self.passed.iter_mut().zip(&self.votes) {
                *passed += usize::from(*passed == index && votes >= stage.threshold);
            }
        }
    }
}

impl LaidStage {
    fn passes(&self, sums: &[u32], norm: f32) -> bool {
        let votes: f64 = self.stumps.iter().map(|stump| f64::from(stump.vote(sums, norm))).sum();
        votes >= self.threshold
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
        let part = |index: usize| self.weights[index] * self.corners[index].sum(sums).cast_signed() as f32;
        let mut value = part(0) + part(1);
        if self.weights[2] != 0.0 {
            value += part(2);
        }
        if value * norm < self.threshold { self.below } else { self.above }
    }

    /// Adds the votes on the windows of a row; each is what [`Self::vote`] gives.
    fn vote_all(&self, sums: &[u32], norms: &[f32], votes: &mut [f64]) {
        let [first, second, third] = self.corners.map(|corners| corners.rows(sums, norms.len()));
        let [w1, w2, w3] = self.weights;
        let part = |rows: &Rows<'_>, weight: f32, x: usize| weight * rows.sum(x).cast_signed() as f32;
        let vote = |value: f32| f64::from(if value < self.threshold { self.below } else { self.above });
        if w3 == 0.0 {
            for (x, (votes, &norm)) in votes.iter_mut().zip(norms).enumerate() {
                *votes += vote((part(&first, w1, x) + part(&second, w2, x)) * norm);
            }
        } else {
            for (x, (votes, &norm)) in votes.iter_mut().zip(norms).enumerate() {
                *votes += vote((part(&first, w1, x) + part(&second, w2, x) + part(&third, w3, x)) * norm);
            }
        }
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
