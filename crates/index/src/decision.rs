//! The open-set decision: a person, nobody we know, or not sure. Never "the closest match wins".

use sightline_wire::Outcome;

/// The cosines that decide. They belong to one embedder: strangers average 0.04 with FaceNet and 0.83 with dlib.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// From here on a face may be named.
    pub accept: f32,
    /// Below this it is a stranger.
    pub unknown: f32,
    /// How far the best person must be ahead of the best other person.
    pub margin: f32,
    /// From here on two strangers are the same one; at least `accept`.
    pub cluster: f32,
}

/// A threshold that cannot be meant.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("identify.{key} = {value}: {rule}")]
pub struct ThresholdError {
    key: &'static str,
    value: f32,
    rule: String,
}

impl Thresholds {
    /// Refuses values outside `plausible` (of the embedder's manifest) or that contradict each other.
    ///
    /// # Errors
    /// [`ThresholdError`] with the key, the value and the rule.
    pub fn checked(self, plausible: [f32; 2]) -> Result<Self, ThresholdError> {
        let [low, high] = plausible;
        let error = |key, value, rule| Err(ThresholdError { key, value, rule });
        for (key, value) in [("accept", self.accept), ("unknown", self.unknown), ("cluster", self.cluster)] {
            // Written so that NaN fails.
            if !(low..=high).contains(&value) {
                return error(key, value, format!("this embedder's thresholds lie between {low} and {high}"));
            }
        }
        if !(0.0..=high - low).contains(&self.margin) {
            return error("margin", self.margin, format!("this embedder's margin lies between 0 and {}", high - low));
        }
        if self.unknown > self.accept {
            return error("unknown", self.unknown, format!("it must not be above identify.accept = {}", self.accept));
        }
        if self.cluster < self.accept {
            return error("cluster", self.cluster, format!("it must be at least identify.accept = {}", self.accept));
        }
        Ok(self)
    }

    /// Decides from the scores of the best person and of the best other person; `None` where there is no such person.
    ///
    /// Known only with `best >= accept` and `best - runner_up >= margin`; below `unknown` a stranger; else ambiguous. A
    /// score that is no number never names anybody.
    #[must_use]
    pub fn decide(&self, best: Option<f32>, runner_up: Option<f32>) -> Outcome {
        let Some(best) = best.filter(|score| score.is_finite()) else { return Outcome::Unknown };
        if best < self.unknown {
            return Outcome::Unknown;
        }
        let ahead = match runner_up {
            Some(other) => best - other >= self.margin,
            None => true,
        };
        if best >= self.accept && ahead { Outcome::Known } else { Outcome::Ambiguous }
    }
}

#[cfg(test)]
mod tests {
    use super::Thresholds;
    use proptest::prelude::*;
    use sightline_wire::Outcome;

    const FACENET: Thresholds = Thresholds { accept: 0.60, unknown: 0.45, margin: 0.08, cluster: 0.65 };

    #[test]
    fn the_three_answers() {
        let decide = |best, other| FACENET.decide(best, other);
        assert_eq!(decide(None, None), Outcome::Unknown);
        assert_eq!(decide(Some(0.44), Some(0.1)), Outcome::Unknown);
        assert_eq!(decide(Some(0.45), Some(0.1)), Outcome::Ambiguous);
        assert_eq!(decide(Some(0.59), None), Outcome::Ambiguous);
        assert_eq!(decide(Some(0.60), None), Outcome::Known);
        assert_eq!(decide(Some(0.80), Some(0.70)), Outcome::Known);
        assert_eq!(decide(Some(0.80), Some(0.75)), Outcome::Ambiguous);
    }

    #[test]
    fn what_is_no_number_names_nobody() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(FACENET.decide(Some(bad), None), Outcome::Unknown);
        }
        assert_eq!(FACENET.decide(Some(0.9), Some(f32::NAN)), Outcome::Ambiguous);
    }

    #[test]
    fn thresholds_outside_the_plausible_range_are_refused_by_name() {
        let range = [0.3, 0.9];
        assert_eq!(FACENET.checked(range), Ok(FACENET));
        let cases = [
            (Thresholds { accept: 0.95, cluster: 0.95, ..FACENET }, "identify.accept = 0.95"),
            (Thresholds { accept: f32::NAN, ..FACENET }, "identify.accept = NaN"),
            (Thresholds { unknown: 0.2, ..FACENET }, "identify.unknown = 0.2"),
            (Thresholds { unknown: 0.61, ..FACENET }, "identify.unknown = 0.61"),
            (Thresholds { cluster: 0.59, ..FACENET }, "identify.cluster = 0.59"),
            (Thresholds { margin: -0.1, ..FACENET }, "identify.margin = -0.1"),
            (Thresholds { margin: f32::NAN, ..FACENET }, "identify.margin = NaN"),
        ];
        for (thresholds, part) in cases {
            let text = thresholds.checked(range).unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        }
        // dlib's numbers would make FaceNet accept nobody, and FaceNet's would make dlib accept everybody.
        let dlib = Thresholds { accept: 0.93, unknown: 0.90, margin: 0.015, cluster: 0.945 };
        assert!(dlib.checked([0.85, 0.99]).is_ok());
        assert!(dlib.checked(range).is_err() && FACENET.checked([0.85, 0.99]).is_err());
    }

    fn score() -> impl Strategy<Value = Option<f32>> {
        prop_oneof![Just(None), (-1.0_f32..=1.0).prop_map(Some), Just(Some(f32::NAN))]
    }

    proptest! {
        #[test]
        fn nobody_is_named_below_accept_or_without_the_margin(best in score(), other in score()) {
            if FACENET.decide(best, other) == Outcome::Known {
                let best = best.unwrap();
                prop_assert!(best >= FACENET.accept);
                prop_assert!(other.is_none_or(|other| best - other >= FACENET.margin));
            }
        }

        #[test]
        fn a_nearer_other_person_never_makes_it_surer(best in -1.0_f32..=1.0, other in -1.0_f32..=1.0, more in 0.0_f32..1.0) {
            if FACENET.decide(Some(best), Some(other + more)) == Outcome::Known {
                prop_assert_eq!(FACENET.decide(Some(best), Some(other)), Outcome::Known);
            }
        }

        #[test]
        fn a_stranger_is_one_whoever_else_is_near(best in score(), a in score(), b in score()) {
            let stranger = |other| FACENET.decide(best, other) == Outcome::Unknown;
            prop_assert_eq!(stranger(a), stranger(b));
        }
    }
}
