//! Principal components, by `nalgebra`'s eigenvectors.
//!
//! The small way round, as Turk and Pentland (1991) did it: pictures are far fewer than their pixels, so the eigenvectors
//! of the pictures' products with each other are found, exactly, and the components follow from them. An iterative
//! truncated decomposition (LOBPCG, as in `linfa-reduction`) does not find half of all components: on the reference's
//! pictures its last ones are wrong, and whitening makes them count.

use nalgebra::DMatrix;
use nalgebra::linalg::SymmetricEigen;
use ndarray::{Array1, Array2, Axis};

use super::bytes_of;
use super::error::ClassicalError;

/// Components of less spread than this share of the largest are noise of the arithmetic.
const NEGLIGIBLE: f64 = 1e-6;

/// The eigenvalues' relative precision, and the rounds it may take to get there.
const PRECISION: f64 = f64::EPSILON;
const ROUNDS_A_ROW: usize = 1000;

/// The directions of the largest variance, the most varied first.
pub(super) struct Principal {
    mean: Array1<f64>,
    /// A row each component.
    components: Array2<f64>,
    explained: f64,
}

impl Principal {
    /// Finds the components of the rows: `most` of them, or as many as the rows have.
    pub(super) fn fit(rows: &Array2<f64>, most: usize, whiten: bool) -> Result<Self, ClassicalError> {
        if most == 0 {
            return Err(ClassicalError::Parameter("one principal component or more must be kept".to_owned()));
        }
        let mean = rows.mean_axis(Axis(0)).ok_or(ClassicalError::NoVariance)?;
        let centred = rows - &mean;
        let by_rows = rows.nrows() <= rows.ncols();
        let products = if by_rows { centred.dot(&centred.t()) } else { centred.t().dot(&centred) };
        let total = products.diag().sum();
        let (squares, directions) = eigenvectors(&products)?;
        let spreads: Vec<f64> = squares.iter().map(|square| square.max(0.0).sqrt()).collect();
        let real = spreads.iter().take_while(|spread| **spread > NEGLIGIBLE * spreads[0]).count();
        // The centred rows span one direction less than they are.
        let kept = most.min(real).min(rows.nrows() - 1);
        if kept == 0 {
            return Err(ClassicalError::NoVariance);
        }
        let directions = directions.select(Axis(0), &(0..kept).collect::<Vec<_>>());
        let mut components = if by_rows { directions.dot(&centred) } else { directions };
        for (mut component, spread) in components.outer_iter_mut().zip(&spreads) {
            let length = if by_rows { *spread } else { 1.0 };
            let wanted = if whiten { (rows.nrows() as f64 - 1.0).sqrt() / spread } else { 1.0 };
            component *= wanted / length;
        }
        Ok(Self { mean, components, explained: squares[..kept].iter().sum::<f64>() / total })
    }

    /// A sample's place along the components.
    pub(super) fn project(&self, values: &[f32]) -> Array1<f64> {
        let centred: Array1<f64> =
            values.iter().zip(&self.mean).map(|(value, mean)| f64::from(*value) - mean).collect();
        self.components.dot(&centred)
    }

    /// The rows' places along the components.
    pub(super) fn project_all(&self, rows: Array2<f64>) -> Array2<f64> {
        (rows - &self.mean).dot(&self.components.t())
    }

    pub(super) fn bytes(&self) -> usize {
        bytes_of::<f64>(self.mean.len() + self.components.len())
    }

    pub(super) fn learned(&self) -> [(&'static str, f64); 2] {
        [("components", self.components.nrows() as f64), ("variance explained", self.explained)]
    }
}

/// The eigenvalues of a symmetric matrix, the largest first, and their vectors, a row each.
fn eigenvectors(matrix: &Array2<f64>) -> Result<(Vec<f64>, Array2<f64>), ClassicalError> {
    let side = matrix.nrows();
    let matrix = DMatrix::from_iterator(side, side, matrix.iter().copied());
    let found = SymmetricEigen::try_new(matrix, PRECISION, ROUNDS_A_ROW.saturating_mul(side)).ok_or_else(|| {
        ClassicalError::Solver { what: "principal components", message: "the eigenvalues do not converge".to_owned() }
    })?;
    let mut order: Vec<usize> = (0..side).collect();
    order.sort_by(|&a, &b| found.eigenvalues[b].total_cmp(&found.eigenvalues[a]));
    let values = order.iter().map(|&place| found.eigenvalues[place]).collect();
    let vectors = Array2::from_shape_fn((side, side), |(row, column)| found.eigenvectors[(column, order[row])]);
    Ok((values, vectors))
}

#[cfg(test)]
mod tests;
