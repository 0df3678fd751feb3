//! The transport between processes: JetStream streams, protobuf, acknowledgements that are on disk.
//!
//! What is built on: a pull takes what is queued and otherwise waits for one message, because the obvious "up to 16 within
//! a second" waits the whole second in light traffic; a pull is never cancelled, because that strands what was pulled;
//! a message past a consumer's `max_deliver` stays in a work queue for ever, so deliveries are counted here; streams in the
//! broker's memory are gone after its restart, with their consumers, so whoever misses one makes it anew.

mod dead;
mod inbox;
mod outlet;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use sightline_wire::subject::{Queue, Storage, WhenFull};

use super::{BusError, DUPLICATE_WINDOW};

pub(crate) use inbox::{NatsInbox, NatsSettle};
pub(crate) use outlet::NatsOutlet;

/// Oldest server that has what is used here (work queues with per-subject limits and discard, KV with limits).
const OLDEST_SERVER: (i64, i64, i64) = (2, 12, 0);

/// The largest picture, a 4K frame with much detail, is some megabytes as JPEG; beyond this NATS itself advises against.
const ENOUGH_PAYLOAD: usize = 8 << 20;

/// A message's checksum: JetStream keeps what it is given, but nobody checks what a foreign program puts there.
const HEADER_SUM: &str = "Sightline-Crc32";

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// `nats://host:port`, `tls://host:port`.
    pub url: String,
    /// A credentials file of NATS.
    pub credentials: Option<PathBuf>,
    /// First token of every subject after `sightline`: sites may share a server.
    pub site: String,
}

#[derive(Clone)]
pub(crate) struct Connection(Arc<Inner>);

struct Inner {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    site: String,
    url: String,
}

impl Connection {
    pub(super) async fn open(config: NatsConfig) -> Result<Self, BusError> {
        let connection = Self::as_guest(config).await?;
        let (url, server) = (&connection.0.url, connection.client().server_info());
        tracing::info!(url, version = server.version, "connected to NATS");
        if server.max_payload < ENOUGH_PAYLOAD {
            tracing::warn!(
                url,
                max_payload = server.max_payload,
                "large frames and photographs will not pass: set max_payload of the NATS server to 8MB"
            );
        }
        for row in &sightline_wire::subject::TABLE {
            connection.ensure_stream(row).await?;
        }
        connection.ensure_dead_letters().await?;
        Ok(connection)
    }

    /// Checks the server's version and that JetStream is on, and makes nothing.
    pub(crate) async fn as_guest(config: NatsConfig) -> Result<Self, BusError> {
        token(&config.site, "a site's name")?;
        let url = sightline_wire::SourceUrl::new(config.url.clone()).redacted();
        let unreachable = |reason: String| BusError::Unreachable { url: url.clone(), reason };
        let mut options = async_nats::ConnectOptions::new()
            .name("sightline")
            .connection_timeout(Duration::from_secs(5))
            .request_timeout(Some(Duration::from_secs(5)))
            .reconnect_delay_callback(|attempts| Duration::from_millis((100 * attempts as u64).min(2_000)));
        if let Some(file) = &config.credentials {
            options = options.credentials_file(file).await.map_err(|error| BusError::Unusable {
                url: url.clone(),
                reason: format!("the credentials file {} cannot be read: {error}", file.display()),
            })?;
        }
        let client = options.connect(&config.url).await.map_err(|error| unreachable(error.to_string()))?;
        let version = client.server_info().version;
        let (major, minor, patch) = OLDEST_SERVER;
        let unusable = |reason: String| BusError::Unusable { url: url.clone(), reason };
        if !client.is_server_compatible(major, minor, patch) {
            return Err(unusable(format!("it is version {version}; {major}.{minor} or newer is needed")));
        }
        let context = jetstream::new(client.clone());
        context.query_account().await.map_err(|error| {
            unusable(format!("JetStream does not answer ({error}): start nats-server with a jetstream section"))
        })?;
        let inner = Inner { client, jetstream: context, site: config.site, url };
        Ok(Self(Arc::new(inner)))
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.0.client
    }

    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.0.jetstream
    }

    /// `sightline.<site>.<rest>`.
    pub(crate) fn subject(&self, rest: &str) -> String {
        format!("sightline.{}.{rest}", self.0.site)
    }

    /// A bucket or stream name: no dots are allowed in those.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("sightline_{}_{rest}", self.0.site)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.0.client.connection_state() == async_nats::connection::State::Connected
    }

    fn unusable(&self, reason: String) -> BusError {
        BusError::Unusable { url: self.0.url.clone(), reason }
    }

    async fn ensure_stream(&self, row: &Queue) -> Result<(), BusError> {
        let config = stream::Config {
            name: self.name(row.name),
            subjects: vec![self.subject(&format!("{}.>", row.name))],
            retention: RetentionPolicy::WorkQueue,
            storage: match row.storage {
                Storage::Memory => StorageType::Memory,
                Storage::File => StorageType::File,
            },
            discard: match row.when_full {
                WhenFull::DiscardOldest => DiscardPolicy::Old,
                WhenFull::Wait => DiscardPolicy::New,
            },
            max_messages: i64::try_from(row.capacity).unwrap_or(i64::MAX),
            max_messages_per_subject: if row.per_key == 0 { -1 } else { i64::try_from(row.per_key).unwrap_or(-1) },
            max_age: row.max_age,
            // A window longer than the age limit is refused by the server.
            duplicate_window: if row.max_age.is_zero() { DUPLICATE_WINDOW } else { row.max_age },
            ..stream::Config::default()
        };
        let name = config.name.clone();
        self.jetstream()
            .get_or_create_stream(config)
            .await
            .map_err(|error| self.unusable(format!("stream {name} cannot be created: {error}")))?;
        Ok(())
    }
}

/// A text that may be one token of a subject.
pub(crate) fn token(name: &str, what: &'static str) -> Result<(), BusError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (1..=64).contains(&name.len()) && name.bytes().all(good) {
        Ok(())
    } else {
        Err(BusError::Name { name: name.chars().take(80).collect(), what })
    }
}
