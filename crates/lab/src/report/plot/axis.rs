//! Axes: linear, logarithmic, and normal deviate (on which the errors of two normal distributions are a line).

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use statrs::distribution::{ContinuousCDF as _, Normal};

use crate::report::text::width;

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Log,
    Deviate,
}

impl Scale {
    /// The place of a value; infinite beyond what the axis can show, not a number where there is no place.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear if shown(value) => value,
            Self::Linear => f64::NAN,
            Self::Log => value.log10(),
            Self::Deviate if value == 0.0 => f64::NEG_INFINITY,
            Self::Deviate if value == 1.0 => f64::INFINITY,
            Self::Deviate if value > 0.0 && value < 1.0 => Normal::standard().inverse_cdf(value),
            Self::Deviate => f64::NAN,
        }
    }
}

/// Whether a value can be shown at all: it is finite, and not so large that axes lose their marks.
pub(super) fn shown(value: f64) -> bool {
    value.abs() <= 1e15
}

/// An axis. Its ends and marks are places, not values.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) scale: Scale,
    pub(super) from: f64,
    pub(super) to: f64,
    major: Vec<(f64, String)>,
    minor: Vec<f64>,
}

/// Rates, in percent, that a normal deviate axis may mark.
const PERCENT: [f64; 23] = [
    0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 90.0, 95.0, 98.0,
    99.0, 99.9, 99.99, 99.999,
];

impl Axis {
    /// From and to round values around those given, with about `steps` marks.
    pub(super) fn linear(title: &str, from: f64, to: f64, steps: u32) -> Self {
        let (from, to) = apart(from, to);
        let step = round_step((to - from) / f64::from(steps));
        let (first, last) = ((from / step + 1e-9).floor(), (to / step - 1e-9).ceil());
        let decimals = decimals(step);
        // At most a few more than `steps`.
        let count = (0..=u16::MAX).take_while(|index| first + f64::from(*index) <= last);
        let major = count.map(|index| (first + f64::from(index)) * step).map(|place| (place, plain(place, decimals)));
        Self {
            title: title.to_owned(),
            scale: Scale::Linear,
            from: first * step,
            to: last * step,
            major: major.collect(),
            minor: Vec::new(),
        }
    }

    /// Around the positive values given: over few powers of ten from and to 1, 2 or 5 with zeros, else to powers alone.
    pub(super) fn log(title: &str, from: f64, to: f64) -> Self {
        let (low, high) = (from.log10() + 1e-9, to.log10() - 1e-9);
        let few = high - low < 2.5;
        let first = low.floor();
        let powers = (0..40_u16).map(|index| first + f64::from(index)).take_while(|power| *power <= high + 2.0);
        let places = |factors: &[u16]| -> Vec<f64> {
            let each = powers.clone().flat_map(|power| factors.iter().map(move |f| power + f64::from(*f).log10()));
            each.collect()
        };
        let (mut major, mut minor) = if few {
            (places(&[1, 2, 5]), places(&[3, 4, 6, 7, 8, 9]))
        } else {
            (places(&[1]), places(&[2, 3, 4, 5, 6, 7, 8, 9]))
        };
        let from = major.iter().copied().rfind(|place| *place <= low).unwrap_or(first);
        let to = major.iter().copied().find(|place| *place >= high && *place > from).unwrap_or(from + 1.0);
        major.retain(|place| (from..=to).contains(place));
        minor.retain(|place| (from..=to).contains(place));
        let major = major.into_iter().map(|place| (place, power_of_ten(place))).collect();
        Self { title: title.to_owned(), scale: Scale::Log, from, to, major, minor }
    }

    /// From and to rates that the axis marks around those given, which lie between 0 and 1.
    pub(super) fn deviate(title: &str, from: f64, to: f64) -> Self {
        let rate = |percent: &f64| percent / 100.0;
        let low = PERCENT.iter().rev().map(rate).find(|rate| *rate <= from).unwrap_or(1e-6);
        let high = PERCENT.iter().map(rate).find(|rate| *rate >= to && *rate > low).unwrap_or(0.999_99);
        let marks = PERCENT.iter().filter(|percent| (low..=high).contains(&rate(percent)));
        let place = |rate: f64| Scale::Deviate.place(rate);
        Self {
            title: title.to_owned(),
            scale: Scale::Deviate,
            from: place(low),
            to: place(high),
            major: marks.map(|percent| (place(rate(percent)), format!("{percent}"))).collect(),
            minor: Vec::new(),
        }
    }

    /// Where a place lies between the ends, 0 to 1.
    pub(super) fn fraction(&self, place: f64) -> f64 {
        (place - self.from) / (self.to - self.from)
    }

    /// Width of the widest number at the axis, in units of its size.
    pub(super) fn widest(&self) -> f64 {
        self.major.iter().map(|(_, label)| width(label)).fold(0.0, f64::max)
    }

