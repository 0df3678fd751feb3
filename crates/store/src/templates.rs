//! Enrolled vectors: one embedder's, read in one sweep to rebuild the index.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sightline_wire::service::{NewTemplate, Template};
use sightline_wire::{PersonId, Utc};

use crate::connection::{Store, connect_to_look};
use crate::error::StoreError;
use crate::idempotency::Keyed;
use crate::people::{bump_generation, find_person};
use crate::schema;
use crate::vector::{check_unit_vector, from_blob, to_blob};

/// Longest note on where a template came from, bytes.
const LONGEST_ORIGIN: usize = 1000;

/// The embedder a gallery was enrolled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GalleryModel {
    /// `<manifest id>@<first 12 hex digits of the weights' sha256>`.
    pub name: String,
    /// Numbers a vector.
    pub dimension: usize,
}

/// One template, as it passes by in [`Store::for_each_template`].
#[derive(Clone, Copy, Debug)]
pub struct TemplateRow<'a> {
    /// Its number.
    pub id: u64,
    /// Whose.
    pub person: PersonId,
    /// The unit vector.
    pub vector: &'a [f32],
}

impl Store {
    /// Enrolls a template.
    ///
    /// # Errors
    /// [`StoreError::OtherModel`] when the gallery holds another embedder's templates, [`StoreError::Invalid`] for a vector
    /// that is not finite, not normalised or of another dimension, [`StoreError::NotFound`], [`StoreError::KeyReused`], and
    /// the file's failures.
    pub fn add_template(&self, new: &NewTemplate, now: Utc) -> Result<Template, StoreError> {
        let content = (new.person, &new.embedder, &new.vector, new.quality, &new.origin);
        let keyed = Keyed::new("people.enroll", new.idempotency_key.as_ref(), &content)?;
        if !new.quality.is_finite() || new.origin.len() > LONGEST_ORIGIN {
            return Err(StoreError::Invalid(format!(
                "a template's quality is a number and its origin at most {LONGEST_ORIGIN} bytes long"
            )));
        }
        self.write(|transaction| {
            if let Some(keyed) = &keyed
                && let Some(template) = keyed.answered(transaction)?
            {
                return Ok(template);
            }
            let template = insert_template(transaction, new, now)?;
            bump_generation(transaction)?;
            if let Some(keyed) = &keyed {
                keyed.remember(transaction, &template, new.person, now)?;
            }
            Ok(template)
        })
    }

    /// The embedder whose templates the gallery holds; `None` for an empty gallery.
    ///
    /// # Errors
    /// The file's failures.
    pub fn gallery_model(&self) -> Result<Option<GalleryModel>, StoreError> {
        self.read(gallery_model)
    }

    /// Refuses to go on with `embedder` over a gallery of another one.
    ///
    /// # Errors
    /// [`StoreError::OtherModel`], which names both and the way out.
    pub fn check_gallery_model(&self, embedder: &str) -> Result<(), StoreError> {
        refuse_other(self.gallery_model()?, embedder)
    }

    /// [`Store::check_gallery_model`] of a file that is only looked at, whoever has it open: nothing is made, changed or locked.
    ///
    /// # Errors
    /// As [`Store::check_gallery_model`], and those of a file that [`Store::open`] would refuse.
    pub fn check_gallery_model_of(path: &Path, embedder: &str) -> Result<(), StoreError> {
        let look = || {
            let connection = connect_to_look(path)?;
            match schema::recognise(&connection)? {
                0 => Ok(()),
                _ => refuse_other(gallery_model(&connection)?, embedder),
            }
        };
        look().map_err(|error: StoreError| error.at(path))
    }

