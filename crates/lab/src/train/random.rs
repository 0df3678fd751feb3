//! Random numbers that depend on nothing but the seed, what they are for and the step: nothing to save, nothing to get out of step.

use std::f64::consts::TAU;

use fastrand::Rng;

/// What a stream of random numbers decides. Two purposes never share one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Which people are held out.
    Split = 1,
    /// The first weights.
    Weights = 2,
    /// The order of people or rows in an epoch.
    Order = 3,
    /// Which images of a person a batch takes.
    Images = 4,
    /// Which numbers dropout clears.
    Dropout = 5,
    /// The random projection.
    Projection = 6,
}

/// The stream of `purpose` at step or epoch `index`.
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u64) -> Rng {
    Rng::with_seed(mix(mix(mix(seed) ^ purpose as u64) ^ index))
}

/// A number of the standard normal distribution (Box and Muller).
pub(crate) fn gaussian(random: &mut Rng) -> f64 {
    // 1 - [0, 1) is never zero, so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (TAU * random.f64()).cos()
}

/// The finaliser of SplitMix64: neighbouring numbers come out unrelated.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_repeatable_and_differ_by_seed_purpose_and_index() {
        let first = |seed, purpose, index| stream(seed, purpose, index).u64(..);
        assert_eq!(first(1, Purpose::Order, 2), first(1, Purpose::Order, 2));
        let others = [first(2, Purpose::Order, 2), first(1, Purpose::Images, 2), first(1, Purpose::Order, 3)];
        assert!(others.iter().all(|other| *other != first(1, Purpose::Order, 2)));
    }

    #[test]
    fn gaussian_numbers_have_mean_zero_and_variance_one() {
        let mut random = stream(7, Purpose::Projection, 0);
        let numbers: Vec<f64> = (0..20_000).map(|_| gaussian(&mut random)).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
