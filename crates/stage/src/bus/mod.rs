//! The bus: one contract, two transports.
//!
//! `memory` keeps typed values in bounded queues inside the process; `nats` keeps protobuf in JetStream streams. Both are
//! built from the rows of [`sightline_wire::subject`], and the same contract tests run over both:
//!
//! - a published message is stored before `publish` returns, and delivered at least once;
//! - the same [`Wire::message_id`] within two minutes is stored once; a broker that was killed has forgotten the ids of messages
//!   that had left their queue, so that a stage must bear to see a message again;
//! - a full queue drops the oldest of the same key, or makes the publisher wait, as its row says;
//! - a message that is not settled comes again; after [`MAX_DELIVERIES`] it is a dead letter;
//! - a dead letter keeps stage, reason and the original bytes, and blocks nothing.

pub(crate) mod memory;
pub(crate) mod nats;

use std::time::Duration;

use sightline_wire::{Wire, WireError};

pub use memory::DeadLetter;
pub use nats::NatsConfig;

/// A message that came so often without success is a dead letter: enough for a restart of every worker, not for ever.
pub const MAX_DELIVERIES: u32 = 5;

/// Why a message is a dead letter that was never settled.
pub(crate) const TOO_OFTEN: &str = "delivered 5 times without success: the worker did not survive it";

/// How long a message id is remembered.
pub(crate) const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// What can go wrong on the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The message can never be sent over this transport.
    #[error(
        "a {message} of {size} bytes is larger than the {limit} bytes that the NATS server takes: raise its max_payload"
    )]
    TooLarge {
        /// Which message.
        message: &'static str,
        /// Its size.
        size: usize,
        /// The server's limit.
        limit: usize,
    },
    /// The message cannot be encoded.
    #[error(transparent)]
    Encode(#[from] WireError),
    /// The broker is there, but not as needed.
    #[error("the NATS server at {url} cannot be used: {reason}")]
    Unusable {
        /// Its address, without credentials.
        url: String,
        /// Why, and the way out.
        reason: String,
    },
    /// The broker cannot be reached.
    #[error("the NATS server at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Its address, without credentials.
        url: String,
        /// Why.
        reason: String,
    },
    /// A request to the broker failed; trying again may help.
    #[error("{what} failed: {reason}")]
    Request {
        /// What was asked.
        what: &'static str,
        /// What came back.
        reason: String,
    },
    /// A name that cannot be part of a subject.
    #[error("\"{name}\" cannot be used as {what}: use letters, digits, '-' and '_'")]
    Name {
        /// The name.
        name: String,
        /// What it was to be.
        what: &'static str,
    },
}

impl BusError {
    /// Whether the same message would fail again for ever.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::Encode(_))
    }
}

/// Handle on a transport; cheap to clone.
#[derive(Clone)]
pub struct Bus(pub(crate) Transport);

#[derive(Clone)]
pub(crate) enum Transport {
    Memory(memory::Broker),
    Nats(nats::Connection),
}

impl Bus {
    /// Queues inside this process.
    #[must_use]
    pub fn memory() -> Self {
        Self(Transport::Memory(memory::Broker::default()))
    }

    /// JetStream. Checks the server's version and that JetStream is on, and creates what is missing.
    ///
    /// # Errors
    /// [`BusError::Unreachable`] or [`BusError::Unusable`].
    pub async fn nats(config: NatsConfig) -> Result<Self, BusError> {
        Ok(Self(Transport::Nats(nats::Connection::open(config).await?)))
    }

    /// Whether messages leave the process.
    #[must_use]
    pub const fn is_nats(&self) -> bool {
        matches!(self.0, Transport::Nats(_))
    }

    /// Whether messages can be sent right now; the memory bus always can.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match &self.0 {
            Transport::Memory(_) => true,
            Transport::Nats(connection) => connection.is_connected(),
        }
    }

    /// Where messages of a type are sent.
    #[must_use]
    pub fn outlet<T: Wire>(&self) -> Outlet<T> {
        Outlet(match &self.0 {
            Transport::Memory(broker) => OutletKind::Memory(memory::MemoryOutlet::new(broker)),
            Transport::Nats(connection) => OutletKind::Nats(nats::NatsOutlet::new(connection)),
        })
    }

    /// Where messages of a type are taken from. All inboxes of the same type share the work; `consumer` names the stage in
    /// dead letters and, over NATS, the durable consumer.
    ///
    /// # Errors
    /// [`BusError::Name`] for a name that cannot be one, or when the broker refuses the stream or the consumer.
    pub async fn inbox<T: Wire>(&self, consumer: &str) -> Result<Inbox<T>, BusError> {
        nats::token(consumer, "a consumer's name")?;
        Ok(Inbox(match &self.0 {
            Transport::Memory(broker) => InboxKind::Memory(memory::MemoryInbox::new(broker, consumer)),
            Transport::Nats(connection) => InboxKind::Nats(nats::NatsInbox::open(connection, consumer).await?),
        }))
    }

    /// Messages of a type that wait or are on loan in this process; 0 over NATS, where they outlive it. At a shutdown a stage goes on
    /// until its queue is empty.
    #[must_use]
    pub fn unfinished<T: Wire>(&self) -> usize {
        match &self.0 {
            Transport::Memory(broker) => broker.unfinished::<T>(),
            Transport::Nats(_) => 0,
        }
    }

    /// The newest dead letters, oldest first, at most 1,000.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, BusError> {
        match &self.0 {
            Transport::Memory(broker) => Ok(broker.dead_letters()),
            Transport::Nats(connection) => connection.dead_letters().await,
        }
    }
}

