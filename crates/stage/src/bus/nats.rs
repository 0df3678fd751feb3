//! The transport between processes: JetStream streams, protobuf, acknowledgements that are on disk.
//!
//! What is built on: a pull takes what is queued and otherwise waits for one message, because the obvious "up to 16 within
//! a second" waits the whole second in light traffic; a pull is never cancelled, because that strands what was pulled;
//! a message past a consumer's `max_deliver` stays in a work queue for ever, so deliveries are counted here.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{Acker, PublishMessage};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, AckKind};
use bytes::Bytes;
use futures::StreamExt as _;
use sightline_wire::subject::{Queue, Storage, WhenFull};
use sightline_wire::{Utc, Wire};

use super::memory::{DeadLetter, lock};
use super::{BusError, DUPLICATE_WINDOW, Delivery, MAX_DELIVERIES, Settle};
use crate::backoff::Backoff;
use crate::metrics;

/// Unsettled messages are redelivered after this; whoever still works on one says so every third of it.
const ACK_WAIT: Duration = Duration::from_secs(9);

/// Messages that all workers of a stage together may hold. More would let one replica starve the others.
const MAX_ACK_PENDING: i64 = 256;

/// Oldest server that has what is used here (work queues with per-subject limits and discard, KV with limits).
const OLDEST_SERVER: (i64, i64, i64) = (2, 12, 0);

const HEADER_ID: &str = "Nats-Msg-Id";
const HEADER_SUM: &str = "Sightline-Crc32";
const HEADER_STAGE: &str = "Sightline-Stage";
const HEADER_REASON: &str = "Sightline-Reason";
const HEADER_ATTEMPTS: &str = "Sightline-Attempts";
const HEADER_AT: &str = "Sightline-At-Ns";

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
        tracing::info!(url, version, "connected to NATS");
        let inner = Inner { client, jetstream: context, site: config.site, url };
        let connection = Self(Arc::new(inner));
        for row in &sightline_wire::subject::TABLE {
            connection.ensure_stream(row).await?;
        }
        connection.ensure_dead_letters().await?;
        Ok(connection)
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

    async fn ensure_dead_letters(&self) -> Result<(), BusError> {
        let config = stream::Config {
            name: self.name("dead"),
            subjects: vec![self.subject("dead.>")],
            storage: StorageType::File,
            max_age: Duration::from_secs(30 * 24 * 3600),
            max_bytes: 1 << 30,
            ..stream::Config::default()
        };
        self.jetstream()
            .get_or_create_stream(config)
            .await
            .map_err(|error| self.unusable(format!("the stream of dead letters cannot be created: {error}")))?;
        Ok(())
    }

    pub(super) async fn dead_letters(&self) -> Result<Vec<DeadLetter>, BusError> {
        let request = |error: String| BusError::Request { what: "reading the dead letters", reason: error };
        let mut stream = self.jetstream().get_stream(self.name("dead")).await.map_err(|e| request(e.to_string()))?;
        let state = stream.info().await.map_err(|e| request(e.to_string()))?.state.clone();
        let first = state.first_sequence.max(state.last_sequence.saturating_sub(999));
        let mut letters = Vec::new();
        for sequence in first..=state.last_sequence {
            let Ok(message) = stream.get_raw_message(sequence).await else { continue };
            let text = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
            letters.push(DeadLetter {
                stage: text(HEADER_STAGE).unwrap_or_default(),
                reason: text(HEADER_REASON).unwrap_or_default(),
                attempts: text(HEADER_ATTEMPTS).and_then(|n| n.parse().ok()).unwrap_or(0),
                message_id: text("Sightline-Original-Id").unwrap_or_default(),
                at: Utc::from_unix_ns(text(HEADER_AT).and_then(|n| n.parse().ok()).unwrap_or(0)),
                bytes: message.payload.clone(),
            });
        }
        Ok(letters)
    }

    /// Stores a dead letter; the id is unique for each message that died, so that de-duplication swallows none.
    async fn bury(&self, letter: &DeadLetter) -> Result<(), BusError> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_STAGE, letter.stage.as_str());
        headers.insert(HEADER_REASON, letter.reason.replace(['\r', '\n'], " "));
        headers.insert(HEADER_ATTEMPTS, letter.attempts.to_string());
        headers.insert(HEADER_AT, letter.at.unix_ns().to_string());
        headers.insert("Sightline-Original-Id", letter.message_id.as_str());
        let id = format!("dead/{}/{}", letter.stage, letter.message_id);
        let message = PublishMessage::build().payload(letter.bytes.clone()).headers(headers).message_id(id);
        let failed = |reason: String| BusError::Request { what: "storing a dead letter", reason };
        let subject = self.subject(&format!("dead.{}", letter.stage));
        let stored = self.jetstream().send_publish(subject, message).await.map_err(|e| failed(e.to_string()))?;
        stored.await.map_err(|e| failed(e.to_string()))?;
        metrics::dead_letter(&letter.stage);
        tracing::warn!(stage = letter.stage, reason = letter.reason, id = letter.message_id, "dead letter");
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

