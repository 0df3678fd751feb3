//! Triplets and their loss: an anchor shall be nearer to every face of its person than to any other face, by a margin.
//!
//! Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering", 2015, equation 3: the loss of a triplet is
//! `max(0, |a - p|² - |a - n|² + margin)` on unit vectors. Triplets are selected online, within the batch (section 3.2).

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::train::error::TrainError;

/// Which triplets of a batch are learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// For every anchor its farthest positive and its nearest negative (Hermans et al., "In Defense of the Triplet Loss for
    /// Person Re-Identification", 2017, "batch hard").
    Hard,
    /// For every anchor and positive the nearest negative that is farther than the positive, but by less than the margin
    /// (FaceNet, section 3.2). A pair without one gives no triplet.
    SemiHard,
    /// Every triplet whose loss is not zero (Hermans et al., "batch all", averaged over those).
    All,
}

/// Three faces of a batch, by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Triplet {
    /// The face that the others are compared with.
    pub(crate) anchor: usize,
    /// Another face of the same person.
    pub(crate) positive: usize,
    /// A face of somebody else.
    pub(crate) negative: usize,
}

/// What a selection found. The loss is the mean over `triplets`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    /// The triplets.
    pub(crate) triplets: Vec<Triplet>,
    /// Those of them whose loss is above zero.
    pub(crate) active: usize,
    /// How many there could have been: anchors for `hard`, pairs of anchor and positive for `semi-hard`, triplets for `all`.
    pub(crate) candidates: usize,
}

/// Squared distances between the faces of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distances<'a> {
    /// Row by row, as many columns as rows.
    pub(crate) squared: &'a [f32],
    /// The person of every row.
    pub(crate) labels: &'a [u32],
    /// By how much a negative shall be farther than a positive.
    pub(crate) margin: f64,
}

impl Distances<'_> {
    /// The triplets of a batch. Equal distances are decided by the first row, so that the same batch gives the same triplets.
    #[must_use]
    pub(crate) fn select(&self, selection: Selection) -> Selected {
        let mut found = Selected::default();
        for anchor in 0..self.labels.len() {
            match selection {
                Selection::Hard => self.hard(anchor, &mut found),
                Selection::SemiHard => self.semi_hard(anchor, &mut found),
                Selection::All => self.all(anchor, &mut found),
            }
        }
        found
    }

    /// The mean loss over all triplets, those without loss included; nothing where there is none.
    #[must_use]
    pub(crate) fn mean_loss(&self) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0_usize);
        for anchor in 0..self.labels.len() {
            for positive in self.positives(anchor) {
                for negative in self.negatives(anchor) {
                    sum += self.loss(Triplet { anchor, positive, negative }).max(0.0);
                    count += 1;
                }
            }
        }
        (count > 0).then(|| sum / count as f64)
    }

    fn hard(&self, anchor: usize, found: &mut Selected) {
        // Both closures keep the first of equals: `max_by` would keep the last.
        let farthest = self.positives(anchor).min_by(|a, b| self.at(anchor, *b).total_cmp(&self.at(anchor, *a)));
        let nearest = self.negatives(anchor).min_by(|a, b| self.at(anchor, *a).total_cmp(&self.at(anchor, *b)));
        let (Some(positive), Some(negative)) = (farthest, nearest) else { return };
        let triplet = Triplet { anchor, positive, negative };
        found.candidates += 1;
        found.active += usize::from(self.loss(triplet) > 0.0);
        found.triplets.push(triplet);
    }

    fn semi_hard(&self, anchor: usize, found: &mut Selected) {
        for positive in self.positives(anchor) {
            let farther = |negative: &usize| self.at(anchor, *negative) > self.at(anchor, positive);
            let nearest = self.negatives(anchor).filter(farther);
            let nearest = nearest.min_by(|a, b| self.at(anchor, *a).total_cmp(&self.at(anchor, *b)));
            found.candidates += 1;
            let triplet = nearest.map(|negative| Triplet { anchor, positive, negative });
            let Some(triplet) = triplet.filter(|triplet| self.loss(*triplet) > 0.0) else { continue };
            found.active += 1;
            found.triplets.push(triplet);
        }
    }

    fn all(&self, anchor: usize, found: &mut Selected) {
        for positive in self.positives(anchor) {
            for negative in self.negatives(anchor) {
                let triplet = Triplet { anchor, positive, negative };
                found.candidates += 1;
                if self.loss(triplet) > 0.0 {
                    found.active += 1;
                    found.triplets.push(triplet);
                }
            }
        }
    }

    /// The loss of a triplet; negative where it keeps the margin.
    fn loss(&self, triplet: Triplet) -> f64 {
        f64::from(self.at(triplet.anchor, triplet.positive)) - f64::from(self.at(triplet.anchor, triplet.negative))
            + self.margin
    }

    fn at(&self, a: usize, b: usize) -> f32 {
        self.squared[a * self.labels.len() + b]
    }

    fn positives(&self, anchor: usize) -> impl Iterator<Item = usize> {
        (0..self.labels.len()).filter(move |row| *row != anchor && self.labels[*row] == self.labels[anchor])
    }

    fn negatives(&self, anchor: usize) -> impl Iterator<Item = usize> {
        (0..self.labels.len()).filter(move |row| self.labels[*row] != self.labels[anchor])
    }
}

