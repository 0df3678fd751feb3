//! Windows that show the same face, merged into one box.

use super::search::Window;

/// How far the sides of two windows of one face may lie apart, in parts of their mean size.
const TOLERANCE: f64 = 0.2;

/// A face with the number of windows that agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) window: Window,
    pub(super) neighbors: u32,
}

/// Merges windows like each other and keeps groups of more than `min_neighbors`; 0 merges nothing. A small box inside
/// one with more windows goes.
pub(super) fn group(windows: &[Window], min_neighbors: u32) -> Vec<Group> {
    if min_neighbors == 0 {
        return windows.iter().map(|&window| Group { window, neighbors: 1 }).collect();
    }
    let mut groups = merged(windows);
    groups.retain(|group| group.neighbors > min_neighbors);
    let inside_another = |at: usize, inner: &Group| {
        groups.iter().enumerate().any(|(index, outer)| {
            let more = outer.neighbors > inner.neighbors.max(3) || inner.neighbors < 3;
            index != at && more && contains(&outer.window, &inner.window)
        })
    };
    let kept = groups.iter().enumerate().filter(|(at, group)| !inside_another(*at, group));
    kept.map(|(_, group)| *group).collect()
}

/// The mean window of each class of windows that are alike, directly or through others.
fn merged(windows: &[Window]) -> Vec<Group> {
    let mut classes = Classes::new(windows.len());
    for (first, window) in windows.iter().enumerate() {
        for (second, other) in windows.iter().enumerate().skip(first + 1) {
            if alike(window, other) {
                classes.join(first, second);
            }
        }
    }
    let mut sums = vec![([0_i64; 4], 0_u32); windows.len()];
    for (index, window) in windows.iter().enumerate() {
        let (sum, count) = &mut sums[classes.root(index)];
        for (total, side) in sum.iter_mut().zip([window.x, window.y, window.width, window.height]) {
            *total += i64::from(side);
        }
        *count += 1;
    }
    let mean = |(sum, neighbors): ([i64; 4], u32)| {
        // In single precision, as OpenCV has it.
        let part = 1.0 / neighbors as f32;
        let [x, y, width, height] = sum.map(|total| (total as f32 * part).round_ties_even() as i32);
        Group { window: Window { x, y, width, height }, neighbors }
    };
    sums.into_iter().filter(|(_, neighbors)| *neighbors > 0).map(mean).collect()
}

fn alike(a: &Window, b: &Window) -> bool {
    let delta = TOLERANCE * f64::from(a.width.min(b.width) + a.height.min(b.height)) * 0.5;
    let near = |a: i32, b: i32| f64::from(a.abs_diff(b)) <= delta;
    near(a.x, b.x) && near(a.y, b.y) && near(a.x + a.width, b.x + b.width) && near(a.y + a.height, b.y + b.height)
}

fn contains(outer: &Window, inner: &Window) -> bool {
    let slack = |side: i32| (f64::from(side) * TOLERANCE).round_ties_even() as i32;
    let (dx, dy) = (slack(outer.width), slack(outer.height));
    inner.x >= outer.x - dx
        && inner.y >= outer.y - dy
        && inner.x + inner.width <= outer.x + outer.width + dx
        && inner.y + inner.height <= outer.y + outer.height + dy
}

/// Disjoint sets.
struct Classes {
    parents: Vec<usize>,
}

impl Classes {
    fn new(count: usize) -> Self {
        Self { parents: (0..count).collect() }
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.parents[index] != index {
            self.parents[index] = self.parents[self.parents[index]];
            index = self.parents[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    use super::super::search::Window;
    use super::{Group, group};

    fn window(x: i32, y: i32, side: i32) -> Window {
        Window { x, y, width: side, height: side }
    }

    #[test]
    fn alike_windows_become_their_mean() {
        let windows = [window(10, 10, 40), window(12, 10, 40), window(200, 10, 40), window(13, 11, 44)];
        let groups = group(&windows, 1);
        // (35 / 3, 31 / 3, 124 / 3) = (11.67, 10.33, 41.33)
        assert_eq!(groups, [Group { window: window(12, 10, 41), neighbors: 3 }]);
        assert_eq!(group(&windows, 0).len(), 4);
        assert!(group(&windows, 3).is_empty());
        assert!(group(&[], 1).is_empty());
    }

    #[test]
    fn a_chain_is_one_face() {
        // The first and the last are not alike, each is like the one between.
        let groups = group(&[window(0, 0, 40), window(8, 0, 40), window(16, 0, 40)], 1);
        assert_eq!(groups, [Group { window: window(8, 0, 40), neighbors: 3 }]);
    }

    #[test]
    fn a_box_inside_one_with_more_windows_goes() {
        let mut windows = vec![window(20, 20, 30); 4];
        windows.extend([window(0, 0, 100); 5]);
        assert_eq!(group(&windows, 1), [Group { window: window(0, 0, 100), neighbors: 5 }]);
        windows.extend([window(20, 20, 30); 4]);
        assert_eq!(group(&windows, 1).len(), 2);
    }

    fn many() -> impl Strategy<Value = Vec<Window>> {
        let one = (0_i32..60, 0_i32..60, 20_i32..60).prop_map(|(x, y, side)| window(x, y, side));
        proptest::collection::vec(one, 0..60)
    }

    fn sorted(mut groups: Vec<Group>) -> Vec<Group> {
        groups.sort_by_key(|group| (group.window.x, group.window.y, group.window.width, group.neighbors));
        groups
    }

    proptest! {
        /// Why the count can be the score of a precision-recall curve: its thresholds are OpenCV's own operating points.
        #[test]
        fn a_threshold_on_the_count_is_min_neighbors(windows in many(), threshold in 1_u32..12) {
            let mut above = group(&windows, 1);
            above.retain(|group| group.neighbors > threshold);
            prop_assert_eq!(sorted(above), sorted(group(&windows, threshold)));
        }

        #[test]
        fn the_order_of_windows_does_not_matter(windows in many()) {
            let backwards: Vec<Window> = windows.iter().rev().copied().collect();
            prop_assert_eq!(sorted(group(&windows, 2)), sorted(group(&backwards, 2)));
        }
    }
}