/// Sends messages of one type. Cheap to clone.
#[derive(Clone)]
pub struct Outlet<T: Wire>(OutletKind<T>);

#[derive(Clone)]
enum OutletKind<T: Wire> {
    Memory(memory::MemoryOutlet<T>),
    Nats(nats::NatsOutlet<T>),
}

impl<T: Wire> Outlet<T> {
    /// Stores a message; waits while the queue is full, if its row says so, and while the broker is away.
    ///
    /// # Errors
    /// Only what is permanent: [`BusError::TooLarge`] and [`BusError::Encode`].
    pub async fn publish(&self, item: T) -> Result<(), BusError> {
        match &self.0 {
            OutletKind::Memory(outlet) => {
                outlet.publish(item).await;
                Ok(())
            }
            OutletKind::Nats(outlet) => outlet.publish(item).await,
        }
    }
}

/// Takes messages of one type.
pub struct Inbox<T: Wire>(InboxKind<T>);

enum InboxKind<T: Wire> {
    Memory(memory::MemoryInbox<T>),
    Nats(nats::NatsInbox<T>),
}

impl<T: Wire> Inbox<T> {
    /// Whether messages are still there when this process is not.
    pub(crate) const fn outlives_the_process(&self) -> bool {
        matches!(self.0, InboxKind::Nats(_))
    }

    /// Up to `max` messages: those that are queued, at once; if none is, the first one that comes within `wait`. Empty when
    /// none came. Must not be cancelled: over NATS a cancelled pull strands what it had pulled until it is redelivered.
    ///
    /// # Errors
    /// When the broker is away; try again after a moment.
    pub async fn pull(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery<T>>, BusError> {
        match &mut self.0 {
            InboxKind::Memory(inbox) => Ok(inbox.pull(max, wait).await),
            InboxKind::Nats(inbox) => inbox.pull(max, wait).await,
        }
    }
}

/// A message on loan: it must be settled, or it comes again.
pub struct Delivery<T: Wire> {
    /// The message.
    pub item: T,
    /// 1 for the first time.
    pub attempts: u32,
    pub(crate) settle: Settle<T>,
}

pub(crate) enum Settle<T: Wire> {
    Memory(memory::MemorySettle<T>),
    Nats(nats::NatsSettle),
}

impl<T: Wire> Delivery<T> {
    /// The message is done with and leaves the queue.
    ///
    /// # Errors
    /// When the broker did not confirm: the message may come again.
    pub async fn done(self) -> Result<(), BusError> {
        match self.settle {
            Settle::Memory(settle) => {
                settle.done();
                Ok(())
            }
            Settle::Nats(settle) => settle.done().await,
        }
    }

    /// The message comes again after `delay`, or becomes a dead letter after [`MAX_DELIVERIES`].
    ///
    /// # Errors
    /// When the broker did not confirm: then it comes again by itself.
    pub async fn retry(self, delay: Duration) -> Result<(), BusError> {
        if self.attempts >= MAX_DELIVERIES {
            return self.reject(format!("failed {MAX_DELIVERIES} times")).await;
        }
        match self.settle {
            Settle::Memory(settle) => {
                settle.retry(self.item, self.attempts, delay);
                Ok(())
            }
            Settle::Nats(settle) => settle.retry(delay).await,
        }
    }

    /// The message can never succeed: it becomes a dead letter.
    ///
    /// # Errors
    /// When the broker did not confirm: then it comes again.
    pub async fn reject(self, reason: String) -> Result<(), BusError> {
        match self.settle {
            Settle::Memory(settle) => {
                settle.reject(&self.item, self.attempts, reason);
                Ok(())
            }
            Settle::Nats(settle) => settle.reject(self.attempts, reason).await,
        }
    }
}
