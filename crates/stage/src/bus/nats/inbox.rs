//! Taking messages over NATS, and settling them.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::{self, AckKind};
use bytes::Bytes;
use futures::StreamExt as _;
use sightline_wire::subject::Queue;
use sightline_wire::{Utc, Wire};

use super::{Connection, HEADER_SUM};
use crate::bus::memory::{DeadLetter, lock};
use crate::bus::{BusError, Delivery, MAX_DELIVERIES, Settle, TOO_OFTEN};

/// Unsettled messages are redelivered after this; whoever still works on one says so every third of it.
const ACK_WAIT: Duration = Duration::from_secs(9);

/// Messages that all workers of a stage together may hold. More would let one replica starve the others.
const MAX_ACK_PENDING: i64 = 256;

/// A broker that has been asked for messages is silent for no longer: after that the answer was lost with the connection. Less than
/// a stage has for its shutdown.
const SILENCE: Duration = Duration::from_secs(2);

/// An acknowledgement is answered at once or never: a broker that was restarted says nothing about a delivery that it does not
/// remember. Waited for longer than this, it would hold up the stage and its shutdown.
const ACK_ANSWER: Duration = Duration::from_secs(2);

/// With two queues to ask, the longest time that a message of one waits for the other's silence.
const MANY_QUEUES_WAIT: Duration = Duration::from_millis(25);

const HEADER_ID: &str = "Nats-Msg-Id";

/// Deliveries that are being worked on, so that their deadlines can be moved.
type OnLoan = Arc<Mutex<Vec<Weak<Acker>>>>;

pub(crate) struct NatsInbox<T: Wire> {
    connection: Connection,
    consumer_name: Arc<str>,
    sources: Vec<Source>,
    next_source: usize,
    on_loan: OnLoan,
    progress: tokio::task::JoinHandle<()>,
    message: PhantomData<fn() -> T>,
}

impl<T: Wire> Drop for NatsInbox<T> {
    fn drop(&mut self) {
        self.progress.abort();
    }
}

