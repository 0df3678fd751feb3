//! The enrolled people in memory: templates in a FAISS index, and whose they are. Always rebuilt from the store, never
//! the other way round.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sightline_store::{Store, StoreError};
use sightline_wire::PersonId;
use sightline_wire::service::Person;

use crate::faiss_index::{FaissIndex, IndexError};
use crate::metrics::Metrics;

/// Vectors handed to FAISS at once while loading: 4 MiB of 512 dimensions.
const LOAD_CHUNK: usize = 2048;

/// Templates looked at for each person wanted, to begin with.
const TEMPLATES_A_PERSON: usize = 8;

/// Failures of the gallery.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// The store failed, or holds another model's templates.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index failed, or a vector is none.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// A person and the cosine with the best of their templates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonHit {
    /// Who.
    pub person: PersonId,
    /// -1 to 1.
    pub score: f32,
}

#[derive(Debug, Default)]
struct Entry {
    name: String,
    templates: Vec<u64>,
}

/// The gallery of one embedder.
#[derive(Debug)]
pub struct Gallery {
    embedder: Arc<str>,
    dimension: usize,
    index: FaissIndex,
    owners: HashMap<u64, PersonId>,
    people: HashMap<PersonId, Entry>,
    generation: u64,
}

impl Gallery {
    /// Builds the gallery from the store: all names, all templates.
    ///
    /// # Errors
    /// [`StoreError::OtherModel`] inside [`GalleryError::Store`] when it was enrolled with another embedder.
    pub fn load(store: &Store, embedder: &str, dimension: usize) -> Result<Self, GalleryError> {
        store.check_gallery_model(embedder)?;
        let mut gallery = Self {
            embedder: embedder.into(),
            dimension,
            index: FaissIndex::new(dimension)?,
            owners: HashMap::new(),
            people: HashMap::new(),
            generation: 0,
        };
        for person in store.list_people()? {
            gallery.people.insert(person.id, Entry { name: person.name, templates: Vec::new() });
        }
        let mut ids = Vec::with_capacity(LOAD_CHUNK);
        let mut vectors = Vec::with_capacity(LOAD_CHUNK * dimension);
        gallery.generation = store.for_each_template(|row| {
            ids.push(row.id);
            vectors.extend_from_slice(row.vector);
            gallery.owners.insert(row.id, row.person);
            gallery.people.entry(row.person).or_default().templates.push(row.id);
            if ids.len() == LOAD_CHUNK {
                gallery.index.add(&ids, &vectors)?;
                ids.clear();
                vectors.clear();
            }
            Ok::<_, GalleryError>(())
        })?;
        gallery.index.add(&ids, &vectors)?;
        Ok(gallery)
    }

    /// The embedder whose vectors it holds.
    #[must_use]
    pub fn embedder(&self) -> &Arc<str> {
        &self.embedder
    }

    /// Numbers a vector.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Templates held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Nobody is enrolled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to which change of the store's gallery it is.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// A person's name.
    #[must_use]
    pub fn name(&self, person: PersonId) -> Option<&str> {
        self.people.get(&person).map(|entry| entry.name.as_str())
    }

    /// For each of the unit vectors, laid out one after the other, the nearest `k` persons, best first. Fewer only when the
    /// gallery has fewer persons with templates.
    ///
    /// # Errors
    /// [`IndexError::Vector`] for a vector that is none.
    pub fn nearest(&self, vectors: &[f32], k: usize) -> Result<Vec<Vec<PersonHit>>, IndexError> {
        let first = k.saturating_mul(TEMPLATES_A_PERSON);
        let found = self.index.search(vectors, first)?;
        let mut answers = Vec::with_capacity(found.len());
        for (vector, mut hits) in vectors.chunks_exact(self.dimension).zip(found) {
            let mut wanted = first;
            loop {
                let persons = self.best_by_person(&hits, k);
                if persons.len() >= k || wanted >= self.index.len() {
                    answers.push(persons);
                    break;
                }
                // One person with many templates takes all the places: look further.
                wanted = wanted.saturating_mul(TEMPLATES_A_PERSON);
                hits = self.index.search(vector, wanted)?.swap_remove(0);
            }
        }
        Ok(answers)
    }

    fn best_by_person(&self, hits: &[crate::faiss_index::Hit], k: usize) -> Vec<PersonHit> {
        let mut persons: Vec<PersonHit> = Vec::with_capacity(k);
        for hit in hits {
            let Some(&person) = self.owners.get(&hit.id) else { continue };
            if persons.len() < k && persons.iter().all(|found| found.person != person) {
                persons.push(PersonHit { person, score: hit.score });
            }
        }
        persons
    }

    /// A person was added or renamed.
    pub(crate) fn put_person(&mut self, person: &Person) {
        person.name.clone_into(&mut self.people.entry(person.id).or_default().name);
    }

    /// A template was enrolled.
    pub(crate) fn add_template(&mut self, id: u64, person: PersonId, vector: &[f32]) -> Result<(), IndexError> {
        if self.owners.contains_key(&id) {
            return Ok(());
        }
        self.index.add(&[id], vector)?;
        self.owners.insert(id, person);
        self.people.entry(person).or_default().templates.push(id);
        Ok(())
    }

    /// All templates of `from` are now those of `into`.
    pub(crate) fn merge(&mut self, from: PersonId, into: PersonId) {
        let Some(gone) = self.people.remove(&from) else { return };
        for id in &gone.templates {
            self.owners.insert(*id, into);
        }
        self.people.entry(into).or_default().templates.extend(gone.templates);
    }

