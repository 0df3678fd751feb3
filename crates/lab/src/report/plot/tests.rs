//! What holds for every plot, whatever it is given.

use proptest::prelude::*;

use super::{Confusion, Curve, Mark, Spot, confusion, det, loss, precision_recall, roc, scores, speed};
use crate::report::Figure;

fn value() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0, 0.0, 1.0, 1e15];
    prop_oneof![4 => 0.0..=1.0_f64, 1 => -1e6..1e6_f64, 1 => proptest::sample::select(odd.to_vec()), 1 => any::<f64>()]
}

fn curves() -> impl Strategy<Value = Vec<Curve>> {
    let points = proptest::collection::vec((value(), value()), 0..30);
    proptest::collection::vec(points.prop_map(|points| Curve::new("m", points)), 0..4)
}

/// Every point that is drawn, and the size of the picture.
fn drawn(svg: &str) -> (Vec<(f64, f64)>, (f64, f64)) {
    let values = |key: &str| -> Vec<String> {
        let key = format!(" {key}=\"");
        let parts = svg.split(&key).skip(1);
        parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    let numbers = |key: &str| values(key).into_iter().map(|text| text.parse::<f64>().unwrap()).collect::<Vec<_>>();
    let polylines = values("points").into_iter().flat_map(|points| {
        let pairs = points.split_whitespace().map(|pair| pair.split_once(',').unwrap());
        pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect::<Vec<_>>()
    });
    let pairs = |x: &str, y: &str| numbers(x).into_iter().zip(numbers(y)).collect::<Vec<_>>();
    let points = polylines.chain(pairs("x", "y")).chain(pairs("cx", "cy")).collect();
    let view = values("viewBox")[0].split(' ').map(|number| number.parse().unwrap()).collect::<Vec<f64>>();
    (points, (view[2], view[3]))
}

fn check(figure: &Figure) -> Result<(), TestCaseError> {
    let html = figure.html();
    prop_assert!(!html.contains("NaN") && !html.contains("inf"), "{}", html);
    let Some((_, rest)) = html.split_once("<svg class=\"plot\"") else {
        prop_assert!(html.contains("Nothing to draw."), "{}", html);
        return Ok(());
    };
    let (points, (width, height)) = drawn(rest.split_once("</svg>").unwrap().0);
    prop_assert!(!points.is_empty());
    for (x, y) in points {
        prop_assert!((0.0..=width).contains(&x) && (0.0..=height).contains(&y), "{} {}", x, y);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn curves_stay_inside_their_picture(curves in curves(), at in value()) {
        let marks = [Mark::new("a", at), Mark::new("b", 0.5)];
        for figure in [precision_recall(&curves), roc(&curves, &marks), det(&curves, &marks), loss(&curves, &marks)] {
            check(&figure.unwrap())?;
        }
    }

    #[test]
    fn histograms_stay_inside_their_picture(
        same in proptest::collection::vec(value(), 0..40),
        different in proptest::collection::vec(value(), 0..40),
    ) {
        check(&scores(&same, &different, &[Mark::new("accept", 0.3)]).unwrap())?;
    }

    #[test]
    fn spots_stay_inside_their_picture(spots in proptest::collection::vec((value(), value(), "\\PC{0,60}"), 0..8)) {
        let spots: Vec<Spot> = spots.iter().map(|(x, y, name)| Spot::new(&name.replace("inf", "").replace("NaN", ""), *x, *y)).collect();
        check(&speed(&spots).unwrap())?;
    }

    #[test]
    fn matrices_stay_inside_their_picture(
        counts in proptest::collection::vec(proptest::collection::vec(0_usize..2_000_000, 0..40), 0..40),
        beside in proptest::collection::vec(0_usize..5, 0..40),
    ) {
        let classes: Vec<String> = (0..counts.len()).map(|index| format!("class {index}")).collect();
        check(&confusion(&Confusion::new(&classes, &counts).column("rejected", &beside)).unwrap())?;
    }
}
