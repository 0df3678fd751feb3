//! A picture under way: what the plotting library draws, in pixels of the page.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    Circle, Color as _, DrawingArea, FontTransform, IntoDrawingArea as _, PathElement, Polygon, Rectangle, SVGBackend,
    ShapeStyle, TextStyle,
};
use plotters::style::IntoFont as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::Paint;
use crate::report::text::clean;

/// The library counts in whole units; four to a pixel keep curves smooth.
pub(super) const UNIT: u32 = 4;
const UNITS: f64 = UNIT as f64;
/// What the library divides a font's size by.
const FONT_SCALE: f64 = 1.24;

pub(super) type Failure = DrawingAreaErrorKind<io::Error>;
pub(super) type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The plotting library could not draw.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw: {0}")]
pub struct DrawError(String);

/// Pixels in the library's units.
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate, and no picture is that large")]
pub(super) fn units(pixels: f64) -> i32 {
    (pixels * UNITS).round() as i32
}

/// Where text stands around its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Begins there.
    Left,
    /// Is centred there.
    Middle,
    /// Ends there.
    Right,
    /// Begins there and goes up.
    Up,
    /// Goes up and ends there.
    Down,
}

/// Text of a size in pixels, centred on its height.
pub(super) fn font(size: f64, paint: Paint, anchor: Anchor) -> TextStyle<'static> {
    let (across, turn) = match anchor {
        Anchor::Left => (HPos::Left, FontTransform::None),
        Anchor::Middle => (HPos::Center, FontTransform::None),
        Anchor::Right => (HPos::Right, FontTransform::None),
        Anchor::Up => (HPos::Left, FontTransform::Rotate270),
        Anchor::Down => (HPos::Right, FontTransform::Rotate270),
    };
    let font = ("sans-serif", size * UNITS * FONT_SCALE).into_font().transform(turn);
    TextStyle { font, color: paint.rgb().to_backend_color(), pos: Pos::new(across, VPos::Center) }
}

/// A line of a width in pixels.
pub(super) fn stroke(paint: Paint, width: f64) -> ShapeStyle {
    paint.rgb().stroke_width(units(width).unsigned_abs())
}

/// A filled area.
pub(super) fn fill(paint: Paint, opacity: f64) -> ShapeStyle {
    paint.rgb().mix(opacity).filled()
}

/// Draws in pixels from the upper left.
pub(super) struct Canvas<'a> {
    pub(super) root: Root<'a>,
}

impl Canvas<'_> {
    pub(super) fn text(&self, text: &str, style: &TextStyle<'_>, at: (f64, f64)) -> Result<(), Failure> {
        self.root.draw_text(&clean(text), style, point(at))
    }

    pub(super) fn line(&self, points: &[(f64, f64)], style: ShapeStyle) -> Result<(), Failure> {
        self.root.draw(&PathElement::new(points.iter().copied().map(point).collect::<Vec<_>>(), style))
    }

    pub(super) fn rectangle(&self, from: (f64, f64), to: (f64, f64), style: ShapeStyle) -> Result<(), Failure> {
        self.root.draw(&Rectangle::new([point(from), point(to)], style))
    }

    pub(super) fn polygon(&self, points: &[(f64, f64)], style: ShapeStyle) -> Result<(), Failure> {
        self.root.draw(&Polygon::new(points.iter().copied().map(point).collect::<Vec<_>>(), style))
    }

    pub(super) fn dot(&self, at: (f64, f64), radius: f64, paint: Paint) -> Result<(), Failure> {
        self.root.draw(&Circle::new(point(at), units(radius), fill(paint, 1.0)))
    }
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (units(x), units(y))
}

/// A picture of so many pixels as SVG to put into a page. `label` is read to who does not see it.
pub(super) fn draw(
    (width, height): (u32, u32),
    label: &str,
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), Failure>,
) -> Result<String, DrawError> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (width * UNIT, height * UNIT)).into_drawing_area();
        let canvas = Canvas { root };
        paint(&canvas).and_then(|()| canvas.root.present()).map_err(|error| DrawError(error.to_string()))?;
    }
    let body = text.split_once('>').map_or("", |(_, body)| body);
    Ok(format!(
        "<svg class=\"plot\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {} {}\" \
         style=\"--width:{width}px\" font-family=\"sans-serif\">{body}",
        crate::report::text::escape(label),
        width * UNIT,
        height * UNIT
    ))
}

#[cfg(test)]
mod tests {
    use super::{Anchor, draw, font};
    use crate::report::plot::palette::INK;

    #[test]
    fn text_in_a_picture_is_escaped() {
        let svg = draw((100, 50), "a \"label\"", |canvas| {
            canvas.text("<script>&\u{7}", &font(12.0, INK, Anchor::Left), (1.0, 2.0))
        });
        let svg = svg.unwrap();
        assert!(svg.contains("&lt;script&gt;&amp;\u{fffd}"), "{svg}");
        assert!(svg.contains("aria-label=\"a &quot;label&quot;\"") && svg.contains("viewBox=\"0 0 400 200\""), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"));
    }
}
