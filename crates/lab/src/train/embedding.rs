//! The embedding head: a frozen embedder's vectors become shorter ones that tell people apart, by triplet loss.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::metrics::MetricError;
use crate::train::baseline::pca;
use crate::train::batch::PeopleBatches;
use crate::train::error::TrainError;
use crate::train::features::FeatureSet;
use crate::train::head::Head;
use crate::train::metric::Embedded;
use crate::train::network::{Network, Shape, numbers};
use crate::train::task::{Assessment, Loss, Plan, Task};
use crate::train::triplet::{Distances, Selection, squared_distances, triplet_loss};

/// Held-out people and faces of each that an epoch is judged by, at most: the time grows with the square of their number.
const JUDGES: (usize, usize) = (500, 6);

/// Faces of a batch at most: memory grows with the square of their number.
const BATCH: usize = 4096;

/// The weights before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Small random numbers.
    Random,
    /// The principal components of the training people's vectors: the head begins as what it has to beat. Linear heads only.
    Pca,
}

/// How an embedding head is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// Numbers in a vector of the head.
    pub dimension: usize,
    /// Width of a layer between; none for a linear head.
    pub hidden: Option<usize>,
    /// Share of the last layer's inputs that every step clears.
    pub dropout: f64,
    /// The weights before the first step.
    pub start: Start,
    /// Which triplets of a batch are learned from.
    pub selection: Selection,
    /// By how much a negative shall be farther than a positive, as squared distance.
    pub margin: f64,
    /// People of a batch.
    pub people: usize,
    /// Images of each.
    pub images: usize,
    /// Of Adam.
    pub learning_rate: f64,
    /// Epochs at most. An epoch sees every person once.
    pub epochs: u32,
    /// Epochs without gain on the held-out people after which training ends.
    pub patience: u32,
    /// Share of the people that are held out to judge each epoch.
    pub held_out: f64,
    /// Rate of false acceptance at which the held-out people are reported.
    pub false_accept_rate: f64,
    /// Decides everything that is random.
    pub seed: u64,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self {
            dimension: 128,
            hidden: None,
            dropout: 0.0,
            start: Start::Pca,
            selection: Selection::SemiHard,
            margin: 0.2,
            people: 32,
            images: 4,
            learning_rate: 1e-4,
            epochs: 200,
            patience: 20,
            held_out: 0.2,
            false_accept_rate: 0.01,
            seed: 1,
        }
    }
}

impl EmbeddingConfig {
    /// Whether every setting can be used, as far as can be told without data.
    ///
    /// # Errors
    /// [`TrainError::Setting`] naming the first that cannot.
    pub fn check(&self) -> Result<(), TrainError> {
        self.plan().check()?;
        // Whatever the vectors will have.
        self.shape(1).check()?;
        if !(self.margin > 0.0 && self.margin < 4.0) {
            return Err(TrainError::setting("margin", format!("is {}, not between 0 and 4", self.margin)));
        }
        for (key, value) in [("people", self.people), ("images", self.images)] {
            if value < 2 {
                return Err(TrainError::setting(key, format!("is {value}, not at least 2: else there is no triplet")));
            }
        }
        if self.people.saturating_mul(self.images) > BATCH {
            let reason =
                format!("is {}: with {} images of each that is a batch of more than {BATCH}", self.people, self.images);
            return Err(TrainError::setting("people", reason));
        }
        TrainError::between("held_out", self.held_out)?;
        TrainError::between("false_accept_rate", self.false_accept_rate)?;
        if self.start == Start::Pca && self.hidden.is_some() {
            return Err(TrainError::setting("start", "is pca, which only a linear head can begin with"));
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        let Self { learning_rate, epochs, patience, seed, .. } = *self;
        Plan { learning_rate, epochs, patience, seed }
    }

    fn shape(&self, inputs: usize) -> Shape {
        let Self { hidden, dimension, dropout, .. } = *self;
        Shape { inputs, hidden, outputs: dimension, dropout, unit: true }
    }
}

/// People to learn from and people to judge by.
#[derive(Debug)]
pub(crate) struct EmbeddingTask {
    config: EmbeddingConfig,
    training: FeatureSet,
    judges: FeatureSet,
}

impl EmbeddingTask {
    /// Splits the people who have two images or more; the others cannot be anybody's positive.
    pub(crate) fn new(set: &FeatureSet, config: EmbeddingConfig) -> Result<Self, TrainError> {
        config.check()?;
        let (usable, left_out) = set.with_images(2);
        if usable.names().len() < 4 {
            let reason = format!(
                "{} of {} people have two images or more; it takes four: two to learn from, two to judge by",
                usable.names().len(),
                usable.names().len() + left_out.len()
            );
            return Err(TrainError::Features(reason));
        }
        let (training, judges) = usable.split_people(config.held_out, config.seed)?;
        let judges = judges.limited(JUDGES.0, JUDGES.1, config.seed);
        Ok(Self { config, training, judges })
    }

    fn batches(&self) -> PeopleBatches {
        PeopleBatches { people: self.config.people, images: self.config.images, seed: self.config.seed }
    }
}

impl Task for EmbeddingTask {
    fn identity(&self) -> Value {
        let mut settings = json!(self.config);
        if let Some(settings) = settings.as_object_mut() {
            // Training may be continued for longer than was first asked for.
            settings.retain(|key, _| key != "epochs" && key != "patience");
        }
        json!({ "kind": "embedding", "settings": settings,
            "data": [self.training.fingerprint(), self.judges.fingerprint()] })
    }

    fn plan(&self) -> Plan {
        self.config.plan()
    }

    fn network(&self) -> Result<Network, TrainError> {
        let shape = self.config.shape(self.training.dimension());
        match self.config.start {
            Start::Random => Network::random(shape, self.config.seed),
            Start::Pca => Network::with_weights(shape, &pca(&self.training, self.config.dimension)?.layers),
        }
    }

    fn steps_per_epoch(&self) -> u64 {
        self.batches().per_epoch(&self.training)
    }

    fn batch(&self, step: u64) -> Vec<usize> {
        self.batches().rows(&self.training, step)
    }

    fn training(&self) -> &FeatureSet {
        &self.training
    }

    fn judges(&self) -> &FeatureSet {
        &self.judges
    }

    fn loss(&self, output: &Tensor, labels: &[u32]) -> Result<Loss, TrainError> {
        let squared = squared_distances(output)?;
        let distances = Distances { squared: &numbers(&squared)?, labels, margin: self.config.margin };
        let selected = distances.select(self.config.selection);
        let loss = if selected.triplets.is_empty() {
            None
        } else {
            Some(triplet_loss(&squared, &selected.triplets, self.config.margin)?)
        };
        Ok(Loss { loss, active: selected.active, candidates: selected.candidates })
    }

    fn assess(&self, head: &Head) -> Result<Assessment, TrainError> {
        let rows = head.apply(self.judges.rows())?;
        let embedded = Embedded { rows: &rows, dimension: head.outputs(), labels: self.judges.labels() };
        let squared = embedded.squared_distances();
        let distances = Distances { squared: &squared, labels: embedded.labels, margin: self.config.margin };
        let loss = distances.mean_loss().unwrap_or(0.0);
        // Few held-out people cannot show a small rate: then the loss alone is reported.
        let rate = match embedded.pair_scores().at_false_accept(self.config.false_accept_rate) {
            Ok(rates) => Some(rates.true_accept),
            Err(MetricError::RateTooSmall { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Assessment { loss, rate })
    }
}
