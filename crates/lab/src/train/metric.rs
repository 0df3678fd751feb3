//! How well vectors tell people apart: every pair of faces is compared, the threshold lets through a chosen share of the
//! pairs of different people, and the share of pairs of the same person above it counts.
//!
//! The definition is that of [`Pairs::tar_at_far`](crate::metrics::verification::Pairs::tar_at_far), and a test holds the two against
//! each other. Here the threshold is selected, not sorted for, in half the precision: held-out people are judged after every epoch, by
//! millions of pairs.

use crate::metrics::MetricError;
use crate::metrics::rate::allowance;

/// What the trials of a rate are called in errors.
const DIFFERENT: &str = "pairs of different people";

/// Vectors of length 1 with the person of each.
#[derive(Clone, Copy, Debug)]
pub struct Embedded<'a> {
    /// One after the other.
    pub rows: &'a [f32],
    /// Numbers in a vector.
    pub dimension: usize,
    /// The person of each.
    pub labels: &'a [u32],
}

/// Cosines of all pairs of two faces, each pair once, no face with itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairScores {
    /// Pairs of one person.
    pub same: Vec<f32>,
    /// Pairs of two people.
    pub different: Vec<f32>,
}

/// The rates at a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Share of the pairs of one person that are accepted.
    pub true_accept: f64,
    /// Share of the pairs of two people that are.
    pub false_accept: f64,
    /// Cosines above this are accepted.
    pub threshold: f32,
}

impl Embedded<'_> {
    /// The cosines of all pairs.
    #[must_use]
    pub fn pair_scores(&self) -> PairScores {
        let mut scores = PairScores::default();
        for (a, label) in self.labels.iter().enumerate() {
            for (b, other) in self.labels.iter().enumerate().skip(a + 1) {
                let cosine = dot(self.row(a), self.row(b));
                if label == other { scores.same.push(cosine) } else { scores.different.push(cosine) }
            }
        }
        scores
    }

    /// Squared distances between all faces, row by row: `|a - b|² = 2 - 2 a·b`.
    #[must_use]
    pub fn squared_distances(&self) -> Vec<f32> {
        let count = self.labels.len();
        let distance = |place: usize| 2.0 - 2.0 * dot(self.row(place / count), self.row(place % count));
        (0..count * count).map(distance).collect()
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.dimension..(index + 1) * self.dimension]
    }
}

