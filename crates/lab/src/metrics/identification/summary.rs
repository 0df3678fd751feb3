//! The open-set figures over several splits: mean and standard error.

use serde::Serialize;

use super::{OpenSetPoint, Searches};
use crate::metrics::error::MetricError;
use crate::metrics::rate::Evidence;
use crate::metrics::statistics::{Proportion, Spread};

/// DIR at one FPIR over all splits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtFpir {
    /// The FPIR asked for.
    pub asked: f64,
    /// What came out, or why nothing can.
    #[serde(flatten)]
    pub measured: Measured,
}

/// A figure that the data can show, or why they cannot.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Measured {
    /// Every split has enough non-mated probes.
    Shown {
        /// The weakest of the splits.
        evidence: Evidence,
        /// DIR over the splits (sample standard deviation).
        dir: Spread,
        /// Between the least low end and the greatest high end of its 95 % interval in any split.
        dir_interval: Ends,
        /// FPIR that came out, over the splits.
        fpir: Spread,
        /// As that of DIR.
        fpir_interval: Ends,
        /// The thresholds, where every split has one.
        threshold: Option<Spread>,
    },
    /// A split has too few.
    Refused {
        /// The reason, with the smallest FPIR that these data can show.
        #[serde(rename = "refused")]
        reason: String,
    },
}

/// The ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ends {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

impl Ends {
    /// Around the intervals of all.
    fn around(shares: impl Iterator<Item = Proportion>) -> Self {
        shares.fold(Self { low: 1.0, high: 0.0 }, |ends, share| Self {
            low: ends.low.min(share.low),
            high: ends.high.max(share.high),
        })
    }
}

/// The figures of several splits. They share people and pictures, so the standard error is the spread of the draw, not
/// of the population.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many splits.
    pub splits: usize,
    /// Mated probes of each split.
    pub mated: Vec<usize>,
    /// Non-mated probes of each split.
    pub non_mated: Vec<usize>,
    /// Probes without a face, of all splits: mated and non-mated.
    pub missed: (usize, usize),
    /// DIR at each FPIR asked for.
    pub dir: Vec<AtFpir>,
    /// Rate of rank 1.
    pub rank_1: Spread,
    /// Rate of rank 5.
    pub rank_5: Spread,
}

/// Summarises two splits or more.
///
/// # Errors
/// [`MetricError::TooFew`] with fewer splits; [`MetricError::NotARate`] for an FPIR outside (0, 1);
/// [`MetricError::ListTooShort`] for lists of fewer than five candidates of a larger gallery. An FPIR that the data
/// cannot show is no error: its entry says so.
pub fn summarise(splits: &[Searches], fpirs: &[f64]) -> Result<Summary, MetricError> {
    let rank = |rank: usize| -> Result<Spread, MetricError> {
        let rates: Vec<f64> = splits.iter().map(|split| Ok(split.rank(rank)?.rate)).collect::<Result<_, _>>()?;
        spread(&rates)
    };
    let (rank_1, rank_5) = (rank(1)?, rank(5)?);
    let dir = fpirs.iter().map(|asked| at_fpir(splits, *asked)).collect::<Result<_, _>>()?;
    let missed = splits.iter().map(|split| split.missed);
    Ok(Summary {
        splits: splits.len(),
        mated: splits.iter().map(Searches::mated).collect(),
        non_mated: splits.iter().map(Searches::non_mated).collect(),
        missed: missed.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)),
        dir,
        rank_1,
        rank_5,
    })
}

fn spread(values: &[f64]) -> Result<Spread, MetricError> {
    Spread::of_sample(values).ok_or(MetricError::TooFew { what: "splits", found: values.len(), needed: 2 })
}

fn at_fpir(splits: &[Searches], asked: f64) -> Result<AtFpir, MetricError> {
    let points = splits.iter().map(|split| split.dir_at_fpir(asked)).collect::<Result<Vec<_>, _>>();
    let measured = match points {
        Err(error @ MetricError::RateTooSmall { .. }) => Measured::Refused { reason: error.to_string() },
        Err(error) => return Err(error),
        Ok(points) => {
            let figure = |of: fn(&OpenSetPoint) -> Proportion| -> Result<(Spread, Ends), MetricError> {
                let rates: Vec<f64> = points.iter().map(|point| of(point).rate).collect();
                Ok((spread(&rates)?, Ends::around(points.iter().map(of))))
            };
            let ((dir, dir_interval), (fpir, fpir_interval)) =
                (figure(|point| point.dir)?, figure(|point| point.fpir)?);
            let thresholds: Option<Vec<f64>> = points.iter().map(|point| point.threshold).collect();
            let weak = points.iter().any(|point| point.evidence == Evidence::Weak);
            Measured::Shown {
                evidence: if weak { Evidence::Weak } else { Evidence::Sound },
                dir,
                dir_interval,
                fpir,
                fpir_interval,
                threshold: thresholds.and_then(|thresholds| Spread::of_sample(&thresholds)),
            }
        }
    };
    Ok(AtFpir { asked, measured })
}
