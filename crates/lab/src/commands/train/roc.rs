//! The trained head itself and what needs no training, on the people who test: the picture beside the comparison of recipes.

use serde::Serialize;

use crate::train::{Embedded, EmbeddingConfig, FeatureSet, Head, Method, TrainError, centred, pca};

/// Points of a curve at most.
const POINTS: usize = 80;

/// Up to which rate of false acceptance curves are drawn.
const HIGHEST: f64 = 0.5;

/// A method's curve on the people who test.
#[derive(Clone, Debug, Serialize)]
pub struct Roc {
    /// Which.
    pub method: Method,
    /// Numbers in a vector.
    pub dimension: usize,
    /// Pairs of the same and of different people.
    pub pairs: (usize, usize),
    /// True acceptance at the rate asked for; none where the pairs cannot show it.
    pub true_accept: Option<f64>,
    /// False acceptance and true acceptance.
    pub curve: Vec<(f64, f64)>,
}

/// One a method; principal components are missing where there are too few vectors for them.
///
/// # Errors
/// When a head does not fit the vectors.
pub(super) fn measure(
    head: &Head,
    (learned, test): (&FeatureSet, &FeatureSet),
    config: &EmbeddingConfig,
) -> Result<Vec<Roc>, TrainError> {
    let known = Method::EVERY.into_iter().filter_map(|method| Some((method, method.head(head, learned, config).ok()?)));
    known.map(|(method, head)| one(method, &head, test, config.false_accept_rate)).collect()
}

/// The share of the variance around the mean of the people learned from that so many of their principal components keep, on the people
/// who test: why fewer numbers may do as well. None where there are too few vectors for them.
///
/// # Errors
/// As [`measure`].
pub(super) fn components_keep(
    (learned, test): (&FeatureSet, &FeatureSet),
    outputs: usize,
) -> Result<Option<f64>, TrainError> {
    let Ok(components) = pca(learned, outputs) else { return Ok(None) };
    let squares = |head: Head| -> Result<f64, TrainError> {
        let rows = Head { unit: false, ..head }.apply(test.rows())?;
        Ok(rows.iter().map(|value| f64::from(*value).powi(2)).sum())
    };
    Ok(Some(squares(components)? / squares(centred(learned)?)?))
}

fn one(method: Method, head: &Head, test: &FeatureSet, rate: f64) -> Result<Roc, TrainError> {
    let rows = head.apply(test.rows())?;
    let mut scores = Embedded { rows: &rows, dimension: head.outputs(), labels: test.labels() }.pair_scores();
    let pairs = (scores.same.len(), scores.different.len());
    let true_accept = scores.at_false_accept(rate).ok().map(|rates| rates.true_accept);
    // From the smallest rate that the pairs can show, evenly on a logarithmic axis.
    let (least, span) = (1.0 / pairs.1 as f64, (HIGHEST * pairs.1 as f64).ln());
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for place in 0..POINTS {
        let asked = least * (span * place as f64 / (POINTS - 1) as f64).exp();
        if let Ok(rates) = scores.at_false_accept(asked.min(HIGHEST)) {
            curve.push((rates.false_accept, rates.true_accept));
        }
    }
    curve.dedup();
    Ok(Roc { method, dimension: head.outputs(), pairs, true_accept, curve })
}

#[cfg(test)]
mod tests {
    use super::{components_keep, measure};
    use crate::train::{EmbeddingConfig, FeatureSet, Method, Sample, identity};

    fn set(people: usize) -> FeatureSet {
        let face = |person: usize, image: usize| Sample {
            person: format!("{person:02}"),
            image: image.to_string(),
            vector: vec![(person as f32).cos(), (person as f32).sin(), 0.1 * image as f32],
        };
        FeatureSet::new((0..people).flat_map(|person| (0..3).map(move |image| face(person, image))).collect()).unwrap()
    }

    #[test]
    fn every_method_has_a_rising_curve_over_all_pairs() {
        let config = EmbeddingConfig { dimension: 2, false_accept_rate: 0.05, ..EmbeddingConfig::default() };
        let curves = measure(&identity(3), (&set(9), &set(8)), &config).unwrap();
        assert_eq!(curves.iter().map(|curve| curve.method).collect::<Vec<_>>(), Method::EVERY);
        for curve in &curves {
            // 8 people of 3: 3 pairs each, of 24 · 23 / 2 in all.
            assert_eq!(curve.pairs, (24, 252));
            assert!(curve.true_accept.is_some());
            assert!(curve.curve.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{:?}", curve.curve);
            assert!(curve.curve.iter().all(|(far, tar)| *far <= 0.5 && *tar <= 1.0));
        }
        assert_eq!(curves[0].curve, curves[4].curve);
    }

    #[test]
    fn all_components_keep_everything_and_fewer_less() {
        let (training, test) = (set(9), set(8));
        let keep = |outputs| components_keep((&training, &test), outputs).unwrap();
        assert!((keep(3).unwrap() - 1.0).abs() < 1e-5, "{:?}", keep(3));
        assert!(keep(1) < keep(2) && keep(2) < keep(3), "{:?} {:?}", keep(1), keep(2));
        assert_eq!(keep(4), None);
    }

    #[test]
    fn what_the_data_cannot_show_is_left_out() {
        let config = EmbeddingConfig { dimension: 20, false_accept_rate: 0.001, ..EmbeddingConfig::default() };
        let curves = measure(&identity(3), (&set(4), &set(3)), &config).unwrap();
        assert_eq!(curves.len(), 4);
        assert!(curves.iter().all(|curve| curve.method != Method::Pca && curve.true_accept.is_none()));
    }
}
