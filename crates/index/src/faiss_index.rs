//! An exact inner-product index with ids of our own: FAISS `IDMap,Flat`.
//!
//! Exact, because graph and cluster indexes lose up to half of the neighbours of faces that are far from everything, and
//! up to a few hundred thousand vectors a scan is quick enough (14 ms for 100,000 x 512 on one thread).

use faiss::index::ConcurrentIndex;
use faiss::index::flat::FlatIndexImpl;
use faiss::selector::IdSelector;
use faiss::{IdMap, Idx, Index};
use sightline_store::{VectorFlaw, check_unit_vector};

use crate::native;

/// Failures of an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A vector that would poison the search.
    #[error("a vector cannot be used: {0}")]
    Vector(#[from] VectorFlaw),
    /// The library failed; rebuild the index from the store.
    #[error("FAISS: {0}")]
    Native(#[from] faiss::error::Error),
    /// More ids than vectors, or the other way round.
    #[error("{ids} ids for {vectors} vectors")]
    Count {
        /// Ids given.
        ids: usize,
        /// Vectors given.
        vectors: usize,
    },
}

/// A vector found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hit {
    /// Its id.
    pub(crate) id: u64,
    /// Cosine, -1 to 1.
    pub(crate) score: f32,
}

/// Unit vectors of one dimension under ids of the caller's. Searching needs only `&self`.
pub(crate) struct FaissIndex {
    inner: IdMap<FlatIndexImpl>,
    dimension: usize,
}

impl std::fmt::Debug for FaissIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FaissIndex({} x {})", self.len(), self.dimension)
    }
}

impl FaissIndex {
    /// An empty index for vectors of `dimension` numbers.
    pub(crate) fn new(dimension: usize) -> Result<Self, IndexError> {
        native::use_one_thread();
        let width = u32::try_from(dimension).unwrap_or(0);
        if width == 0 {
            return Err(VectorFlaw::Dimension { expected: dimension, found: dimension }.into());
        }
        Ok(Self { inner: IdMap::new(FlatIndexImpl::new_ip(width)?)?, dimension })
    }

    /// Vectors held.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.inner.ntotal()).unwrap_or_default()
    }

    /// Adds `vectors`, laid out one after the other, under `ids`, all of them or none.
    pub(crate) fn add(&mut self, ids: &[u64], vectors: &[f32]) -> Result<(), IndexError> {
        if ids.len() * self.dimension != vectors.len() {
            return Err(IndexError::Count { ids: ids.len(), vectors: vectors.len() / self.dimension });
        }
        for vector in vectors.chunks_exact(self.dimension) {
            check_unit_vector(vector, self.dimension)?;
        }
        native::use_one_thread();
        let ids: Vec<Idx> = ids.iter().map(|id| to_native(*id)).collect();
        Ok(self.inner.add_with_ids(vectors, &ids)?)
    }

    /// Removes the vectors under `ids`; ids that are not there are passed over. Takes one pass over the whole index.
    pub(crate) fn remove(&mut self, ids: &[u64]) -> Result<(), IndexError> {
        if ids.is_empty() {
            return Ok(());
        }
        native::use_one_thread();
        let ids: Vec<Idx> = ids.iter().map(|id| to_native(*id)).collect();
        self.inner.remove_ids(&IdSelector::batch(&ids)?)?;
        Ok(())
    }

    /// For each of the queries, laid out one after the other, the nearest vectors, at most `k`, best first.
    pub(crate) fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Hit>>, IndexError> {
        for query in queries.chunks(self.dimension) {
            check_unit_vector(query, self.dimension)?;
        }
        let count = queries.len() / self.dimension;
        let k = k.min(self.len());
        if k == 0 || count == 0 {
            return Ok(vec![Vec::new(); count]);
        }
        native::use_one_thread();
        let found = ConcurrentIndex::search(&self.inner, queries, k)?;
        let hits = found.labels.chunks_exact(k).zip(found.distances.chunks_exact(k)).map(|(ids, scores)| {
            let pairs = ids.iter().zip(scores);
            pairs.filter_map(|(id, score)| Some(Hit { id: id.get()?, score: score.clamp(-1.0, 1.0) })).collect()
        });
        Ok(hits.collect())
    }
}

fn to_native(id: u64) -> Idx {
    // Ids are row numbers of SQLite or counters of ours: far below 2^63.
    Idx::from(i64::try_from(id).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{FaissIndex, IndexError};
    use crate::testing::unit;
    use proptest::prelude::*;

    #[test]
    fn poison_is_refused_before_it_reaches_the_index() {
        let mut index = FaissIndex::new(4).unwrap();
        for bad in [[f32::NAN, 0.0, 0.0, 1.0], [0.0; 4], [1.0; 4], [f32::INFINITY, 0.0, 0.0, 0.0]] {
            assert!(matches!(index.add(&[1], &bad), Err(IndexError::Vector(_))));
            assert!(matches!(index.search(&bad, 1), Err(IndexError::Vector(_))));
        }
        assert!(matches!(index.add(&[1, 2], &[1.0, 0.0, 0.0, 0.0]), Err(IndexError::Count { .. })));
        assert!(matches!(index.search(&[1.0, 0.0], 1), Err(IndexError::Vector(_))));
        assert_eq!(index.len(), 0);
        assert!(FaissIndex::new(0).is_err());
    }

    #[test]
    fn an_empty_index_finds_nothing_and_k_may_be_larger_than_it() {
        let mut index = FaissIndex::new(4).unwrap();
        assert_eq!(index.search(&unit(1, 4), 3).unwrap(), [[]]);
        index.add(&[7], &unit(1, 4)).unwrap();
        let hits = index.search(&unit(1, 4), 3).unwrap();
        assert_eq!((hits[0].len(), hits[0][0].id), (1, 7));
        assert!((hits[0][0].score - 1.0).abs() < 1e-5);
        index.remove(&[7, 8]).unwrap();
        assert_eq!(index.search(&unit(1, 4), 3).unwrap(), [[]]);
    }

    #[test]
    fn searching_from_several_threads_gives_the_same() {
        let mut index = FaissIndex::new(16).unwrap();
        for id in 0..500 {
            index.add(&[id], &unit(id, 16)).unwrap();
        }
        let expected = index.search(&unit(9999, 16), 5).unwrap();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| index.search(&unit(9999, 16), 5).unwrap())).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), expected);
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Against a plain scan; more queries than the BLAS threshold, with removals in between.
        #[test]
        fn hits_are_those_of_a_plain_scan(count in 1_u64..60, queries in 1_usize..9, removed in 0_u64..20, k in 1_usize..8) {
            let mut index = FaissIndex::new(12).unwrap();
            for id in 0..count {
                index.add(&[id], &unit(id + 1, 12)).unwrap();
            }
            index.remove(&(0..removed).collect::<Vec<_>>()).unwrap();
            let asked: Vec<f32> = (0..queries).flat_map(|q| unit(1000 + q as u64, 12)).collect();
            let found = index.search(&asked, k).unwrap();
            for (query, hits) in asked.chunks(12).zip(&found) {
                let mut plain: Vec<(f32, u64)> = (removed..count)
                    .map(|id| (unit(id + 1, 12).iter().zip(query).map(|(a, b)| a * b).sum(), id))
                    .collect();
                plain.sort_by(|a, b| b.0.total_cmp(&a.0));
                prop_assert_eq!(hits.len(), k.min(plain.len()));
                for (hit, (score, _)) in hits.iter().zip(&plain) {
                    prop_assert!((hit.score - score).abs() < 1e-5);
                }
            }
        }
    }
}
