//! For benchmarks: a large gallery in one transaction, where enrolling one after the other would wait for the disk each time.

use sightline_wire::Utc;
use sightline_wire::service::NewTemplate;

use crate::connection::Store;
use crate::error::StoreError;
use crate::people::bump_generation;
use crate::templates::insert_template;

/// Enrolls all of these.
///
/// # Errors
/// As [`Store::add_template`]; then none is enrolled.
pub fn enroll_all(store: &Store, templates: impl IntoIterator<Item = NewTemplate>, now: Utc) -> Result<(), StoreError> {
    store.write(|transaction| {
        for template in templates {
            insert_template(transaction, &template, now)?;
        }
        bump_generation(transaction)
    })
}