    /// Hands every template to `visit`, in the order of enrollment, and returns the generation of the gallery that they
    /// belong to. The vectors pass through one buffer: nothing of the table stays in memory.
    ///
    /// # Errors
    /// Whatever `visit` returns, and the file's failures.
    pub fn for_each_template<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(TemplateRow<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut stopped = None;
        let result = self.read(|connection| {
            // A read transaction: generation and rows are of the same moment.
            let snapshot = connection.unchecked_transaction()?;
            let generation: i64 =
                snapshot
                    .query_row("SELECT value FROM counters WHERE name = 'gallery_generation'", [], |row| row.get(0))?;
            let mut statement = snapshot.prepare("SELECT id, person, vector FROM templates ORDER BY id")?;
            let mut rows = statement.query([])?;
            let mut vector = Vec::new();
            while let Some(row) = rows.next()? {
                let person = row.get_ref(1)?.as_str().map_err(|e| StoreError::corrupt(e.to_string()))?;
                let person = person.parse().map_err(|e| StoreError::corrupt(format!("templates: {e}")))?;
                let blob = row.get_ref(2)?.as_blob().map_err(|e| StoreError::corrupt(e.to_string()))?;
                from_blob(blob, &mut vector)?;
                let id = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
                if let Err(error) = visit(TemplateRow { id, person, vector: &vector }) {
                    stopped = Some(error);
                    break;
                }
            }
            Ok(u64::try_from(generation).unwrap_or_default())
        });
        match stopped {
            Some(error) => Err(error),
            None => Ok(result?),
        }
    }
}

pub(crate) fn insert_template(
    transaction: &Transaction<'_>,
    new: &NewTemplate,
    now: Utc,
) -> Result<Template, StoreError> {
    find_person(transaction, new.person)?;
    if let Some(gallery) = gallery_model(transaction)?
        && gallery.name != new.embedder
    {
        return Err(StoreError::OtherModel { gallery: gallery.name, offered: new.embedder.clone() });
    }
    let model = model_number(transaction, &new.embedder, &new.vector)?;
    transaction
        .prepare_cached(
            "INSERT INTO templates (person, model, quality, origin, created_ns, vector) VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            new.person.to_string(),
            model,
            f64::from(new.quality),
            new.origin,
            now.unix_ns(),
            to_blob(&new.vector)
        ])?;
    let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
    Ok(Template { id, person: new.person })
}

fn refuse_other(gallery: Option<GalleryModel>, embedder: &str) -> Result<(), StoreError> {
    match gallery {
        Some(gallery) if gallery.name != embedder => {
            Err(StoreError::OtherModel { gallery: gallery.name, offered: embedder.to_owned() })
        }
        _ => Ok(()),
    }
}

fn gallery_model(connection: &Connection) -> Result<Option<GalleryModel>, StoreError> {
    // One row is enough: `add_template` never lets a second model in.
    let found: Option<(String, i64)> = connection
        .prepare_cached("SELECT name, dimension FROM models WHERE id = (SELECT model FROM templates LIMIT 1)")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(name, dimension)| {
            let dimension = usize::try_from(dimension).map_err(|_| StoreError::corrupt("a negative dimension"))?;
            Ok(GalleryModel { name, dimension })
        })
        .transpose()
}

/// The number of model `name` in this file, given when it is first seen. Checks `vector` against the model's dimension.
pub(crate) fn model_number(transaction: &Transaction<'_>, name: &str, vector: &[f32]) -> Result<i64, StoreError> {
    if name.is_empty() {
        return Err(StoreError::Invalid("a vector without the name of its embedder".to_owned()));
    }
    let found: Option<(i64, i64)> = transaction
        .prepare_cached("SELECT id, dimension FROM models WHERE name = ?")?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let dimension = found.map_or(vector.len(), |(_, dimension)| usize::try_from(dimension).unwrap_or_default());
    check_unit_vector(vector, dimension)
        .map_err(|flaw| StoreError::Invalid(format!("this vector of {name} cannot be used: {flaw}")))?;
    if let Some((id, _)) = found {
        return Ok(id);
    }
    let dimension = i64::try_from(dimension).unwrap_or(i64::MAX);
    transaction.execute("INSERT INTO models (name, dimension) VALUES (?, ?)", params![name, dimension])?;
    Ok(transaction.last_insert_rowid())
}
