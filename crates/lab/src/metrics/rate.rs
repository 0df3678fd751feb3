//! Which rates of rare errors so many trials can show.
//!
//! Of `n` trials a rate below 1/n allows no error at all and cannot be told from any smaller one: it is refused. Below
//! 10/n it rests on fewer than ten errors: it is marked weak and read only beside its interval. (The "rule of 30" of
//! ISO/IEC 19795-1 asks for more still.)

use serde::Serialize;

use super::error::MetricError;

/// Errors a rate must allow before it counts as sound.
const SOUND_ERRORS: f64 = 10.0;

/// Products of a rate and a count that differ from a whole number by less are that number: 0.29 * 100 is not 28.
const ROUNDING: f64 = 1e-9;

/// How much a rate rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// It allows ten errors or more.
    Sound,
    /// It allows one to nine.
    Weak,
}

/// A rate that the trials can show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Errors it allows: the whole part of rate times trials.
    pub errors: usize,
    /// How much it rests on.
    pub evidence: Evidence,
}

/// The errors that a rate allows in so many trials.
///
/// # Errors
/// [`MetricError::RateTooSmall`] below 1/trials, which names the smallest rate that the trials show, if there is one;
/// [`MetricError::NotARate`] outside (0, 1).
pub fn allowance(asked: f64, trials: usize, what: &'static str) -> Result<Allowance, MetricError> {
    if !(asked > 0.0 && asked < 1.0) {
        return Err(MetricError::NotARate(asked));
    }
    if trials == 0 {
        return Err(MetricError::Nothing(what));
    }
    let errors = asked * trials as f64 + ROUNDING;
    if errors < 1.0 {
        return Err(MetricError::RateTooSmall { asked, trials, what, smallest: 1.0 / trials as f64 });
    }
    let evidence = if errors < SOUND_ERRORS { Evidence::Weak } else { Evidence::Sound };
    Ok(Allowance { errors: errors.floor() as usize, evidence })
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Evidence, allowance};
    use crate::metrics::MetricError;
    use proptest::prelude::*;

    #[test]
    fn refused_weak_and_sound() {
        let ask = |rate, trials| allowance(rate, trials, "trials");
        let refused = ask(0.001, 600);
        assert!(
            matches!(refused, Err(MetricError::RateTooSmall { trials: 600, smallest, .. }) if smallest == 1.0 / 600.0)
        );
        assert_eq!(ask(1.0 / 600.0, 600), Ok(Allowance { errors: 1, evidence: Evidence::Weak }));
        assert_eq!(ask(0.01, 600), Ok(Allowance { errors: 6, evidence: Evidence::Weak }));
        assert_eq!(ask(0.001, 3000), Ok(Allowance { errors: 3, evidence: Evidence::Weak }));
        assert_eq!(ask(0.29, 100), Ok(Allowance { errors: 29, evidence: Evidence::Sound }));
        assert_eq!(ask(0.01, 1000), Ok(Allowance { errors: 10, evidence: Evidence::Sound }));
    }

    #[test]
    fn what_is_no_rate() {
        for rate in [0.0, 1.0, -0.1, f64::INFINITY] {
            assert_eq!(allowance(rate, 10, "trials"), Err(MetricError::NotARate(rate)));
        }
        assert!(matches!(allowance(f64::NAN, 10, "trials"), Err(MetricError::NotARate(_))));
        assert_eq!(allowance(0.1, 0, "trials"), Err(MetricError::Nothing("trials")));
    }

    proptest! {
        #[test]
        fn a_rate_that_an_error_names_is_accepted(trials in prop_oneof![1_usize..4, 1_usize..1_000_000]) {
            let error = allowance(1e-9, trials, "trials").unwrap_err().to_string();
            let named: Option<f64> = error.rsplit(' ').next().and_then(|word| word.parse().ok());
            prop_assert_eq!(named.is_some(), trials > 1, "{}", error);
            if let Some(named) = named {
                prop_assert!((1..=2).contains(&allowance(named, trials, "trials").unwrap().errors), "{}", error);
            }
        }
    }
}
