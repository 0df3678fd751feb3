//! The event log on the broker: a stream with a copy of what the store has, for programs that rather read NATS than HTTP.
//!
//! The store stays the record; the stream is brought up to it again after every outage. Subjects are
//! `sightline.<site>.events.<camera or ->.<type>`, the message is the event's JSON, and `Nats-Msg-Id` its `seq`.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, StorageType, Stream};
use bytes::Bytes;

use crate::bus::{Bus, BusError, Transport};

/// How long the stream keeps events; the store keeps them as long as it is told to.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// And how many bytes of them: some million events.
const MOST_BYTES: i64 = 2 << 30;

/// Header with the event's number.
const SEQ: &str = "Sightline-Seq";

/// Where copies of events go.
#[derive(Clone)]
pub struct Mirror {
    connection: crate::bus::nats::Connection,
    stream: Stream,
}

impl Bus {
    /// The stream of events; `None` where there is no broker.
    ///
    /// # Errors
    /// [`BusError::Request`] when the broker refuses it.
    pub async fn mirror(&self) -> Result<Option<Mirror>, BusError> {
        let Transport::Nats(connection) = &self.0 else { return Ok(None) };
        let config = stream::Config {
            name: connection.name("events"),
            subjects: vec![connection.subject("events.>")],
            storage: StorageType::File,
            max_age: KEPT,
            max_bytes: MOST_BYTES,
            ..stream::Config::default()
        };
        let stream = connection.jetstream().get_or_create_stream(config).await.map_err(failed)?;
        Ok(Some(Mirror { connection: connection.clone(), stream }))
    }
}

impl Mirror {
    /// How many events the stream has.
    ///
    /// # Errors
    /// [`BusError::Request`] when the broker does not answer.
    #[expect(clippy::len_without_is_empty, reason = "a count to compare, not a collection")]
    pub async fn len(&self) -> Result<u64, BusError> {
        Ok(self.stream.get_info().await.map_err(failed)?.state.messages)
    }

    /// The number of the newest event that the stream has; 0 when it is empty.
    ///
    /// # Errors
    /// [`BusError::Request`] when the broker does not answer.
    pub async fn newest(&self) -> Result<u64, BusError> {
        let state = self.stream.get_info().await.map_err(failed)?.state;
        if state.messages == 0 {
            return Ok(0);
        }
        let last = self.stream.get_raw_message(state.last_sequence).await.map_err(failed)?;
        Ok(last.headers.get(SEQ).and_then(|seq| seq.as_str().parse().ok()).unwrap_or(0))
    }

    /// Appends an event and waits until it is stored.
    ///
    /// # Errors
    /// [`BusError::Request`]; the same event may be appended again.
    pub async fn append(&self, seq: u64, camera: Option<&str>, kind: &str, event: Bytes) -> Result<(), BusError> {
        let subject = self.connection.subject(&format!("events.{}.{kind}", camera.unwrap_or("-")));
        let message =
            PublishMessage::build().payload(event).message_id(seq.to_string()).header(SEQ, seq.to_string().as_str());
        let stored = self.connection.jetstream().send_publish(subject, message).await.map_err(failed)?;
        stored.await.map(drop).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> BusError {
    BusError::Request { what: "mirroring events", reason: error.to_string() }
}
