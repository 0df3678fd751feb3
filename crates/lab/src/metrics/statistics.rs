//! Means with their spread, medians, and proportions with their exact interval.

use serde::Serialize;
use statrs::function::beta::beta_reg;

/// What lies outside an interval, both sides together: 95 % intervals everywhere.
const OUTSIDE: f64 = 0.05;

/// The value in the middle; of an even number the mean of the two. `None` of nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[values.len() / 2 - 1], upper) })
}

/// A mean with its spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// The standard error of the mean: `std` over the root of `count`.
    pub sem: f64,
}

impl Spread {
    /// With the standard deviation of the values as they are (divided by n): what `numpy.std` gives, and so what
    /// FaceNet's LFW figures are printed with. `None` of nothing.
    #[must_use]
    pub fn of_all(values: &[f64]) -> Option<Self> {
        Self::new(values, values.len())
    }

    /// With the standard deviation estimated from a sample (divided by n - 1). `None` of fewer than two values.
    #[must_use]
    pub fn of_sample(values: &[f64]) -> Option<Self> {
        Self::new(values, values.len().checked_sub(1)?)
    }

    fn new(values: &[f64], divisor: usize) -> Option<Self> {
        if divisor == 0 {
            return None;
        }
        let count = values.len();
        let mean = sum(values.iter().copied()) / count as f64;
        let std = (sum(values.iter().map(|v| (v - mean).powi(2))) / divisor as f64).sqrt();
        Some(Self { count, mean, std, sem: std / (count as f64).sqrt() })
    }
}

/// The sum from the smallest number up: the same in whatever order they come.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.iter().sum()
}

/// So many of so many, with the Clopper-Pearson 95 % interval.
///
/// The interval is exact: it holds the true rate in at least 95 of 100 experiments, however rare the event (Clopper and
/// Pearson, Biometrika 26, 1934). It takes the trials as independent, which pairs that share a photo are not quite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proportion {
    /// Events.
    pub events: usize,
    /// Trials; never fewer than the events.
    pub trials: usize,
    /// Events over trials; 0 of no trials.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Proportion {
    /// `events` out of `trials`; more events than trials count as all. Of no trials nothing is known: 0, from 0 to 1.
    #[must_use]
    pub fn of(events: usize, trials: usize) -> Self {
        let events = events.min(trials);
        let (k, n) = (events as f64, trials as f64);
        let rate = if trials == 0 { 0.0 } else { k / n };
        let low = if events == 0 { 0.0 } else { beta_quantile(k, n - k + 1.0, OUTSIDE / 2.0) };
        let high = if events == trials { 1.0 } else { beta_quantile(k + 1.0, n - k, 1.0 - OUTSIDE / 2.0) };
        Self { events, trials, rate, low, high }
    }

    /// Such as `0.9783 (0.9632 to 0.9884)`: the rate with its interval.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("{:.4} ({:.4} to {:.4})", self.rate, self.low, self.high)
    }
}

/// Where the distribution function of Beta(a, b) reaches `probability`, by halving: the function grows, so it cannot
/// miss.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if beta_reg(a, b, middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Proportion, Spread, median};
    use proptest::prelude::*;

    fn near(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    #[test]
    fn spread_by_hand() {
        // 1, 2, 3, 4: mean 2.5, squares 2.25 + 0.25 + 0.25 + 2.25 = 5.
        let all = Spread::of_all(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        near(all.mean, 2.5, 0.0);
        near(all.std, 1.25_f64.sqrt(), 1e-15);
        near(all.sem, 1.25_f64.sqrt() / 2.0, 1e-15);
        let sample = Spread::of_sample(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        near(sample.std, (5.0_f64 / 3.0).sqrt(), 1e-15);
        assert_eq!(Spread::of_all(&[]), None);
        assert_eq!(Spread::of_sample(&[1.0]), None);
        assert_eq!(Spread::of_sample(&[]), None);
        assert_eq!(Spread::of_all(&[7.0]).unwrap().std, 0.0);
    }

    #[test]
    fn interval_of_none_and_all_is_known_in_closed_form() {
        for n in [1_usize, 10, 600, 3000, 1_000_000] {
            let none = Proportion::of(0, n);
            assert_eq!((none.rate, none.low), (0.0, 0.0));
            near(none.high, 1.0 - 0.025_f64.powf(1.0 / n as f64), 1e-12);
            let all = Proportion::of(n, n);
            assert_eq!((all.rate, all.high), (1.0, 1.0));
            near(all.low, 0.025_f64.powf(1.0 / n as f64), 1e-12);
        }
        let nothing = Proportion::of(0, 0);
        assert_eq!((nothing.rate, nothing.low, nothing.high), (0.0, 0.0, 1.0));
    }

    /// The ends against the sums of the binomial distribution they are defined by.
    #[test]
    fn interval_ends_leave_a_fortieth_on_each_side() {
        let ln_choose = |n: usize, i: usize| -> f64 { (1..=i).map(|j| ((n - i + j) as f64 / j as f64).ln()).sum() };
        let at_least = |k: usize, n: usize, p: f64| -> f64 {
            let term = |i: usize| ln_choose(n, i) + i as f64 * p.ln() + (n - i) as f64 * (1.0 - p).ln();
            (k..=n).map(|i| term(i).exp()).sum()
        };
        for (k, n) in [(1, 10), (3, 10), (5, 10), (6, 600), (559, 600), (587, 600), (1, 147)] {
            let interval = Proportion::of(k, n);
            near(at_least(k, n, interval.low), 0.025, 1e-9);
            near(1.0 - at_least(k + 1, n, interval.high), 0.025, 1e-9);
        }
        // The textbook case: 5 of 10 lie between .1871 and .8129.
        near(Proportion::of(5, 10).low, 0.187_086, 1e-6);
        near(Proportion::of(5, 10).high, 0.812_914, 1e-6);
        assert_eq!(Proportion::of(5, 10).in_words(), "0.5000 (0.1871 to 0.8129)");
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_rate(trials in 1_usize..5000, part in 0.0_f64..=1.0) {
            let p = Proportion::of((part * trials as f64) as usize, trials);
            prop_assert!(0.0 <= p.low && p.low <= p.rate && p.rate <= p.high && p.high <= 1.0);
            prop_assert!(p.low < p.high);
        }

        #[test]
        fn more_trials_of_the_same_rate_narrow_the_interval(events in 1_usize..50, others in 1_usize..50) {
            let (few, many) = (Proportion::of(events, events + others), Proportion::of(4 * events, 4 * (events + others)));
            prop_assert!(many.high - many.low < few.high - few.low);
        }
    }
}
