//! The picture at the sizes at which faces of growing size fill the cascade's window.

use super::HaarConfig;

/// One size of the pyramid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Pixels of the picture for one of the level.
    pub(super) scale: f32,
    /// Width and height of the level in pixels.
    pub(super) size: (usize, usize),
    /// Width and height of the window in pixels of the picture.
    pub(super) window: (i32, i32),
    /// Columns and rows between windows.
    pub(super) step: usize,
    /// Rows at which windows start: those below.
    pub(super) rows: usize,
    /// Columns at which windows start.
    pub(super) columns: usize,
}

/// The levels that a picture of `size` is searched at, the smallest faces first.
pub(super) fn levels(size: (usize, usize), window: (usize, usize), config: &HaarConfig) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    let mut factor = 1.0_f64;
    loop {
        let side = |pixels: usize| (pixels as f64 * factor).round_ties_even() as usize;
        let (width, height) = (side(window.0), side(window.1));
        let largest = config.max_size.map_or(size, |side| (size.0.min(side as usize), size.1.min(side as usize)));
        if width > largest.0 || height > largest.1 {
            break;
        }
        if width.min(height) >= config.min_size as usize {
            levels.push(level(size, window, factor as f32));
        }
        factor *= config.scale_factor;
    }
    if let Some(first) = levels.first() {
        let stripes = first.columns.div_ceil(32);
        for level in &mut levels {
            level.rows = level.rows.min(searched_rows(level, stripes));
        }
    }
    levels
}

fn level(size: (usize, usize), window: (usize, usize), scale: f32) -> Level {
    let shrunk = |pixels: usize| (pixels as f32 / scale).round_ties_even() as usize;
    let grown = |pixels: usize| (pixels as f32 * scale).round_ties_even() as i32;
    let (width, height) = (shrunk(size.0), shrunk(size.1));
    Level {
        scale,
        size: (width, height),
        window: (grown(window.0), grown(window.1)),
        step: if scale >= 2.0 { 1 } else { 2 },
        rows: (height + 1).saturating_sub(window.1),
        columns: (width + 1).saturating_sub(window.0),
    }
}

/// OpenCV cuts the rows into stripes for its threads, and rounds so that the last row may belong to none. The count of
/// stripes comes from the first level, whatever the number of threads.
fn searched_rows(level: &Level, stripes: usize) -> usize {
    if stripes == 0 {
        return 0;
    }
    let stripe = (level.rows / level.step).div_ceil(stripes).max(1) * level.step;
    stripes * stripe
}

#[cfg(test)]
mod tests {
    use super::super::HaarConfig;
    use super::levels;

    #[test]
    fn levels_go_from_the_smallest_face_to_the_whole_picture() {
        let config = HaarConfig { min_size: 40, ..HaarConfig::default() };
        let levels = levels((640, 480), (24, 24), &config);
        let windows: Vec<i32> = levels.iter().map(|level| level.window.0).collect();
        assert_eq!(windows[..5], [43, 47, 51, 57, 62]);
        assert!(*windows.last().unwrap() <= 480 && f64::from(*windows.last().unwrap()) * 1.1 > 480.0);
        let steps: Vec<usize> = levels.iter().map(|level| level.step).collect();
        assert_eq!(steps[..4], [2, 2, 1, 1]);
        // 24 * 1.1^6 = 42.5
        assert_eq!(levels[0].size, (361, 271));
        assert_eq!((levels[0].columns, levels[0].rows), (361 + 1 - 24, 271 + 1 - 24));
    }

    #[test]
    fn sizes_bound_the_levels() {
        let count = |size, min_size, max_size| {
            let config = HaarConfig { min_size, max_size, ..HaarConfig::default() };
            levels(size, (24, 24), &config).len()
        };
        assert_eq!(count((23, 100), 0, None), 0);
        assert_eq!(count((24, 24), 0, None), 1);
        assert_eq!(count((24, 24), 25, None), 0);
        assert_eq!(count((640, 480), 50, Some(50)), 0);
        assert_eq!(count((640, 480), 40, Some(50)), 2);
    }

    #[test]
    fn an_odd_number_of_rows_may_lose_the_last() {
        // 24 * 1 window, step 2: rows 0, 2, 4 of 5; one stripe of 5 / 2 = 2 steps ends before row 4.
        let config = HaarConfig { min_size: 0, ..HaarConfig::default() };
        let first = levels((24 + 4, 24 + 4), (24, 24), &config)[0];
        assert_eq!((first.step, first.columns, first.rows), (2, 5, 4));
    }
}
