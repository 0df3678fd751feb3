//! Curves: precision over recall, ROC, DET, and whatever changes over steps.

use super::axis::{Axis, Scale, shown};
use super::canvas::{self, Canvas, DrawError, Failure, stroke};
use super::clip;
use super::frame::{self, Frame, Mark};
use super::palette::{MUTED, Paint, series};
use crate::report::figure::{Figure, Key};
use crate::report::text::clean;

const SIZE: (u32, u32) = (760, 460);
const SQUARE: (u32, u32) = (620, 560);
/// Of a curve, and of a point that stands alone, in pixels.
const STROKE: f64 = 2.0;
const DOT: f64 = 3.5;
/// The least rate that a logarithmic axis goes down to.
const LEAST: f64 = 1e-7;

/// One method's curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    name: String,
    detail: String,
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// A curve through points. A point that is not a number breaks it.
    #[must_use]
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self { name: clean(name), detail: String::new(), points }
    }

    /// Puts a figure beside the name in the legend, such as `AP 0.912`.
    #[must_use]
    pub fn detail(mut self, detail: &str) -> Self {
        self.detail = clean(detail);
        self
    }

    fn finite(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.points.iter().copied().filter(|(x, y)| shown(*x) && shown(*y))
    }
}

/// Precision (second) over recall (first), for several detectors.
///
/// # Errors
/// When the plotting library fails.
pub fn precision_recall(curves: &[Curve]) -> Result<Figure, DrawError> {
    let axes = (Axis::linear("recall", 0.0, 1.0, 5), Axis::linear("precision", 0.0, 1.0, 5));
    let plot = Plot { curves: curves.iter().collect(), axes, marks: &[], guide: None, size: SQUARE };
    plot.figure("Precision and recall", "The closer to the upper right corner, the better.")
}

/// ROC: true accepts (second) over false accepts (first, logarithmic), for several recognisers. The axis of the true
/// accepts starts where the curves do.
///
/// # Errors
/// When the plotting library fails.
pub fn roc(curves: &[Curve], marks: &[Mark]) -> Result<Figure, DrawError> {
    accepted("ROC", curves, ("false accept rate", "true accept rate"), marks)
}

/// Open-set identification: people rightly found (second) over strangers taken for somebody (first, logarithmic). The upright axis starts
/// where the curves do.
///
/// # Errors
/// When the plotting library fails.
pub fn dir(curves: &[Curve], marks: &[Mark]) -> Result<Figure, DrawError> {
    let names = ("FPIR: share of strangers named", "DIR: share of people rightly named");
    accepted("DIR over FPIR", curves, names, marks)
}

/// What is rightly accepted over what is wrongly accepted.
fn accepted(title: &str, curves: &[Curve], names: (&str, &str), marks: &[Mark]) -> Result<Figure, DrawError> {
    let sorted = operating(curves, |a, b| a.1.total_cmp(&b.1));
    let least = least(sorted.iter().flat_map(Curve::finite).map(|(far, _)| far)).unwrap_or(0.001).max(LEAST);
    let x = Axis::log(names.0, least, 1.0);
    let visible = sorted.iter().flat_map(|curve| clip::lines(&curve.points, &x, &Axis::linear("", 0.0, 1.0, 5)));
    let lowest = visible.flatten().map(|(_, tar)| tar).fold(1.0, f64::min);
    let bottom = [0.99, 0.98, 0.95, 0.9, 0.8, 0.5].into_iter().find(|floor| *floor <= lowest).unwrap_or(0.0);
    let plot = Plot {
        curves: sorted.iter().collect(),
        axes: (x, Axis::linear(names.1, bottom, 1.0, 5)),
        marks,
        guide: None,
        size: SIZE,
    };
    let about = "The higher, the better; the further to the left it stays high, the stricter. A curve begins at its first error.";
    let figure = plot.figure(title, about)?;
    Ok(if bottom > 0.0 { figure.note(&format!("The upright axis starts at {bottom}, not at 0.")) } else { figure })
}

