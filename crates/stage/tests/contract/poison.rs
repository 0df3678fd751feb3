//! Bytes that are no messages, put into the queues by somebody else: a dead letter each, and the queue goes on.

use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use sightline_stage::bus::{BusError, DeadLetter, Outlet};
use sightline_wire::subject::{COMPLETE_FRAMES, Queue, VISITS};
use sightline_wire::{CaptureMode, Frame, IdentifyInput, Wire};

use crate::common::{Site, assert_nothing_comes, change, change_with, eventually, frame, number, subject, take_one};

over_nats!(
    bytes_that_are_no_message,
    a_message_cut_off_anywhere,
    a_message_that_breaks_a_rule,
    a_changed_byte_is_noticed,
    a_broken_picture,
    as_large_as_the_server_takes,
);

/// Stores bytes as a foreign program might, without our headers or with a wrong one.
async fn publish_raw(site: &Site, queue: &Queue, bytes: impl Into<Bytes>, checksum: Option<&str>) {
    let mut message = PublishMessage::build().payload(bytes.into());
    if let Some(checksum) = checksum {
        message = message.header("Sightline-Crc32", checksum);
    }
    let sent = site.jetstream().send_publish(subject(queue, "lobby"), message).await.unwrap();
    sent.await.unwrap();
}

/// The next good message is delivered; the dead letters of the bad ones before it.
async fn dead_before_the_next(site: &Site, bad: usize) -> Vec<DeadLetter> {
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    site.bus.outlet().publish(change("lobby", 1)).await.unwrap();
    let next = take_one(&mut inbox).await;
    assert_eq!((number(&next.item).1, next.attempts), (1, 1));
    next.done().await.unwrap();
    assert_nothing_comes(&mut inbox).await;
    eventually("the queue is empty", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
    let letters = site.dead_letters(bad).await;
    assert!(letters.iter().all(|letter| letter.stage == "identify" && !letter.reason.is_empty()), "{letters:?}");
    letters
}

async fn bytes_that_are_no_message(site: Site) {
    let mut random = fastrand::Rng::with_seed(7);
    let mut sent = vec![Vec::new(), vec![0xff; 64], b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    sent.extend((1..40).map(|length| (0..length * 7).map(|_| random.u8(..)).collect::<Vec<u8>>()));
    for bytes in &sent {
        publish_raw(&site, &VISITS, bytes.clone(), None).await;
    }
    let letters = dead_before_the_next(&site, sent.len()).await;
    let kept: Vec<&[u8]> = letters.iter().map(|letter| &letter.bytes[..]).collect();
    assert_eq!(kept, sent.iter().map(Vec::as_slice).collect::<Vec<_>>(), "the original bytes, in order");
}

async fn a_message_cut_off_anywhere(site: Site) {
    let whole = change("lobby", 9).encode().unwrap();
    for length in 1..whole.len() {
        publish_raw(&site, &VISITS, whole.slice(..length), None).await;
    }
    let letters = dead_before_the_next(&site, whole.len() - 1).await;
    assert!(letters.iter().all(|letter| whole.starts_with(&letter.bytes)));
}

async fn a_message_that_breaks_a_rule(site: Site) {
    // A camera's id may not have a dot; nothing but its text has this length.
    let good = change("lob_y", 9).encode().unwrap();
    let bad: Vec<u8> = good.iter().map(|byte| if *byte == b'_' { b'.' } else { *byte }).collect();
    publish_raw(&site, &VISITS, bad.clone(), None).await;
    let letter = dead_before_the_next(&site, 1).await.remove(0);
    assert!(letter.reason.contains("camera"), "{}", letter.reason);
    assert_eq!(letter.bytes, bad);
}

async fn a_changed_byte_is_noticed(site: Site) {
    // Readable, but not what was sent.
    let bytes = change("lobby", 9).encode().unwrap();
    publish_raw(&site, &VISITS, bytes.clone(), Some("1")).await;
    publish_raw(&site, &VISITS, bytes.clone(), Some("no number")).await;
    let letters = dead_before_the_next(&site, 2).await;
    assert!(letters.iter().all(|letter| letter.reason.contains("checksum") && letter.bytes == bytes), "{letters:?}");
}

async fn a_broken_picture(site: Site) {
    let mut bytes = frame("lobby", 0, CaptureMode::Complete).encode().unwrap().to_vec();
    let start = bytes.windows(2).position(|pair| pair == [0xff, 0xd8]).unwrap();
    bytes[start..start + 40].fill(0);
    publish_raw(&site, &COMPLETE_FRAMES, bytes, None).await;
    site.bus.outlet().publish(frame("lobby", 1, CaptureMode::Complete)).await.unwrap();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    assert_eq!(take_one(&mut inbox).await.item.id.seq, 1);
    let letter = site.dead_letters(1).await.remove(0);
    assert!(letter.stage == "detect" && letter.reason.contains("jpeg"), "{letter:?}");
}

/// A dead letter has more headers than the message had; with those it may be too large for the server.
async fn as_large_as_the_server_takes(site: Site) {
    let limit = site.jetstream().client().max_payload();
    publish_raw(&site, &VISITS, vec![0xff; limit], None).await;
    let letter = dead_before_the_next(&site, 1).await.remove(0);
    assert!(letter.bytes.len() > limit / 2 && letter.bytes.iter().all(|byte| *byte == 0xff), "{}", letter.bytes.len());
    assert!(letter.reason.contains("cut"), "{}", letter.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_to_be_sent_is_said_at_once() {
    let site = Site::nats().await;
    let outlet: Outlet<IdentifyInput> = site.bus.outlet();
    let limit = site.jetstream().client().max_payload();
    let frame = change_with("lobby", 1, "x".repeat(limit)).encode().unwrap().len() - limit;
    // Beyond the limit by much, and by the headers alone.
    for detail in [2 * limit, limit - frame - 10] {
        let sent = outlet.publish(change_with("lobby", 1, "x".repeat(detail)));
        let sent = tokio::time::timeout(crate::common::PATIENCE, sent).await.expect("it can never be sent");
        match sent {
            Err(error @ BusError::TooLarge { .. }) => {
                assert!(error.is_permanent() && error.to_string().contains("max_payload"), "{error}");
            }
            other => panic!("{detail}: {other:?}"),
        }
    }
    assert_eq!(site.stored::<IdentifyInput>(&VISITS).await, 0);
    // Memory has no such limit, and nothing is wrong with the outlet.
    Site::memory().bus.outlet().publish(change_with("lobby", 1, "x".repeat(2 * limit))).await.unwrap();
    outlet.publish(change("lobby", 2)).await.unwrap();
}
