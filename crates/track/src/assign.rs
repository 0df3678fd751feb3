//! The optimal one-to-one assignment: Hungarian method by shortest augmenting paths (Kuhn 1955; Jonker and Volgenant
//! 1987).

/// Pairs rows with columns so that the sum of the chosen weights is the largest possible. `weights` is row-major,
/// `rows * columns` finite values; a weight of 0 or less means that the two do not belong together, and such a pair
/// is never returned. Returns the column of each row.
///
/// # Panics
/// When `weights` does not have `rows * columns` values.
pub(crate) fn assign(rows: usize, columns: usize, weights: &[f32]) -> Vec<Option<usize>> {
    assert_eq!(weights.len(), rows * columns, "one weight for each pair");
    if rows == 0 || columns == 0 {
        return vec![None; rows];
    }
    let mut column_of_row = vec![None; rows];
    // The augmenting step needs at least as many targets as sources.
    if rows <= columns {
        let weight = |row: usize, column: usize| weights[row * columns + column].max(0.0);
        for (column, row) in source_of_targets(rows, columns, weight).into_iter().enumerate() {
            if let Some(row) = row.filter(|&row| weight(row, column) > 0.0) {
                column_of_row[row] = Some(column);
            }
        }
    } else {
        let weight = |column: usize, row: usize| weights[row * columns + column].max(0.0);
        for (row, column) in source_of_targets(columns, rows, weight).into_iter().enumerate() {
            column_of_row[row] = column.filter(|&column| weight(column, row) > 0.0);
        }
    }
    column_of_row
}

/// The source given to each target, for `sources <= targets`. Keeps a price for every source and target such that no
/// pair is worth more than its prices; each new source is placed along the cheapest chain of re-assignments.
fn source_of_targets(sources: usize, targets: usize, weight: impl Fn(usize, usize) -> f32) -> Vec<Option<usize>> {
    // Slot `targets` is no real target: it holds the source that is being placed.
    let mut source_at: Vec<Option<usize>> = vec![None; targets + 1];
    let mut source_price = vec![0.0_f32; sources];
    let mut target_price = vec![0.0_f32; targets + 1];
    for new in 0..sources {
        source_at[targets] = Some(new);
        let mut here = targets;
        let mut slack = vec![f32::INFINITY; targets];
        let mut came_from = vec![targets; targets];
        let mut reached = vec![false; targets + 1];
        while let Some(source) = source_at[here] {
            reached[here] = true;
            let (mut step, mut nearest) = (f32::INFINITY, targets);
            for target in (0..targets).filter(|&t| !reached[t]) {
                let cost = -weight(source, target) - source_price[source] - target_price[target];
                if cost < slack[target] {
                    slack[target] = cost;
                    came_from[target] = here;
                }
                if slack[target] < step {
                    step = slack[target];
                    nearest = target;
                }
            }
            for target in 0..=targets {
                if reached[target] {
                    if let Some(source) = source_at[target] {
                        source_price[source] += step;
                    }
                    target_price[target] -= step;
                } else {
                    slack[target] -= step;
                }
            }
            here = nearest;
        }
        while here != targets {
            let before = came_from[here];
            source_at[here] = source_at[before];
            here = before;
        }
    }
    source_at.truncate(targets);
    source_at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::assign;

    /// Tries everything.
    fn best_total(row: usize, rows: usize, columns: usize, weights: &[f32], taken: &mut Vec<bool>) -> f32 {
        if row == rows {
            return 0.0;
        }
        let mut best = best_total(row + 1, rows, columns, weights, taken);
        for column in 0..columns {
            if !taken[column] {
                taken[column] = true;
                let rest = best_total(row + 1, rows, columns, weights, taken);
                best = best.max(weights[row * columns + column].max(0.0) + rest);
                taken[column] = false;
            }
        }
        best
    }

    #[test]
    fn the_greedy_choice_is_not_always_taken() {
        // Greedy would take (0, 0) at 0.9 and leave row 1 with 0.1.
        assert_eq!(assign(2, 2, &[0.9, 0.8, 0.8, 0.1]), [Some(1), Some(0)]);
    }

    #[test]
    fn pairs_without_weight_stay_apart() {
        assert_eq!(assign(2, 1, &[0.0, 0.5]), [None, Some(0)]);
        assert_eq!(assign(1, 2, &[0.0, 0.0]), [None]);
        assert_eq!(assign(2, 0, &[]), [None, None]);
        assert_eq!(assign(0, 3, &[]), []);
    }

    proptest! {
        #[test]
        fn as_good_as_trying_everything(
            (rows, columns, weights) in (0_usize..6, 0_usize..6).prop_flat_map(|(r, c)| {
                (Just(r), Just(c), prop::collection::vec(-0.3_f32..1.0, r * c))
            })
        ) {
            let found = assign(rows, columns, &weights);
            let mut taken = vec![false; columns];
            let mut total = 0.0;
            for (row, column) in found.iter().enumerate() {
                if let Some(column) = *column {
                    prop_assert!(!taken[column], "column {column} given twice");
                    taken[column] = true;
                    prop_assert!(weights[row * columns + column] > 0.0);
                    total += weights[row * columns + column];
                }
            }
            let best = best_total(0, rows, columns, &weights, &mut vec![false; columns]);
            prop_assert!((total - best).abs() < 1e-4, "{total} instead of {best}");
        }
    }
}