/// DET: false rejects (second) over false accepts (first), on axes where normally distributed scores give a line.
///
/// # Errors
/// When the plotting library fails.
pub fn det(curves: &[Curve], marks: &[Mark]) -> Result<Figure, DrawError> {
    let sorted = operating(curves, |a, b| b.1.total_cmp(&a.1));
    let errors = || sorted.iter().flat_map(Curve::finite);
    let good = |curve: &Curve| curve.finite().any(|(far, frr)| far < 0.4 && frr < 0.4);
    let high = if sorted.iter().all(good) { 0.4 } else { 0.99 };
    let low = |rate: fn((f64, f64)) -> f64| least(errors().map(rate)).unwrap_or(0.001).clamp(LEAST, 0.1);
    let axes = (
        Axis::deviate("false accept rate in %", low(|point| point.0), high),
        Axis::deviate("false reject rate in %", low(|point| point.1), high),
    );
    let guide = Some(("both errors alike", axes.0.from.max(axes.1.from), axes.0.to.min(axes.1.to)));
    let plot = Plot { curves: sorted.iter().collect(), axes, marks, guide, size: SQUARE };
    let about = "The closer to the lower left corner, the better. The axes are stretched by normal deviates. A curve ends where one of \
                 the errors is none.";
    plot.figure("DET", about)
}

/// A loss over the steps of a training.
///
/// # Errors
/// When the plotting library fails.
pub fn loss(curves: &[Curve], marks: &[Mark]) -> Result<Figure, DrawError> {
    Ok(trend(curves, ("epoch", "loss"), marks)?.titled("Loss", "The lower, the better."))
}

/// Any value over steps, with the names of the two axes.
///
/// # Errors
/// When the plotting library fails.
pub fn trend(curves: &[Curve], names: (&str, &str), marks: &[Mark]) -> Result<Figure, DrawError> {
    let range = |value: fn((f64, f64)) -> f64| {
        let values = curves.iter().flat_map(Curve::finite).map(value);
        values.fold(None, |range: Option<(f64, f64)>, value| {
            Some(range.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        })
    };
    let ((left, right), (low, high)) =
        (range(|point| point.0).unwrap_or((0.0, 1.0)), range(|point| point.1).unwrap_or((0.0, 1.0)));
    let floor = if low >= 0.0 && (low < high * 0.8 || low == high) { 0.0 } else { low };
    let plot = Plot {
        curves: curves.iter().collect(),
        axes: (Axis::linear(&clean(names.0), left, right, 7), Axis::linear(&clean(names.1), floor, high, 5)),
        marks,
        guide: None,
        size: SIZE,
    };
    plot.figure(names.1, "")
}

/// Curves in the order of their false accepts, and as steps.
fn operating(curves: &[Curve], then: fn(&(f64, f64), &(f64, f64)) -> std::cmp::Ordering) -> Vec<Curve> {
    let sorted = curves.iter().map(|curve| {
        let mut points: Vec<_> = curve.points.iter().copied().filter(|(x, y)| !x.is_nan() && !y.is_nan()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| then(a, b)));
        Curve { points: clip::steps(&points), ..curve.clone() }
    });
    sorted.collect()
}

fn least(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.filter(|value| *value > 0.0 && *value < 1.0).min_by(f64::total_cmp)
}

/// Curves on axes.
struct Plot<'a> {
    curves: Vec<&'a Curve>,
    axes: (Axis, Axis),
    marks: &'a [Mark],
    /// A line from one value to another where both axes show the same, and its name.
    guide: Option<(&'a str, f64, f64)>,
    size: (u32, u32),
}

