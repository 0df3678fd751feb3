//! Scores of two groups, one over the other.

use super::axis::{Axis, shown};
use super::canvas::{self, Canvas, DrawError, Failure, fill, stroke};
use super::frame::{self, Frame, Mark};
use super::palette::{Paint, series};
use crate::report::figure::{Figure, Key};

const SIZE: (u32, u32) = (760, 400);
const BINS: usize = 60;

/// What a histogram is called, and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// Above it.
    pub title: &'a str,
    /// Below the title.
    pub about: &'a str,
    /// What the scores are.
    pub score: &'a str,
    /// What has them, as in `pairs`.
    pub of: &'a str,
}

/// The scores of pairs of the same and of different people.
///
/// # Errors
/// When the plotting library fails.
pub fn scores(same: &[f64], different: &[f64], marks: &[Mark]) -> Result<Figure, DrawError> {
    let words = Words {
        title: "Scores of same and different",
        about: "The less the two overlap, the better a threshold can part them.",
        score: "score",
        of: "pairs",
    };
    histogram(words, [("same", same), ("different", different)], marks)
}

/// How often each score comes up in either group, as a share of that group: the groups may differ in size. Scores that
/// are not finite are left out and counted under the picture.
///
/// # Errors
/// When the plotting library fails.
pub fn histogram(words: Words<'_>, groups: [(&str, &[f64]); 2], marks: &[Mark]) -> Result<Figure, DrawError> {
    let [(name, same), (other, different)] = groups;
    let figure = Figure::new(words.title, words.about);
    let all = || same.iter().chain(different).copied().filter(|score| shown(*score));
    let Some((low, high)) = all().map(|score| (score, score)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
        return Ok(figure);
    };
    let x = Axis::linear(words.score, low, high, 8);
    let groups = [Group::new(other, different, series(4), &x), Group::new(name, same, series(0), &x)];
    let most = groups.iter().flat_map(|group| &group.shares).copied().fold(0.0, f64::max);
    let y = Axis::linear(&format!("share of {}", words.of), 0.0, most, 5);
    let svg = canvas::draw(SIZE, words.title, |canvas| {
        let frame = Frame::new(canvas, SIZE, (&x, &y), marks)?;
        groups.iter().try_for_each(|group| group.area(canvas, &frame))?;
        groups.iter().try_for_each(|group| group.outline(&frame))
    })?;
    let mut keys: Vec<Key> = groups.iter().rev().map(|group| group.key(words.of)).collect();
    keys.extend(frame::keys(marks, &x));
    let lost = same.len() + different.len() - all().count();
    let figure = figure.drawn(svg, keys);
    Ok(if lost > 0 {
        figure.note(&format!("Scores left out because they are not numbers that can be shown: {lost}."))
    } else {
        figure
    })
}

struct Group<'a> {
    name: &'a str,
    count: usize,
    paint: Paint,
    /// Of each bin, from the left end of the axis to the right one.
    shares: Vec<f64>,
    ends: (f64, f64),
}

impl<'a> Group<'a> {
    fn new(name: &'a str, scores: &[f64], paint: Paint, x: &Axis) -> Self {
        let mut bins = [0_u32; BINS];
        let finite = scores.iter().filter(|score| shown(**score));
        for score in finite {
            let bin = &mut bins[bin(x.fraction(*score))];
            *bin = bin.saturating_add(1);
        }
        let total: u32 = bins.iter().sum();
        let shares = bins.iter().map(|count| f64::from(*count) / f64::from(total.max(1))).collect();
        Self { name, count: total as usize, paint, shares, ends: (x.from, x.to) }
    }

    /// The corners of the bins, from the first bin that has a score to the last.
    fn corners(&self) -> Vec<(f64, f64)> {
        let first = self.shares.iter().position(|share| *share > 0.0);
        let last = self.shares.iter().rposition(|share| *share > 0.0);
        let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
        let width = (self.ends.1 - self.ends.0) / BINS as f64;
        let edge = |bin: usize| self.ends.0 + bin as f64 * width;
        let mut corners = vec![(edge(first), 0.0)];
        for (bin, share) in self.shares.iter().enumerate().take(last + 1).skip(first) {
            corners.extend([(edge(bin), *share), (edge(bin + 1), *share)]);
        }
        corners.push((edge(last + 1), 0.0));
        corners.dedup();
        corners
    }

    fn area(&self, canvas: &Canvas<'_>, frame: &Frame<'_, '_>) -> Result<(), Failure> {
        let corners: Vec<_> = self.corners().into_iter().map(|corner| frame.pixel(corner)).collect();
        if corners.is_empty() { Ok(()) } else { canvas.polygon(&corners, fill(self.paint, 0.3)) }
    }

    fn outline(&self, frame: &Frame<'_, '_>) -> Result<(), Failure> {
        let corners = self.corners();
        if corners.is_empty() { Ok(()) } else { frame.line(&corners, stroke(self.paint, 1.5)) }
    }

    fn key(&self, of: &str) -> Key {
        Key::area(self.paint, self.name, &format!("{of}: {}", self.count))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
fn bin(fraction: f64) -> usize {
    (fraction * BINS as f64).floor().clamp(0.0, (BINS - 1) as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::{BINS, Group, bin, scores};
    use crate::report::plot::axis::Axis;
    use crate::report::plot::palette::series;

    #[test]
    fn shares_of_a_group_add_up_and_the_ends_belong_to_the_axis() {
        let group = Group::new("same", &[0.0, 0.25, 0.25, 1.0, f64::NAN], series(0), &Axis::linear("", 0.0, 1.0, 5));
        assert!((group.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!((group.shares[0], group.shares[BINS / 4], group.shares[BINS - 1]), (0.25, 0.5, 0.25));
        assert_eq!((bin(-3.0), bin(9.0)), (0, BINS - 1));
    }

    #[test]
    fn nothing_one_score_and_no_number() {
        assert!(scores(&[], &[f64::NAN], &[]).unwrap().html().contains("Nothing to draw"));
        let html = scores(&[0.5], &[f64::INFINITY], &[]).unwrap().html();
        assert!(["pairs: 1<", "pairs: 0<", "can be shown: 1."].iter().all(|text| html.contains(text)), "{html}");
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
    }
}
