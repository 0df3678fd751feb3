//! What is not settled comes again; what fails for ever becomes a dead letter and blocks nothing.

use std::time::{Duration, Instant};

use sightline_stage::bus::{Delivery, Inbox, MAX_DELIVERIES};
use sightline_wire::subject::{COMPLETE_FRAMES, VISITS};
use sightline_wire::{CaptureMode, Frame, IdentifyInput, Wire};

use crate::common::{
    MOMENT, PATIENCE, Site, as_killed_process, assert_nothing_comes, change, connect, eventually, frame, number,
    stream_name, take, take_one,
};

/// Longer than a message may stay unsettled without a word.
const BEYOND_THE_DEADLINE: Duration = Duration::from_secs(12);

on_both_buses!(
    handed_back_it_comes_again_until_it_is_dead,
    handed_back_it_comes_no_earlier_than_asked,
    handed_back_it_holds_up_nobody,
    dropped_it_comes_again,
    after_too_many_crashes_it_is_dead,
    rejected_it_is_dead_and_the_queue_goes_on,
    a_dead_letter_makes_room,
);

async fn handed_back_it_comes_again_until_it_is_dead(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    outlet.publish(change("lobby", 1)).await.unwrap();
    for attempt in 1..=MAX_DELIVERIES {
        let delivery = take_one(&mut inbox).await;
        assert_eq!((number(&delivery.item).1, delivery.attempts), (1, attempt));
        site.dead_letters(0).await;
        delivery.retry(Duration::from_millis(20)).await.unwrap();
    }
    let letter = site.dead_letters(1).await.remove(0);
    assert_eq!(letter.stage, "identify");
    assert_eq!(letter.reason, "failed 5 times");
    assert_eq!(letter.attempts, MAX_DELIVERIES);
    assert_eq!(letter.message_id, change("lobby", 1).message_id());
    assert_eq!(letter.bytes, change("lobby", 1).encode().unwrap());
    assert!(letter.at.unix_ns() > 0);

    outlet.publish(change("lobby", 2)).await.unwrap();
    let next = take_one(&mut inbox).await;
    assert_eq!((number(&next.item).1, next.attempts), (2, 1));
    next.done().await.unwrap();
    eventually("the queue is empty", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
}

async fn handed_back_it_comes_no_earlier_than_asked(site: Site) {
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    site.bus.outlet().publish(change("lobby", 1)).await.unwrap();
    let began = Instant::now();
    take_one(&mut inbox).await.retry(Duration::from_millis(1_500)).await.unwrap();
    let again = inbox.pull(16, PATIENCE).await.unwrap();
    assert_eq!(again.len(), 1);
    assert!(began.elapsed() >= Duration::from_millis(1_400), "after {:?}", began.elapsed());
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "after {:?}: not by its acknowledgement's deadline",
        began.elapsed()
    );
}

async fn handed_back_it_holds_up_nobody(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    outlet.publish(change("lobby", 1)).await.unwrap();
    take_one(&mut inbox).await.retry(Duration::from_secs(1)).await.unwrap();
    outlet.publish(change("lobby", 2)).await.unwrap();
    let numbers: Vec<u64> = take(&mut inbox, 2).await.iter().map(|delivery| number(&delivery.item).1).collect();
    assert_eq!(numbers, [2, 1]);
}

async fn dropped_it_comes_again(site: Site) {
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    site.bus.outlet().publish(change("lobby", 1)).await.unwrap();
    drop(take_one(&mut inbox).await);
    let again = take_one(&mut inbox).await;
    assert_eq!((number(&again.item).1, again.attempts), (1, 2));
    again.done().await.unwrap();
    assert_nothing_comes(&mut inbox).await;
}

/// A worker takes a message and dies of it.
async fn die_of_it(site: &Site, inbox: &mut Inbox<IdentifyInput>) {
    if !site.bus.is_nats() {
        drop(take_one(inbox).await);
        return;
    }
    // The same as the deadline running out, without the nine seconds.
    let consumer: async_nats::jetstream::consumer::PullConsumer =
        site.jetstream().get_consumer_from_stream("identify", stream_name(&VISITS)).await.unwrap();
    let mut messages = consumer.batch().max_messages(1).expires(PATIENCE).messages().await.unwrap();
    let message = futures::StreamExt::next(&mut messages).await.unwrap().unwrap();
    message.ack_with(async_nats::jetstream::AckKind::Nak(None)).await.unwrap();
}

