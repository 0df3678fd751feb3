//! From vectors to the scores of the pairs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;

use crate::dataset::LocatedPair;
use crate::faces::{Outcome, cosine};
use crate::metrics::MetricError;
use crate::metrics::verification::{Pair, Pairs};

/// A pair with its fold.
pub(super) type Line<'a> = (usize, &'a LocatedPair);

/// Squared lengths below this are what rounding leaves of a vector without the mean when both are the same: it has no direction.
const NOTHING: f64 = 1e-14;

/// The vectors of both pictures; `None` when one has none.
type Both<'a> = Option<(&'a [f32], &'a [f32])>;

/// Every file that is named, once.
pub(super) fn files(lines: &[Line<'_>]) -> Vec<String> {
    let files: BTreeSet<&String> = lines.iter().flat_map(|(_, pair)| [&pair.first, &pair.second]).collect();
    files.into_iter().cloned().collect()
}

/// The cosines of the pairs. With `subtract_mean` those of what is left when, for each fold that is tried, the mean of the other folds'
/// vectors is subtracted; a pair has no score then when nothing is left of one of its vectors.
///
/// # Errors
/// As [`Pairs::new`]; a pair is named by its line of the list and its pictures.
pub(super) fn score(
    lines: &[Line<'_>],
    (files, outcomes): (&[String], &[Outcome]),
    subtract_mean: bool,
) -> anyhow::Result<Pairs> {
    let at = |error: MetricError| match error {
        MetricError::NotFinite { index, score, .. } if index < lines.len() => {
            let LocatedPair { first, second, line, .. } = lines[index].1;
            anyhow!("line {line} of the list, {first} and {second}: the score is {score}, which is no finite number")
        }
        error => error.into(),
    };
    scored(lines, (files, outcomes), subtract_mean).map_err(at)
}

fn scored(
    lines: &[Line<'_>],
    (files, outcomes): (&[String], &[Outcome]),
    subtract_mean: bool,
) -> Result<Pairs, MetricError> {
    let named = files.iter().zip(outcomes);
    let vectors: BTreeMap<&str, &[f32]> =
        named.filter_map(|(file, outcome)| Some((file.as_str(), outcome.vector()?))).collect();
    let vector = |file: &String| vectors.get(file.as_str()).copied();
    let both: Vec<Both<'_>> =
        lines.iter().map(|(_, pair)| Some((vector(&pair.first)?, vector(&pair.second)?))).collect();
    let plain = lines.iter().zip(&both).map(|((fold, pair), both)| {
        let score = both.map(|(first, second)| cosine(first, second));
        Pair { same: pair.same, fold: *fold, score }
    });
    let plain: Vec<Pair> = plain.collect();
    if !subtract_mean {
        return Pairs::new(plain);
    }
    let folds: BTreeSet<usize> = lines.iter().map(|(fold, _)| *fold).collect();
    let mean_without = |tried: usize| {
        let others = lines.iter().filter(|(fold, _)| *fold != tried);
        (tried, mean(others.flat_map(|(_, pair)| [&pair.first, &pair.second]).filter_map(vector)))
    };
    let means: BTreeMap<usize, Vec<f64>> = folds.into_iter().map(mean_without).collect();
    Pairs::fitted(plain, |index, fold| {
        let (first, second) = both[index]?;
        centred_cosine(first, second, &means[&fold])
    })
}

/// The mean, a picture counted as often as the pairs name it: `np.concatenate([embeddings1[train], embeddings2[train]])` in
/// davidsandberg's facenet. Empty of nothing.
fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Vec<f64> {
    let (mut sum, mut count) = (Vec::new(), 0.0);
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value));
        count += 1.0;
    }
    sum.iter_mut().for_each(|sum| *sum /= count);
    sum
}

