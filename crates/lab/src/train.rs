//! Heads over a frozen embedder: trained with triplets or as a classifier, compared with what needs no training, written as ONNX.
//!
//! [`FeatureSet`] takes vectors and people, [`Trainer`] and [`ClassifierTrainer`] learn from it, [`compare()`] holds the result
//! against principal components and random projections on people that none of them has seen, [`append`] makes a model of the
//! [`Head`].

mod adam;
mod baseline;
mod batch;
mod checkpoint;
mod classifier;
mod compare;
mod embedding;
mod error;
mod features;
mod head;
mod metric;
mod network;
mod onnx;
mod random;
mod task;
#[cfg(test)]
mod testing;
mod trainer;
mod triplet;

pub use baseline::{centred, identity, pca, random_projection};
pub use classifier::{Classifier, ClassifierConfig};
pub use compare::{CompareConfig, Comparison, Method, Run, Summary, compare};
pub use embedding::{EmbeddingConfig, Start};
pub use error::TrainError;
pub use features::{FeatureSet, Sample};
pub(crate) use head::scaled;
pub use head::{Dense, Head};
pub use metric::{Embedded, PairScores, Rates};
pub use onnx::{Combined, append};
pub use trainer::{ClassifierTrainer, EpochReport, Outcome, StepReport, Trainer};
pub use triplet::Selection;
