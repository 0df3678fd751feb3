//! The classifier head: one linear layer over frozen vectors, trained with cross entropy.
//!
//! `classify`, `num_classes` and `dropout_prob` are named after those of facenet-pytorch's InceptionResnetV1, and do not do quite the same.
//! There dropout clears some of the 1792 pooled features before `last_linear`, the logits are made of what `last_bn` gives, whose
//! length is not 1, and the whole network may learn. Here all of that is frozen: dropout clears some of the numbers of the vector of
//! length 1, right before the only layer that learns, and that layer makes the logits. As there, `num_classes` is the number of logits,
//! and without `classify` the vector of length 1 is given.

use candle_core::{D, Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::train::baseline::identity;
use crate::train::batch::RowBatches;
use crate::train::error::TrainError;
use crate::train::features::FeatureSet;
use crate::train::head::Head;
use crate::train::network::{Network, Shape, numbers};
use crate::train::task::{Assessment, Loss, Plan, Task};

/// How a classifier is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Logits; none for one a person. More than people are allowed.
    pub num_classes: Option<usize>,
    /// Share of the vector's numbers that every step clears, right before the layer.
    pub dropout_prob: f64,
    /// Faces of a batch.
    pub batch: usize,
    /// Of Adam.
    pub learning_rate: f64,
    /// Epochs at most. An epoch sees every face once.
    pub epochs: u32,
    /// Epochs without gain on the held-out images after which training ends.
    pub patience: u32,
    /// Share of every person's images that are held out to judge each epoch, rounded down.
    pub held_out: f64,
    /// Decides everything that is random.
    pub seed: u64,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self {
            num_classes: None,
            dropout_prob: 0.6,
            batch: 32,
            learning_rate: 1e-2,
            epochs: 100,
            patience: 10,
            held_out: 0.25,
            seed: 1,
        }
    }
}

impl ClassifierConfig {
    /// Whether every setting can be used, as far as can be told without data.
    ///
    /// # Errors
    /// [`TrainError::Setting`] naming the first that cannot.
    pub fn check(&self) -> Result<(), TrainError> {
        self.plan().check()?;
        if self.batch == 0 {
            return Err(TrainError::setting("batch", "is 0, not at least 1"));
        }
        if !(0.0..1.0).contains(&self.dropout_prob) {
            return Err(TrainError::setting(
                "dropout_prob",
                format!("is {}, not from 0 to below 1", self.dropout_prob),
            ));
        }
        TrainError::between("held_out", self.held_out)
    }

    fn plan(&self) -> Plan {
        let Self { learning_rate, epochs, patience, seed, .. } = *self;
        Plan { learning_rate, epochs, patience, seed }
    }
}

/// A trained classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// Whether [`Classifier::head`] gives logits; else the vector of length 1.
    pub classify: bool,
    /// The people's names, in the order of the logits. There may be more logits than names.
    pub classes: Vec<String>,
    pub(crate) logits: Head,
}

impl Classifier {
    /// Logits, names or not.
    #[must_use]
    pub fn num_classes(&self) -> usize {
        self.logits.outputs()
    }

    /// What is exported and applied: logits with `classify`, else the vector of length 1.
    #[must_use]
    pub fn head(&self) -> Head {
        if self.classify { self.logits.clone() } else { identity(self.logits.inputs) }
    }

    /// The number of the class with the highest logit, for each vector.
    ///
    /// # Errors
    /// As [`Head::apply`].
    pub fn predict(&self, rows: &[f32]) -> Result<Vec<usize>, TrainError> {
        Ok(self.logits.apply(rows)?.chunks_exact(self.num_classes()).map(highest).collect())
    }
}

/// Faces to learn from and faces to judge by.
#[derive(Debug)]
pub(crate) struct ClassifierTask {
    config: ClassifierConfig,
    training: FeatureSet,
    judges: FeatureSet,
}

impl ClassifierTask {
    pub(crate) fn new(set: &FeatureSet, config: ClassifierConfig) -> Result<Self, TrainError> {
        config.check()?;
        let people = set.names().len();
        if people < 2 {
            return Err(TrainError::Features(format!("{people} person is nobody to tell from another")));
        }
        if config.num_classes.is_some_and(|classes| classes < people) {
            return Err(TrainError::setting("num_classes", format!("is below the {people} people there are")));
        }
        let (training, judges) = set.split_images(config.held_out, config.seed);
        if judges.is_empty() {
            let reason = format!("no person has images enough to hold {} of them out", config.held_out);
            return Err(TrainError::Features(reason));
        }
        Ok(Self { config, training, judges })
    }
}

impl Task for ClassifierTask {
    fn identity(&self) -> Value {
        let mut settings = json!(self.config);
        if let Some(settings) = settings.as_object_mut() {
            settings.retain(|key, _| key != "epochs" && key != "patience");
        }
        json!({ "kind": "classifier", "settings": settings,
            "data": [self.training.fingerprint(), self.judges.fingerprint()] })
    }

    fn plan(&self) -> Plan {
        self.config.plan()
    }

    fn network(&self) -> Result<Network, TrainError> {
        let outputs = self.config.num_classes.unwrap_or(self.training.names().len());
        let inputs = self.training.dimension();
        let shape = Shape { inputs, hidden: None, outputs, dropout: self.config.dropout_prob, unit: false };
        Network::random(shape, self.config.seed)
    }

    fn steps_per_epoch(&self) -> u64 {
        RowBatches { size: self.config.batch, seed: self.config.seed }.per_epoch(&self.training)
    }

    fn batch(&self, step: u64) -> Vec<usize> {
        RowBatches { size: self.config.batch, seed: self.config.seed }.rows(&self.training, step)
    }

    fn training(&self) -> &FeatureSet {
        &self.training
    }

    fn judges(&self) -> &FeatureSet {
        &self.judges
    }

    fn loss(&self, output: &Tensor, labels: &[u32]) -> Result<Loss, TrainError> {
        let classes = output.dim(1)?;
        let wrong = wrong(&numbers(output)?, classes, labels);
        Ok(Loss { loss: Some(cross_entropy(output, labels)?), active: wrong, candidates: labels.len() })
    }

    fn assess(&self, head: &Head) -> Result<Assessment, TrainError> {
        let (logits, labels) = (head.apply(self.judges.rows())?, self.judges.labels());
        let right = 1.0 - wrong(&logits, head.outputs(), labels) as f64 / labels.len() as f64;
        let logits = Tensor::from_vec(logits, (labels.len(), head.outputs()), &Device::Cpu)?;
        let loss = f64::from(cross_entropy(&logits, labels)?.to_scalar::<f32>()?);
        Ok(Assessment { loss, rate: Some(right) })
    }
}

/// The mean over the faces of `log(sum(exp(logits))) - logit of the right class`.
fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor, TrainError> {
    // The highest is taken off first, so that no exponential overflows; it cancels out.
    let logits = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let total = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let labels = Tensor::from_slice(labels, (labels.len(), 1), &Device::Cpu)?;
    Ok(total.sub(&logits.gather(&labels, 1)?)?.mean_all()?)
}

fn wrong(logits: &[f32], classes: usize, labels: &[u32]) -> usize {
    logits.chunks_exact(classes).zip(labels).filter(|(row, label)| highest(row) != **label as usize).count()
}

/// The first of equals.
fn highest(row: &[f32]) -> usize {
    (0..row.len()).min_by(|a, b| row[*b].total_cmp(&row[*a])).unwrap_or_default()
}