impl Plot<'_> {
    fn figure(&self, title: &str, about: &str) -> Result<Figure, DrawError> {
        let figure = Figure::new(title, about);
        if self.curves.iter().all(|curve| curve.finite().next().is_none()) {
            return Ok(figure);
        }
        let svg = canvas::draw(self.size, title, |canvas| self.paint(canvas))?;
        let figure = figure.drawn(svg, self.keys());
        let figure = if self.curves.len() > 1 {
            figure.note("Where curves coincide, the one that the legend names first is seen.")
        } else {
            figure
        };
        Ok(self.curves.iter().filter_map(|curve| self.unseen(curve)).fold(figure, |figure, note| figure.note(&note)))
    }

    fn paint(&self, canvas: &Canvas<'_>) -> Result<(), Failure> {
        let frame = Frame::new(canvas, self.size, (&self.axes.0, &self.axes.1), self.marks)?;
        if let Some((_, from, to)) = self.guide {
            frame.line(&[(from, from), (to, to)], stroke(MUTED, 1.0))?;
        }
        // The first is drawn last: it is the one the others are compared with.
        for (index, curve) in self.curves.iter().enumerate().rev() {
            self.curve(canvas, &frame, curve, series(index))?;
        }
        Ok(())
    }

    fn curve(&self, canvas: &Canvas<'_>, frame: &Frame<'_, '_>, curve: &Curve, paint: Paint) -> Result<(), Failure> {
        for line in self.lines(curve) {
            match line[..] {
                [point] => canvas.dot(frame.pixel(point), DOT, paint)?,
                _ => frame.line(&line, stroke(paint, STROKE))?,
            }
        }
        Ok(())
    }

    fn lines(&self, curve: &Curve) -> Vec<Vec<(f64, f64)>> {
        clip::lines(&curve.points, &self.axes.0, &self.axes.1)
    }

    fn keys(&self) -> Vec<Key> {
        let curves = self.curves.iter().enumerate();
        let mut keys: Vec<Key> =
            curves.map(|(index, curve)| Key::line(series(index), &curve.name, &curve.detail)).collect();
        keys.extend(self.guide.map(|(name, _, _)| Key::line(MUTED, name, "")));
        keys.extend(frame::keys(self.marks, &self.axes.0));
        keys
    }

    /// Why of a curve there is nothing or not all to see.
    fn unseen(&self, curve: &Curve) -> Option<String> {
        let lost = curve.points.iter().filter(|(x, y)| !shown(*x) || !shown(*y)).count();
        if self.lines(curve).is_empty() {
            let stretched = self.axes.0.scale != Scale::Linear && lost < curve.points.len();
            let why = if stretched { "it makes no error that these axes can show" } else { "nothing was measured" };
            return Some(format!("{}: {why}.", curve.name));
        }
        (lost > 0)
            .then(|| format!("{}: points left out because they are not numbers that can be shown: {lost}.", curve.name))
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::{Curve, Mark, det, loss, precision_recall, roc, trend};

    fn curve(points: &[(f64, f64)]) -> Curve {
        Curve::new("m", points.to_vec())
    }

    #[test]
    fn nothing_at_all_is_said_in_words() {
        let nan = curve(&[(f64::NAN, 0.5)]);
        for figure in
            [precision_recall(&[]), roc(from_ref(&nan), &[]), det(&[curve(&[])], &[]), loss(from_ref(&nan), &[])]
        {
            let html = figure.unwrap().html();
            assert!(html.contains("Nothing to draw") && !html.contains("<svg class=\"plot\""), "{html}");
        }
    }

    #[test]
    fn one_point_is_a_dot() {
        let point = [curve(&[(0.1, 0.9)])];
        for figure in [precision_recall(&point), roc(&point, &[]), det(&point, &[]), loss(&point, &[])] {
            let html = figure.unwrap().html();
            assert!(html.contains("<circle") || html.contains("no error that"), "{html}");
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        }
    }

    #[test]
    fn what_is_no_number_is_counted() {
        let html = loss(&[curve(&[(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.4), (4.0, 0.3)])], &[]).unwrap().html();
        assert!(html.contains("m: points left out because they are not numbers that can be shown: 1."), "{html}");
        assert!(!html.contains("NaN"), "{html}");
    }

    #[test]
    fn a_method_without_errors_is_not_passed_over() {
        let html = det(&[curve(&[(0.0, 0.0)]), curve(&[(0.01, 0.2), (0.1, 0.01)])], &[]).unwrap().html();
        assert!(html.contains("m: it makes no error that these axes can show."), "{html}");
    }

    #[test]
    fn a_good_roc_is_looked_at_closely_and_says_so() {
        let html = roc(&[curve(&[(0.0, 0.96), (0.001, 0.97), (1.0, 1.0)])], &[]).unwrap().html();
        assert!(html.contains("starts at 0.95, not at 0"), "{html}");
    }

    #[test]
    fn marks_are_in_the_legend_when_they_are_in_the_picture() {
        let marks = [Mark::new("best <epoch>", 3.0), Mark::new("elsewhere", 99.0)];
        let html = trend(&[curve(&[(1.0, 5.0), (5.0, 1.0)])], ("epoch", "loss"), &marks).unwrap().html();
        assert!(html.contains("best &lt;epoch&gt;") && !html.contains("elsewhere"), "{html}");
    }
}
