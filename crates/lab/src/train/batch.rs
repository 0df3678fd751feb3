//! Which faces a step sees: P people with K images (Schroff et al. 2015, section 3.2), or a mixed handful for the classifier.

use crate::train::features::FeatureSet;
use crate::train::random::{Purpose, stream};

/// Batches of people. A person with fewer images than asked for gives all of them: the same image twice would be a pair
/// at distance zero, which teaches nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeopleBatches {
    pub(crate) people: usize,
    pub(crate) images: usize,
    pub(crate) seed: u64,
}

impl PeopleBatches {
    /// Steps in which everybody is seen at least once.
    pub(crate) fn per_epoch(&self, set: &FeatureSet) -> u64 {
        set.people().len().div_ceil(self.people(set)).max(1) as u64
    }

    /// The faces of a step, by person.
    pub(crate) fn rows(&self, set: &FeatureSet, step: u64) -> Vec<usize> {
        let per_epoch = self.per_epoch(set);
        let mut order: Vec<usize> = (0..set.people().len()).collect();
        stream(self.seed, Purpose::Order, step / per_epoch).shuffle(&mut order);
        let first = (step % per_epoch) as usize * self.people(set);
        // The last batch of an epoch is filled up from its first.
        let chosen = order.iter().cycle().skip(first).take(self.people(set));
        let mut random = stream(self.seed, Purpose::Images, step + 1);
        let mut rows = Vec::new();
        for person in chosen {
            let mut images = set.people()[*person].clone();
            random.shuffle(&mut images);
            rows.extend(images.into_iter().take(self.images));
        }
        rows
    }

    fn people(&self, set: &FeatureSet) -> usize {
        self.people.min(set.people().len())
    }
}

/// Batches of faces, whoever they show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowBatches {
    pub(crate) size: usize,
    pub(crate) seed: u64,
}

impl RowBatches {
    pub(crate) fn per_epoch(&self, set: &FeatureSet) -> u64 {
        set.len().div_ceil(self.size).max(1) as u64
    }

    pub(crate) fn rows(&self, set: &FeatureSet, step: u64) -> Vec<usize> {
        let per_epoch = self.per_epoch(set);
        let mut order: Vec<usize> = (0..set.len()).collect();
        stream(self.seed, Purpose::Order, step / per_epoch).shuffle(&mut order);
        order.into_iter().skip((step % per_epoch) as usize * self.size).take(self.size).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::train::testing::people;

    #[test]
    fn a_batch_has_p_people_with_at_most_k_different_images() {
        let set = people(10, 5, 4, 1);
        let batches = PeopleBatches { people: 4, images: 3, seed: 1 };
        for step in 0..20 {
            let rows = batches.rows(&set, step);
            assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), 12);
            let seen: Vec<u32> = rows.iter().map(|row| set.labels()[*row]).collect();
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 4);
            assert!(seen.chunks(3).all(|person| person.iter().all(|label| *label == person[0])));
        }
    }

    #[test]
    fn an_epoch_sees_everybody_and_the_next_one_in_another_order() {
        let set = people(10, 3, 4, 1);
        let batches = PeopleBatches { people: 4, images: 2, seed: 1 };
        assert_eq!(batches.per_epoch(&set), 3);
        let epoch = |epoch: u64| (0..3).flat_map(|step| batches.rows(&set, 3 * epoch + step)).collect::<Vec<_>>();
        let seen: BTreeSet<u32> = epoch(0).iter().map(|row| set.labels()[*row]).collect();
        assert_eq!(seen.len(), 10);
        assert_eq!(epoch(0), epoch(0));
        assert_ne!(epoch(0), epoch(1));
    }

    #[test]
    fn fewer_people_or_images_than_asked_for_are_all_taken() {
        let set = people(3, 2, 4, 1);
        for (people, images) in [(8, 4), (usize::MAX, usize::MAX)] {
            let mut rows = PeopleBatches { people, images, seed: 1 }.rows(&set, 0);
            rows.sort_unstable();
            assert_eq!(rows, [0, 1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn an_epoch_of_rows_sees_each_once() {
        let set = people(5, 3, 4, 1);
        let batches = RowBatches { size: 4, seed: 2 };
        assert_eq!(batches.per_epoch(&set), 4);
        let mut rows: Vec<usize> = (0..4).flat_map(|step| batches.rows(&set, step)).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..15).collect::<Vec<_>>());
    }
}
