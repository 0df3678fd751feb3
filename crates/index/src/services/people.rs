//! People and their templates.

use sightline_store::{StoreError, check_unit_vector};
use sightline_wire::PersonId;
use sightline_wire::service::{
    Candidate, Enrolled, Failure, FailureKind, MergePeople, NewPerson, NewTemplate, Nothing, PeopleAfter, PeoplePage,
    Person, PersonKey, RenamePerson, SearchPeople, SearchResult,
};

use super::{Desk, LONGEST_PAGE, failure, gallery_failure};
use crate::gallery::{Gallery, PersonHit};
use crate::metrics::EnrollRejection;

/// Most vectors and most people of one search.
const MOST_VECTORS: usize = 256;
const MOST_PEOPLE: usize = 1000;

pub(super) fn list(desk: &Desk, asked: &PeopleAfter) -> Result<PeoplePage, Failure> {
    if let Some(name) = &asked.name {
        let found = desk.store.person_named(name).map_err(|error| failure(&error))?;
        return Ok(PeoplePage { people: found.into_iter().collect(), next: None });
    }
    let limit = asked.limit.clamp(1, LONGEST_PAGE);
    // One more tells whether there is a next page.
    let mut people = desk.store.people_after(&asked.after, limit + 1).map_err(|error| failure(&error))?;
    let more = people.len() > limit as usize;
    people.truncate(limit as usize);
    let next = if more { people.last().map(|person| person.name.clone()) } else { None };
    Ok(PeoplePage { people, next })
}

pub(super) fn get(desk: &Desk, key: &PersonKey) -> Result<Person, Failure> {
    desk.store.get_person(key.id).map_err(|error| failure(&error))
}

pub(super) fn create(desk: &Desk, new: &NewPerson) -> Result<Person, Failure> {
    let _turn = desk.changing_the_gallery();
    let reply = desk.store.create_person(new, (desk.clock)()).map_err(|error| failure(&error))?;
    // The answer to a repeated call is the old one; the person may have another name by now, or be gone.
    if let Ok(person) = desk.store.get_person(reply.id) {
        put(desk, &person)?;
    }
    Ok(reply)
}

pub(super) fn rename(desk: &Desk, change: &RenamePerson) -> Result<Person, Failure> {
    let _turn = desk.changing_the_gallery();
    let person = desk.store.rename_person(change.id, &change.name).map_err(|error| failure(&error))?;
    put(desk, &person)?;
    Ok(person)
}

fn put(desk: &Desk, person: &Person) -> Result<(), Failure> {
    let change = |gallery: &mut Gallery| {
        gallery.put_person(person);
        Ok(())
    };
    desk.gallery.follow(&desk.store, change).map_err(|error| gallery_failure(&error))
}

pub(super) fn merge(desk: &Desk, merge: &MergePeople) -> Result<Person, Failure> {
    let _turn = desk.changing_the_gallery();
    let person = desk.store.merge_people(merge, (desk.clock)()).map_err(|error| failure(&error))?;
    let change = |gallery: &mut Gallery| {
        gallery.merge(merge.from, merge.into);
        Ok(())
    };
    desk.gallery.follow(&desk.store, change).map_err(|error| gallery_failure(&error))?;
    Ok(person)
}

pub(super) fn remove(desk: &Desk, key: &PersonKey) -> Result<Nothing, Failure> {
    let _turn = desk.changing_the_gallery();
    removed(desk, key.id)
}

pub(super) fn remove_empty(desk: &Desk, key: &PersonKey) -> Result<Nothing, Failure> {
    // Nobody enrolls between the look and the removal.
    let _turn = desk.changing_the_gallery();
    let person = get(desk, key)?;
    if person.templates > 0 {
        let why = format!("\"{}\" has {} templates and was to be removed only without", person.name, person.templates);
        return Err(Failure::new(FailureKind::Conflict, why));
    }
    removed(desk, key.id)
}

fn removed(desk: &Desk, id: PersonId) -> Result<Nothing, Failure> {
    desk.store.remove_person(id).map_err(|error| failure(&error))?;
    desk.gallery.follow(&desk.store, |gallery| gallery.remove(id)).map_err(|error| gallery_failure(&error))?;
    Ok(Nothing {})
}

