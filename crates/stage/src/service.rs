//! Request and reply over the bus: [`sightline_wire::service`] says what can be asked.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _};
use sightline_wire::service::{Call, Failure, FailureKind};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::bus::memory::{Broker, lock};
use crate::bus::nats::Connection;
use crate::bus::{Bus, BusError, Transport};
use crate::shutdown::Shutdown;

/// Calls of one kind that are handled at the same time; more wait.
const CONCURRENCY: usize = 16;

/// Calls that wait in a process; more are answered "unavailable". Over NATS they wait until their deadline. A burst comes before
/// the first of it is handled, and fits in whole.
const WAITING: usize = 2 * CONCURRENCY;

/// A service of the memory bus.
pub(crate) type MemoryService = mpsc::Sender<(Bytes, oneshot::Sender<Bytes>)>;

/// Calls services. Cheap to clone.
#[derive(Clone)]
pub struct ServiceClient(Bus);

impl ServiceClient {
    /// Calls over this bus.
    #[must_use]
    pub fn new(bus: &Bus) -> Self {
        Self(bus.clone())
    }

    /// Asks, with a binary attachment (empty for none), and waits for the answer until the deadline.
    ///
    /// # Errors
    /// The service's own [`Failure`], or one of ours: unavailable, timeout, too large.
    pub async fn call<C: Call>(
        &self,
        request: &C::Request,
        attachment: Bytes,
        deadline: Duration,
    ) -> Result<C::Reply, Failure> {
        let frame = frame(request, &attachment)?;
        let answer = tokio::time::timeout(deadline, self.send(C::NAME, frame));
        let answer = answer.await.map_err(|_| {
            let message = format!("{} did not answer within {deadline:?}; whether it happened is not known", C::NAME);
            Failure::new(FailureKind::Timeout, message)
        })??;
        serde_json::from_slice::<Result<C::Reply, Failure>>(&answer)
            .unwrap_or_else(|error| Err(internal(format!("{}: the answer cannot be read: {error}", C::NAME))))
    }

    async fn send(&self, name: &'static str, frame: Bytes) -> Result<Bytes, Failure> {
        let unavailable =
            |why: &str| Failure::new(FailureKind::Unavailable, format!("{name} is not served now: {why}"));
        match &self.0.0 {
            Transport::Memory(broker) => {
                let service = lock(&broker.shared.services).get(name).cloned();
                let service = service.ok_or_else(|| unavailable("nobody has started it"))?;
                let (reply, answer) = oneshot::channel();
                service.try_send((frame, reply)).map_err(|_| unavailable("it has too much to do, try again"))?;
                answer.await.map_err(|_| unavailable("it stopped"))
            }
            Transport::Nats(connection) => {
                let limit = connection.client().max_payload();
                if frame.len() > limit {
                    let message = format!("{} bytes are more than the {limit} that the NATS server takes", frame.len());
                    return Err(Failure::new(FailureKind::TooLarge, message));
                }
                let request = async_nats::Request::new().payload(frame).timeout(None);
                let subject = connection.subject(&format!("rpc.{name}"));
                match connection.client().send_request(subject, request).await {
                    Ok(message) => Ok(message.payload),
                    Err(error) if error.kind() == async_nats::client::RequestErrorKind::NoResponders => {
                        Err(unavailable("no worker answers"))
                    }
                    Err(error) => Err(unavailable(&error.to_string())),
                }
            }
        }
    }
}

impl Bus {
    /// Serves a kind of call until the shutdown. Several processes may serve the same one; each call goes to one of them.
    ///
    /// # Errors
    /// When the broker refuses the subscription.
    pub async fn serve<C, H, F>(&self, handler: H, shutdown: Shutdown) -> Result<(), BusError>
    where
        C: Call,
        H: Fn(C::Request, Bytes) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<C::Reply, Failure>> + Send + 'static,
    {
        match &self.0 {
            Transport::Memory(broker) => {
                serve_memory::<C, H, F>(broker, handler, shutdown);
                Ok(())
            }
            Transport::Nats(connection) => serve_nats::<C, H, F>(connection, handler, shutdown).await,
        }
    }
}

fn serve_memory<C, H, F>(broker: &Broker, handler: H, shutdown: Shutdown)
where
    C: Call,
    H: Fn(C::Request, Bytes) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<C::Reply, Failure>> + Send + 'static,
{
    let (sender, mut calls) = mpsc::channel::<(Bytes, oneshot::Sender<Bytes>)>(WAITING);
    lock(&broker.shared.services).insert(C::NAME, sender);
    tokio::spawn(async move {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = running.join_next() => {}
                call = calls.recv(), if running.len() < CONCURRENCY => {
                    let Some((frame, reply)) = call else { break };
                    let handler = handler.clone();
                    running.spawn(async move {
                        // A caller that has given up does not need the answer.
                        drop(reply.send(answer::<C, H, F>(&handler, frame).await));
                    });
                }
            }
        }
        // Whoever calls now hears at once that nobody serves, while the calls under way are answered.
        drop(calls);
        while running.join_next().await.is_some() {}
    });
}