    /// A person is gone.
    pub(crate) fn remove(&mut self, person: PersonId) -> Result<(), IndexError> {
        let Some(gone) = self.people.remove(&person) else { return Ok(()) };
        for id in &gone.templates {
            self.owners.remove(id);
        }
        self.index.remove(&gone.templates)
    }

    /// It holds everything up to this change.
    pub(crate) fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }
}

/// The gallery as identify and the services share it. A clone is the same one.
#[derive(Clone, Debug)]
pub struct SharedGallery {
    inner: Arc<RwLock<Gallery>>,
    metrics: Arc<Metrics>,
}

impl SharedGallery {
    /// Loads the gallery and begins to report it.
    ///
    /// # Errors
    /// As [`Gallery::load`].
    pub fn load(store: &Store, embedder: &str, dimension: usize, metrics: Arc<Metrics>) -> Result<Self, GalleryError> {
        let gallery = Gallery::load(store, embedder, dimension)?;
        let shared = Self { inner: Arc::new(RwLock::new(gallery)), metrics };
        shared.report();
        Ok(shared)
    }

    /// To search.
    pub fn read(&self) -> RwLockReadGuard<'_, Gallery> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Gallery> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a change that the store has acknowledged. Should the index fail at it, it is built anew, because an index
    /// that differs from the store would name the wrong people.
    pub(crate) fn follow(
        &self,
        store: &Store,
        change: impl FnOnce(&mut Gallery) -> Result<(), IndexError>,
    ) -> Result<(), GalleryError> {
        let generation = store.gallery_generation()?;
        let mut gallery = self.write();
        match change(&mut gallery) {
            Ok(()) => gallery.set_generation(generation),
            Err(error) => {
                tracing::error!(%error, "the index could not follow a change: it is built anew");
                *gallery = Gallery::load(store, &gallery.embedder, gallery.dimension)?;
            }
        }
        drop(gallery);
        self.report();
        Ok(())
    }

    fn report(&self) {
        let gallery = self.read();
        self.metrics.index(&gallery.embedder, gallery.len(), gallery.generation);
    }
}

#[cfg(test)]
mod tests {
    use super::Gallery;
    use crate::testing::{EMBEDDER, START, at_cosine, unit};
    use sightline_store::Store;
    use sightline_wire::PersonId;
    use sightline_wire::service::{NewPerson, NewTemplate, Person};

    fn person(store: &Store, name: &str) -> Person {
        store.create_person(&NewPerson { name: name.to_owned(), idempotency_key: None }, START).unwrap()
    }

    fn enroll(store: &Store, person: PersonId, vector: Vec<f32>) {
        let new = NewTemplate {
            person,
            embedder: EMBEDDER.to_owned(),
            vector,
            quality: 0.9,
            origin: String::new(),
            idempotency_key: None,
        };
        store.add_template(&new, START).unwrap();
    }

    #[test]
    fn k_is_widened_until_another_person_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db")).unwrap();
        let (many, one) = (person(&store, "Many"), person(&store, "One"));
        let query = unit(1, 64);
        for seed in 0..500 {
            enroll(&store, many.id, at_cosine(&query, 0.9, seed));
        }
        enroll(&store, one.id, at_cosine(&query, 0.3, 7));
        let gallery = Gallery::load(&store, EMBEDDER, 64).unwrap();
        assert_eq!(gallery.len(), 501);
        let found = gallery.nearest(&query, 2).unwrap().swap_remove(0);
        assert_eq!(found.iter().map(|hit| hit.person).collect::<Vec<_>>(), [many.id, one.id]);
        assert!((found[0].score - 0.9).abs() < 1e-4 && (found[1].score - 0.3).abs() < 1e-4);
        // More persons than there are: all of them, once each. A person without templates is never found.
        person(&store, "None");
        assert_eq!(gallery.nearest(&query, 10).unwrap()[0].len(), 2);
    }

    #[test]
    fn a_gallery_of_another_model_is_refused_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db")).unwrap();
        let ann = person(&store, "Ann");
        enroll(&store, ann.id, unit(1, 8));
        let text = Gallery::load(&store, "dlib@111111111111", 8).unwrap_err().to_string();
        assert!(text.contains(EMBEDDER) && text.contains("dlib@111111111111") && text.contains("data_dir"), "{text}");
    }

    #[test]
    fn changes_and_a_rebuild_give_the_same_answers() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db")).unwrap();
        let mut gallery = Gallery::load(&store, EMBEDDER, 16).unwrap();
        let people: Vec<_> = (0..4).map(|n| person(&store, &format!("p{n}"))).collect();
        people.iter().for_each(|p| gallery.put_person(p));
        for seed in 0..40_u64 {
            let whose = people[seed as usize % 4].id;
            enroll(&store, whose, unit(seed, 16));
            gallery.add_template(seed + 1, whose, &unit(seed, 16)).unwrap();
        }
        let merge = sightline_wire::service::MergePeople { from: people[1].id, into: people[0].id };
        store.merge_people(&merge, START).unwrap();
        gallery.merge(merge.from, merge.into);
        store.remove_person(people[2].id).unwrap();
        gallery.remove(people[2].id).unwrap();
        let rebuilt = Gallery::load(&store, EMBEDDER, 16).unwrap();
        assert_eq!((gallery.len(), rebuilt.len()), (30, 30));
        for seed in 100..120 {
            assert_eq!(gallery.nearest(&unit(seed, 16), 3).unwrap(), rebuilt.nearest(&unit(seed, 16), 3).unwrap());
        }
        assert_eq!(rebuilt.name(people[0].id), Some("p0"));
        assert_eq!(rebuilt.name(people[1].id), None);
    }
}
