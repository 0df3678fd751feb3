//! Support vector machines, one for each two people, by `linfa-svm`.
//!
//! As scikit-learn's `SVC` (LIBSVM) does it: a machine learns two people from their samples alone, `class_weight` is
//! "balanced", and the person with the most machines on its side wins. Where several have the same number, the sum of
//! the machines' decisions breaks the tie, as with scikit-learn's `break_ties`.
//!
//! `linfa-svm` solves a machine and gives its coefficients. All machines share one copy of the support vectors here, and
//! the kernel is computed once a vector, not once a machine.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::Serialize;

use super::error::{ClassicalError, Shape};
use super::samples::{Sample, TrainingSet, count_classes};
use super::{Prediction, Recogniser, bytes_of};

/// When the solver stops: LIBSVM's and scikit-learn's default.
const TOLERANCE: f64 = 1e-3;

/// How two samples are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    /// Their inner product.
    Linear,
    /// The exponential of the negative squared distance times gamma.
    Gaussian {
        /// One over the squared distance at which the likeness has fallen to 1/e.
        gamma: f64,
    },
}

impl Kernel {
    fn of(self, a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
        match self {
            Self::Linear => a.dot(&b),
            Self::Gaussian { gamma } => (-gamma * a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()).exp(),
        }
    }
}

/// Linear support vector machines over features.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinearSvm {
    /// How much a training sample on the wrong side costs.
    pub c: f64,
}

impl Default for LinearSvm {
    fn default() -> Self {
        Self { c: 1.0 }
    }
}

impl LinearSvm {
    pub(super) fn fit(&self, training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
        training.features()?;
        check_positive("C", self.c)?;
        let points = training.matrix();
        let problem = Problem { points: points.view(), classes: training.classes(), people: training.people().len() };
        let machines = Machines::fit(problem, Kernel::Linear, self.c)?;
        Ok(Box::new(OverFeatures { machines, c: self.c, shape: training.shape() }))
    }
}

/// An error where a parameter of the machines is not a positive number.
pub(super) fn check_positive(name: &str, value: f64) -> Result<(), ClassicalError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ClassicalError::Parameter(format!("support vector machines: {name} must be above 0, and is {value}")))
}

/// Points, a row each, and their people.
#[derive(Clone, Copy)]
pub(super) struct Problem<'a> {
    pub(super) points: ArrayView2<'a, f64>,
    pub(super) classes: &'a [usize],
    pub(super) people: usize,
}

impl Problem<'_> {
    /// The weight of each person's samples, so that everybody counts alike.
    fn weights(&self) -> Vec<f64> {
        let counts = count_classes(self.classes, self.people);
        let total = self.classes.len() as f64 / self.people as f64;
        counts.iter().map(|&count| total / count.max(1) as f64).collect()
    }
}

/// What tells two people apart.
struct Machine {
    /// The two, by number: the first where the decision is positive.
    people: (usize, usize),
    /// What is taken from the sum.
    threshold: f64,
    /// Vectors by their place, and their factors.
    coefficients: Vec<(usize, f64)>,
}

/// A machine for each two people.
pub(super) struct Machines {
    kernel: Kernel,
    people: usize,
    vectors: Array2<f64>,
    machines: Vec<Machine>,
    support_vectors: usize,
}

impl Machines {
    /// Solves all of them.
    pub(super) fn fit(problem: Problem<'_>, kernel: Kernel, c: f64) -> Result<Self, ClassicalError> {
        let weights = problem.weights();
        let mut machines = Vec::new();
        for first in 0..problem.people {
            for second in first + 1..problem.people {
                machines.push(solve(problem, kernel, (first, second), (c * weights[first], c * weights[second]))?);
            }
        }
        let mut used: Vec<usize> =
            machines.iter().flat_map(|machine| machine.coefficients.iter().map(|(place, _)| *place)).collect();
        used.sort_unstable();
        used.dedup();
        let solved = Self {
            kernel,
            people: problem.people,
            vectors: Array2::zeros((0, 0)),
            machines,
            support_vectors: used.len(),
        };
        // A sum for each machine is less than the vectors as long as people are few.
        let fold = kernel == Kernel::Linear && solved.machines.len() <= used.len();
        Ok(if fold { solved.folded(problem) } else { solved.sharing(problem, &used) })
    }

