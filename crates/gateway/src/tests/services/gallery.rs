//! The people, their templates, and the search among them.

use sightline_wire::service::{
    Candidate, Enrolled, Failure, FailureKind, FailureReason, MergePeople, NewPerson, NewTemplate, Nothing,
    PeopleAfter, PeoplePage, Person, PersonKey, RenamePerson, SearchPeople, SearchResult, Template,
};
use sightline_wire::{Outcome, PersonId, Utc};

use super::{EMBEDDER, World, refused};

/// Accepted from here on.
const ACCEPT: f32 = 0.6;

impl World {
    pub(super) fn people(&self) -> Vec<Person> {
        let mut people = self.people.lock().unwrap().clone();
        people.sort_by(|a, b| a.name.cmp(&b.name));
        people
    }

    pub(super) fn people_after(&self, asked: PeopleAfter) -> PeoplePage {
        let mut people = self.people();
        people
            .retain(|person| person.name > asked.after && asked.name.as_ref().is_none_or(|name| person.name == *name));
        let more = people.len() > asked.limit as usize;
        people.truncate(asked.limit as usize);
        let next = people.last().filter(|_| more).map(|person| person.name.clone());
        PeoplePage { people, next }
    }

    pub(super) fn person(&self, id: PersonId) -> Result<Person, Failure> {
        let found = self.people().into_iter().find(|person| person.id == id);
        found.map_or_else(|| refused(FailureKind::NotFound, format!("person {id} does not exist")), Ok)
    }

    fn checked_name(&self, name: &str) -> Result<(), Failure> {
        if name.trim().is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
            return refused(FailureKind::Invalid, "a person's name has 1 to 200 characters, none of control");
        }
        match self.people().iter().any(|person| person.name == name) {
            true => refused(FailureKind::Conflict, format!("there already is a person named {name:?}: merge them")),
            false => Ok(()),
        }
    }

    pub(super) fn create(&self, new: NewPerson) -> Result<Person, Failure> {
        let mut keys = self.keys.lock().unwrap();
        if let Some((before, person)) = new.idempotency_key.as_ref().and_then(|key| keys.get(key)) {
            return match before == &new {
                true => Ok(person.clone()),
                false => {
                    let why = "the idempotency key was used for a different request";
                    Err(Failure { reason: Some(FailureReason::KeyReused), ..Failure::new(FailureKind::Conflict, why) })
                }
            };
        }
        self.checked_name(&new.name)?;
        let (id, created) = (PersonId::generate(), Utc::now());
        let person = Person { id, name: new.name.clone(), templates: 0, created };
        self.people.lock().unwrap().push(person.clone());
        if let Some(key) = new.idempotency_key.clone() {
            keys.insert(key, (new, person.clone()));
        }
        self.person(person.id)
    }

    pub(super) fn rename(&self, change: RenamePerson) -> Result<Person, Failure> {
        self.person(change.id)?;
        self.checked_name(&change.name)?;
        let mut people = self.people.lock().unwrap();
        people.iter_mut().filter(|person| person.id == change.id).for_each(|person| {
            person.name.clone_from(&change.name);
        });
        drop(people);
        self.person(change.id)
    }

    pub(super) fn merge(&self, merge: MergePeople) -> Result<Person, Failure> {
        if merge.from == merge.into {
            return refused(FailureKind::Invalid, "a person cannot be merged into itself");
        }
        let (from, _) = (self.person(merge.from)?, self.person(merge.into)?);
        let mut people = self.people.lock().unwrap();
        people.retain(|person| person.id != merge.from);
        people.iter_mut().filter(|person| person.id == merge.into).for_each(|person| {
            person.templates += from.templates;
        });
        drop(people);
        self.person(merge.into)
    }

    pub(super) fn remove(&self, key: PersonKey) -> Result<Nothing, Failure> {
        self.person(key.id)?;
        self.people.lock().unwrap().retain(|person| person.id != key.id);
        Ok(Nothing {})
    }

    pub(super) fn remove_empty(&self, key: PersonKey) -> Result<Nothing, Failure> {
        match self.person(key.id)?.templates {
            0 => self.remove(key),
            _ => refused(FailureKind::Conflict, "something is enrolled"),
        }
    }

    pub(super) fn enroll(&self, new: NewTemplate) -> Result<Enrolled, Failure> {
        self.person(new.person)?;
        if new.embedder != EMBEDDER {
            return refused(FailureKind::Conflict, "the gallery was enrolled with another model");
        }
        let near = self.nearest(&new.vector, 2).candidates.into_iter().find(|other| other.id != new.person);
        let resembles = near.filter(|other| other.score >= ACCEPT);
        let mut templates = self.templates.lock().unwrap();
        let template = Template { id: templates.len() as u64 + 1, person: new.person };
        self.people.lock().unwrap().iter_mut().filter(|person| person.id == new.person).for_each(|person| {
            person.templates += 1;
        });
        templates.push(new);
        Ok(Enrolled { template, resembles })
    }

    pub(super) fn search(&self, asked: SearchPeople) -> Result<Vec<SearchResult>, Failure> {
        self.searches.lock().unwrap().push(asked.clone());
        if asked.embedder != EMBEDDER {
            return refused(FailureKind::Conflict, "the gallery was enrolled with another model");
        }
        Ok(asked.vectors.iter().map(|vector| self.nearest(vector, asked.k as usize)).collect())
    }

    fn nearest(&self, vector: &[f32], k: usize) -> SearchResult {
        let templates = self.templates.lock().unwrap();
        let score = |person: &Person| {
            let of_person = templates.iter().filter(|template| template.person == person.id);
            let cosines = of_person.map(|t| t.vector.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>());
            cosines.max_by(f32::total_cmp)
        };
        let mut candidates: Vec<Candidate> = self
            .people()
            .into_iter()
            .filter_map(|p| score(&p).map(|score| Candidate { id: p.id, name: p.name, score }))
            .collect();
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        let known = candidates.first().is_some_and(|best| best.score >= ACCEPT);
        candidates.truncate(k);
        SearchResult { candidates, outcome: if known { Outcome::Known } else { Outcome::Unknown } }
    }
}
