//! Points made into lines: cut at the ends of the axes, thinned to what a picture can show, broken where a value is
//! missing.

use super::axis::Axis;

/// Beyond every axis that is not linear.
const FAR: f64 = 1e3;

type Point = (f64, f64);

/// Values as lines between places on the axes. A value that is not a number ends a line, and so does none at all on an axis that has no
/// place for it: so many trials cannot tell it from a rate below one in all of them, and a line to the edge would claim the edge's rate.
/// A line of one point is one that stands alone.
pub(super) fn lines(points: &[Point], x: &Axis, y: &Axis) -> Vec<Vec<Point>> {
    let places = points.iter().map(|point| (x.scale.place(point.0), y.scale.place(point.1)));
    let places: Vec<Point> = places.collect();
    let nowhere = |place: f64| place.is_nan() || place == f64::NEG_INFINITY;
    let runs = places.split(|(x, y)| nowhere(*x) || nowhere(*y)).filter(|run| !run.is_empty());
    runs.flat_map(|run| cut(run, x, y)).map(|line| thin(line, x)).collect()
}

/// Between the points of an operating curve nothing was measured: what holds is the last point's second value until
/// the next point's first.
pub(super) fn steps(points: &[Point]) -> Vec<Point> {
    let mut out = Vec::with_capacity(points.len() * 2);
    for point in points {
        if let Some((_, before)) = out.last().copied()
            && before != point.1
        {
            out.push((point.0, before));
        }
        out.push(*point);
    }
    out
}

fn cut(run: &[Point], x: &Axis, y: &Axis) -> Vec<Vec<Point>> {
    let near = |place: f64| if place.is_finite() { place } else { place.signum() * FAR };
    let run: Vec<Point> = run.iter().map(|point| (near(point.0), near(point.1))).collect();
    if let [(px, py)] = run[..] {
        let inside = (x.from..=x.to).contains(&px) && (y.from..=y.to).contains(&py);
        return if inside { vec![run] } else { Vec::new() };
    }
    let mut lines: Vec<Vec<Point>> = Vec::new();
    for pair in run.windows(2) {
        let Some((from, to)) = clip((pair[0], pair[1]), x, y) else { continue };
        match lines.last_mut() {
            Some(line) if line.last() == Some(&from) => line.push(to),
            _ => lines.push(vec![from, to]),
        }
    }
    for line in &mut lines {
        line.dedup();
    }
    lines
}

/// The part of a line between the axes (Liang and Barsky's way).
fn clip((from, to): (Point, Point), x: &Axis, y: &Axis) -> Option<(Point, Point)> {
    let delta = (to.0 - from.0, to.1 - from.1);
    let edges =
        [(-delta.0, from.0 - x.from), (delta.0, x.to - from.0), (-delta.1, from.1 - y.from), (delta.1, y.to - from.1)];
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (slope, distance) in edges {
        if slope == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if slope < 0.0 {
            enter = enter.max(distance / slope);
        } else {
            leave = leave.min(distance / slope);
        }
    }
    let at = |part: f64| match part {
        0.0 => from,
        1.0 => to,
        _ => (from.0 + part * delta.0, from.1 + part * delta.1),
    };
    (enter <= leave).then(|| (at(enter), at(leave)))
}

/// Columns that a picture can tell apart.
const COLUMNS: f64 = 2400.0;

/// Keeps of the points in one column the first, the lowest, the highest and the last, in their order.
fn thin(line: Vec<Point>, x: &Axis) -> Vec<Point> {
    if line.len() < 1000 {
        return line;
    }
    let column = |point: &Point| (x.fraction(point.0) * COLUMNS).floor();
    let mut out = Vec::new();
    for group in line.chunk_by(|a, b| column(a) == column(b)) {
        let last = group.len() - 1;
        let order = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let mut kept = [0, (0..=last).min_by(order).unwrap_or(0), (0..=last).max_by(order).unwrap_or(0), last].to_vec();
        kept.sort_unstable();
        kept.dedup();
        out.extend(kept.into_iter().map(|index| group[index]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{lines, steps};
    use crate::report::plot::axis::{Axis, Scale};

    fn unit() -> Axis {
        Axis::linear("", 0.0, 1.0, 5)
    }

    #[test]
    fn a_line_is_cut_at_the_edges() {
        let cut = lines(&[(-1.0, 0.5), (2.0, 0.5)], &unit(), &unit());
        assert_eq!(cut, [vec![(0.0, 0.5), (1.0, 0.5)]]);
        assert!(lines(&[(-1.0, 2.0), (2.0, 2.0)], &unit(), &unit()).is_empty());
        let two = lines(&[(0.2, 0.0), (0.2, 2.0), (0.6, 2.0), (0.6, 0.0)], &unit(), &unit());
        assert_eq!(two, [vec![(0.2, 0.0), (0.2, 1.0)], vec![(0.6, 1.0), (0.6, 0.0)]]);
    }

    #[test]
    fn what_is_no_number_ends_a_line() {
        let nan = f64::NAN;
        let cut = lines(&[(0.0, nan), (0.1, 0.1), (0.2, 0.2), (nan, 0.3), (0.4, 0.4)], &unit(), &unit());
        assert_eq!(cut, [vec![(0.1, 0.1), (0.2, 0.2)], vec![(0.4, 0.4)]]);
        assert!(lines(&[], &unit(), &unit()).is_empty());
        assert!(lines(&[(nan, nan)], &unit(), &unit()).is_empty());
    }

    #[test]
    fn a_curve_begins_at_its_first_error_where_none_has_no_place() {
        // One error of a hundred is the least that shows, and the axis begins below it.
        let x = Axis::log("", 0.001, 1.0);
        let cut = lines(&steps(&[(0.0, 0.5), (0.01, 0.75), (1.0, 1.0)]), &x, &unit());
        assert_eq!(cut, [vec![(-2.0, 0.5), (-2.0, 0.75), (0.0, 0.75), (0.0, 1.0)]]);
        let y = Axis::deviate("", 0.001, 0.4);
        let cut = lines(&steps(&[(0.0, 0.3), (0.01, 0.2), (0.1, 0.0)]), &y, &y);
        let place = |rate| Scale::Deviate.place(rate);
        let line = [(0.01, 0.3), (0.01, 0.2), (0.1, 0.2)].map(|(far, frr)| (place(far), place(frr)));
        assert_eq!(cut, [line.to_vec()]);
    }

    #[test]
    fn a_hundred_thousand_points_become_few_and_keep_their_extremes() {
        let points: Vec<_> = (0..100_000).map(|i| (f64::from(i) / 1e5, if i == 5_555 { 1.0 } else { 0.5 })).collect();
        let cut = lines(&points, &unit(), &unit());
        assert_eq!(cut.len(), 1);
        assert!(cut[0].len() < 10_000 && cut[0].iter().any(|point| point.1 == 1.0), "{}", cut[0].len());
    }
}
