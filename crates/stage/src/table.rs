//! A small replicated table that can be watched: desired cameras, their states, members, leases.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::kv::{self, Operation, Store};
use async_nats::jetstream::stream::StorageType;
use bytes::Bytes;
use futures::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::bus::memory::lock;
use crate::bus::nats::{Connection, token};
use crate::bus::{Bus, BusError, Transport};

/// So often a change is tried against others who change the same entry: each attempt that fails means that one of them succeeded.
const CHANGE_ATTEMPTS: u32 = 20;

/// All entries at one moment.
pub type Entries<V> = Arc<BTreeMap<String, V>>;

/// A table of the memory bus: entries as JSON, so that one type of table serves all.
pub(crate) type MemoryTable = Arc<watch::Sender<BTreeMap<String, Bytes>>>;

/// A named table with values of one type. Cheap to clone.
pub struct Table<V> {
    kind: Kind,
    values: PhantomData<fn() -> V>,
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Self {
        Self { kind: self.kind.clone(), values: PhantomData }
    }
}

#[derive(Clone)]
enum Kind {
    Memory(MemoryTable),
    Nats(Arc<Store>),
}

impl Bus {
    /// The table of this name, made if it is not there.
    ///
    /// # Errors
    /// [`BusError::Name`] for a name that cannot be one, [`BusError::Unusable`] when the broker refuses it.
    pub async fn table<V>(&self, name: &str) -> Result<Table<V>, BusError> {
        token(name, "a table's name")?;
        let kind = match &self.0 {
            Transport::Memory(broker) => {
                let mut tables = lock(&broker.shared.tables);
                let fresh = || Arc::new(watch::Sender::new(BTreeMap::new()));
                Kind::Memory(Arc::clone(tables.entry(name.to_owned()).or_insert_with(fresh)))
            }
            Transport::Nats(connection) => Kind::Nats(Arc::new(open_bucket(connection, name).await?)),
        };
        Ok(Table { kind, values: PhantomData })
    }
}

async fn open_bucket(connection: &Connection, name: &str) -> Result<Store, BusError> {
    let bucket = connection.name(name);
    if let Ok(store) = connection.jetstream().get_key_value(&bucket).await {
        return Ok(store);
    }
    let config = kv::Config { bucket, history: 1, storage: StorageType::File, ..kv::Config::default() };
    connection
        .jetstream()
        .create_key_value(config)
        .await
        .map_err(|error| BusError::Request { what: "creating a table", reason: error.to_string() })
}

impl<V: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Table<V> {
    /// Sets an entry. Keys are 1 to 64 letters, digits, `-` or `_`.
    ///
    /// # Errors
    /// [`BusError::Name`], or [`BusError::Request`] when the broker did not store it.
    pub async fn put(&self, key: &str, value: &V) -> Result<(), BusError> {
        token(key, "a table's key")?;
        let failed = |reason: String| BusError::Request { what: "writing to a table", reason };
        let bytes = Bytes::from(serde_json::to_vec(value).map_err(|error| failed(error.to_string()))?);
        match &self.kind {
            Kind::Memory(table) => {
                table.send_modify(|entries| drop(entries.insert(key.to_owned(), bytes)));
                Ok(())
            }
            Kind::Nats(store) => store.put(key, bytes).await.map(drop).map_err(|error| failed(error.to_string())),
        }
    }

    /// Removes an entry; one that is not there is fine.
    ///
    /// # Errors
    /// As [`Table::put`].
    pub async fn delete(&self, key: &str) -> Result<(), BusError> {
        token(key, "a table's key")?;
        match &self.kind {
            Kind::Memory(table) => {
                table.send_modify(|entries| drop(entries.remove(key)));
                Ok(())
            }
            Kind::Nats(store) => store
                .delete(key)
                .await
                .map_err(|error| BusError::Request { what: "deleting from a table", reason: error.to_string() }),
        }
    }

    /// One entry as it is stored now.
    ///
    /// # Errors
    /// As [`Table::put`].
    pub async fn get(&self, key: &str) -> Result<Option<V>, BusError> {
        token(key, "a table's key")?;
        let bytes = match &self.kind {
            Kind::Memory(table) => table.borrow().get(key).cloned(),
            Kind::Nats(store) => store
                .get(key)
                .await
                .map_err(|error| BusError::Request { what: "reading a table", reason: error.to_string() })?,
        };
        Ok(bytes.and_then(|bytes| read(key, &bytes)))
    }

