//! `sightline events`.

use anyhow::Result;
use sightline_wire::service::EventPage;
use sightline_wire::{Event, EventRecord};

use crate::args::{Arguments, Events, Output};
use crate::client::Client;
use crate::output;

/// Events of one request.
const PAGE: u32 = 500;

pub(crate) fn run(arguments: &Arguments, asked: &Events) -> Result<()> {
    let client = Client::new(arguments);
    let mut after = asked.after;
    loop {
        let wait = if asked.follow { 15_000 } else { 0 };
        let page: EventPage = client.get(&format!("/events?after={after}&limit={PAGE}&wait={wait}"))?;
        for event in &page.events {
            after = event.seq();
            match arguments.output {
                Output::Json => output::json(event)?,
                Output::Table => output::line(&line(event))?,
            }
        }
        if page.events.is_empty() && !asked.follow {
            return Ok(());
        }
    }
}

fn line(record: &EventRecord) -> String {
    match record {
        EventRecord::Visit(event) => visit(event),
        EventRecord::Camera(event) => {
            format!("{:>7}  {}  {:12} {:8} {}", event.seq, event.at, event.camera.as_str(), event.kind, event.detail)
        }
        EventRecord::Alias(event) => {
            format!("{:>7}  {}  {:12} alias    {} is {}", event.seq, event.publish_ts, "", event.from, event.into)
        }
    }
}

fn visit(event: &Event) -> String {
    let who = match (&event.subject, &event.unknown_id) {
        (Some(subject), _) => subject.name.clone(),
        (None, Some(unknown)) => format!("unknown {unknown}"),
        (None, None) => String::new(),
    };
    let kind = format!("{:?}", event.kind).to_lowercase();
    let score = event.score.map(|score| format!("{score:.2}")).unwrap_or_default();
    let (camera, outcome) = (event.camera.as_str(), event.outcome.as_str());
    format!("{:>7}  {}  {camera:12} {kind:8} {outcome:10} {score:5} {who}", event.seq, event.capture_ts)
}
