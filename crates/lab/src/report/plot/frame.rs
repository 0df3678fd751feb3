//! Two axes, a grid, and vertical marks: what every plot but the confusion matrix stands in.

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::{PathElement, SVGBackend};

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Failure, UNIT, font, stroke, units};
use super::palette::{FINE, GRID, INK, MUTED};
use crate::report::figure::Key;
use crate::report::text::{clean, number};

/// Size of the numbers at the axes and of the axes' titles, in pixels.
pub(super) const NUMBER: f64 = 12.0;
pub(super) const TITLE: f64 = 13.0;

/// A vertical line at a value, such as a threshold in use. A letter stands over it, and beside the letter in the legend
/// its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// What it means.
    pub name: String,
    /// Where it stands.
    pub at: f64,
}

impl Mark {
    /// A mark.
    #[must_use]
    pub fn new(name: &str, at: f64) -> Self {
        Self { name: clean(name), at }
    }
}

/// The letter of a mark.
fn letter(index: usize) -> String {
    let index = u8::try_from(index % 26).unwrap_or(0);
    char::from(b'A' + index).to_string()
}

/// The lines of the legend for the marks on an axis.
pub(super) fn keys(marks: &[Mark], x: &Axis) -> Vec<Key> {
    let shown = shown(marks, x).map(|(index, mark, _)| Key::mark(&letter(index), &mark.name, &number(mark.at)));
    shown.collect()
}

fn shown<'a>(marks: &'a [Mark], x: &Axis) -> impl Iterator<Item = (usize, &'a Mark, f64)> {
    let placed = marks.iter().enumerate().map(|(index, mark)| (index, mark, x.scale.place(mark.at)));
    placed.filter(|(_, _, place)| (x.from..=x.to).contains(place))
}

/// Places for letters over lines that stand in order: a letter's width apart, none beyond the end.
fn side_by_side(lines: &[f64], end: f64) -> Vec<f64> {
    let mut places = lines.to_vec();
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + NUMBER);
    }
    let mut limit = end;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - NUMBER;
    }
    places
}

/// A picture's axes, once drawn.
pub(super) struct Frame<'a, 'b> {
    chart: ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>,
}

impl<'a, 'b> Frame<'a, 'b> {
    /// Draws the grid, the axes and the marks in a picture of a size in pixels.
    pub(super) fn new(
        canvas: &'a Canvas<'b>,
        size: (u32, u32),
        (x, y): (&Axis, &Axis),
        marks: &[Mark],
    ) -> Result<Self, Failure> {
        let left = y.widest() * NUMBER + TITLE + 24.0;
        let right = (x.last_width() * NUMBER / 2.0 + 4.0).max(14.0);
        let (top, bottom) = (if marks.is_empty() { 12.0 } else { 28.0 }, NUMBER + TITLE + 26.0);
        let length = |size: u32, margins: f64| (f64::from(size) - margins) / NUMBER;
        let x = x.clone().spaced(length(size.0, left + right), false);
        let y = y.clone().spaced(length(size.1, top + bottom), true);
        let chart = ChartBuilder::on(&canvas.root)
            .margin_top(units(top))
            .margin_right(units(right))
            .set_label_area_size(LabelAreaPosition::Left, units(left))
            .set_label_area_size(LabelAreaPosition::Bottom, units(bottom))
            .build_cartesian_2d(x, y)?;
        let mut frame = Self { chart };
        frame.mesh()?;
        frame.titles(canvas, size)?;
        frame.marks(canvas, marks)?;
        Ok(frame)
    }

    fn mesh(&mut self) -> Result<(), Failure> {
        let mut mesh = self.chart.configure_mesh();
        mesh.label_style(font(NUMBER, MUTED, Anchor::Middle))
            .bold_line_style(stroke(GRID, 1.0))
            .light_line_style(stroke(FINE, 1.0))
            .axis_style(stroke(INK, 1.0))
            .set_all_tick_mark_size(units(4.0))
            .draw()
    }

    fn titles(&self, canvas: &Canvas<'_>, (_, height): (u32, u32)) -> Result<(), Failure> {
        let (across, down) = self.pixels();
        let (x, y) = (self.x(), self.y());
        let place = (f64::midpoint(across.0, across.1), f64::from(height) - TITLE * 0.8);
        canvas.text(&x.title, &font(TITLE, INK, Anchor::Middle), place)?;
        let upright = font(TITLE, INK, Anchor::Middle).transform(plotters::prelude::FontTransform::Rotate270);
        canvas.text(&y.title, &upright, (TITLE * 0.8, f64::midpoint(down.0, down.1)))
    }

    fn marks(&self, canvas: &Canvas<'_>, marks: &[Mark]) -> Result<(), Failure> {
        let (across, down) = self.pixels();
        let mut shown: Vec<_> = shown(marks, self.x()).collect();
        shown.sort_by(|a, b| a.2.total_cmp(&b.2));
        let at = |place: f64| across.0 + self.x().fraction(place) * (across.1 - across.0);
        let lines: Vec<f64> = shown.iter().map(|(_, _, place)| at(*place)).collect();
        let letters = side_by_side(&lines, across.1 + 6.0);
        for ((index, _, _), (line, beside)) in shown.iter().zip(lines.iter().zip(letters)) {
            canvas.line(&[(*line, down.0 - 5.0), (*line, down.1)], stroke(INK, 1.0))?;
            canvas.text(&letter(*index), &font(NUMBER, INK, Anchor::Middle), (beside, down.0 - 13.0))?;
        }
        Ok(())
    }

    pub(super) fn x(&self) -> &Axis {
        self.chart.plotting_area().as_coord_spec().x_spec()
    }

    pub(super) fn y(&self) -> &Axis {
        self.chart.plotting_area().as_coord_spec().y_spec()
    }

    /// Left and right, upper and lower end of the plot within the picture, in pixels.
    pub(super) fn pixels(&self) -> ((f64, f64), (f64, f64)) {
        let (across, down) = self.chart.plotting_area().get_pixel_range();
        let pixels = |units: i32| f64::from(units) / f64::from(UNIT);
        ((pixels(across.start), pixels(across.end)), (pixels(down.start), pixels(down.end)))
    }

    /// Where places on the axes lie in the picture, in pixels.
    pub(super) fn pixel(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (across, down) = self.pixels();
        let part = (self.x().fraction(x), self.y().fraction(y));
        (across.0 + part.0 * (across.1 - across.0), down.1 - part.1 * (down.1 - down.0))
    }

    /// A line through places on the axes.
    pub(super) fn line(&self, points: &[(f64, f64)], style: plotters::prelude::ShapeStyle) -> Result<(), Failure> {
        self.chart.plotting_area().draw(&PathElement::new(points.to_vec(), style))
    }
}

#[cfg(test)]
mod tests {
    use super::{NUMBER, letter, side_by_side};

    #[test]
    fn letters_of_close_marks_stand_side_by_side_inside_the_picture() {
        let places = side_by_side(&[100.0, 101.0, 400.0, 699.0, 700.0], 706.0);
        assert_eq!(places[..3], [100.0, 112.0, 400.0]);
        assert!(places[4] <= 706.0 && places[4] - places[3] >= NUMBER, "{places:?}");
        assert!(side_by_side(&[], 1.0).is_empty());
    }

    #[test]
    fn letters_come_round() {
        assert_eq!([0, 25, 26].map(letter), ["A", "Z", "A"]);
    }
}
