//! The command line of `train`.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::{ModelArguments, OutputArguments};
use crate::train::{ClassifierConfig, EmbeddingConfig, Selection, Start, TrainError};

/// `sightline-lab train --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Arguments {
    /// A folder a person: DATA/name/name_0001.jpg
    pub data: PathBuf,
    /// The model to write; its manifest is written beside it, as MODEL.toml, and who was learned from and who tested, as
    /// MODEL.people.json
    #[arg(long, value_name = "MODEL.onnx")]
    pub out: PathBuf,
    /// The model's name in the configuration; that of its file unless given
    #[arg(long)]
    pub id: Option<String>,
    /// Replace a model and a checkpoint that are there already
    #[arg(long)]
    pub force: bool,
    /// Where training stands, written after every epoch and on Ctrl-C; MODEL.checkpoint unless given
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint
    #[arg(long)]
    pub resume: bool,
    /// How it learns
    #[command(flatten)]
    pub training: TrainingArguments,
    /// The embedding head
    #[command(flatten)]
    pub head: HeadArguments,
    /// What an embedding head is judged by
    #[command(flatten)]
    pub judging: JudgingArguments,
    /// The classifier
    #[command(flatten)]
    pub classifier: ClassifierArguments,
    /// The models
    #[command(flatten, next_help_heading = "Models")]
    pub models: ModelArguments,
    /// Where results go
    #[command(flatten, next_help_heading = "Results")]
    #[serde(skip)]
    pub output: OutputArguments,
}

/// What every training has.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "Training")]
pub struct TrainingArguments {
    /// Of Adam; 0.0001 unless given, 0.01 for a classifier
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Epochs at most, each of which sees everybody once; 200 unless given, 100 for a classifier
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub epochs: Option<u32>,
    /// Epochs without gain on what is held out after which training stops; 20 unless given, 10 for a classifier
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub patience: Option<u32>,
    /// Share held out to judge each epoch: of the people in training, 0.2 unless given; for a classifier of everybody's pictures, 0.25
    #[arg(long)]
    pub held_out: Option<f64>,
    /// Decides everything that is random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// The embedding head, trained with triplets.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "Embedding head")]
pub struct HeadArguments {
    /// Numbers in a vector of the head
    #[arg(long, default_value_t = 128, conflicts_with = "classifier", value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    pub dimension: usize,
    /// Width of a layer between, for a small network instead of a linear head
    #[arg(long, conflicts_with = "classifier", value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    pub hidden: Option<usize>,
    /// Share of the last layer's inputs that every step clears
    #[arg(long, default_value_t = 0.0, conflicts_with = "classifier")]
    pub dropout: f64,
    /// The weights before the first step; pca unless given, random for a network
    #[arg(long, value_enum, conflicts_with = "classifier")]
    pub start: Option<Start>,
    /// Which triplets of a batch are learned from
    #[arg(long, value_enum, default_value = "semi-hard", conflicts_with = "classifier")]
    pub selection: Selection,
    /// By how much another person's face shall be farther than one of the same, as squared distance
    #[arg(long, default_value_t = 0.2, conflicts_with = "classifier")]
    pub margin: f64,
    /// People of a batch (P), or all there are
    #[arg(long, default_value_t = 32, conflicts_with = "classifier", value_parser = RangedU64ValueParser::<usize>::new().range(2..=2048))]
    pub people: usize,
    /// Pictures of each in a batch (K), or all there are; P times K is 4096 at most
    #[arg(long, default_value_t = 4, conflicts_with = "classifier", value_parser = RangedU64ValueParser::<usize>::new().range(2..=2048))]
    pub images: usize,
}

/// What an embedding head is judged by.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "Judging an embedding head")]
pub struct JudgingArguments {
    /// Share of the people who are kept out of training altogether: they test, and thresholds are chosen on them
    #[arg(long, default_value_t = 0.5, conflicts_with = "classifier")]
    pub test: f64,
    /// Rate of false acceptance at which true acceptance is compared
    #[arg(long, default_value_t = 0.01, conflicts_with = "classifier")]
    pub false_accept_rate: f64,
    /// Rate of false acceptance that the thresholds in the manifest are chosen for
    #[arg(long, default_value_t = 0.001, conflicts_with = "classifier")]
    pub threshold_rate: f64,
    /// Trainings that are compared with what needs none, each with another split of the people; 0 for no comparison
    #[arg(long, default_value_t = 5, conflicts_with = "classifier", value_parser = clap::value_parser!(u64).range(..=1000))]
    pub repeats: u64,
    /// Also make a data set of everybody whom nothing was learned from, those with one picture among them: a folder of links to
    /// their folders, to measure the model on
    #[arg(long, value_name = "DIR", conflicts_with = "classifier")]
    pub write_test: Option<PathBuf>,
}

/// A classifier of the people of DATA instead: one linear layer over the frozen embedder, with options named after those of
/// facenet-pytorch's InceptionResnetV1. What differs from there: [`ClassifierConfig`].
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "Classifier")]
pub struct ClassifierArguments {
    /// Train a classifier of the people of DATA, which knows nobody else, instead of an embedding head
    #[arg(long)]
    pub classifier: bool,
    /// Whether the model gives a logit a person; with false the vector before the classifier, of length 1
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, requires = "classifier")]
    pub classify: bool,
    /// Logits; as many as people unless given
    #[arg(long, requires = "classifier", value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub num_classes: Option<usize>,
    /// Share of the vector's numbers that every step clears, right before the layer; in facenet-pytorch dropout lies further
    /// inside, before the network's own last layer, which is frozen here
    #[arg(long, default_value_t = 0.6, requires = "classifier")]
    pub dropout_prob: f64,
    /// Pictures of a batch
    #[arg(long, default_value_t = 32, requires = "classifier", value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub batch: usize,
}

