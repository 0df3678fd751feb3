//! The comparison at the end: the recipe trained several times, each with another split of the people, against what needs no training.

use std::ops::ControlFlow;

use serde::Serializer;

use super::{Arguments, Workplace};
use crate::progress::Progress;
use crate::report;
use crate::train::{CompareConfig, Comparison, FeatureSet, TrainError, compare as trained};

/// As [`report::or_refused`], where there may be none at all.
#[expect(clippy::ref_option, reason = "serde asks with a reference to the field")]
pub(super) fn or_refused<S: Serializer>(
    comparison: &Option<Result<Comparison, String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match comparison {
        Some(comparison) => report::or_refused(comparison, serializer),
        None => serializer.serialize_none(),
    }
}

/// The comparison, with the runs that were finished if it was interrupted, or why these people give none; nothing where none was asked for.
///
/// # Errors
/// When the tensors fail. The model is written by then.
pub(super) fn compare(
    arguments: &Arguments,
    people: &FeatureSet,
    work: &Workplace,
) -> anyhow::Result<Option<Result<Comparison, String>>> {
    let repeats = arguments.judging.repeats;
    if repeats == 0 {
        return Ok(None);
    }
    let training = arguments.embedding_config();
    let seeds: Vec<u64> = (0..repeats).map(|repeat| training.seed.wrapping_add(repeat)).collect();
    let config =
        CompareConfig { seeds, test: arguments.judging.test, false_accept_rate: training.false_accept_rate, training };
    let progress = Progress::new("comparison, trainings", repeats);
    let mut under_way = config.training.seed;
    let outcome = trained(people, &config, |seed, _| {
        if seed != under_way {
            progress.advance(1);
            under_way = seed;
        }
        if work.interrupt.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match outcome {
        Ok(comparison) => {
            progress.advance(u64::from(comparison.complete()));
            Ok(Some(Ok(comparison)))
        }
        Err(error @ (TrainError::Metric(_) | TrainError::Features(_) | TrainError::Diverged { .. })) => {
            Ok(Some(Err(error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}
