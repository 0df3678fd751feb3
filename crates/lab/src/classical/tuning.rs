//! How the parameters of Gaussian support vector machines come about: given, or chosen by cross-validation.

use ndarray::{Array2, Axis};
use serde::Serialize;

use super::Prediction;
use super::error::ClassicalError;
use super::principal::Principal;
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
        Self { folds: 5, c: vec![1.0, 10.0, 100.0, 1000.0], gamma: vec![1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1] }
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

    /// The parameters for pictures that are whitened to so many components.
    pub(super) fn choose(&self, pictures: Problem<'_>, components: usize) -> Result<Chosen, ClassicalError> {
        match self {
            Self::Given { c, gamma } => Ok(Chosen { c: *c, gamma: *gamma, accuracy: None }),
            Self::CrossValidated(grid) => grid.search(pictures, components),
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
        match training.with_one_sample() {
            Some(person) => Err(ClassicalError::OneSample { person: person.to_owned() }),
            None => Ok(()),
        }
    }

    fn search(&self, pictures: Problem<'_>, components: usize) -> Result<Chosen, ClassicalError> {
        let folds = folds(pictures.classes, pictures.people, self.folds);
        let pairs = self.c.iter().flat_map(|&c| self.gamma.iter().map(move |&gamma| (c, gamma)));
        let mut tried: Vec<Chosen> = pairs.map(|(c, gamma)| Chosen { c, gamma, accuracy: Some(0.0) }).collect();
        let used = (0..self.folds).filter(|fold| folds.contains(fold)).count();
        for fold in (0..self.folds).filter(|fold| folds.contains(fold)) {
            let fold = Fold::new(pictures, components, |place| folds[place] == fold)?;
            for pair in &mut tried {
                let share = fold.recognised(pair.c, pair.gamma)? / used as f64;
                pair.accuracy = pair.accuracy.map(|sum| sum + share);
            }
        }
        let better = |best: Chosen, next: Chosen| if next.accuracy > best.accuracy { next } else { best };
        tried.into_iter().reduce(better).ok_or(ClassicalError::NoVariance)
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

/// A part of the training set that is tested, and the rest that is learned, from the components on: components that had
/// seen the tested pictures would make these look unlike any new picture.
struct Fold {
    people: usize,
    learned: (Array2<f64>, Vec<usize>),
    tested: (Array2<f64>, Vec<usize>),
}

impl Fold {
    fn new(
        pictures: Problem<'_>,
        components: usize,
        is_tested: impl Fn(usize) -> bool,
    ) -> Result<Self, ClassicalError> {
        let (tested, learned): (Vec<usize>, Vec<usize>) = (0..pictures.classes.len()).partition(|&i| is_tested(i));
        let classes = |places: &[usize]| places.iter().map(|&place| pictures.classes[place]).collect();
        let rows = pictures.points.select(Axis(0), &learned);
        let principal = Principal::fit(&rows, components, true)?;
        Ok(Self {
            people: pictures.people,
            tested: (principal.project_all(pictures.points.select(Axis(0), &tested)), classes(&tested)),
            learned: (principal.project_all(rows), classes(&learned)),
        })
    }

    /// The share of the tested pictures that is recognised.
    fn recognised(&self, c: f64, gamma: f64) -> Result<f64, ClassicalError> {
        let (points, classes) = &self.learned;
        let problem = Problem { points: points.view(), classes, people: self.people };
        let machines = Machines::fit(problem, Kernel::Gaussian { gamma }, c)?;
        let (points, classes) = &self.tested;
        let named = points.outer_iter().map(|point| Prediction::best_of(machines.scores(point)).class);
        Ok(named.zip(classes).filter(|(named, class)| named == *class).count() as f64 / classes.len() as f64)
    }
}

#[cfg(test)]
mod tests;