async fn serve_nats<C, H, F>(connection: &Connection, handler: H, shutdown: Shutdown) -> Result<(), BusError>
where
    C: Call,
    H: Fn(C::Request, Bytes) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<C::Reply, Failure>> + Send + 'static,
{
    let subject = connection.subject(&format!("rpc.{}", C::NAME));
    let failed = |reason: String| BusError::Request { what: "offering a service", reason };
    let client = connection.client().clone();
    let mut calls =
        client.queue_subscribe(subject, "rpc".to_owned()).await.map_err(|error| failed(error.to_string()))?;
    client.flush().await.map_err(|error| failed(error.to_string()))?;
    tokio::spawn(async move {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = running.join_next() => {}
                call = calls.next(), if running.len() < CONCURRENCY => {
                    let Some(call) = call else { break };
                    let (handler, client) = (handler.clone(), client.clone());
                    running.spawn(async move {
                        let Some(reply) = call.reply else { return };
                        let bytes = answer::<C, H, F>(&handler, call.payload).await;
                        let bytes = fitting(bytes, client.max_payload());
                        if let Err(error) = client.publish(reply, bytes).await {
                            tracing::warn!(service = C::NAME, %error, "an answer could not be sent");
                        }
                    });
                }
            }
        }
        // Ends the subscription: whoever calls now hears at once that nobody serves, while the calls under way are answered.
        drop(calls);
        while running.join_next().await.is_some() {}
    });
    Ok(())
}

async fn answer<C, H, F>(handler: &H, bytes: Bytes) -> Bytes
where
    C: Call,
    H: Fn(C::Request, Bytes) -> F,
    F: Future<Output = Result<C::Reply, Failure>>,
{
    let outcome = match unframe::<C::Request>(bytes) {
        Ok((request, attachment)) => {
            // A panic is a defect of ours, and is said at once: without an answer the caller would wait for the deadline.
            let outcome = AssertUnwindSafe(async { handler(request, attachment).await }).catch_unwind().await;
            outcome.unwrap_or_else(|_panic| Err(internal(format!("{} broke down; see the log", C::NAME))))
        }
        Err(reason) => Err(Failure::new(FailureKind::Invalid, format!("{}: {reason}", C::NAME))),
    };
    match serde_json::to_vec(&outcome) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) => {
            tracing::error!(service = C::NAME, %error, "an answer cannot be written");
            Bytes::from_static(br#"{"Err":{"kind":"internal","message":"the answer cannot be written"}}"#)
        }
    }
}

/// The answer, or a failure in place of one that the NATS server does not take.
fn fitting(answer: Bytes, limit: usize) -> Bytes {
    if answer.len() <= limit {
        return answer;
    }
    let message = format!("the answer of {} bytes is larger than the {limit} that the NATS server takes", answer.len());
    let failure = Err::<(), _>(Failure::new(FailureKind::TooLarge, message));
    serde_json::to_vec(&failure).map(Bytes::from).unwrap_or_default()
}

/// Length of the JSON (4 bytes, big endian), the JSON, the attachment.
fn frame<R: serde::Serialize>(request: &R, attachment: &Bytes) -> Result<Bytes, Failure> {
    let json =
        serde_json::to_vec(request).map_err(|error| internal(format!("the request cannot be written: {error}")))?;
    let length = u32::try_from(json.len()).map_err(|_| internal("the request is too long".to_owned()))?;
    let mut frame = BytesMut::with_capacity(4 + json.len() + attachment.len());
    frame.put_u32(length);
    frame.put_slice(&json);
    frame.put_slice(attachment);
    Ok(frame.freeze())
}

fn unframe<R: serde::de::DeserializeOwned>(mut bytes: Bytes) -> Result<(R, Bytes), String> {
    let prefix: [u8; 4] = bytes.get(..4).and_then(|b| b.try_into().ok()).ok_or("the request is cut off")?;
    let length = u32::from_be_bytes(prefix) as usize;
    let json = bytes.get(4..).and_then(|rest| rest.get(..length)).ok_or("the request is cut off")?;
    let request = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let attachment = bytes.split_off(4 + length);
    Ok((request, attachment))
}

fn internal(message: String) -> Failure {
    Failure::new(FailureKind::Internal, message)
}

#[cfg(test)]
mod tests {
    use super::{frame, unframe};
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn frames_keep_request_and_attachment() {
        let framed = frame(&"hello", &Bytes::from_static(b"\x00\x01")).unwrap();
        let (text, attachment): (String, Bytes) = unframe(framed).unwrap();
        assert_eq!((text.as_str(), &attachment[..]), ("hello", &b"\x00\x01"[..]));
    }

    proptest! {
        #[test]
        fn random_frames_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop(unframe::<serde_json::Value>(Bytes::from(bytes)));
        }
    }
}