/// Squared distances between the rows of `vectors`, which have length 1: `|a - b|² = 2 - 2 a·b`.
pub(crate) fn squared_distances(vectors: &Tensor) -> Result<Tensor, TrainError> {
    Ok(vectors.matmul(&vectors.t()?)?.affine(-2.0, 2.0)?)
}

/// The mean loss over `triplets`, of which there is at least one, as a tensor that knows its gradient.
pub(crate) fn triplet_loss(squared: &Tensor, triplets: &[Triplet], margin: f64) -> Result<Tensor, TrainError> {
    let rows = squared.dim(0)?;
    let flat = squared.flatten_all()?;
    let take = |other: fn(&Triplet) -> usize| -> Result<Tensor, TrainError> {
        let places = triplets.iter().map(|triplet| (triplet.anchor * rows + other(triplet)) as u32);
        let places = Tensor::from_vec(places.collect::<Vec<u32>>(), triplets.len(), &Device::Cpu)?;
        Ok(flat.index_select(&places, 0)?)
    };
    let gap = take(|triplet| triplet.positive)?.sub(&take(|triplet| triplet.negative)?)?;
    Ok(gap.affine(1.0, margin)?.relu()?.mean_all()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two people, a (rows 0, 1, 2) and b (rows 3, 4), with distances chosen so that every selection has another answer.
    #[rustfmt::skip]
    const SQUARED: [f32; 25] = [
        0.00, 0.10, 0.50,  0.25, 0.90,
        0.10, 0.00, 0.30,  0.80, 1.00,
        0.50, 0.30, 0.00,  0.60, 0.55,
        0.25, 0.80, 0.60,  0.00, 0.40,
        0.90, 1.00, 0.55,  0.40, 0.00,
    ];

    const LABELS: [u32; 5] = [0, 0, 0, 1, 1];

    fn distances() -> Distances<'static> {
        Distances { squared: &SQUARED, labels: &LABELS, margin: 0.2 }
    }

    fn plain(selected: &Selected) -> Vec<[usize; 3]> {
        selected.triplets.iter().map(|triplet| [triplet.anchor, triplet.positive, triplet.negative]).collect()
    }

    /// The loss of the selected triplets, by the tensors.
    fn loss(selected: &Selected) -> f64 {
        let squared = Tensor::from_slice(&SQUARED, (5, 5), &Device::Cpu).unwrap();
        let loss = triplet_loss(&squared, &selected.triplets, 0.2).unwrap();
        f64::from(loss.to_scalar::<f32>().unwrap())
    }

    #[test]
    fn hard_takes_the_farthest_positive_and_the_nearest_negative() {
        let selected = distances().select(Selection::Hard);
        assert_eq!(plain(&selected), [[0, 2, 3], [1, 2, 3], [2, 0, 4], [3, 4, 0], [4, 3, 2]]);
        assert_eq!((selected.active, selected.candidates), (4, 5));
        // .50-.25+.2 = .45; .30-.80+.2 < 0; .50-.55+.2 = .15; .40-.25+.2 = .35; .40-.55+.2 = .05: 1.00 in five
        assert!((loss(&selected) - 0.2).abs() < 1e-6, "{}", loss(&selected));
    }

    #[test]
    fn semi_hard_takes_the_nearest_negative_inside_the_margin() {
        let selected = distances().select(Selection::SemiHard);
        // (0,1): .25 lies in .10 to .30. (0,2): .90 is the first above .50, outside. (1,0), (1,2): none. (2,0): .55 lies in .50
        // to .70. (2,1): .55 is outside .30 to .50. (3,4): .60 is on the edge of .40 to .60. (4,3): .55 lies in .40 to .60.
        assert_eq!(plain(&selected), [[0, 1, 3], [2, 0, 4], [4, 3, 2]]);
        assert_eq!((selected.active, selected.candidates), (3, 8));
        // .10-.25+.2 = .05; .15; .05: .25 in three
        assert!((loss(&selected) - 0.25 / 3.0).abs() < 1e-6, "{}", loss(&selected));
    }

    #[test]
    fn all_takes_every_triplet_with_a_loss() {
        let selected = distances().select(Selection::All);
        let wanted = [[0, 1, 3], [0, 2, 3], [2, 0, 3], [2, 0, 4], [3, 4, 0], [4, 3, 2]];
        assert_eq!(plain(&selected), wanted);
        // Six pairs of a with two negatives each, two pairs of b with three.
        assert_eq!((selected.active, selected.candidates), (6, 18));
        // .05, .45, .10, .15, .35, .05: 1.15
        assert!((loss(&selected) - 1.15 / 6.0).abs() < 1e-6, "{}", loss(&selected));
        assert!((distances().mean_loss().unwrap() - 1.15 / 18.0).abs() < 1e-7);
    }

    #[test]
    fn without_positives_or_negatives_there_is_no_triplet() {
        for labels in [[0, 1, 2, 3, 4], [0, 0, 0, 0, 0]] {
            let distances = Distances { squared: &SQUARED, labels: &labels, margin: 0.2 };
            for selection in [Selection::Hard, Selection::SemiHard, Selection::All] {
                assert!(distances.select(selection).triplets.is_empty());
            }
            assert_eq!(distances.mean_loss(), None);
        }
    }

    #[test]
    fn equal_distances_are_decided_by_the_first_row() {
        let distances = Distances { squared: &[1.0; 25], labels: &LABELS, margin: 0.2 };
        let selected = distances.select(Selection::Hard);
        assert_eq!(plain(&selected), [[0, 1, 3], [1, 0, 3], [2, 0, 3], [3, 4, 0], [4, 3, 0]]);
        // A negative as far as the positive is not farther.
        assert!(distances.select(Selection::SemiHard).triplets.is_empty());
    }

    #[test]
    fn squared_distances_of_unit_vectors() {
        let vectors = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 1.0, -1.0, 0.0], (3, 2), &Device::Cpu).unwrap();
        let squared = squared_distances(&vectors).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(squared, [0.0, 2.0, 4.0, 2.0, 0.0, 2.0, 4.0, 2.0, 0.0]);
    }

    proptest! {
        /// Against the definitions, word by word.
        #[test]
        fn selections_keep_their_definition(
            squared in prop::collection::vec(0.0_f32..4.0, 64), labels in prop::collection::vec(0_u32..3, 8)
        ) {
            let distances = Distances { squared: &squared, labels: &labels, margin: 0.2 };
            let at = |a: usize, b: usize| squared[a * 8 + b];
            for triplet in distances.select(Selection::SemiHard).triplets {
                let (positive, negative) = (at(triplet.anchor, triplet.positive), at(triplet.anchor, triplet.negative));
                prop_assert!(labels[triplet.anchor] == labels[triplet.positive] && triplet.anchor != triplet.positive);
                prop_assert!(labels[triplet.anchor] != labels[triplet.negative]);
                prop_assert!(negative > positive && f64::from(negative) < f64::from(positive) + 0.2);
                let between = |row: usize| labels[row] != labels[triplet.anchor] && at(triplet.anchor, row) > positive
                    && at(triplet.anchor, row) < negative;
                prop_assert!(!(0..8).any(between));
            }
            for triplet in distances.select(Selection::Hard).triplets {
                let farther = |row: usize| labels[row] == labels[triplet.anchor] && row != triplet.anchor
                    && at(triplet.anchor, row) > at(triplet.anchor, triplet.positive);
                let nearer = |row: usize| labels[row] != labels[triplet.anchor]
                    && at(triplet.anchor, row) < at(triplet.anchor, triplet.negative);
                prop_assert!(!(0..8).any(|row| farther(row) || nearer(row)));
            }
            let all = distances.select(Selection::All);
            prop_assert_eq!(all.active, all.triplets.len());
            prop_assert!(all.active <= all.candidates);
        }
    }
}