/// The cosine of what is left of two vectors without `mean`. (The distance of the two would not change by it, their angle does.)
/// None when nothing is left of one of them.
fn centred_cosine(first: &[f32], second: &[f32], mean: &[f64]) -> Option<f64> {
    let centred = |vector: &[f32]| -> Vec<f64> {
        let mean = mean.iter().copied().chain(std::iter::repeat(0.0));
        vector.iter().zip(mean).map(|(value, mean)| f64::from(*value) - mean).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (first, second) = (centred(first), centred(second));
    let squared = [dot(&first, &first), dot(&second, &second)];
    let directed = !squared.iter().any(|squared| *squared < NOTHING);
    directed.then(|| dot(&first, &second) / (squared[0] * squared[1]).sqrt())
}

#[cfg(test)]
mod tests {
    use super::{Line, files, score};
    use crate::dataset::LocatedPair;
    use crate::faces::{Outcome, Worth};

    fn pair(first: &str, second: &str, same: bool) -> LocatedPair {
        LocatedPair { first: first.to_owned(), second: second.to_owned(), same, line: 0 }
    }

    #[test]
    fn a_vector_of_which_the_mean_leaves_nothing_gives_no_score() {
        // All that the other fold has is the vector of `a`.
        let pairs = [
            (0, pair("a", "b", true)),
            (0, pair("b", "c", false)),
            (1, pair("a", "a", true)),
            (1, pair("a", "d", false)),
        ];
        let found = scores(&pairs, &[Some([1.0, 0.0]), Some([0.0, 1.0]), Some([0.6, 0.8]), None], true);
        let known: Vec<bool> = found.iter().map(Option::is_some).collect();
        assert_eq!(known, [false, true, true, false]);
    }

    #[test]
    fn a_score_that_is_no_number_is_named_by_its_line_and_pictures() {
        let mut pairs = [(0, pair("a.jpg", "b.jpg", true)), (1, pair("a.jpg", "c.jpg", false))];
        (pairs[0].1.line, pairs[1].1.line) = (2, 7);
        let lines: Vec<Line<'_>> = pairs.iter().map(|(fold, pair)| (*fold, pair)).collect();
        let outcomes = [1.0, 1.0, f32::NAN].map(|value| Outcome::Vector(vec![value], Worth::default()));
        let error = |subtract| score(&lines, (&files(&lines), &outcomes), subtract).unwrap_err().to_string();
        assert_eq!(error(false), "line 7 of the list, a.jpg and c.jpg: the score is NaN, which is no finite number");
        assert!(error(true).starts_with("line 2 of the list, a.jpg and b.jpg: the score is NaN"), "{}", error(true));
    }

    fn scores(pairs: &[(usize, LocatedPair)], vectors: &[Option<[f32; 2]>], subtract_mean: bool) -> Vec<Option<f64>> {
        let lines: Vec<Line<'_>> = pairs.iter().map(|(fold, pair)| (*fold, pair)).collect();
        let outcome = |vector: &Option<[f32; 2]>| {
            vector.map_or(Outcome::NoFace, |v| Outcome::Vector(v.to_vec(), Worth::default()))
        };
        let outcomes: Vec<Outcome> = vectors.iter().map(outcome).collect();
        let pairs = score(&lines, (&files(&lines), &outcomes), subtract_mean).unwrap();
        pairs.pairs().iter().map(|pair| pair.score).collect()
    }

    #[test]
    fn cosines_with_and_without_the_mean_of_the_other_folds() {
        let pairs = [
            (0, pair("a", "b", true)),
            (0, pair("a", "e", false)),
            (1, pair("c", "d", true)),
            (1, pair("c", "d", false)),
        ];
        // a to e.
        let vectors = [Some([1.0, 0.0]), Some([0.0, 1.0]), Some([0.6, 0.8]), Some([0.8, 0.6]), None];
        let plain = scores(&pairs, &vectors, false);
        let near =
            |found: Option<f64>, wanted: f64| assert!((found.unwrap() - wanted).abs() < 1e-6, "{found:?} {wanted}");
        near(plain[0], 0.0);
        near(plain[2], 0.96);
        assert_eq!(plain[1], None);
        let centred = scores(&pairs, &vectors, true);
        // Fold 1 has c and d twice: mean (.7, .7), and a, b become (.3, -.7) and (-.7, .3).
        near(centred[0], -0.42 / 0.58);
        assert_eq!(centred[1], None);
        // Fold 0 has a twice and b once: mean (2/3, 1/3), and c, d become (-1/15, 7/15) and (2/15, 4/15).
        near(centred[2], 26.0 / (50.0_f64 * 20.0).sqrt());
    }
}