    /// With the support vectors only, each once.
    fn sharing(mut self, problem: Problem<'_>, used: &[usize]) -> Self {
        let mut places = vec![0; problem.points.nrows()];
        for (place, &point) in used.iter().enumerate() {
            places[point] = place;
        }
        for (place, _) in self.machines.iter_mut().flat_map(|machine| &mut machine.coefficients) {
            *place = places[*place];
        }
        self.vectors = problem.points.select(Axis(0), used);
        self
    }

    /// With the weighted sum of each machine's support vectors in their place, which linear ones allow.
    fn folded(mut self, problem: Problem<'_>) -> Self {
        self.vectors = Array2::zeros((self.machines.len(), problem.points.ncols()));
        for (place, machine) in self.machines.iter_mut().enumerate() {
            for (point, factor) in machine.coefficients.drain(..) {
                self.vectors.row_mut(place).scaled_add(factor, &problem.points.row(point));
            }
            machine.coefficients.push((place, 1.0));
        }
        self
    }

    /// A score for every person: the machines on its side, and between -1/3 and 1/3 for how clearly they are.
    pub(super) fn scores(&self, point: ArrayView1<'_, f64>) -> Vec<f64> {
        let likeness: Vec<f64> = self.vectors.outer_iter().map(|vector| self.kernel.of(vector, point)).collect();
        let (mut votes, mut sums) = (vec![0.0; self.people], vec![0.0; self.people]);
        for machine in &self.machines {
            let sum: f64 = machine.coefficients.iter().map(|(place, factor)| factor * likeness[*place]).sum();
            let (decision, (first, second)) = (sum - machine.threshold, machine.people);
            votes[if decision > 0.0 { first } else { second }] += 1.0;
            sums[first] += decision;
            sums[second] -= decision;
        }
        votes.iter().zip(sums).map(|(votes, sum): (&f64, f64)| votes + sum / (3.0 * (sum.abs() + 1.0))).collect()
    }

    pub(super) fn bytes(&self) -> usize {
        let coefficients: usize = self.machines.iter().map(|machine| machine.coefficients.len()).sum();
        bytes_of::<f64>(self.vectors.len())
            + bytes_of::<Machine>(self.machines.len())
            + bytes_of::<(usize, f64)>(coefficients)
    }

    pub(super) fn learned(&self) -> [(&'static str, f64); 2] {
        [("machines", self.machines.len() as f64), ("support vectors", self.support_vectors as f64)]
    }
}

/// Solves the machine of two people, with what an error costs for either.
fn solve(
    problem: Problem<'_>,
    kernel: Kernel,
    people: (usize, usize),
    cost: (f64, f64),
) -> Result<Machine, ClassicalError> {
    let of_both = |class: &usize| *class == people.0 || *class == people.1;
    let places: Vec<usize> = (0..problem.classes.len()).filter(|&place| of_both(&problem.classes[place])).collect();
    let points = problem.points.select(Axis(0), &places);
    let targets: Array1<bool> = places.iter().map(|&place| problem.classes[place] == people.0).collect();
    let parameters = Svm::<f64, bool>::params().pos_neg_weights(cost.0, cost.1).eps(TOLERANCE);
    let parameters = match kernel {
        Kernel::Linear => parameters.linear_kernel(),
        // linfa divides the squared distance by its parameter.
        Kernel::Gaussian { gamma } => parameters.gaussian_kernel(1.0 / gamma),
    };
    let solved = parameters
        .fit(&DatasetBase::new(points, targets))
        .map_err(|error| ClassicalError::Solver { what: "support vector machines", message: error.to_string() })?;
    let factors = places.into_iter().zip(solved.alpha).filter(|(_, factor)| *factor != 0.0);
    Ok(Machine { people, threshold: solved.rho, coefficients: factors.collect() })
}

/// Machines over features.
struct OverFeatures {
    machines: Machines,
    c: f64,
    shape: Shape,
}

impl Recogniser for OverFeatures {
    fn predict(&self, sample: &Sample) -> Result<Prediction, ClassicalError> {
        let point: Array1<f64> = sample.checked(self.shape)?.iter().map(|value| f64::from(*value)).collect();
        Ok(Prediction::best_of(self.machines.scores(point.view())))
    }

    fn bytes(&self) -> usize {
        self.machines.bytes()
    }

    fn learned(&self) -> Vec<(&'static str, f64)> {
        [&[("C", self.c)][..], &self.machines.learned()].concat()
    }
}

#[cfg(test)]
mod tests;