    /// Width of the last number at the axis, in units of its size.
    pub(super) fn last_width(&self) -> f64 {
        self.major.last().map_or(0.0, |(_, label)| width(label))
    }

    /// Takes away the numbers that would touch, where the axis is so many times a number's size long. `upright` axes
    /// need room for the height of a number, others for its width. The lines stay.
    pub(super) fn spaced(mut self, length: f64, upright: bool) -> Self {
        let mut free = f64::NEG_INFINITY;
        for (place, label) in std::mem::take(&mut self.major) {
            let room = if upright { 1.0 } else { width(&label) };
            let middle = self.fraction(place) * length;
            if middle - room / 2.0 >= free {
                free = middle + room / 2.0 + 0.6;
                self.major.push((place, label));
            } else {
                self.minor.push(place);
            }
        }
        self
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate, and no picture is that large"
    )]
    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        let (start, end) = (f64::from(limit.0), f64::from(limit.1));
        (start + self.fraction(*place) * (end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.minor.clone()
        } else {
            self.major.iter().map(|(place, _)| *place).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, place: &f64) -> String {
        let label = self.major.iter().find(|(known, _)| known == place);
        label.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// Two values with something between them.
fn apart(from: f64, to: f64) -> (f64, f64) {
    let least = from.abs().max(to.abs()).max(1e-9) * 1e-6;
    if to - from > least {
        return (from, to);
    }
    let half = (from.abs() * 0.1).max(0.5);
    (from - half, to + half)
}

/// The next 1, 2 or 5 with zeros.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= rough * 0.999);
    step.unwrap_or(10.0) * power
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
fn decimals(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize
}

fn plain(value: f64, decimals: usize) -> String {
    if value.abs() >= 1e6 {
        return format!("{value:e}");
    }
    // Adding zero turns -0 into 0.
    format!("{:.decimals$}", value + 0.0)
}

fn power_of_ten(place: f64) -> String {
    let value = 10_f64.powf(place);
    if (-4.001..5.001).contains(&place) {
        return plain(value, decimals(value * 1.001));
    }
    format!("{value:.0e}")
}

#[cfg(test)]
mod tests {
    use super::{Axis, Scale};

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.major.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_linear_axis_has_round_marks() {
        let axis = Axis::linear("x", 0.0, 1.0, 5);
        assert_eq!(labels(&axis), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!((axis.from, axis.to), (0.0, 1.0));
        assert_eq!(labels(&Axis::linear("x", -7.0, 43.0, 5)), ["-10", "0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&Axis::linear("x", 0.0, 4e6, 4)), ["0", "1e6", "2e6", "3e6", "4e6"]);
    }

    #[test]
    fn one_value_makes_an_axis_too() {
        for value in [0.0, 5.0, -3.0, 1e-12, 1e9] {
            let axis = Axis::linear("x", value, value, 5);
            assert!(axis.from < value && value < axis.to, "{axis:?}");
            assert!((2..12).contains(&axis.major.len()), "{axis:?}");
        }
    }

    #[test]
    fn a_logarithmic_axis_marks_powers_of_ten() {
        assert_eq!(labels(&Axis::log("x", 2e-6, 1.0)), ["1e-6", "1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(&Axis::log("x", 21.0, 340.0)), ["20", "50", "100", "200", "500"]);
        assert_eq!(labels(&Axis::log("x", 100.0, 100.0)), ["100", "200"]);
    }

    #[test]
    fn a_deviate_axis_is_symmetric() {
        let axis = Axis::deviate("x", 0.01, 0.99);
        assert!((axis.from + axis.to).abs() < 1e-9 && (axis.fraction(Scale::Deviate.place(0.5)) - 0.5).abs() < 1e-9);
        assert_eq!(labels(&Axis::deviate("x", 0.004, 0.35)), ["0.2", "0.5", "1", "2", "5", "10", "20", "40"]);
    }

    #[test]
    fn what_has_no_place_has_none() {
        assert_eq!(Scale::Deviate.place(0.0), f64::NEG_INFINITY);
        assert_eq!(Scale::Log.place(0.0), f64::NEG_INFINITY);
        assert!(Scale::Deviate.place(1.5).is_nan() && Scale::Log.place(-1.0).is_nan());
        assert!(Scale::Linear.place(f64::NAN).is_nan());
        assert!((Scale::Deviate.place(0.975) - 1.959_964).abs() < 1e-5);
    }

    #[test]
    fn numbers_that_would_touch_go() {
        let axis = Axis::log("x", 1e-6, 1.0).spaced(12.0, false);
        assert!(axis.major.len() < 7 && axis.major.len() + axis.minor.len() > 40, "{axis:?}");
        assert_eq!(labels(&Axis::linear("x", 0.0, 1.0, 5).spaced(30.0, true)).len(), 6);
    }
}
