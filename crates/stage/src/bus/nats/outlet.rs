//! Sending over NATS: encoded once, repeated until it is stored.

use std::marker::PhantomData;
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use sightline_wire::Wire;

use super::{Connection, HEADER_SUM};
use crate::backoff::Backoff;
use crate::bus::BusError;
use crate::metrics::{self, DropReason};

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
    pub(in crate::bus) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), message: PhantomData }
    }

    pub(in crate::bus) async fn publish(&self, item: T) -> Result<(), BusError> {
        let queue = item.queue();
        let subject = self.connection.subject(&format!("{}.{}", queue.name, item.key()));
        let id = item.message_id();
        let payload = item.encode()?;
        // The message itself is encoded now; what is left to fail is the broker, and that passes.
        drop(item);
        let too_large = |limit| {
            metrics::queue_dropped(queue.name, DropReason::TooLarge);
            BusError::TooLarge { message: T::NAME, size: payload.len(), limit }
        };
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
            let error = match outcome {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    return Err(too_large(limit));
                }
                Err(error) => error,
            };
            // Full, or the broker is away: the same id makes a repetition harmless.
            metrics::bus_retry(queue.name);
            tracing::debug!(queue = queue.name, %error, "publish will be repeated");
            if error.kind() == PublishErrorKind::StreamNotFound
                && let Err(error) = self.connection.ensure_stream(&queue).await
            {
                tracing::debug!(queue = queue.name, %error, "the stream is not there yet");
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }
}
