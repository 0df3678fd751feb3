//! What can go wrong, by what the caller can do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Failures of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The thing named is not there.
    #[error("{what} {id} does not exist{hint}")]
    NotFound {
        /// Kind of thing.
        what: &'static str,
        /// Which one.
        id: String,
        /// Empty, or what became of it.
        hint: String,
    },
    /// Names are unique.
    #[error("there already is a person named \"{name}\": choose another name, or merge the two persons")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The request breaks a rule and will never succeed as it is.
    #[error("{0}")]
    Invalid(String),
    /// The gallery holds vectors of another embedder; scores between them would mean nothing.
    #[error(
        "the gallery was enrolled with {gallery} and cannot be used with {offered}: choose the profile of {gallery} again \
         (models.profile), or give another data_dir and enroll everybody anew"
    )]
    OtherModel {
        /// What the gallery was enrolled with.
        gallery: String,
        /// What came.
        offered: String,
    },
    /// The key belongs to a request with another content.
    #[error("the idempotency key \"{key}\" was used for a different request: take a new key")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// A message of this batch has taken effect before; the batch was not stored. Read the state again and repeat.
    #[error("message {id} was processed before")]
    AlreadyProcessed {
        /// The message's id.
        id: String,
    },
    /// Nothing was changed; works again as soon as there is room.
    #[error("the disk is full: nothing was stored in {}; free some space", path.display())]
    DiskFull {
        /// The database.
        path: PathBuf,
    },
    /// The file is damaged or no database at all.
    #[error("{} is damaged or no database ({detail}): restore it from a backup, or move it away to start empty", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What was noticed.
        detail: String,
    },
    /// Written by a later version of the program.
    #[error("{} has schema version {found}, this program knows up to {supported}: use the newer program", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        supported: u32,
    },
    /// A database, but of some other program.
    #[error("{} is a database of another program: give another data_dir", path.display())]
    NotOurs {
        /// The database.
        path: PathBuf,
    },
    /// The file cannot be made or opened.
    #[error("{}: {reason}", path.display())]
    File {
        /// The database.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Another process has claimed the file; nothing was changed, and this one must stop.
    #[error("another process has taken {} over: this one does not write to it any more", path.display())]
    Fenced {
        /// The database.
        path: PathBuf,
    },
    /// Another process holds the file for longer than the busy timeout. Try again.
    #[error("{} is in use by another process", path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{}: {reason}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
}

impl StoreError {
    /// Names the database in an error that was made without it.
    pub(crate) fn at(mut self, database: &Path) -> Self {
        match &mut self {
            Self::DiskFull { path }
            | Self::Corrupt { path, .. }
            | Self::NewerSchema { path, .. }
            | Self::NotOurs { path }
            | Self::File { path, .. }
            | Self::Fenced { path }
            | Self::Busy { path }
            | Self::Database { path, .. } => database.clone_into(path),
            _ => {}
        }
        self
    }

    /// Stored content that does not read back.
    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Self::Corrupt { path: PathBuf::new(), detail: detail.into() }
    }

    pub(crate) fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string(), hint: String::new() }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let path = PathBuf::new();
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { path, detail: reason },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::File { path, reason }
            }
            _ => Self::Database { path, reason },
        }
    }
}

/// Whether a statement failed because a unique or primary key exists already.
pub(crate) fn is_unique_violation(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|e| {
        e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
            || e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
    })
}
