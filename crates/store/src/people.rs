//! Persons: create, list, rename, merge, remove.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sightline_wire::service::{MergePeople, NewPerson, Person};
use sightline_wire::{AliasEvent, AliasKind, EventRecord, PersonId, Utc};

use crate::connection::Store;
use crate::error::{StoreError, is_unique_violation};
use crate::events::append_events;
use crate::idempotency::Keyed;

/// Most characters of a name.
const LONGEST_NAME: usize = 200;

const SELECT: &str =
    "SELECT id, name, created_ns, (SELECT count(*) FROM templates WHERE person = people.id) FROM people";

impl Store {
    /// Adds a person without templates.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a bad name, [`StoreError::NameTaken`], [`StoreError::KeyReused`], and the file's failures.
    pub fn create_person(&self, new: &NewPerson, now: Utc) -> Result<Person, StoreError> {
        let name = checked_name(&new.name)?;
        let keyed = Keyed::new("people.create", new.idempotency_key.as_ref(), &new.name)?;
        self.write(|transaction| {
            if let Some(keyed) = &keyed
                && let Some(person) = keyed.answered(transaction)?
            {
                return Ok(person);
            }
            let person = Person { id: PersonId::generate(), name: name.to_owned(), templates: 0, created: now };
            transaction
                .prepare_cached("INSERT INTO people (id, name, created_ns) VALUES (?, ?, ?)")?
                .execute(params![person.id.to_string(), person.name, now.unix_ns()])
                .map_err(|e| name_error(e, name))?;
            bump_generation(transaction)?;
            if let Some(keyed) = &keyed {
                keyed.remember(transaction, &person, person.id, now)?;
            }
            Ok(person)
        })
    }

    /// All persons by name.
    ///
    /// # Errors
    /// The file's failures.
    pub fn list_people(&self) -> Result<Vec<Person>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY name"))?;
            let people = statement.query_and_then([], read_person)?;
            people.collect()
        })
    }

    /// At most `limit` persons whose names come after `after`, by name. Names are unique, so a name is a cursor.
    ///
    /// # Errors
    /// The file's failures.
    pub fn people_after(&self, after: &str, limit: u32) -> Result<Vec<Person>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE name > ? ORDER BY name LIMIT ?"))?;
            let people = statement.query_and_then(params![after, limit], read_person)?;
            people.collect()
        })
    }

    /// The person of exactly this name.
    ///
    /// # Errors
    /// The file's failures.
    pub fn person_named(&self, name: &str) -> Result<Option<Person>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE name = ?"))?;
            statement.query_and_then([name], read_person)?.next().transpose()
        })
    }

    /// One person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], which says so when the person was merged into another, and the file's failures.
    pub fn get_person(&self, id: PersonId) -> Result<Person, StoreError> {
        self.read(|connection| find_person(connection, id))
    }

    /// Gives a person another name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NameTaken`], [`StoreError::Invalid`] and the file's failures.
    pub fn rename_person(&self, id: PersonId, name: &str) -> Result<Person, StoreError> {
        let name = checked_name(name)?;
        self.write(|transaction| {
            let mut person = find_person(transaction, id)?;
            if person.name != name {
                transaction
                    .execute("UPDATE people SET name = ? WHERE id = ?", params![name, id.to_string()])
                    .map_err(|e| name_error(e, name))?;
                bump_generation(transaction)?;
                name.clone_into(&mut person.name);
            }
            Ok(person)
        })
    }

    /// Joins two persons: templates and sightings of `from` become those of `into`, and an alias is published. Merging the
    /// same two again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] for a person merged with itself, and the file's failures.
    pub fn merge_people(&self, merge: &MergePeople, now: Utc) -> Result<Person, StoreError> {
        if merge.from == merge.into {
            return Err(StoreError::Invalid("a person cannot be merged with itself".to_owned()));
        }
        let (from, into) = (merge.from.to_string(), merge.into.to_string());
        let (person, newest) = self.write(|transaction| {
            if merged_into(transaction, merge.from)?.as_ref() == Some(&into) {
                return Ok((find_person(transaction, merge.into)?, None));
            }
            find_person(transaction, merge.into)?;
            find_person(transaction, merge.from)?;
            transaction.execute("UPDATE templates SET person = ? WHERE person = ?", [&into, &from])?;
            transaction.execute("UPDATE sightings SET person = ? WHERE person = ?", [&into, &from])?;
            transaction.execute("DELETE FROM people WHERE id = ?", [&from])?;
            insert_alias(transaction, AliasKind::Person, &from, &into, now)?;
            bump_generation(transaction)?;
            let alias = AliasEvent {
                schema: AliasEvent::SCHEMA.to_owned(),
                seq: 0,
                kind: AliasKind::Person,
                from: merge.from.0,
                into: merge.into.0,
                publish_ts: now,
            };
            let newest = append_events(transaction, &mut [EventRecord::Alias(alias)], now)?;
            Ok((find_person(transaction, merge.into)?, newest))
        })?;
        if let Some(newest) = newest {
            self.notify(newest);
        }
        Ok(person)
    }

    /// Removes a person with all templates, overwriting them on disk. Sightings stay without the person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and the file's failures.
    pub fn remove_person(&self, id: PersonId) -> Result<(), StoreError> {
        self.write(|transaction| {
            find_person(transaction, id)?;
            let id = id.to_string();
            transaction.execute("DELETE FROM idempotency WHERE person = ?", [&id])?;
            transaction.execute("DELETE FROM people WHERE id = ?", [&id])?;
            bump_generation(transaction)
        })?;
        self.scrub_log();
        Ok(())
    }

    /// Counts the changes of the gallery; the index says up to which of them it is.
    ///
    /// # Errors
    /// The file's failures.
    pub fn gallery_generation(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            let value: i64 = connection
                .prepare_cached("SELECT value FROM counters WHERE name = 'gallery_generation'")?
                .query_row([], |row| row.get(0))?;
            Ok(u64::try_from(value).unwrap_or_default())
        })
    }
}

