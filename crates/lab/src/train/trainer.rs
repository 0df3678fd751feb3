//! The loop: a step at a time, an epoch judged on what is held out, the best epoch kept, all of it saved and continued.

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::train::adam::Adam;
use crate::train::checkpoint::Checkpoint;
use crate::train::classifier::{Classifier, ClassifierConfig, ClassifierTask};
use crate::train::embedding::{EmbeddingConfig, EmbeddingTask};
use crate::train::error::TrainError;
use crate::train::features::FeatureSet;
use crate::train::head::Head;
use crate::train::network::Network;
use crate::train::task::{Task, gather};

/// What a step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Steps done.
    pub step: u64,
    /// Steps at most: early stopping may end before.
    pub steps: u64,
    /// The batch's loss; none where it gave nothing to learn from.
    pub loss: Option<f64>,
    /// Triplets with a loss; faces classified wrong.
    pub active: usize,
    /// Triplets that there could have been; faces.
    pub candidates: usize,
    /// At the end of an epoch.
    pub epoch: Option<EpochReport>,
}

/// What an epoch did. Number 0 is the state before the first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Its number.
    pub epoch: u32,
    /// Mean of its batches' losses; none where no batch had one.
    pub loss: Option<f64>,
    /// Share of active triplets, or of faces classified wrong; none where there was no candidate.
    pub active: Option<f64>,
    /// Loss on what is held out: the lowest decides.
    pub held_out_loss: f64,
    /// Rate on what is held out: true acceptance, or faces classified right. None where too few pairs are held out.
    pub held_out_rate: Option<f64>,
}

/// Why [`Trainer::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The callback asked for it: save and resume to go on.
    Interrupted,
    /// No gain for as long as patience allows.
    Stopped,
    /// All epochs are done.
    Completed,
}

/// Everything that changes while training and is not a weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) step: u64,
    /// Of the epoch that goes on.
    pub(crate) loss: f64,
    pub(crate) losses: u64,
    pub(crate) active: usize,
    pub(crate) candidates: usize,
    pub(crate) history: Vec<EpochReport>,
}

/// A head that is being trained.
#[derive(Debug)]
pub struct Trainer {
    task: Box<dyn Task>,
    network: Network,
    adam: Adam,
    state: State,
    best: Head,
}

impl Trainer {
    /// An embedding head for the people of `set` who have two images or more.
    ///
    /// # Errors
    /// [`TrainError`] naming the setting or what the data lacks.
    pub fn embedding(set: &FeatureSet, config: EmbeddingConfig) -> Result<Self, TrainError> {
        Self::new(Box::new(EmbeddingTask::new(set, config)?))
    }

    /// As [`Trainer::embedding`], continued from a checkpoint of the same settings and data. Only `epochs` and `patience` may be others.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] where it is damaged or of something else.
    pub fn resume_embedding(set: &FeatureSet, config: EmbeddingConfig, file: &Path) -> Result<Self, TrainError> {
        Self::embedding(set, config)?.continued(file)
    }

    /// Epochs so far, beginning with number 0.
    #[must_use]
    pub fn history(&self) -> &[EpochReport] {
        &self.state.history
    }

    /// The epoch whose head [`Trainer::head`] gives.
    #[must_use]
    pub fn best(&self) -> &EpochReport {
        best(&self.state.history)
    }