    /// Sets an entry to what `change` makes of the one that is there, in one step: of several who do this at the same time each sees
    /// what the one before it has written. Returns the new entry.
    ///
    /// # Errors
    /// As [`Table::put`]; then nothing is known to have changed.
    pub async fn change(&self, key: &str, change: impl Fn(Option<V>) -> V + Send) -> Result<V, BusError> {
        token(key, "a table's key")?;
        let failed = |reason: String| BusError::Request { what: "changing a table", reason };
        let write = |value: &V| serde_json::to_vec(value).map(Bytes::from).map_err(|error| failed(error.to_string()));
        let store = match &self.kind {
            Kind::Memory(table) => {
                let mut outcome = Err(failed("nothing was changed".to_owned()));
                table.send_modify(|entries| {
                    let value = change(entries.get(key).and_then(|bytes| read(key, bytes)));
                    outcome = write(&value).map(|bytes| drop(entries.insert(key.to_owned(), bytes))).map(|()| value);
                });
                return outcome;
            }
            Kind::Nats(store) => store,
        };
        for _ in 0..CHANGE_ATTEMPTS {
            let entry = store.entry(key).await.map_err(|error| failed(error.to_string()))?;
            let held = entry.filter(|entry| entry.operation == Operation::Put);
            let value = change(held.as_ref().and_then(|entry| read(key, &entry.value)));
            let bytes = write(&value)?;
            let written = match held {
                Some(entry) => store.update(key, bytes, entry.revision).await.map_err(|error| error.to_string()),
                None => store.create(key, bytes).await.map_err(|error| error.to_string()),
            };
            match written {
                Ok(_) => return Ok(value),
                Err(error) => tracing::debug!(key, error, "somebody else was faster, or the broker is away; once more"),
            }
        }
        Err(failed(format!("\"{key}\" could not be changed in {CHANGE_ATTEMPTS} attempts")))
    }

    /// All entries as they are stored now.
    ///
    /// # Errors
    /// [`BusError::Request`] when the broker does not answer.
    pub async fn all(&self) -> Result<BTreeMap<String, V>, BusError> {
        match &self.kind {
            Kind::Memory(table) => Ok(read_all(&table.borrow())),
            Kind::Nats(store) => read_bucket(store)
                .await
                .map_err(|error| BusError::Request { what: "reading a table", reason: error.to_string() }),
        }
    }

    /// All entries, now and after every change. Over NATS it keeps the last known ones while the broker is away. Entries
    /// that cannot be read are left out and logged. Ends when the receiver is dropped.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Entries<V>> {
        let (sender, receiver) = watch::channel(Arc::new(BTreeMap::new()));
        match &self.kind {
            Kind::Memory(table) => {
                let mut changes = table.subscribe();
                sender.send_replace(Arc::new(read_all(&changes.borrow_and_update())));
                tokio::spawn(async move {
                    loop {
                        tokio::select! {
                            changed = changes.changed() => if changed.is_err() { return },
                            () = sender.closed() => return,
                        }
                        let entries = read_all(&changes.borrow_and_update());
                        sender.send_replace(Arc::new(entries));
                    }
                });
            }
            Kind::Nats(store) => {
                tokio::spawn(follow(Arc::clone(store), sender));
            }
        }
        receiver
    }
}

/// Follows a bucket for ever: everything first, then every change, and from the start again after a break.
async fn follow<V: DeserializeOwned + Clone + Send + Sync + 'static>(
    store: Arc<Store>,
    sender: watch::Sender<Entries<V>>,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        tokio::select! {
            outcome = follow_once(&store, &sender) => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "watching a table is tried again");
                }
            }
            () = sender.closed() => return,
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

async fn follow_once<V: DeserializeOwned + Clone + Send + Sync + 'static>(
    store: &Store,
    sender: &watch::Sender<Entries<V>>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Watching starts first, so that no change falls between the two.
    let mut changes = store.watch_all().await?;
    let mut entries = read_bucket(store).await?;
    sender.send_replace(Arc::new(entries.clone()));
    while let Some(change) = changes.next().await {
        let change = change?;
        match change.operation {
            Operation::Put => match read(&change.key, &change.value) {
                Some(value) => drop(entries.insert(change.key, value)),
                None => drop(entries.remove(&change.key)),
            },
            Operation::Delete | Operation::Purge => drop(entries.remove(&change.key)),
        }
        sender.send_replace(Arc::new(entries.clone()));
    }
    Ok(())
}

async fn read_bucket<V: DeserializeOwned>(
    store: &Store,
) -> Result<BTreeMap<String, V>, Box<dyn std::error::Error + Send + Sync>> {
    let mut entries = BTreeMap::new();
    let mut keys = store.keys().await?;
    while let Some(key) = keys.next().await {
        let key = key?;
        if let Some(bytes) = store.get(&key).await? {
            entries.extend(read(&key, &bytes).map(|value| (key, value)));
        }
    }
    Ok(entries)
}

fn read<V: DeserializeOwned>(key: &str, bytes: &[u8]) -> Option<V> {
    serde_json::from_slice(bytes).inspect_err(|error| tracing::warn!(key, %error, "an entry is left out")).ok()
}

fn read_all<V: DeserializeOwned>(entries: &BTreeMap<String, Bytes>) -> BTreeMap<String, V> {
    entries.iter().filter_map(|(key, bytes)| Some((key.clone(), read(key, bytes)?))).collect()
}

/// The bucket itself, for the lease: compare and set is not something others need.
pub(crate) async fn bucket(connection: &Connection, name: &str) -> Result<Store, BusError> {
    open_bucket(connection, name).await
}

/// A lock of the memory bus by name.
pub(crate) fn memory_lock(
    shared: &Mutex<std::collections::HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    name: &str,
) -> Arc<tokio::sync::Mutex<()>> {
    Arc::clone(lock(shared).entry(name.to_owned()).or_default())
}