pub(crate) fn bump_generation(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE counters SET value = value + 1 WHERE name = 'gallery_generation'")?
        .execute([])?;
    Ok(())
}

pub(crate) fn find_person(connection: &Connection, id: PersonId) -> Result<Person, StoreError> {
    let found = connection
        .prepare_cached(&format!("{SELECT} WHERE id = ?"))?
        .query_and_then([id.to_string()], read_person)?
        .next()
        .transpose()?;
    if let Some(person) = found {
        return Ok(person);
    }
    let hint = merged_into(connection, id)?.map_or_else(String::new, |into| format!(": it was merged into {into}"));
    Err(StoreError::NotFound { what: "person", id: id.to_string(), hint })
}

/// Notes that `from` reads as `into` from now on.
pub(crate) fn insert_alias(
    transaction: &Transaction<'_>,
    kind: AliasKind,
    from: &str,
    into: &str,
    now: Utc,
) -> Result<(), StoreError> {
    let kind = match kind {
        AliasKind::Unknown => "unknown",
        AliasKind::Person => "person",
    };
    transaction
        .prepare_cached("INSERT INTO aliases (from_id, into_id, kind, at_ns) VALUES (?, ?, ?, ?)")?
        .execute(params![from, into, kind, now.unix_ns()])?;
    Ok(())
}

fn merged_into(connection: &Connection, id: PersonId) -> Result<Option<String>, StoreError> {
    let into = connection
        .prepare_cached("SELECT into_id FROM aliases WHERE from_id = ?")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    Ok(into)
}

fn read_person(row: &Row<'_>) -> Result<Person, StoreError> {
    let id: String = row.get(0)?;
    Ok(Person {
        id: id.parse().map_err(|e| StoreError::corrupt(format!("people: {e}")))?,
        name: row.get(1)?,
        created: Utc::from_unix_ns(row.get(2)?),
        templates: row.get(3)?,
    })
}

fn checked_name(name: &str) -> Result<&str, StoreError> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME {
        return Err(StoreError::Invalid(format!(
            "a person's name has 1 to {LONGEST_NAME} characters, this one {length}"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(StoreError::Invalid("a person's name has no control characters".to_owned()));
    }
    Ok(name)
}

fn name_error(error: rusqlite::Error, name: &str) -> StoreError {
    if is_unique_violation(&error) { StoreError::NameTaken { name: name.to_owned() } } else { error.into() }
}
