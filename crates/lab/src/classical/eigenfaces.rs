//! Eigenfaces (Turk and Pentland, 1991): gray pictures as points, projected on their principal components.

use ndarray::Array2;
use serde::Serialize;

use super::error::{ClassicalError, Shape};
use super::principal::Principal;
use super::samples::{Sample, TrainingSet};
use super::support::{Kernel, Machines, Problem};
use super::tuning::Tuning;
use super::{Prediction, Recogniser, bytes_of};

/// The components that the laboratory and scikit-learn's example keep.
const COMPONENTS: usize = 150;

/// Principal components, then the person of the nearest training picture by Euclidean distance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Eigenfaces {
    /// The most components to keep; fewer training pictures give fewer.
    pub components: usize,
    /// Whether every component is brought to the same variance.
    pub whiten: bool,
}

impl Default for Eigenfaces {
    fn default() -> Self {
        Self { components: COMPONENTS, whiten: false }
    }
}

impl Eigenfaces {
    pub(super) fn fit(&self, training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
        training.pictures()?;
        let pixels = training.matrix();
        let principal = Principal::fit(&pixels, self.components, self.whiten)?;
        Ok(Box::new(Neighbours {
            points: principal.project_all(pixels),
            principal,
            classes: training.classes().to_vec(),
            people: training.people().len(),
            shape: training.shape(),
        }))
    }
}

/// Principal components, whitened, then support vector machines with a Gaussian kernel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EigenfacesSvm {
    /// The most components to keep; fewer training pictures give fewer.
    pub components: usize,
    /// How the machines' parameters come about.
    pub tuning: Tuning,
}

impl Default for EigenfacesSvm {
    fn default() -> Self {
        Self { components: COMPONENTS, tuning: Tuning::default() }
    }
}

impl EigenfacesSvm {
    pub(super) fn fit(&self, training: &TrainingSet<'_>) -> Result<Box<dyn Recogniser>, ClassicalError> {
        training.pictures()?;
        self.tuning.check(training)?;
        let pixels = training.matrix();
        let (classes, people) = (training.classes(), training.people().len());
        let chosen = self.tuning.choose(Problem { points: pixels.view(), classes, people }, self.components)?;
        let principal = Principal::fit(&pixels, self.components, true)?;
        let points = principal.project_all(pixels);
        let problem = Problem { points: points.view(), classes, people };
        let machines = Machines::fit(problem, Kernel::Gaussian { gamma: chosen.gamma }, chosen.c)?;
        let mut learned = vec![("C", chosen.c), ("gamma", chosen.gamma)];
        learned.extend(chosen.accuracy.map(|accuracy| ("cross-validation accuracy", accuracy)));
        Ok(Box::new(Supported { principal, machines, learned, shape: training.shape() }))
    }
}

/// The training pictures' projections.
struct Neighbours {
    principal: Principal,
    points: Array2<f64>,
    classes: Vec<usize>,
    people: usize,
    shape: Shape,
}

impl Recogniser for Neighbours {
    fn predict(&self, sample: &Sample) -> Result<Prediction, ClassicalError> {
        let probe = self.principal.project(sample.checked(self.shape)?);
        let distance = |point: ndarray::ArrayView1<'_, f64>| {
            point.iter().zip(&probe).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        let similarities = self.points.outer_iter().map(|point| -distance(point));
        Ok(Prediction::of_templates(similarities, &self.classes, self.people))
    }

    fn bytes(&self) -> usize {
        self.principal.bytes() + bytes_of::<f64>(self.points.len()) + bytes_of::<usize>(self.classes.len())
    }

    fn learned(&self) -> Vec<(&'static str, f64)> {
        self.principal.learned().to_vec()
    }
}

/// Machines over projections.
struct Supported {
    principal: Principal,
    machines: Machines,
    learned: Vec<(&'static str, f64)>,
    shape: Shape,
}

impl Recogniser for Supported {
    fn predict(&self, sample: &Sample) -> Result<Prediction, ClassicalError> {
        let probe = self.principal.project(sample.checked(self.shape)?);
        Ok(Prediction::best_of(self.machines.scores(probe.view())))
    }

    fn bytes(&self) -> usize {
        self.principal.bytes() + self.machines.bytes()
    }

    fn learned(&self) -> Vec<(&'static str, f64)> {
        [&self.principal.learned()[..], &self.learned, &self.machines.learned()].concat()
    }
}

#[cfg(test)]
mod tests;