impl PairScores {
    /// The share of pairs of one person above the lowest threshold that at most `rate` of the pairs of two people pass.
    ///
    /// Accepted is what lies above the threshold, not on it: of pairs with equal cosines all pass or none.
    ///
    /// # Errors
    /// [`MetricError`] where the rate is below one pair in all, without pairs of one person, or with a cosine that is not a number.
    pub fn at_false_accept(&mut self, rate: f64) -> Result<Rates, MetricError> {
        let allowed = allowance(rate, self.different.len(), DIFFERENT)?.errors;
        if self.same.is_empty() {
            return Err(MetricError::Nothing("pair of the same person"));
        }
        let scores = self.same.iter().chain(&self.different);
        if let Some((index, score)) = scores.enumerate().find(|(_, score)| score.is_nan()) {
            return Err(MetricError::NotFinite { what: "pair", index, score: f64::from(*score) });
        }
        // The highest that must not pass. The rate is below 1, and so is at least one pair.
        let place = allowed.min(self.different.len() - 1);
        let (_, threshold, _) = self.different.select_nth_unstable_by(place, |a, b| b.total_cmp(a));
        let threshold = *threshold;
        let share =
            |scores: &[f32]| scores.iter().filter(|score| **score > threshold).count() as f64 / scores.len() as f64;
        Ok(Rates { true_accept: share(&self.same), false_accept: share(&self.different), threshold })
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, which the compiler keeps in one register.
    let mut sums = [0.0_f32; 8];
    let (left, right) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::verification::{Pair, Pairs};

    fn scores(same: &[f32], different: &[f32]) -> PairScores {
        PairScores { same: same.to_vec(), different: different.to_vec() }
    }

    #[test]
    fn every_pair_counts_once() {
        let embedded =
            Embedded { rows: &[1.0, 0.0, 0.0, 1.0, 0.6, 0.8, -1.0, 0.0], dimension: 2, labels: &[0, 0, 1, 1] };
        let scores = embedded.pair_scores();
        assert_eq!(scores.same, [0.0, -0.6]);
        assert_eq!(scores.different, [0.6, -1.0, 0.8, 0.0]);
        let squared = embedded.squared_distances();
        let wanted = [0.0, 2.0, 0.8, 4.0, 2.0, 0.0, 0.4, 2.0];
        assert!(squared.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{squared:?}");
    }

    #[test]
    fn a_dot_product_takes_all_numbers() {
        let numbers: Vec<f32> = (0..19).map(|number| number as f32).collect();
        assert_eq!(dot(&numbers, &numbers), 2109.0);
    }

    #[test]
    fn the_threshold_lets_the_allowed_pairs_through() {
        let different: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
        let rates = scores(&[0.985, 0.975, 0.99, 0.5], &different).at_false_accept(0.01).unwrap();
        // One of a hundred may pass: .99. The threshold is .98.
        assert_eq!(rates, Rates { true_accept: 0.5, false_accept: 0.01, threshold: 0.98 });
        let rates = scores(&[0.985, 0.975, 0.99, 0.5], &different).at_false_accept(0.5).unwrap();
        assert_eq!(rates, Rates { true_accept: 1.0, false_accept: 0.5, threshold: 0.49 });
    }

    #[test]
    fn equal_cosines_do_not_pass_more_than_allowed() {
        let mut scores = scores(&[0.9, 0.8], &[0.9, 0.9, 0.9, 0.1]);
        let rates = scores.at_false_accept(0.5).unwrap();
        assert_eq!(rates, Rates { true_accept: 0.0, false_accept: 0.0, threshold: 0.9 });
    }

    #[test]
    fn a_rate_that_the_pairs_cannot_show_is_refused() {
        let mut scores = scores(&[0.9], &[0.1; 99]);
        let text = scores.at_false_accept(0.01).unwrap_err().to_string();
        assert!(text.contains("0.0102") && text.contains("99 pairs of different people"), "{text}");
        scores.different.push(0.1);
        assert!(scores.at_false_accept(0.01).is_ok());
        for rate in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(scores.at_false_accept(rate).is_err());
        }
        scores.same.clear();
        assert!(scores.at_false_accept(0.1).unwrap_err().to_string().contains("pair of the same person"));
        scores.same.push(f32::NAN);
        assert!(scores.at_false_accept(0.1).is_err());
    }

    proptest! {
        /// Few different values, so that many are equal.
        #[test]
        fn it_is_the_rate_of_the_verification_metrics(
            same in prop::collection::vec(0_u8..20, 1..30), different in prop::collection::vec(0_u8..20, 1..60),
            rate in 0.001_f64..0.999
        ) {
            let numbers = |values: &[u8]| values.iter().map(|value| f32::from(*value) / 32.0).collect::<Vec<_>>();
            let mut scores = PairScores { same: numbers(&same), different: numbers(&different) };
            let pair = |same, score: &f32| Pair { same, fold: 0, score: Some(f64::from(*score)) };
            let pairs = scores.same.iter().map(|s| pair(true, s)).chain(scores.different.iter().map(|s| pair(false, s)));
            let wanted = Pairs::new(pairs.collect()).unwrap().tar_at_far(rate).ok();
            let wanted = wanted.map(|found| (found.point.threshold, found.point.tar.rate, found.point.far.rate));
            let found = scores.at_false_accept(rate).ok();
            let found = found.map(|f| (Some(f64::from(f.threshold)), f.true_accept, f.false_accept));
            prop_assert_eq!(found, wanted);
        }
    }
}
