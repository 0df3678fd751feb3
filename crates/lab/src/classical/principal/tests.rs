//! Tests against components that can be written down.

use ndarray::array;

use super::*;

/// Points along (3, 4), with less across: the components are known.
#[test]
fn components_point_along_the_variance() {
    let along = [3.0 / 5.0, 4.0 / 5.0];
    let across = [-4.0 / 5.0, 3.0 / 5.0];
    let at = |a: f64, b: f64| [1.0 + a * along[0] + b * across[0], 2.0 + a * along[1] + b * across[1]];
    let rows = Array2::from(vec![at(5.0, 0.0), at(-5.0, 0.0), at(0.0, 1.0), at(0.0, -1.0)]);
    let principal = Principal::fit(&rows, 2, false).unwrap();
    assert!((principal.mean[0] - 1.0).abs() < 1e-9 && (principal.mean[1] - 2.0).abs() < 1e-9);
    for (found, expected) in principal.components.outer_iter().zip([along, across]) {
        let cosine = found[0] * expected[0] + found[1] * expected[1];
        assert!((cosine.abs() - 1.0).abs() < 1e-9, "{found}");
    }
    let one = Principal::fit(&rows, 1, false).unwrap();
    // 50 of 52.
    assert!((one.learned()[1].1 - 50.0 / 52.0).abs() < 1e-9);
    assert_eq!(one.learned()[0], ("components", 1.0));
    assert!((one.project(&[4.0, 6.0])[0].abs() - 5.0).abs() < 1e-6);
    assert_eq!(one.bytes(), 4 * 8);
}

fn noise(rows: usize, columns: usize) -> Array2<f64> {
    let mut state = 7_u64;
    Array2::from_shape_simple_fn((rows, columns), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}

/// More pixels than pictures, more pictures than pixels, and nearly all components asked for.
#[test]
fn components_are_at_right_angles_and_lose_nothing() {
    for (count, width, most) in
        [(30, 200, 29), (200, 30, 30), (60, 90, 40), (12, 12, 11), (100, 500, 99), (40, 10, 150)]
    {
        let rows = noise(count, width);
        let principal = Principal::fit(&rows, most, false).unwrap();
        let product = principal.components.dot(&principal.components.t());
        let identity = Array2::<f64>::eye(most.min(width));
        let off = (&product - &identity).iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        assert!(off < 1e-8, "{count}x{width}: {off}");
        if most >= (count - 1).min(width) {
            let points = principal.project_all(rows.clone());
            let back = points.dot(&principal.components) + &principal.mean;
            let off = (&back - &rows).iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            assert!(off < 1e-8, "{count}x{width}: {off}");
        }
    }
}

#[test]
fn whitened_components_have_variance_one() {
    let rows = noise(80, 120);
    let points = Principal::fit(&rows, 60, true).unwrap().project_all(rows);
    let covariance = points.t().dot(&points) / 79.0;
    let off = (&covariance - &Array2::<f64>::eye(60)).iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    assert!(off < 1e-8, "{off}");
}

#[test]
fn components_without_variance_are_dropped() {
    // Four points on a plane in four dimensions.
    let rows = array![[0.0, 0.0, 1.0, 2.0], [1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 2.0], [1.0, 1.0, 1.0, 2.0]];
    let principal = Principal::fit(&rows, 3, true).unwrap();
    assert_eq!(principal.learned()[0], ("components", 2.0));
    assert!((principal.learned()[1].1 - 1.0).abs() < 1e-9);
    assert!(principal.project(&[9.0, -9.0, 9.0, 9.0]).iter().all(|value| value.is_finite()));
}

#[test]
fn the_same_rows_give_the_same_components() {
    let rows = noise(50, 70);
    let (one, two) = (Principal::fit(&rows, 20, true).unwrap(), Principal::fit(&rows, 20, true).unwrap());
    assert_eq!(one.components, two.components);
}

#[test]
fn equal_rows_have_no_components() {
    assert_eq!(Principal::fit(&Array2::ones((5, 4)), 2, false).err(), Some(ClassicalError::NoVariance));
}
