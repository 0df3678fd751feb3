//! Who does which stage: every process answers for its own, and whoever asks hears at once when nobody does one.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
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

/// Who did not answer the roll call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Roll<'a> {
    /// No process of the site does these stages.
    pub absent: Vec<&'a str>,
    /// Of these there is one, which hangs.
    pub silent: Vec<&'a str>,
}

/// Asks for all of the stages at once. Makes nothing on the broker.
///
/// # Errors
/// When the broker cannot be reached or used, or is lost meanwhile.
pub async fn call<'a>(site: NatsConfig, stages: &[&'a str]) -> Result<Roll<'a>, BusError> {
    let connection = Connection::as_guest(site).await?;
    let client = connection.client();
    let failed = |reason: String| BusError::Request { what: "calling the roll", reason };
    let answers = stages.iter().map(|stage| {
        let request = async_nats::Request::new().timeout(Some(PATIENCE));
        client.send_request(address(&connection, stage), request)
    });
    let mut roll = Roll::default();
    for (stage, answer) in stages.iter().zip(futures::future::join_all(answers).await) {
        match answer {
            Ok(_) => {}
            Err(error) if error.kind() == RequestErrorKind::NoResponders => roll.absent.push(stage),
            Err(error) if error.kind() == RequestErrorKind::TimedOut => roll.silent.push(stage),
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    // Without the broker all are silent.
    if !roll.silent.is_empty() && client.connection_state() != State::Connected {
        return Err(failed("the connection was lost".to_owned()));
    }
    Ok(roll)
}

fn address(connection: &Connection, stage: &str) -> String {
    connection.subject(&format!("rpc.here.{stage}"))
}
