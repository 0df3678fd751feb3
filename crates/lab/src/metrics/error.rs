//! Why a metric cannot be computed.

/// Input that no honest number can be made of.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// A score that is NaN or infinite.
    #[error("{what} {index}: the score is {score}, which is no finite number")]
    NotFinite {
        /// What was scored: a pair, a search, a visit.
        what: &'static str,
        /// Its place in the input, counted from 0.
        index: usize,
        /// The score.
        score: f64,
    },
    /// A false accept rate that so few trials cannot show.
    #[error("a rate of {asked} cannot be measured with {trials} {what}: {}", smallest_shown(*.smallest))]
    RateTooSmall {
        /// The rate that was asked for.
        asked: f64,
        /// How many trials there are.
        trials: usize,
        /// What the trials are.
        what: &'static str,
        /// One in `trials`.
        smallest: f64,
    },
    /// A rate that is not between 0 and 1.
    #[error("a rate lies above 0 and below 1: {0} does not")]
    NotARate(f64),
    /// Something that must be there is not.
    #[error("there is no {0}")]
    Nothing(&'static str),
    /// Fewer of something than the computation needs.
    #[error("{found} {what}: at least {needed} are needed")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A rank was asked for that lies beyond the candidates that were kept.
    #[error("rank {rank} cannot be told from lists of {kept} candidates out of {gallery} people")]
    ListTooShort {
        /// The rank that was asked for.
        rank: usize,
        /// The candidates in the shortest list.
        kept: usize,
        /// The people enrolled.
        gallery: usize,
    },
    /// A number of a class or person that does not exist.
    #[error("{what} {index}: number {number} does not exist, there are {count}")]
    NoSuchNumber {
        /// Where it was found.
        what: &'static str,
        /// Its place in the input, counted from 0.
        index: usize,
        /// The number.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// Two lists that must be of the same length are not.
    #[error("{what} {index}: {found} numbers where {expected} are expected")]
    Length {
        /// Where it was found.
        what: &'static str,
        /// Its place in the input, counted from 0.
        index: usize,
        /// The length found.
        found: usize,
        /// The length expected.
        expected: usize,
    },
}

/// Passes finite scores on.
pub(crate) fn finite(score: f64, what: &'static str, index: usize) -> Result<f64, MetricError> {
    if score.is_finite() { Ok(score) } else { Err(MetricError::NotFinite { what, index, score }) }
}

/// What so few trials do show. One shows 1 and 0, which are no rates.
fn smallest_shown(smallest: f64) -> String {
    if smallest < 1.0 {
        format!("the smallest that these data can show is {}", round_up(smallest))
    } else {
        "one alone shows no rate at all".to_owned()
    }
}

/// Three digits, rounded up, so that asking for the number shown is not refused again.
fn round_up(value: f64) -> String {
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 15.0) as usize;
    let scale = 10_f64.powi(decimals as i32);
    let shown = format!("{:.decimals$}", (value * scale - 1e-6).ceil() / scale);
    if shown.contains('.') { shown.trim_end_matches('0').trim_end_matches('.').to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::{MetricError, round_up};

    #[test]
    fn the_smallest_rate_is_shown_so_that_it_can_be_asked() {
        assert_eq!(round_up(1.0 / 600.0), "0.00167");
        assert_eq!(round_up(1.0 / 3000.0), "0.000334");
        assert_eq!([0.001, 0.01, 0.5, 1.0].map(round_up), ["0.001", "0.01", "0.5", "1"]);
        let error =
            MetricError::RateTooSmall { asked: 0.001, trials: 600, what: "different pairs", smallest: 1.0 / 600.0 };
        let text = "a rate of 0.001 cannot be measured with 600 different pairs: the smallest that these data can show is 0.00167";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn of_one_trial_no_rate_is_named() {
        let error = MetricError::RateTooSmall { asked: 0.5, trials: 1, what: "different pairs", smallest: 1.0 };
        let text = "a rate of 0.5 cannot be measured with 1 different pairs: one alone shows no rate at all";
        assert_eq!(error.to_string(), text);
    }
}