impl<T: Wire> NatsInbox<T> {
    pub(in crate::bus) async fn open(connection: &Connection, consumer: &str) -> Result<Self, BusError> {
        let mut sources = Vec::new();
        for row in T::QUEUES {
            sources.push(Source::open(connection, *row, consumer).await?);
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

    pub(in crate::bus) async fn pull(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery<T>>, BusError> {
        let deadline = Instant::now() + wait;
        loop {
            if !self.connection.is_connected() {
                return Err(failed("pulling messages", "the NATS server is away"));
            }
            let mut messages = self.fetch(max).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if messages.is_empty() && !left.is_zero() {
                messages = self.wait_for_one(left).await?;
            }
            let mut deliveries = Vec::new();
            for message in messages {
                deliveries.extend(self.open_message(message).await);
            }
            if !deliveries.is_empty() || Instant::now() >= deadline {
                return Ok(deliveries);
            }
        }
    }

    /// What is queued. Each queue is the first one in turn, so that none starves another.
    async fn fetch(&mut self, max: usize) -> Result<Vec<jetstream::Message>, BusError> {
        let mut answers = Vec::new();
        let mut count = 0;
        self.next_source = (self.next_source + 1) % self.sources.len();
        for step in 0..self.sources.len() {
            let at = (self.next_source + step) % self.sources.len();
            if count < max {
                let source = &mut self.sources[at];
                let answer = source.fetch(&self.connection, &self.consumer_name, max - count).await;
                count += answer.as_ref().map_or(0, Vec::len);
                answers.push(answer);
            }
        }
        what_came(answers)
    }

    /// With several queues each is asked at the same time for one message; every answer is taken, so that none is stranded.
    async fn wait_for_one(&mut self, wait: Duration) -> Result<Vec<jetstream::Message>, BusError> {
        let wait = if self.sources.len() == 1 { wait } else { wait.min(MANY_QUEUES_WAIT) };
        what_came(futures::future::join_all(self.sources.iter_mut().map(|source| source.wait(wait))).await)
    }

    /// Takes a message apart; what cannot be read is a dead letter at once, and the queue goes on.
    async fn open_message(&self, message: jetstream::Message) -> Option<Delivery<T>> {
        let (attempts, sequence) = match message.info() {
            Ok(info) => (u32::try_from(info.delivered).unwrap_or(u32::MAX), info.stream_sequence),
            Err(error) => {
                tracing::warn!(%error, "a message without a delivery count is left to come again");
                return None;
            }
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
            _ if attempts > MAX_DELIVERIES => Err(TOO_OFTEN.to_owned()),
            _ => T::decode(&message.payload).map_err(|error| error.to_string()),
        };
        match verdict {
            Ok(item) => {
                lock(&self.on_loan).push(Arc::downgrade(&settle.acker));
                Some(Delivery { item, attempts, settle: Settle::Nats(settle) })
            }
            Err(reason) => {
                if let Err(error) = settle.reject(attempts, reason).await {
                    // The other messages of the batch do not suffer for it.
                    tracing::warn!(%error, "a message that is to be a dead letter will come again");
                }
                None
            }
        }
    }
}

fn failed(what: &'static str, reason: impl ToString) -> BusError {
    BusError::Request { what, reason: reason.to_string() }
}

/// The messages of several answers. What came is on loan, and must not be lost by an answer that is an error.
fn what_came(answers: Vec<Result<Vec<jetstream::Message>, BusError>>) -> Result<Vec<jetstream::Message>, BusError> {
    let mut messages = Vec::new();
    let mut failure = None;
    for answer in answers {
        match answer {
            Ok(more) => messages.extend(more),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if messages.is_empty() => Err(error),
        _ => Ok(messages),
    }
}

/// One queue and the consumer through which it is read.
struct Source {
    row: Queue,
    consumer: PullConsumer,
    /// The last request failed: perhaps stream and consumer are gone with a restart of the broker.
    doubtful: bool,
}

impl Source {
    async fn open(connection: &Connection, row: Queue, consumer: &str) -> Result<Self, BusError> {
        connection.ensure_stream(&row).await?;
        let stream = connection.name(row.name);
        let unusable = |error: String| connection.unusable(format!("consumer {consumer} of {stream}: {error}"));
        let handle = connection.jetstream().get_stream(&stream).await.map_err(|error| unusable(error.to_string()))?;
        let config = pull::Config {
            durable_name: Some(consumer.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            max_ack_pending: MAX_ACK_PENDING,
            ..pull::Config::default()
        };
        let opened = handle.get_or_create_consumer(consumer, config).await;
        Ok(Self { row, consumer: opened.map_err(|error| unusable(error.to_string()))?, doubtful: false })
    }

    async fn fetch(
        &mut self,
        connection: &Connection,
        consumer: &str,
        max: usize,
    ) -> Result<Vec<jetstream::Message>, BusError> {
        if self.doubtful {
            *self = Self::open(connection, self.row, consumer).await?;
        }
        let batch = self.consumer.fetch().max_messages(max).messages().await;
        self.collect(batch, SILENCE).await
    }

    async fn wait(&mut self, wait: Duration) -> Result<Vec<jetstream::Message>, BusError> {
        let batch = self.consumer.batch().max_messages(1).expires(wait).messages().await;
        self.collect(batch, wait + SILENCE).await
    }

    /// Every message of a batch; after an error what came before it is kept, and the error comes again with the next pull.
    async fn collect(
        &mut self,
        batch: Result<pull::Batch, pull::BatchError>,
        silence: Duration,
    ) -> Result<Vec<jetstream::Message>, BusError> {
        let mut messages = Vec::new();
        self.doubtful = true;
        let mut batch = batch.map_err(|error| failed("asking for messages", error))?;
        let reason = loop {
            match tokio::time::timeout(silence, batch.next()).await {
                Ok(Some(Ok(message))) => messages.push(message),
                Ok(None) => {
                    self.doubtful = false;
                    return Ok(messages);
                }
                Ok(Some(Err(error))) => break error.to_string(),
                Err(_) => break format!("no answer within {silence:?}"),
            }
        };
        if messages.is_empty() { Err(failed("pulling messages", reason)) } else { Ok(messages) }
    }
}

/// Tells the broker every third of the deadline that the messages on loan are still being worked on.
async fn keep_alive(on_loan: OnLoan) {
    let mut beat = tokio::time::interval(ACK_WAIT / 3);
    loop {
        beat.tick().await;
        let ackers: Vec<Arc<Acker>> = {
            let mut on_loan = lock(&on_loan);
            on_loan.retain(|acker| acker.strong_count() > 0);
            on_loan.iter().filter_map(Weak::upgrade).collect()
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
    pub(in crate::bus) async fn done(self) -> Result<(), BusError> {
        let what = "acknowledging a message";
        match tokio::time::timeout(ACK_ANSWER, self.acker.double_ack()).await {
            Ok(answer) => answer.map_err(|error| failed(what, error)),
            Err(_) => Err(failed(what, format!("no answer within {ACK_ANSWER:?}"))),
        }
    }

    pub(in crate::bus) async fn retry(self, delay: Duration) -> Result<(), BusError> {
        let nak = self.acker.ack_with(AckKind::Nak(Some(delay))).await;
        nak.map_err(|error| failed("handing a message back", error))
    }

    pub(in crate::bus) async fn reject(self, attempts: u32, reason: String) -> Result<(), BusError> {
        let letter = DeadLetter {
            stage: self.consumer.to_string(),
            reason,
            attempts,
            message_id: self.message_id.clone(),
            at: Utc::now(),
            bytes: self.payload.clone(),
        };
        // Stored first, then taken out of the queue: a crash between the two doubles it and the id undoes that.
        self.connection.bury(letter).await?;
        self.done().await
    }
}
