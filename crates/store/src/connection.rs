//! Opening the file, and the two connections behind every call.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::StoreError;
use crate::metrics::Metrics;
use crate::schema;

/// How long a call waits for another process that holds the file (a backup, a second identify that takes over).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes a page: see the note at the schema. Only new files take it.
const PAGE_SIZE: u32 = 8192;

/// The write-ahead log is cut back to this after a checkpoint, bytes.
const JOURNAL_SIZE_LIMIT: u32 = 16 << 20;

/// Only the owner may read faces.
const FILE_MODE: u32 = 0o600;

/// What is told the newest `seq` after events were stored.
type Listener = Box<dyn Fn(u64) + Send + Sync>;

/// Settings of [`Store::open_with`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Most pages (8 KiB) the file may have; beyond that every write fails as on a full disk.
    pub max_pages: Option<u32>,
}

/// The database. A clone is the same one.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    listeners: Mutex<Vec<Listener>>,
    metrics: Metrics,
    /// The number under which this process owns the file; 0 for whoever has not claimed it.
    claim: AtomicI64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.shared.path.display())
    }
}

impl Store {
    /// Opens the database at `path`, or makes it and the folders above it. Files are readable by their owner only.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Corrupt`], [`StoreError::NotOurs`], [`StoreError::NewerSchema`],
    /// [`StoreError::DiskFull`], [`StoreError::Busy`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// [`Store::open`] with settings.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(path: &Path, options: Options) -> Result<Self, StoreError> {
        make_private(path).map_err(|e| StoreError::File { path: path.to_owned(), reason: e.to_string() })?;
        let open = || -> Result<Self, StoreError> {
            let mut writer = connect(path)?;
            if let Some(pages) = options.max_pages {
                writer.pragma_update(None, "max_page_count", pages)?;
            }
            schema::migrate(&mut writer)?;
            let reader = connect(path)?;
            reader.pragma_update(None, "query_only", true)?;
            let shared = Shared {
                path: path.to_owned(),
                writer: Mutex::new(writer),
                reader: Mutex::new(reader),
                listeners: Mutex::default(),
                metrics: Metrics::register(),
                claim: AtomicI64::new(0),
            };
            Ok(Self { shared: Arc::new(shared) })
        };
        open().map_err(|e| e.at(path))
    }

    /// Takes the file over: from here on whoever claimed it before cannot write any more, however late it notices that it is
    /// not the owner.
    ///
    /// # Errors
    /// The file's failures.
    pub fn claim(&self) -> Result<(), StoreError> {
        self.shared.claim.store(0, Ordering::Relaxed);
        let claim = self.write(|transaction| {
            let raise = "INSERT INTO counters VALUES ('owner', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value";
            Ok(transaction.query_row(raise, [], |row| row.get(0))?)
        })?;
        self.shared.claim.store(claim, Ordering::Relaxed);
        Ok(())
    }

    /// A random number that tells this gallery from every other; given when it is first asked for.
    ///
    /// # Errors
    /// The file's failures.
    pub fn gallery_id(&self) -> Result<u64, StoreError> {
        let id: i64 = self.write(|transaction| {
            let give = "INSERT OR IGNORE INTO counters VALUES ('gallery_id', random() & 9223372036854775807)";
            transaction.execute(give, [])?;
            Ok(transaction.query_row("SELECT value FROM counters WHERE name = 'gallery_id'", [], |row| row.get(0))?)
        })?;
        Ok(id.unsigned_abs())
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Has `listener` called with the newest `seq` each time events were stored; from the thread that stored them, so
    /// it must be quick and must not call the store.
    pub fn on_new_events(&self, listener: impl Fn(u64) + Send + Sync + 'static) {
        lock(&self.shared.listeners).push(Box::new(listener));
    }

    pub(crate) fn notify(&self, newest: u64) {
        for listener in lock(&self.shared.listeners).iter() {
            listener(newest);
        }
    }

    /// Runs `work` in one transaction: all of it is on disk when this returns `Ok`, nothing of it otherwise.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = lock(&self.shared.writer);
        let begin = Instant::now();
        let attempt = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            check_claim(&transaction, self.shared.claim.load(Ordering::Relaxed))?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let result = attempt().map_err(|e: StoreError| e.at(&self.shared.path));
        self.shared.metrics.committed(begin.elapsed());
        result
    }

    /// Runs `work` on the reading connection.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&lock(&self.shared.reader)).map_err(|e| e.at(&self.shared.path))
    }

    /// Moves what the write-ahead log still holds into the file and empties the log, so that what was deleted is gone
    /// from both. Best effort: a reader may be in the way, then a later checkpoint does it.
    pub(crate) fn scrub_log(&self) {
        let connection = lock(&self.shared.writer);
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log could not be emptied");
        }
    }
}

/// Inside the transaction that is about to write, so that nobody can claim the file in between.
fn check_claim(transaction: &Transaction<'_>, claim: i64) -> Result<(), StoreError> {
    if claim == 0 {
        return Ok(());
    }
    let newest: i64 = transaction
        .prepare_cached("SELECT value FROM counters WHERE name = 'owner'")?
        .query_row([], |row| row.get(0))?;
    if newest == claim { Ok(()) } else { Err(StoreError::Fenced { path: PathBuf::new() }) }
}

/// A panic in another thread rolled its transaction back; the connection is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the file and its folders if they are missing, and closes it to everybody but its owner. The log files beside
/// it inherit its mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(FILE_MODE).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let reason = format!("the file system does not support SQLite's write-ahead log (journal mode {mode})");
        return Err(StoreError::File { path: path.to_owned(), reason });
    }
    // FULL: the log is synced at each commit, so that "acknowledged" means "on disk" also after a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Deleted vectors are overwritten, not only forgotten. (This pragma answers, so it cannot be a plain update.)
    connection.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {JOURNAL_SIZE_LIMIT}"), [], |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// To read without leaving a trace. Where nobody has the file open, the log and its index are not there: opened as usual, even only
/// for reading, SQLite would make them, owned by whoever looks.
///
/// # Errors
/// Also for a log without its index, as a copy has it: what is in the log belongs to the file, and cannot be read without a trace.
pub(crate) fn connect_to_look(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs::metadata(&name)
    };
    let log = beside("-wal");
    if log.is_ok() && beside("-shm").is_ok() {
        return Ok(Connection::open_with_flags(path, flags)?);
    }
    if log.is_ok_and(|log| log.len() > 0) {
        let reason = "it was not closed cleanly, or was copied while it was open: start the server once".to_owned();
        return Err(StoreError::File { path: path.to_owned(), reason });
    }
    let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(Connection::open_with_flags(format!("file:{name}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)?)
}
