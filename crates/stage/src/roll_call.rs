//! Who does which stage: every process answers for its own, and whoever asks hears at once when nobody does one.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use bytes::Bytes;
use futures::StreamExt as _;

use crate::bus::nats::Connection;
use crate::bus::{Bus, BusError, NatsConfig, Transport};
use crate::shutdown::Shutdown;

/// Longest wait for an answer, which a process that is there gives at once.
const PATIENCE: Duration = Duration::from_secs(3);

impl Bus {
    /// Answers for a stage until the shutdown. Over memory there is nobody who could ask.
    ///
    /// # Errors
    /// When the broker refuses the subscription.
    pub async fn answer_for(&self, stage: &str, shutdown: Shutdown) -> Result<(), BusError> {
        let Transport::Nats(connection) = &self.0 else { return Ok(()) };
        let failed = |reason: String| BusError::Request { what: "answering for a stage", reason };
        let client = connection.client().clone();
        let subject = address(connection, stage);
        let mut calls = client.subscribe(subject).await.map_err(|error| failed(error.to_string()))?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    call = calls.next() => {
                        let Some(call) = call else { break };
                        let Some(caller) = call.reply else { continue };
                        if let Err(error) = client.publish(caller, Bytes::new()).await {
                            tracing::debug!(%error, "a roll call could not be answered");
                        }
                    }
                }
            }
        });
        Ok(())
    }
}

/// Those of the stages that no process of the site does. Makes nothing on the broker.
///
/// # Errors
/// When the broker cannot be reached or used, or loses the question.
pub async fn absent<'a>(site: NatsConfig, stages: &[&'a str]) -> Result<Vec<&'a str>, BusError> {
    let connection = Connection::as_guest(site).await?;
    let mut absent = Vec::new();
    for stage in stages {
        let request = async_nats::Request::new().timeout(Some(PATIENCE));
        match connection.client().send_request(address(&connection, stage), request).await {
            Ok(_) => {}
            Err(error) if error.kind() == RequestErrorKind::NoResponders => absent.push(*stage),
            Err(error) => return Err(BusError::Request { what: "calling the roll", reason: error.to_string() }),
        }
    }
    Ok(absent)
}

fn address(connection: &Connection, stage: &str) -> String {
    connection.subject(&format!("rpc.here.{stage}"))
}