async fn after_too_many_crashes_it_is_dead(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    outlet.publish(change("lobby", 1)).await.unwrap();
    for _ in 0..MAX_DELIVERIES {
        die_of_it(&site, &mut inbox).await;
    }
    outlet.publish(change("lobby", 2)).await.unwrap();
    let next = take_one(&mut inbox).await;
    assert_eq!(number(&next.item).1, 2, "the deadly message is not delivered a sixth time");
    next.done().await.unwrap();
    // Over NATS the two may come in either order; it is found dead when it would be delivered.
    eventually("it is dead", async || {
        assert_nothing_comes(&mut inbox).await;
        !site.bus.dead_letters().await.unwrap().is_empty()
    })
    .await;
    let letter = site.dead_letters(1).await.remove(0);
    assert_eq!(letter.stage, "identify");
    assert!(letter.reason.contains("did not survive"), "{}", letter.reason);
    assert_eq!(letter.bytes, change("lobby", 1).encode().unwrap());
    eventually("the queue is empty", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
}

async fn rejected_it_is_dead_and_the_queue_goes_on(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    for at in 1..=3 {
        outlet.publish(change("lobby", at)).await.unwrap();
    }
    for delivery in take(&mut inbox, 3).await {
        match number(&delivery.item).1 {
            2 => delivery.reject("its camera\r\nis unknown".to_owned()).await.unwrap(),
            _ => delivery.done().await.unwrap(),
        }
    }
    let letter = site.dead_letters(1).await.remove(0);
    assert_eq!((letter.stage.as_str(), letter.attempts), ("identify", 1));
    assert!(letter.reason.starts_with("its camera") && letter.reason.ends_with("is unknown"), "{}", letter.reason);
    assert_eq!(IdentifyInput::decode(&letter.bytes).unwrap(), change("lobby", 2));
    eventually("the queue is empty", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
    assert_nothing_comes(&mut inbox).await;
}

async fn a_dead_letter_makes_room(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    for seq in 0..8 {
        outlet.publish(frame("tape", seq, CaptureMode::Complete)).await.unwrap();
    }
    let mut ninth = tokio::spawn(async move { outlet.publish(frame("tape", 8, CaptureMode::Complete)).await });
    assert!(tokio::time::timeout(MOMENT, &mut ninth).await.is_err());
    take_one(&mut inbox).await.reject("no picture".to_owned()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), ninth).await.expect("there is room now").unwrap().unwrap();
    assert_eq!(site.stored::<Frame>(&COMPLETE_FRAMES).await, 8);
}

mod over_nats {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_vanished_worker_s_messages_come_again() {
        let site = Site::nats().await;
        for at in 1..=3 {
            site.bus.outlet().publish(change("lobby", at)).await.unwrap();
        }
        let url = site.url();
        let held: Vec<Delivery<IdentifyInput>> = as_killed_process(async move {
            let mut inbox = connect(url).await.inbox("identify").await.unwrap();
            take(&mut inbox, 3).await
        })
        .await;
        let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
        let mut again: Vec<(u64, u32)> =
            take(&mut inbox, 3).await.iter().map(|delivery| (number(&delivery.item).1, delivery.attempts)).collect();
        again.sort_unstable();
        assert_eq!(again, [(1, 2), (2, 2), (3, 2)]);
        drop(held);
    }

    /// A slow stage is not a dead one. Both queues number their messages from one, and must not be mixed up.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_still_worked_on_is_not_given_to_another() {
        let site = Site::nats().await;
        let outlet = site.bus.outlet();
        outlet.publish(frame("tape", 0, CaptureMode::Complete)).await.unwrap();
        outlet.publish(frame("lobby", 0, CaptureMode::Live)).await.unwrap();
        let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
        let mut slow = None;
        for delivery in take(&mut inbox, 2).await {
            match delivery.item.mode {
                CaptureMode::Live => delivery.done().await.unwrap(),
                CaptureMode::Complete => slow = Some(delivery),
            }
        }
        let mut other = site.peer().await.inbox::<Frame>("detect").await.unwrap();
        let began = Instant::now();
        while began.elapsed() < BEYOND_THE_DEADLINE {
            assert_nothing_comes(&mut other).await;
        }
        slow.unwrap().done().await.unwrap();
        assert_eq!(site.stored::<Frame>(&COMPLETE_FRAMES).await, 0);
    }
}