/// Settings in the words of the command line.
pub(super) fn in_options(error: TrainError) -> anyhow::Error {
    match error {
        TrainError::Setting { key, reason } => anyhow!("--{} {reason}", key.replace('_', "-")),
        other => other.into(),
    }
}

impl Arguments {
    /// Whether every setting can be used: before the first picture is looked at.
    ///
    /// # Errors
    /// The first that cannot.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let checked = if self.classifier.classifier {
            self.classifier_config().check()
        } else {
            let judging = &self.judging;
            let shares = [("test", judging.test), ("threshold_rate", judging.threshold_rate)];
            let mut shares = shares.into_iter().map(|(key, value)| TrainError::between(key, value));
            self.embedding_config().check().and_then(|()| shares.try_for_each(|share| share))
        };
        checked.map_err(in_options)
    }

    /// With the defaults that depend on other settings.
    pub(super) fn embedding_config(&self) -> EmbeddingConfig {
        let (training, head, default) = (&self.training, &self.head, EmbeddingConfig::default());
        let usual = if head.hidden.is_some() { Start::Random } else { Start::Pca };
        EmbeddingConfig {
            dimension: head.dimension,
            hidden: head.hidden,
            dropout: head.dropout,
            start: head.start.unwrap_or(usual),
            selection: head.selection,
            margin: head.margin,
            people: head.people,
            images: head.images,
            learning_rate: training.learning_rate.unwrap_or(default.learning_rate),
            epochs: training.epochs.unwrap_or(default.epochs),
            patience: training.patience.unwrap_or(default.patience),
            held_out: training.held_out.unwrap_or(default.held_out),
            false_accept_rate: self.judging.false_accept_rate,
            seed: training.seed,
        }
    }

    /// The same.
    pub(super) fn classifier_config(&self) -> ClassifierConfig {
        let (training, classifier, default) = (&self.training, &self.classifier, ClassifierConfig::default());
        ClassifierConfig {
            num_classes: classifier.num_classes,
            dropout_prob: classifier.dropout_prob,
            batch: classifier.batch,
            learning_rate: training.learning_rate.unwrap_or(default.learning_rate),
            epochs: training.epochs.unwrap_or(default.epochs),
            patience: training.patience.unwrap_or(default.patience),
            held_out: training.held_out.unwrap_or(default.held_out),
            seed: training.seed,
        }
    }

    /// What is in use, those left at their default included.
    pub(super) fn training_settings(&self) -> Value {
        if self.classifier.classifier { json!(self.classifier_config()) } else { json!(self.embedding_config()) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::Arguments;
    use crate::train::{ClassifierConfig, EmbeddingConfig, Selection, Start};

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        arguments: Arguments,
    }

    pub(in crate::commands::train) fn parsed(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words = ["train", "data", "--out", "m/head.onnx"].iter().chain(words);
        CommandLine::try_parse_from(words).map(|line| line.arguments)
    }

    #[test]
    fn the_defaults_are_those_of_the_issue_and_of_the_library() {
        let arguments = parsed(&[]).unwrap();
        assert_eq!(arguments.embedding_config(), EmbeddingConfig::default());
        let config = arguments.embedding_config();
        assert_eq!((config.dimension, config.margin, config.selection), (128, 0.2, Selection::SemiHard));
        assert_eq!(parsed(&["--classifier"]).unwrap().classifier_config(), ClassifierConfig::default());
    }

    #[test]
    fn a_network_starts_at_random() {
        assert_eq!(parsed(&["--hidden", "64"]).unwrap().embedding_config().start, Start::Random);
        assert_eq!(parsed(&["--start", "random"]).unwrap().embedding_config().start, Start::Random);
    }

    #[test]
    fn a_setting_is_refused_in_the_words_of_its_option() {
        for (words, wanted) in [
            ("--threshold-rate=2", "--threshold-rate is 2, not between 0 and 1"),
            ("--false-accept-rate=0", "--false-accept-rate is 0, not"),
            ("--test=1", "--test is 1, not"),
            ("--held-out=-0.1", "--held-out is -0.1, not"),
            ("--margin=NaN", "--margin is NaN, not between 0 and 4"),
            ("--dropout=1", "--dropout is 1, not"),
            ("--learning-rate=inf", "--learning-rate is inf, not"),
            ("--hidden=8 --start=pca", "--start is pca"),
            ("--people=2000 --images=2000", "--people is 2000: with 2000 images"),
            ("--classifier --dropout-prob=-1", "--dropout-prob is -1, not"),
            ("--classifier --held-out=1", "--held-out is 1, not"),
        ] {
            let error = parsed(&words.split(' ').collect::<Vec<_>>()).unwrap().check().unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{words}: {error}");
        }
        parsed(&[]).unwrap().check().unwrap();
        parsed(&["--classifier"]).unwrap().check().unwrap();
    }

    #[test]
    fn numbers_that_no_machine_holds_are_refused() {
        for words in [
            "--images=18446744073709551615",
            "--people=1000000",
            "--repeats=99999999999999",
            "--hidden=1000000000",
            "--dimension=1000000000",
            "--epochs=0",
            "--patience=4000000000",
            "--classifier --num-classes=1000000000",
            "--classifier --batch=0",
        ] {
            let error = parsed(&words.split(' ').collect::<Vec<_>>()).unwrap_err().to_string();
            let option = words.split(' ').next_back().unwrap().split('=').next().unwrap();
            assert!(error.contains(option) && error.contains(" is not in "), "{words}: {error}");
        }
    }

    #[test]
    fn options_of_the_one_head_are_refused_for_the_other() {
        for words in [["--classifier", "--margin=0.3"], ["--classifier", "--repeats=1"], ["--batch=3", "--force"]] {
            assert!(parsed(&words).is_err(), "{words:?}");
        }
        let off = parsed(&["--classifier", "--classify", "false", "--num-classes", "9"]).unwrap();
        assert!(!off.classifier.classify && off.classifier_config().num_classes == Some(9));
    }
}