pub(crate) struct NatsOutlet<T> {
    connection: Connection,
    message: PhantomData<fn(T)>,
}

impl<T> Clone for NatsOutlet<T> {
    fn clone(&self) -> Self {
        Self { connection: self.connection.clone(), message: PhantomData }
    }
}

impl<T: Wire> NatsOutlet<T> {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), message: PhantomData }
    }

    pub(super) async fn publish(&self, item: T) -> Result<(), BusError> {
        let queue = item.queue();
        let subject = self.connection.subject(&format!("{}.{}", queue.name, item.key()));
        let id = item.message_id();
        let payload = item.encode()?;
        // The message itself is encoded now; what is left to fail is the broker, and that passes.
        drop(item);
        let too_large = |limit| BusError::TooLarge { message: T::NAME, size: payload.len(), limit };
        let limit = self.connection.client().max_payload();
        if payload.len() > limit {
            return Err(too_large(limit));
        }
        let sum = crc32fast::hash(&payload).to_string();
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            let message =
                PublishMessage::build().payload(payload.clone()).message_id(&id).header(HEADER_SUM, sum.as_str());
            let sent = self.connection.jetstream().send_publish(subject.clone(), message).await;
            let outcome = match sent {
                Ok(stored) => stored.await.map(drop),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => return Err(too_large(limit)),
                // Full, or the broker is away: the same id makes a repetition harmless.
                Err(error) => {
                    metrics::bus_retry(queue.name);
                    tracing::debug!(queue = queue.name, %error, "publish will be repeated");
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }
}

/// Deliveries that are being worked on, so that their deadlines can be moved.
type OnLoan = Arc<Mutex<HashMap<u64, Weak<Acker>>>>;

pub(crate) struct NatsInbox<T: Wire> {
    connection: Connection,
    consumer_name: Arc<str>,
    sources: Vec<Source>,
    next_source: usize,
    on_loan: OnLoan,
    progress: tokio::task::JoinHandle<()>,
    message: PhantomData<fn() -> T>,
}

struct Source {
    consumer: PullConsumer,
}

impl<T: Wire> Drop for NatsInbox<T> {
    fn drop(&mut self) {
        self.progress.abort();
    }
}

impl<T: Wire> NatsInbox<T> {
    pub(super) async fn open(connection: &Connection, consumer: &str) -> Result<Self, BusError> {
        token(consumer, "a consumer's name")?;
        let mut sources = Vec::new();
        for row in T::QUEUES {
            sources.push(Source { consumer: open_consumer(connection, row, consumer).await? });
        }
        let on_loan = OnLoan::default();
        let progress = tokio::spawn(keep_alive(Arc::clone(&on_loan)));
        Ok(Self {
            connection: connection.clone(),
            consumer_name: consumer.into(),
            sources,
            next_source: 0,
            on_loan,
            progress,
            message: PhantomData,
        })
    }

    pub(super) async fn pull(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery<T>>, BusError> {
        let mut messages = Vec::new();
        for _ in 0..self.sources.len() {
            self.next_source = (self.next_source + 1) % self.sources.len();
            if messages.len() < max {
                let source = &self.sources[self.next_source];
                messages.extend(source.fetch(max - messages.len()).await?);
            }
        }
        if messages.is_empty() {
            messages = self.wait_for_one(wait).await?;
        }
        let mut deliveries = Vec::new();
        for message in messages {
            deliveries.extend(self.open_message(message).await?);
        }
        Ok(deliveries)
    }

    /// With several queues each is asked at the same time for one message; every answer is taken, so that none is stranded.
    async fn wait_for_one(&self, wait: Duration) -> Result<Vec<jetstream::Message>, BusError> {
        let wait = if self.sources.len() == 1 { wait } else { wait.min(MANY_QUEUES_WAIT) };
        let answers = futures::future::join_all(self.sources.iter().map(|source| source.wait(wait))).await;
        let mut messages = Vec::new();
        for answer in answers {
            messages.extend(answer?);
        }
        Ok(messages)
    }

    /// Takes a message apart; what cannot be read is a dead letter at once, and the queue goes on.
    async fn open_message(&self, message: jetstream::Message) -> Result<Option<Delivery<T>>, BusError> {
        let failed = |reason: String| BusError::Request { what: "reading a message's delivery count", reason };
        let (attempts, sequence) = {
            let info = message.info().map_err(|error| failed(error.to_string()))?;
            (u32::try_from(info.delivered).unwrap_or(u32::MAX), info.stream_sequence)
        };
        let (message, acker) = message.split();
        let header = |name: &str| message.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
        let settle = NatsSettle {
            connection: self.connection.clone(),
            consumer: Arc::clone(&self.consumer_name),
            acker: Arc::new(acker),
            message_id: header(HEADER_ID).unwrap_or_else(|| format!("{}#{sequence}", message.subject)),
            payload: message.payload.clone(),
        };
        let sum = crc32fast::hash(&message.payload).to_string();
        let verdict = match header(HEADER_SUM) {
            Some(stated) if stated != sum => Err(format!("the payload's checksum is {sum}, not {stated} as sent")),
            _ if attempts > MAX_DELIVERIES => Err(format!("failed {MAX_DELIVERIES} times: the worker did not survive it")),
            _ => T::decode(&message.payload).map_err(|error| error.to_string()),
        };
        match verdict {
            Ok(item) => {
                lock(&self.on_loan).insert(sequence, Arc::downgrade(&settle.acker));
                Ok(Some(Delivery { item, attempts, settle: Settle::Nats(settle) }))
            }
            Err(reason) => {
                settle.reject(attempts, reason).await?;
                Ok(None)
            }
        }
    }
}

/// With two queues to ask, the longest time that a message of one waits for the other's silence.
const MANY_QUEUES_WAIT: Duration = Duration::from_millis(25);

async fn open_consumer(connection: &Connection, row: &Queue, consumer: &str) -> Result<PullConsumer, BusError> {
    let stream = connection.name(row.name);
    let failed = |error: String| connection.unusable(format!("consumer {consumer} of {stream}: {error}"));
    let handle = connection.jetstream().get_stream(&stream).await.map_err(|error| failed(error.to_string()))?;
    let config = pull::Config {
        durable_name: Some(consumer.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        ..pull::Config::default()
    };
    handle.get_or_create_consumer(consumer, config).await.map_err(|error| failed(error.to_string()))
}

impl Source {
    async fn fetch(&self, max: usize) -> Result<Vec<jetstream::Message>, BusError> {
        let failed = |reason: String| BusError::Request { what: "pulling messages", reason };
        let batch = self.consumer.fetch().max_messages(max).messages().await.map_err(|e| failed(e.to_string()))?;
        collect(batch).await
    }

    async fn wait(&self, wait: Duration) -> Result<Vec<jetstream::Message>, BusError> {
        let failed = |reason: String| BusError::Request { what: "waiting for messages", reason };
        let batch = self.consumer.batch().max_messages(1).expires(wait).messages();
        collect(batch.await.map_err(|e| failed(e.to_string()))?).await
    }
}

/// Every message of a batch; after an error what came before it is kept, and the error comes again with the next pull.
async fn collect(mut batch: pull::Batch) -> Result<Vec<jetstream::Message>, BusError> {
    let mut messages = Vec::new();
    while let Some(next) = batch.next().await {
        match next {
            Ok(message) => messages.push(message),
            Err(error) if messages.is_empty() => {
                return Err(BusError::Request { what: "pulling messages", reason: error.to_string() });
            }
            Err(_) => break,
        }
    }
    Ok(messages)
}

/// Tells the broker every third of the deadline that the messages on loan are still being worked on.
async fn keep_alive(on_loan: OnLoan) {
    let mut beat = tokio::time::interval(ACK_WAIT / 3);
    loop {
        beat.tick().await;
        let ackers: Vec<Arc<Acker>> = {
            let mut on_loan = lock(&on_loan);
            on_loan.retain(|_, acker| acker.strong_count() > 0);
            on_loan.values().filter_map(Weak::upgrade).collect()
        };
        for acker in ackers {
            if let Err(error) = acker.ack_with(AckKind::Progress).await {
                tracing::debug!(%error, "the broker could not be told that a message is still being worked on");
            }
        }
    }
}

/// Settles one delivery.
pub(crate) struct NatsSettle {
    connection: Connection,
    consumer: Arc<str>,
    acker: Arc<Acker>,
    message_id: String,
    payload: Bytes,
}

impl NatsSettle {
    pub(super) async fn done(self) -> Result<(), BusError> {
        let failed = |reason: String| BusError::Request { what: "acknowledging a message", reason };
        self.acker.double_ack().await.map_err(|error| failed(error.to_string()))
    }

    pub(super) async fn retry(self, delay: Duration) -> Result<(), BusError> {
        let failed = |reason: String| BusError::Request { what: "handing a message back", reason };
        self.acker.ack_with(AckKind::Nak(Some(delay))).await.map_err(|error| failed(error.to_string()))
    }

    pub(super) async fn reject(self, attempts: u32, reason: String) -> Result<(), BusError> {
        let letter = DeadLetter {
            stage: self.consumer.to_string(),
            reason,
            attempts,
            message_id: self.message_id.clone(),
            at: Utc::now(),
            bytes: self.payload.clone(),
        };
        // Stored first, then taken out of the queue: a crash between the two doubles it and the id undoes that.
        self.connection.bury(&letter).await?;
        self.done().await
    }
}
