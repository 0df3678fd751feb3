//! Speed against false detections: one named point a method.

use super::axis::{Axis, shown};
use super::canvas::{self, Anchor, Canvas, DrawError, Failure, font, stroke};
use super::frame::Frame;
use super::palette::{MUTED, series};
use crate::report::figure::{Figure, Key};
use crate::report::text::{clean, number, shorten, width};

const SIZE: (u32, u32) = (760, 460);
const DOT: f64 = 6.0;
const NAME: f64 = 12.0;
/// The longest name in the picture, in units of its size; the legend has all of it.
const LONGEST: f64 = 17.0;
/// So many times faster, and a logarithmic axis shows more.
const WIDE: f64 = 8.0;

/// How one detector fares.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Its name.
    pub name: String,
    /// Frames per second.
    pub speed: f64,
    /// False detections per image.
    pub false_detections: f64,
}

impl Spot {
    /// A detector's figures.
    #[must_use]
    pub fn new(name: &str, speed: f64, false_detections: f64) -> Self {
        Self { name: clean(name), speed, false_detections }
    }

    fn is_known(&self) -> bool {
        shown(self.speed) && shown(self.false_detections)
    }
}

/// False detections per image over frames per second.
///
/// # Errors
/// When the plotting library fails.
pub fn speed(spots: &[Spot]) -> Result<Figure, DrawError> {
    let figure = Figure::new("Speed and false detections", "The further to the right and the lower, the better.");
    let known: Vec<(usize, &Spot)> = spots.iter().enumerate().filter(|(_, spot)| spot.is_known()).collect();
    let (Some(x), Some(y)) = (axis("frames per second", known.iter().map(|(_, spot)| spot.speed)), {
        axis("false detections per image", known.iter().map(|(_, spot)| spot.false_detections))
    }) else {
        return Ok(figure);
    };
    let svg = canvas::draw(SIZE, "Speed and false detections", |canvas| paint(canvas, &known, (&x, &y)))?;
    let keys = known.iter().map(|(index, spot)| {
        let detail = format!("{} frames/s, {} false/image", number(spot.speed), number(spot.false_detections));
        Key::dot(series(*index), &spot.name, &detail)
    });
    let figure = figure.drawn(svg, keys.collect());
    let unknown = spots.iter().filter(|spot| !spot.is_known());
    Ok(unknown.fold(figure, |figure, spot| figure.note(&format!("{}: not measured.", spot.name))))
}