pub(super) fn enroll(desk: &Desk, new: &NewTemplate) -> Result<Enrolled, Failure> {
    let (embedder, dimension) = {
        let gallery = desk.gallery.read();
        (gallery.embedder().clone(), gallery.dimension())
    };
    if new.embedder != *embedder {
        desk.metrics.enroll_rejected(EnrollRejection::OtherModel);
        let error = StoreError::OtherModel { gallery: embedder.to_string(), offered: new.embedder.clone() };
        return Err(failure(&error));
    }
    if let Err(flaw) = check_unit_vector(&new.vector, dimension) {
        desk.metrics.enroll_rejected(EnrollRejection::Vector(flaw.into()));
        return Err(Failure::new(FailureKind::Invalid, format!("no usable vector: {flaw}")));
    }
    let _turn = desk.changing_the_gallery();
    // First, so that a failure means that nothing was enrolled.
    let resembles = resembled(desk, new)?;
    let added = desk.store.add_template(new, (desk.clock)());
    let template = added.map_err(|error| {
        desk.metrics.enroll_rejected(match &error {
            StoreError::NotFound { .. } => EnrollRejection::NoSuchPerson,
            _ => EnrollRejection::Store,
        });
        failure(&error)
    })?;
    desk.gallery
        .follow(&desk.store, |gallery| gallery.add_template(template.id, template.person, &new.vector))
        .map_err(|error| gallery_failure(&error))?;
    Ok(Enrolled { template, resembles })
}

/// The nearest person other than the one to be enrolled, if the face would be accepted as theirs.
fn resembled(desk: &Desk, new: &NewTemplate) -> Result<Option<Candidate>, Failure> {
    let gallery = desk.gallery.read();
    // Two: the nearest may be the person.
    let found = gallery.nearest(&new.vector, 2).map_err(|error| gallery_failure(&error.into()))?;
    let other = found.iter().flatten().find(|hit| hit.person != new.person);
    Ok(other.filter(|hit| hit.score >= desk.thresholds.accept).map(|hit| candidate(&gallery, hit)))
}

fn candidate(gallery: &Gallery, hit: &PersonHit) -> Candidate {
    Candidate { id: hit.person, name: gallery.name(hit.person).unwrap_or_default().to_owned(), score: hit.score }
}

pub(super) fn search(desk: &Desk, asked: &SearchPeople) -> Result<Vec<SearchResult>, Failure> {
    let invalid = |why: String| Failure::new(FailureKind::Invalid, why);
    if asked.vectors.len() > MOST_VECTORS {
        return Err(invalid(format!("{} vectors at once are more than {MOST_VECTORS}", asked.vectors.len())));
    }
    let gallery = desk.gallery.read();
    if asked.embedder != **gallery.embedder() {
        let error = StoreError::OtherModel { gallery: gallery.embedder().to_string(), offered: asked.embedder.clone() };
        return Err(failure(&error));
    }
    let mut flat = Vec::with_capacity(asked.vectors.len() * gallery.dimension());
    for vector in &asked.vectors {
        check_unit_vector(vector, gallery.dimension()).map_err(|flaw| invalid(format!("no usable vector: {flaw}")))?;
        flat.extend_from_slice(vector);
    }
    if flat.is_empty() {
        return Ok(Vec::new());
    }
    // Two at least: the decision needs the runner-up.
    let k = usize::try_from(asked.k).unwrap_or(MOST_PEOPLE).min(MOST_PEOPLE);
    let found = gallery.nearest(&flat, k.max(2)).map_err(|error| gallery_failure(&error.into()))?;
    let result = |hits: Vec<PersonHit>| {
        let scores = (hits.first().map(|hit| hit.score), hits.get(1).map(|hit| hit.score));
        SearchResult {
            candidates: hits.iter().take(k).map(|hit| candidate(&gallery, hit)).collect(),
            outcome: desk.thresholds.decide(scores.0, scores.1),
        }
    };
    Ok(found.into_iter().map(result).collect())
}
