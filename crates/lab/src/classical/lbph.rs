//! LBPH: local binary pattern histograms (Ahonen, Hadid and Pietikäinen, 2006), with the parameters of OpenCV's
//! `LBPHFaceRecognizer`.
//!
//! Each pixel is coded by which of its neighbours on a circle are not darker than itself. The picture is divided into a
//! grid, each cell gives a histogram of its codes, divided by its pixels, and two pictures are compared by the
//! chi-square distance over all histograms. The nearest training picture wins.

use std::f64::consts::TAU;

use serde::Serialize;

use super::error::{ClassicalError, Shape};
use super::samples::{Sample, TrainingSet};
use super::{Prediction, Recogniser, bytes_of};

/// How much darker than the pixel itself a neighbour may be and still count as equal, of 1: a neighbour between pixels is
/// interpolated, and in a flat region rounding must not decide.
const EQUAL: f32 = 1e-5;

/// The most neighbours: a cell's histogram has two to the power of this many values.
const MOST_NEIGHBOURS: usize = 16;

/// Local binary pattern histograms, compared by chi-square.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lbph {
    /// The radius of the circle of neighbours, in pixels.
    pub radius: usize,
    /// How many neighbours there are on it.
    pub neighbours: usize,
    /// Cells across.
    pub columns: usize,
    /// Cells down.
    pub rows: usize,
}

impl Default for Lbph {
    fn default() -> Self {
        Self { radius: 1, neighbours: 8, columns: 8, rows: 8 }
    }
}

impl Lbph {
    pub(super) fn fit(&self, training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
        let (width, height) = training.pictures()?;
        self.check(width, height)?;
        let describe = Descriptor::new(self.clone(), width, height);
        let histograms = training.rows().map(|values| describe.histograms(values)).collect();
        Ok(Box::new(Histograms {
            describe,
            histograms,
            classes: training.classes().to_vec(),
            people: training.people().len(),
            shape: training.shape(),
        }))
    }

    fn check(&self, width: usize, height: usize) -> Result<(), ClassicalError> {
        if self.radius == 0 || self.columns == 0 || self.rows == 0 {
            return Err(ClassicalError::Parameter("LBPH: radius, columns and rows must be 1 or more".to_owned()));
        }
        if !(1..=MOST_NEIGHBOURS).contains(&self.neighbours) {
            let found = self.neighbours;
            return Err(ClassicalError::Parameter(format!(
                "LBPH: {found} neighbours; 1 to {MOST_NEIGHBOURS} are possible"
            )));
        }
        let fits = |pixels: usize, cells: usize| {
            let border = self.radius.checked_mul(2).and_then(|border| border.checked_add(cells));
            border.is_some_and(|needed| pixels >= needed)
        };
        if !fits(width, self.columns) || !fits(height, self.rows) {
            let Self { radius, columns, rows, .. } = self;
            return Err(ClassicalError::Parameter(format!(
                "LBPH: a picture of {width}x{height} is too small for {columns}x{rows} cells at radius {radius}"
            )));
        }
        Ok(())
    }
}

/// A neighbour's place: four pixels, as offsets from the pixel itself, and their shares.
struct Neighbour {
    corners: [(isize, f32); 4],
}

/// What turns a picture into its histograms.
struct Descriptor {
    lbph: Lbph,
    width: usize,
    height: usize,
    neighbours: Vec<Neighbour>,
}

impl Descriptor {
    fn new(lbph: Lbph, width: usize, height: usize) -> Self {
        let place = |index: usize| neighbour(TAU * index as f64 / lbph.neighbours as f64, lbph.radius as f64, width);
        let neighbours = (0..lbph.neighbours).map(place).collect();
        Self { lbph, width, height, neighbours }
    }

