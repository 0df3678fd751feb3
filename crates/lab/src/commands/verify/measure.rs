//! All figures of one method.

use serde::Serialize;

use crate::metrics::MetricError;
use crate::metrics::statistics::Spread;
use crate::metrics::verification::{
    Accuracy, BestAccuracy, EqualError, Missed, OperatingPoint, Pairs, Scale, TarAtFar, ThresholdPolicy, Val,
};

/// False accept rates that are asked for, descending.
const FARS: [f64; 6] = [0.1, 0.01, 0.001, 0.000_1, 0.000_01, 0.000_001];

/// The false accept rate at which the validation rate is given.
pub(super) const VAL_FAR: f64 = 0.001;

/// What the pairs show of one method. Where a figure cannot be had, the reason stands in its place.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// The detector and the embedder.
    pub name: String,
    /// Pairs without a score, because no face was found, a picture could not be read, or nothing was left of a vector without the
    /// mean: they count as errors.
    pub missed: Missed,
    /// LFW's accuracy, as it is published: thresholds from its grid, on the other folds.
    #[serde(serialize_with = "crate::report::or_refused")]
    pub accuracy_on_grid: Result<Accuracy, String>,
    /// Thresholds from the scores of the other folds.
    #[serde(serialize_with = "crate::report::or_refused")]
    pub accuracy: Result<Accuracy, String>,
    /// With the threshold chosen on all pairs: flattering.
    pub best: BestAccuracy,
    /// Validation rate.
    #[serde(serialize_with = "crate::report::or_refused")]
    pub val: Result<Val, String>,
    /// True accept rates by the false accept rate that was asked for.
    pub tar: Vec<Tar>,
    /// No false accept at all.
    pub without_false_accept: OperatingPoint,
    /// Area under the ROC curve.
    pub auc: f64,
    /// Equal error rate.
    pub equal_error: EqualError,
    /// Scores of the same person.
    pub same: Option<Spread>,
    /// Scores of different people.
    pub different: Option<Spread>,
}

/// The true accept rate at a false accept rate.
#[derive(Debug, Serialize)]
pub struct Tar {
    /// The false accept rate that was asked for.
    pub asked: f64,
    /// What the pairs show.
    #[serde(serialize_with = "crate::report::or_refused")]
    pub measured: Result<TarAtFar, String>,
}

/// All figures of the pairs.
///
/// # Errors
/// When the pairs show nothing at all.
pub fn measure(name: &str, pairs: &Pairs) -> Result<Measured, MetricError> {
    let refused = |error: MetricError| error.to_string();
    let tar = |far: &f64| Tar { asked: *far, measured: pairs.tar_at_far(*far).map_err(refused) };
    Ok(Measured {
        name: name.to_owned(),
        missed: pairs.missed(),
        accuracy_on_grid: pairs.accuracy(ThresholdPolicy::LfwGrid(Scale::Cosine)).map_err(refused),
        accuracy: pairs.accuracy(ThresholdPolicy::Scores).map_err(refused),
        best: pairs.best_accuracy(ThresholdPolicy::Scores)?,
        val: pairs.val_at_far(VAL_FAR, Scale::Cosine).map_err(refused),
        tar: FARS.iter().map(tar).collect(),
        without_false_accept: pairs.tar_at_false_accepts(0),
        auc: pairs.auc(),
        equal_error: pairs.equal_error(),
        same: pairs.scores(true),
        different: pairs.scores(false),
    })
}