    /// The head of the best epoch so far.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.best
    }

    /// What it learns from.
    #[must_use]
    pub fn training(&self) -> &FeatureSet {
        self.task.training()
    }

    /// What judges its epochs.
    #[must_use]
    pub fn judges(&self) -> &FeatureSet {
        self.task.judges()
    }

    /// Steps until training ends or `progress`, which is told of every step, breaks. May be called again to go on.
    ///
    /// # Errors
    /// [`TrainError::Diverged`], and what the tensors refuse.
    pub fn run(&mut self, mut progress: impl FnMut(&StepReport) -> ControlFlow<()>) -> Result<Outcome, TrainError> {
        loop {
            if let Some(outcome) = self.outcome() {
                return Ok(outcome);
            }
            if progress(&self.step()?).is_break() {
                return Ok(Outcome::Interrupted);
            }
        }
    }

    /// One step, and the judgement where it ends an epoch. Goes on even where [`Trainer::run`] would end.
    ///
    /// # Errors
    /// As [`Trainer::run`].
    pub fn step(&mut self) -> Result<StepReport, TrainError> {
        let step = self.state.step;
        let rows = self.task.batch(step);
        let (input, labels) = gather(self.task.training(), &rows)?;
        let mask = self.network.dropout_mask(rows.len(), self.task.plan().seed, step)?;
        let output = self.network.forward(&input, mask.as_ref())?;
        let found = self.task.loss(&output, &labels)?;
        let mut value = None;
        if let Some(loss) = found.loss {
            let number = f64::from(loss.to_scalar::<f32>()?);
            if !number.is_finite() {
                return Err(TrainError::Diverged { step });
            }
            self.adam.update(&self.network.variables(), &loss.backward()?)?;
            self.state.loss += number;
            self.state.losses += 1;
            value = Some(number);
        }
        self.state.step += 1;
        self.state.active += found.active;
        self.state.candidates += found.candidates;
        let ends = self.state.step.is_multiple_of(self.task.steps_per_epoch());
        let epoch = if ends { Some(self.end_epoch()?) } else { None };
        let steps = u64::from(self.task.plan().epochs) * self.task.steps_per_epoch();
        let (active, candidates) = (found.active, found.candidates);
        Ok(StepReport { step: self.state.step, steps, loss: value, active, candidates, epoch })
    }

    /// Writes everything that it takes to go on as if nothing had happened. The file is whole or as it was before.
    ///
    /// # Errors
    /// [`TrainError::File`] naming the file.
    pub fn save(&self, file: &Path) -> Result<(), TrainError> {
        let checkpoint = Checkpoint {
            identity: self.task.identity(),
            state: self.state.clone(),
            updates: self.adam.updates,
            head: self.network.head()?,
            best: self.best.clone(),
            moments: self.adam.moments.clone(),
        };
        checkpoint.write(file)
    }

    fn new(task: Box<dyn Task>) -> Result<Self, TrainError> {
        task.plan().check()?;
        let network = task.network()?;
        let adam = Adam::new(&network.variables(), task.plan().learning_rate)?;
        let best = network.head()?;
        let mut trainer = Self { task, network, adam, state: State::default(), best };
        trainer.end_epoch()?;
        Ok(trainer)
    }

    fn continued(mut self, file: &Path) -> Result<Self, TrainError> {
        let refuse = |reason: &str| TrainError::Checkpoint { file: file.to_owned(), reason: reason.to_owned() };
        let saved = Checkpoint::read(file, &self.network)?;
        let (found, wanted) = (&saved.identity, &self.task.identity());
        if found["kind"] != wanted["kind"] || found["settings"] != wanted["settings"] {
            return Err(refuse(&format!("was made with other settings: {}", found["settings"])));
        }
        if found["data"] != wanted["data"] {
            return Err(refuse("was made with other features"));
        }
        self.network.set(&saved.head)?;
        (self.adam.updates, self.adam.moments) = (saved.updates, saved.moments);
        (self.state, self.best) = (saved.state, saved.best);
        Ok(self)
    }

    /// Judges the weights and begins the next epoch.
    fn end_epoch(&mut self) -> Result<EpochReport, TrainError> {
        // Weights that are not finite make no head.
        let head = self.network.head().map_err(|_| TrainError::Diverged { step: self.state.step })?;
        let judged = self.task.assess(&head)?;
        let state = &mut self.state;
        let report = EpochReport {
            epoch: state.history.len() as u32,
            loss: (state.losses > 0).then(|| state.loss / state.losses as f64),
            active: (state.candidates > 0).then(|| state.active as f64 / state.candidates as f64),
            held_out_loss: judged.loss,
            held_out_rate: judged.rate,
        };
        (state.loss, state.losses, state.active, state.candidates) = (0.0, 0, 0, 0);
        state.history.push(report.clone());
        if best(&state.history).epoch == report.epoch {
            self.best = head;
        }
        Ok(report)
    }

    fn outcome(&self) -> Option<Outcome> {
        let plan = self.task.plan();
        let epoch = self.state.history.len() as u32 - 1;
        // Counted in steps as well: a checkpoint lies anywhere in an epoch.
        if !self.state.step.is_multiple_of(self.task.steps_per_epoch()) {
            None
        } else if epoch >= plan.epochs {
            Some(Outcome::Completed)
        } else {
            (epoch - self.best().epoch >= plan.patience).then_some(Outcome::Stopped)
        }
    }
}

/// A classifier that is being trained.
#[derive(Debug)]
pub struct ClassifierTrainer {
    /// The loop.
    pub trainer: Trainer,
    classes: Vec<String>,
}

impl ClassifierTrainer {
    /// A classifier of the people of `set`.
    ///
    /// # Errors
    /// [`TrainError`] naming the setting or what the data lacks.
    pub fn new(set: &FeatureSet, config: ClassifierConfig) -> Result<Self, TrainError> {
        let trainer = Trainer::new(Box::new(ClassifierTask::new(set, config)?))?;
        Ok(Self { trainer, classes: set.names().to_vec() })
    }

    /// As [`ClassifierTrainer::new`], continued from a checkpoint of the same settings and data.
    ///
    /// # Errors
    /// As [`Trainer::resume_embedding`].
    pub fn resume(set: &FeatureSet, config: ClassifierConfig, file: &Path) -> Result<Self, TrainError> {
        let Self { trainer, classes } = Self::new(set, config)?;
        Ok(Self { trainer: trainer.continued(file)?, classes })
    }

    /// The classifier of the best epoch so far, with `classify` on.
    #[must_use]
    pub fn classifier(&self) -> Classifier {
        Classifier { classify: true, classes: self.classes.clone(), logits: self.trainer.head().clone() }
    }
}

/// The first of the epochs with the lowest loss. There always is number 0.
fn best(history: &[EpochReport]) -> &EpochReport {
    let better =
        |best: usize, next: usize| if history[next].held_out_loss < history[best].held_out_loss { next } else { best };
    &history[(0..history.len()).reduce(better).unwrap_or_default()]
}

#[cfg(test)]
mod tests;
