//! How the parameters of Gaussian support vector machines come about: given, or chosen by cross-validation.

use ndarray::Axis;
use serde::Serialize;

use super::Prediction;
use super::error::ClassicalError;
use super::samples::TrainingSet;
use super::support::{Kernel, Machines, Problem, check_positive};

/// How C (what a training sample on the wrong side costs) and gamma (how fast likeness falls with distance) come about.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// They are given.
    Given {
        /// What an error costs.
        c: f64,
        /// How fast likeness falls.
        gamma: f64,
    },
    /// The pair that recognises most in cross-validation over the training set.
    CrossValidated(Grid),
}

/// The pairs that are tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grid {
    /// The folds of the cross-validation.
    pub folds: usize,
    /// Values of C, to be tried with every gamma; of equally good pairs the first wins.
    pub c: Vec<f64>,
    /// Values of gamma.
    pub gamma: Vec<f64>,
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            folds: 5,
            c: vec![1.0, 10.0, 100.0, 1000.0],
            gamma: vec![1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1],
        }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::CrossValidated(Grid::default())
    }
}

/// The parameters to learn with.
pub(super) struct Chosen {
    pub(super) c: f64,
    pub(super) gamma: f64,
    /// The mean over the folds of the share recognised, where there was a choice.
    pub(super) accuracy: Option<f64>,
}

impl Tuning {
    /// Whether it can be done with this training set.
    pub(super) fn check(&self, training: &TrainingSet<'_>) -> Result<(), ClassicalError> {
        match self {
            Self::Given { c, gamma } => check_positive("C", *c).and_then(|()| check_positive("gamma", *gamma)),
            Self::CrossValidated(grid) => grid.check(training),
        }
    }

    /// The parameters.
    pub(super) fn choose(&self, problem: Problem<'_>) -> Result<Chosen, ClassicalError> {
        match self {
            Self::Given { c, gamma } => Ok(Chosen { c: *c, gamma: *gamma, accuracy: None }),
            Self::CrossValidated(grid) => grid.search(problem),
        }
    }
}

impl Grid {
    fn check(&self, training: &TrainingSet<'_>) -> Result<(), ClassicalError> {
        if self.folds < 2 {
            let folds = self.folds;
            return Err(ClassicalError::Parameter(format!("cross-validation takes 2 folds or more, not {folds}")));
        }
        if self.c.is_empty() || self.gamma.is_empty() {
            return Err(ClassicalError::Parameter("cross-validation takes one C and one gamma or more".to_owned()));
        }
        self.c.iter().try_for_each(|c| check_positive("C", *c))?;
        self.gamma.iter().try_for_each(|gamma| check_positive("gamma", *gamma))?;
        match training.with_one_sample().first() {
            Some(person) => Err(ClassicalError::OneSample { person: (*person).to_owned() }),
            None => Ok(()),
        }
    }

    fn search(&self, problem: Problem<'_>) -> Result<Chosen, ClassicalError> {
        let folds = folds(problem.classes, problem.people, self.folds);
        let mut best = Chosen { c: 1.0, gamma: 1.0, accuracy: None };
        for &c in &self.c {
            for &gamma in &self.gamma {
                let accuracy = accuracy(problem, &folds, c, gamma)?;
                if best.accuracy.is_none_or(|so_far| accuracy > so_far) {
                    best = Chosen { c, gamma, accuracy: Some(accuracy) };
                }
            }
        }
        Ok(best)
    }
}

/// The fold that tests each sample: scikit-learn's `StratifiedKFold` without shuffling. A person's samples go to the folds
/// in blocks, so that neighbours in a list, often taken at one occasion, are tested together.
fn folds(classes: &[usize], people: usize, count: usize) -> Vec<usize> {
    let mut start = 0;
    let mut folds = vec![0; classes.len()];
    for person in 0..people {
        let places: Vec<usize> = (0..classes.len()).filter(|&place| classes[place] == person).collect();
        // Places in the list sorted by person are dealt to the folds in turn; only how many each gets is used.
        let shares = (0..count).map(|fold| (start..start + places.len()).filter(|rank| rank % count == fold).count());
        let blocks = shares.enumerate().flat_map(|(fold, share)| std::iter::repeat_n(fold, share));
        for (&place, fold) in places.iter().zip(blocks) {
            folds[place] = fold;
        }
        start += places.len();
    }
    folds
}

/// The mean over the folds of the share recognised.
fn accuracy(problem: Problem<'_>, folds: &[usize], c: f64, gamma: f64) -> Result<f64, ClassicalError> {
    let used: Vec<usize> = {
        let mut used = folds.to_vec();
        used.sort_unstable();
        used.dedup();
        used
    };
    let mut sum = 0.0;
    for &fold in &used {
        let (tested, learned): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&place| folds[place] == fold);
        let points = problem.points.select(Axis(0), &learned);
        let classes: Vec<usize> = learned.iter().map(|&place| problem.classes[place]).collect();
        let part = Problem { points: points.view(), classes: &classes, people: problem.people };
        let machines = Machines::fit(part, Kernel::Gaussian { gamma }, c)?;
        let right = |place: &&usize| {
            Prediction::best_of(machines.scores(problem.points.row(**place))).class == problem.classes[**place]
        };
        sum += tested.iter().filter(right).count() as f64 / tested.len() as f64;
    }
    Ok(sum / used.len() as f64)
}

#[cfg(test)]
mod tests;