fn axis(title: &str, values: impl Iterator<Item = f64>) -> Option<Axis> {
    let (low, high) = values.map(|value| (value, value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    // Room for the points that are furthest out.
    Some(if low > 1e-9 && high > low * WIDE {
        Axis::log(title, low * 0.9, high * 1.1)
    } else {
        Axis::linear(title, low.min(0.0), if high > 0.0 { high * 1.08 } else { 1.0 }, 6)
    })
}

fn paint(canvas: &Canvas<'_>, spots: &[(usize, &Spot)], (x, y): (&Axis, &Axis)) -> Result<(), Failure> {
    let frame = Frame::new(canvas, SIZE, (x, y), &[])?;
    let place = |spot: &Spot| frame.pixel((x.scale.place(spot.speed), y.scale.place(spot.false_detections)));
    let centres: Vec<(f64, f64)> = spots.iter().map(|(_, spot)| place(spot)).collect();
    let mut labels = Labels::new(&frame, &centres);
    for ((index, spot), centre) in spots.iter().zip(&centres) {
        let name = shorten(&spot.name, LONGEST);
        let area = labels.find(*centre, width(&name) * NAME);
        if area.is_apart(*centre) {
            canvas.line(&[*centre, area.near(*centre)], stroke(MUTED, 1.0))?;
        }
        let (anchor, at) = area.anchor(*centre);
        canvas.text(&name, &font(NAME, series(*index), anchor), at)?;
    }
    for ((index, _), centre) in spots.iter().zip(&centres) {
        canvas.dot(*centre, DOT, series(*index))?;
    }
    Ok(())
}

/// A rectangle: left, top, right, bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area(f64, f64, f64, f64);

impl Area {
    fn around((x, y): (f64, f64), (width, height): (f64, f64)) -> Self {
        Self(x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0)
    }

    fn shared(&self, other: &Self) -> f64 {
        let across = self.2.min(other.2) - self.0.max(other.0);
        let down = self.3.min(other.3) - self.1.max(other.1);
        across.max(0.0) * down.max(0.0)
    }

    /// How a name stands in it: towards the dot, for it may be narrower than was estimated.
    fn anchor(&self, (x, _): (f64, f64)) -> (Anchor, (f64, f64)) {
        let middle = f64::midpoint(self.1, self.3);
        if self.0 >= x - DOT - 1.0 {
            (Anchor::Left, (self.0, middle))
        } else if self.2 <= x + DOT + 1.0 {
            (Anchor::Right, (self.2, middle))
        } else {
            (Anchor::Middle, (f64::midpoint(self.0, self.2), middle))
        }
    }

    /// Its point nearest to another.
    fn near(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x.clamp(self.0, self.2), y.clamp(self.1, self.3))
    }

    /// Whether it lies so far from a dot that a line has to lead there.
    fn is_apart(&self, centre: (f64, f64)) -> bool {
        let near = self.near(centre);
        (near.0 - centre.0).hypot(near.1 - centre.1) > DOT * 2.5
    }
}

/// Places for names that meet neither dots, nor each other, nor the ends of the plot.
struct Labels {
    plot: Area,
    taken: Vec<Area>,
}

impl Labels {
    fn new(frame: &Frame<'_, '_>, centres: &[(f64, f64)]) -> Self {
        let (across, down) = frame.pixels();
        let dots = centres.iter().map(|centre| Area::around(*centre, (DOT * 2.0 + 2.0, DOT * 2.0 + 2.0)));
        // A name beside a dot on the axis stands in it by half its height.
        Self { plot: Area(across.0, down.0, across.1, down.1 + NAME * 0.7), taken: dots.collect() }
    }

    /// The nearest free place for a name of a width; where none is free, the one that hides least.
    fn find(&mut self, centre: (f64, f64), width: f64) -> Area {
        let size = (width, NAME * 1.3);
        let aside = width / 2.0 + DOT + 4.0;
        let mut best: Option<(f64, Area)> = None;
        for step in 0..14_u8 {
            let away = f64::from(step) * NAME;
            let beside = [(aside, -away), (-aside, -away), (aside, away), (-aside, away)];
            let (start, over) = (width / 2.0 - DOT, away + DOT + NAME);
            let above = [(0.0, -over), (start, -over), (-start, -over), (0.0, over), (start, over), (-start, over)];
            for shift in beside.into_iter().chain(above) {
                let area = Area::around((centre.0 + shift.0, centre.1 + shift.1), size);
                let cost = self.hidden(&area);
                if best.is_none_or(|(least, _)| cost < least - 1e-9) {
                    best = Some((cost, area));
                }
            }
            if best.is_some_and(|(cost, _)| cost <= 1e-9) {
                break;
            }
        }
        let area = best.map_or_else(|| Area::around(centre, size), |(_, area)| area);
        self.taken.push(area);
        area
    }

    /// How much of a place is taken or outside; what is cut off counts more than what is written over.
    fn hidden(&self, area: &Area) -> f64 {
        let whole = (area.2 - area.0) * (area.3 - area.1);
        let outside = whole - area.shared(&self.plot);
        outside * 10.0 + self.taken.iter().map(|other| area.shared(other)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, Labels, Spot, speed};

    #[test]
    fn names_keep_clear_of_each_other_and_of_the_edge() {
        let plot = Area(0.0, 0.0, 700.0, 400.0);
        let centre = (690.0, 200.0);
        let dot = Area::around(centre, (14.0, 14.0));
        let mut labels = Labels { plot, taken: vec![dot; 5] };
        let areas: Vec<Area> = (0..5).map(|_| labels.find(centre, 120.0)).collect();
        for (index, area) in areas.iter().enumerate() {
            assert!(area.0 >= 0.0 && area.2 <= 700.0 && area.1 >= 0.0 && area.3 <= 400.0, "{area:?}");
            assert!(areas[..index].iter().all(|other| area.shared(other) < 1e-9), "{areas:?}");
        }
    }

    #[test]
    fn nothing_one_point_and_no_number() {
        assert!(speed(&[]).unwrap().html().contains("Nothing to draw"));
        let html = speed(&[Spot::new("a", 30.0, 0.0), Spot::new("b<", f64::NAN, 1.0)]).unwrap().html();
        assert_eq!(html.matches("<circle").count(), 2, "one in the picture, one in the legend: {html}");
        assert!(html.contains("b&lt;: not measured.") && !html.contains("NaN"), "{html}");
    }
}
