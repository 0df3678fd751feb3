//! Dead letters over NATS: a stream of their own, with what is known about each in its headers.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, StorageType};
use sightline_wire::Utc;

use super::Connection;
use crate::bus::BusError;
use crate::bus::memory::DeadLetter;
use crate::metrics;

const HEADER_STAGE: &str = "Sightline-Stage";
const HEADER_REASON: &str = "Sightline-Reason";
const HEADER_ATTEMPTS: &str = "Sightline-Attempts";
const HEADER_AT: &str = "Sightline-At-Ns";
const HEADER_ORIGINAL_ID: &str = "Sightline-Original-Id";

/// Letters that are read back at most.
const NEWEST: u64 = 1_000;

/// Longest reason and longest id in bytes; foreign messages may bring ids of any length.
const LONGEST_TEXT: usize = 1_000;

/// Room for the headers: a message that the server has just taken may be too large once it has these.
const HEADERS: usize = 8 << 10;

impl Connection {
    pub(super) async fn ensure_dead_letters(&self) -> Result<(), BusError> {
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

    pub(in crate::bus) async fn dead_letters(&self) -> Result<Vec<DeadLetter>, BusError> {
        let request = |error: String| BusError::Request { what: "reading the dead letters", reason: error };
        let mut stream = self.jetstream().get_stream(self.name("dead")).await.map_err(|e| request(e.to_string()))?;
        let state = stream.info().await.map_err(|e| request(e.to_string()))?.state.clone();
        let first = state.first_sequence.max(state.last_sequence.saturating_sub(NEWEST - 1));
        let mut letters = Vec::new();
        for sequence in first..=state.last_sequence {
            let Ok(message) = stream.get_raw_message(sequence).await else {
                continue;
            };
            let text = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
            letters.push(DeadLetter {
                stage: text(HEADER_STAGE).unwrap_or_default(),
                reason: text(HEADER_REASON).unwrap_or_default(),
                attempts: text(HEADER_ATTEMPTS).and_then(|n| n.parse().ok()).unwrap_or(0),
                message_id: text(HEADER_ORIGINAL_ID).unwrap_or_default(),
                at: Utc::from_unix_ns(text(HEADER_AT).and_then(|n| n.parse().ok()).unwrap_or(0)),
                bytes: message.payload.clone(),
            });
        }
        Ok(letters)
    }

    /// Stores a dead letter; the id is unique for each message that died, so that de-duplication swallows none.
    pub(super) async fn bury(&self, mut letter: DeadLetter) -> Result<(), BusError> {
        let room = self.client().max_payload().saturating_sub(HEADERS);
        if letter.bytes.len() > room {
            let size = letter.bytes.len();
            letter.bytes.truncate(room);
            letter.reason = format!("{} (cut from {size} to {room} bytes)", one_line(&letter.reason, LONGEST_TEXT / 2));
        }
        let original_id = one_line(&letter.message_id, LONGEST_TEXT);
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_STAGE, letter.stage.as_str());
        headers.insert(HEADER_REASON, one_line(&letter.reason, LONGEST_TEXT));
        headers.insert(HEADER_ATTEMPTS, letter.attempts.to_string());
        headers.insert(HEADER_AT, letter.at.unix_ns().to_string());
        headers.insert(HEADER_ORIGINAL_ID, original_id.as_str());
        let id = format!("dead/{}/{original_id}", letter.stage);
        let message = PublishMessage::build().payload(letter.bytes).headers(headers).message_id(id);
        let failed = |reason: String| BusError::Request { what: "storing a dead letter", reason };
        let subject = self.subject(&format!("dead.{}", letter.stage));
        let stored = self.jetstream().send_publish(subject, message).await.map_err(|e| failed(e.to_string()))?;
        stored.await.map_err(|e| failed(e.to_string()))?;
        metrics::dead_letter(&letter.stage);
        tracing::warn!(stage = letter.stage, reason = letter.reason, id = letter.message_id, "dead letter");
        Ok(())
    }
}

/// A text that can be a header: without line breaks, at most `longest` bytes.
fn one_line(text: &str, longest: usize) -> String {
    let end = text.floor_char_boundary(longest);
    text[..end].replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn headers_have_one_short_line() {
        assert_eq!(one_line("a\r\nb", 10), "a  b");
        assert_eq!(one_line("ääää", 5), "ää");
        assert_eq!(one_line("", 5), "");
    }
}