    /// The code of the pixel at an index: a bit each neighbour, set where it is not darker.
    fn code(&self, values: &[f32], index: usize) -> usize {
        let center = values[index] - EQUAL;
        let bit = |(bit, neighbour): (usize, &Neighbour)| {
            let share = |(offset, share): &(isize, f32)| share * values[index.wrapping_add_signed(*offset)];
            usize::from(neighbour.corners.iter().map(share).sum::<f32>() >= center) << bit
        };
        self.neighbours.iter().enumerate().map(bit).sum()
    }

    /// The histograms of all cells, row by row. Pixels closer to the edge than the radius have no code; what is left over
    /// when the rest is divided by the grid, at the right and at the bottom, is not counted.
    fn histograms(&self, values: &[f32]) -> Vec<f32> {
        let Lbph { radius, columns, rows, neighbours } = self.lbph;
        let (cell_width, cell_height) = ((self.width - 2 * radius) / columns, (self.height - 2 * radius) / rows);
        let patterns = 1 << neighbours;
        let share = 1.0 / (cell_width * cell_height) as f32;
        let mut histograms = vec![0.0; rows * columns * patterns];
        for (cell, histogram) in histograms.chunks_exact_mut(patterns).enumerate() {
            let (left, top) = (radius + cell % columns * cell_width, radius + cell / columns * cell_height);
            for row in top..top + cell_height {
                for column in left..left + cell_width {
                    histogram[self.code(values, row * self.width + column)] += 1.0;
                }
            }
            histogram.iter_mut().for_each(|count| *count *= share);
        }
        histograms
    }
}

/// The neighbour at an angle, counted against the clock from the right.
fn neighbour(angle: f64, radius: f64, width: usize) -> Neighbour {
    // Rounded, so that the neighbours straight to the sides are whole pixels.
    let exact = |value: f64| (value * 1e9).round() / 1e9;
    let (x, y) = (exact(radius * angle.cos()), exact(-radius * angle.sin()));
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let offset = |row: f64, column: f64| row as isize * width as isize + column as isize;
    let corner = |down: f64, across: f64| {
        let share = |step: f64, share: f64| if step == 0.0 { 1.0 - share } else { share };
        let share = share(down, bottom_share) * share(across, right_share);
        // A pixel without a share may lie outside of the picture.
        if share == 0.0 { (0, 0.0) } else { (offset(top + down, left + across), share as f32) }
    };
    Neighbour { corners: [corner(0.0, 0.0), corner(0.0, 1.0), corner(1.0, 0.0), corner(1.0, 1.0)] }
}

/// Sums that are added up side by side, so that the processor's vector unit can.
const LANES: usize = 8;

/// Twice the sum over all values of the squared difference by the sum, as in OpenCV's `HISTCMP_CHISQR_ALT`.
fn chi_square(a: &[f32], b: &[f32]) -> f64 {
    // Where both are 0, so is the difference.
    let term = |a: f32, b: f32| (a - b) * (a - b) / (a + b).max(f32::MIN_POSITIVE);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b));
    2.0 * sums.into_iter().chain(rest).map(f64::from).sum::<f64>()
}

/// The histograms of all training pictures.
struct Histograms {
    describe: Descriptor,
    histograms: Vec<Vec<f32>>,
    classes: Vec<usize>,
    people: usize,
    shape: Shape,
}

impl Recogniser for Histograms {
    fn predict(&self, sample: &Sample) -> Result<Prediction, ClassicalError> {
        let probe = self.describe.histograms(sample.checked(self.shape)?);
        let similarities = self.histograms.iter().map(|learned| -chi_square(learned, &probe));
        Ok(Prediction::of_templates(similarities, &self.classes, self.people))
    }

    fn bytes(&self) -> usize {
        self.histograms.iter().map(|histogram| bytes_of::<f32>(histogram.len())).sum::<usize>()
            + bytes_of::<usize>(self.classes.len())
    }

    fn learned(&self) -> Vec<(&'static str, f64)> {
        let values = self.histograms.first().map_or(0, Vec::len);
        vec![("templates", self.histograms.len() as f64), ("histogram values", values as f64)]
    }
}

#[cfg(test)]
mod tests;
