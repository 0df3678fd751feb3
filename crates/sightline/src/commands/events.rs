//! `sightline events`.

use std::time::Duration;

use anyhow::Result;
use sightline_stage::backoff::Backoff;
use sightline_wire::service::EventPage;
use sightline_wire::{Event, EventRecord};

use crate::args::{Arguments, Events, Output};
use crate::client::{Client, is_away};
use crate::output;

/// Events of one request.
const PAGE: u32 = 500;

/// How long the server is to wait for the next event before it says that there was none.
const WAIT: Duration = Duration::from_secs(15);

/// A server that is away is asked again after this, and later after twice as long and so on up to the other.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &Arguments, asked: &Events) -> Result<()> {
    let client = Client::new(arguments);
    if asked.follow {
        return follow(arguments, &client, asked.after);
    }
    let mut after = asked.after.unwrap_or(0);
    loop {
        let page = fetch(&client, after, Duration::ZERO)?;
        let Some(last) = page.events.last() else { return Ok(()) };
        print(arguments, &page.events)?;
        after = last.seq();
    }
}

/// Until somebody ends it. From now on, unless told where from.
fn follow(arguments: &Arguments, client: &Client, after: Option<u64>) -> Result<()> {
    let mut after = match after {
        Some(after) => after,
        // After the last that there can be, there is none; the answer says which is the newest.
        None => fetch_patiently(client, u64::MAX, Duration::ZERO)?.newest,
    };
    loop {
        let page = fetch_patiently(client, after, WAIT)?;
        print(arguments, &page.events)?;
        after = page.events.last().map_or(after, EventRecord::seq);
    }
}

/// Asks until the server answers. That it is away is said once.
fn fetch_patiently(client: &Client, after: u64, wait: Duration) -> Result<EventPage> {
    let mut backoff = Backoff::new(RETRY, LONGEST_RETRY);
    let mut is_told = false;
    loop {
        match fetch(client, after, wait) {
            Err(error) if is_away(&error) => {
                if !is_told {
                    output::error(&format!("{error:#}; it is asked again until it answers"));
                }
                is_told = true;
                std::thread::sleep(backoff.next_delay());
            }
            outcome => return outcome,
        }
    }
}

fn fetch(client: &Client, after: u64, wait: Duration) -> Result<EventPage> {
    client.get(&format!("/events?after={after}&limit={PAGE}&wait={}", wait.as_millis()))
}

fn print(arguments: &Arguments, events: &[EventRecord]) -> Result<()> {
    for event in events {
        match arguments.output {
            Output::Json => output::json(event)?,
            Output::Table => output::line(&line(event))?,
        }
    }
    Ok(())
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
