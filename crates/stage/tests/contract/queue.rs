//! What is published is stored, delivered, in order, once; what a full queue does; how pulling waits; how work is shared.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use sightline_stage::bus::{Bus, BusError, Inbox, NatsConfig};
use sightline_wire::subject::{COMPLETE_FRAMES, VISITS};
use sightline_wire::{CaptureMode, Frame, IdentifyInput};

use crate::common::{
    MOMENT, Site, assert_nothing_comes, change, eventually, frame, frame_number, number, take, take_one,
};

on_both_buses!(
    every_camera_keeps_its_order,
    the_same_message_is_stored_once,
    published_before_there_is_a_consumer,
    a_quiet_camera_is_not_pushed_out,
    an_overtaken_frame_can_be_settled,
    live_frames_do_not_starve_recorded_ones,
    recorded_frames_do_not_starve_live_ones,
    a_full_queue_makes_the_publisher_wait,
    waiting_publishers_lose_nothing,
    a_pull_takes_what_is_queued_at_once,
    a_pull_waits_for_the_first_message,
    a_pull_from_two_queues_waits_too,
    two_inboxes_share_the_work,
    a_consumer_needs_a_proper_name,
);

async fn every_camera_keeps_its_order(site: Site) {
    let outlet = site.peer().await.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    for at in 0..60 {
        outlet.publish(change(["lobby", "gate", "yard"][at % 3], at as u64)).await.unwrap();
    }
    assert_eq!(site.stored::<IdentifyInput>(&VISITS).await, 60, "stored before publish returned");
    let mut last = std::collections::HashMap::new();
    for delivery in take(&mut inbox, 60).await {
        let (camera, at) = number(&delivery.item);
        assert_eq!(delivery.item, change(&camera, at), "as it was published");
        assert_eq!(delivery.attempts, 1);
        let before = last.insert(camera, at);
        assert!(before.is_none_or(|before| before < at), "{at} after {before:?}");
        delivery.done().await.unwrap();
    }
    assert_eq!(last.len(), 3);
    assert_nothing_comes(&mut inbox).await;
    assert_eq!(site.stored::<IdentifyInput>(&VISITS).await, 0);
    site.dead_letters(0).await;
}

async fn the_same_message_is_stored_once(site: Site) {
    let (outlet, other) = (site.bus.outlet(), site.peer().await.outlet());
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    outlet.publish(change("lobby", 1)).await.unwrap();
    outlet.publish(change("lobby", 1)).await.unwrap();
    other.publish(change("lobby", 1)).await.unwrap();
    take_one(&mut inbox).await.done().await.unwrap();
    // Also after it has left the queue.
    other.publish(change("lobby", 1)).await.unwrap();
    outlet.publish(change("lobby", 2)).await.unwrap();
    let next = take_one(&mut inbox).await;
    assert_eq!(number(&next.item).1, 2);
    next.done().await.unwrap();
    assert_nothing_comes(&mut inbox).await;
}

async fn published_before_there_is_a_consumer(site: Site) {
    site.peer().await.outlet().publish(change("lobby", 1)).await.unwrap();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    assert_eq!(number(&take_one(&mut inbox).await.item).1, 1);
}

/// On one thread, so that a recorder sees what is counted.
async fn the_newest_two_of_each_camera(site: Site) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    for seq in 0..10 {
        outlet.publish(frame("busy", seq, CaptureMode::Live)).await.unwrap();
        if seq < 3 {
            outlet.publish(frame("lobby", seq, CaptureMode::Live)).await.unwrap();
        }
    }
    outlet.publish(frame("quiet", 0, CaptureMode::Live)).await.unwrap();
    let mut seen = Vec::new();
    for delivery in take(&mut inbox, 5).await {
        seen.push(frame_number(&delivery.item));
        delivery.done().await.unwrap();
    }
    seen.sort();
    let expected = [("busy", 8), ("busy", 9), ("lobby", 1), ("lobby", 2), ("quiet", 0)];
    assert_eq!(seen, expected.map(|(camera, seq)| (camera.to_owned(), seq)));
    assert_nothing_comes(&mut inbox).await;
    site.dead_letters(0).await;
    counted.render()
}

#[tokio::test]
async fn the_newest_two_of_each_camera_over_memory() {
    let counted = the_newest_two_of_each_camera(Site::memory()).await;
    let dropped = r#"sightline_queue_dropped_total{queue="frames",reason="full"} 9"#;
    assert!(counted.contains(dropped), "{counted}");
}

/// The server drops in silence: the tracker misses these frames and counts them as `lost`.
#[tokio::test]
async fn the_newest_two_of_each_camera_over_nats() {
    the_newest_two_of_each_camera(Site::nats().await).await;
}

/// Time itself is waited for here: live frames are worth something for two seconds.
async fn old_live_frames_are_dropped(site: Site) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    outlet.publish(frame("lobby", 0, CaptureMode::Live)).await.unwrap();
    outlet.publish(frame("lobby", 0, CaptureMode::Complete)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    outlet.publish(frame("lobby", 1, CaptureMode::Live)).await.unwrap();
    let seen: BTreeSet<_> =
        take(&mut inbox, 2).await.iter().map(|d| (d.item.id.seq, d.item.mode == CaptureMode::Live)).collect();
    assert_eq!(seen, BTreeSet::from([(0, false), (1, true)]), "recorded frames do not grow old");
    counted.render()
}

#[tokio::test]
async fn old_live_frames_are_dropped_over_memory() {
    let counted = old_live_frames_are_dropped(Site::memory()).await;
    let dropped = r#"sightline_queue_dropped_total{queue="frames",reason="stale"} 1"#;
    assert!(counted.contains(dropped), "{counted}");
}

#[tokio::test]
async fn old_live_frames_are_dropped_over_nats() {
    old_live_frames_are_dropped(Site::nats().await).await;
}

async fn a_quiet_camera_is_not_pushed_out(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    outlet.publish(frame("busy", 0, CaptureMode::Live)).await.unwrap();
    outlet.publish(frame("busy", 1, CaptureMode::Live)).await.unwrap();
    outlet.publish(frame("quiet", 0, CaptureMode::Live)).await.unwrap();
    // The consumer takes one while the busy camera delivers five.
    let mut before = 0;
    let mut seq = 2;
    loop {
        let delivery = take_one(&mut inbox).await;
        let (camera, _) = frame_number(&delivery.item);
        delivery.done().await.unwrap();
        if camera == "quiet" {
            break;
        }
        before += 1;
        assert!(before <= 2, "{before} frames of the busy camera were taken first");
        for _ in 0..5 {
            outlet.publish(frame("busy", seq, CaptureMode::Live)).await.unwrap();
            seq += 1;
        }
    }
}

async fn an_overtaken_frame_can_be_settled(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    outlet.publish(frame("lobby", 0, CaptureMode::Live)).await.unwrap();
    let old = take_one(&mut inbox).await;
    for seq in 1..5 {
        outlet.publish(frame("lobby", seq, CaptureMode::Live)).await.unwrap();
    }
    let began = Instant::now();
    old.done().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let seqs: Vec<u64> = take(&mut inbox, 2).await.iter().map(|delivery| delivery.item.id.seq).collect();
    assert_eq!(seqs, [3, 4]);
}

async fn live_frames_do_not_starve_recorded_ones(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    outlet.publish(frame("tape", 0, CaptureMode::Complete)).await.unwrap();
    // There is always a live frame waiting, and the consumer takes one frame at a time, as detect does.
    for seq in 0..4 {
        outlet.publish(frame("lobby", 2 * seq, CaptureMode::Live)).await.unwrap();
        outlet.publish(frame("lobby", 2 * seq + 1, CaptureMode::Live)).await.unwrap();
        let delivery = take_one(&mut inbox).await;
        let mode = delivery.item.mode;
        delivery.done().await.unwrap();
        if mode == CaptureMode::Complete {
            return;
        }
    }
    panic!("four live frames were taken before the recorded one");
}

/// The queue of a recording is never empty, and the consumer takes one frame at a time.
async fn recorded_frames_do_not_starve_live_ones(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    for seq in 0..8 {
        outlet.publish(frame("tape", seq, CaptureMode::Complete)).await.unwrap();
    }
    for seq in 8..12 {
        // A live frame does not wait for ever, so there is always a new one.
        outlet.publish(frame("lobby", seq, CaptureMode::Live)).await.unwrap();
        let delivery = take_one(&mut inbox).await;
        let mode = delivery.item.mode;
        delivery.done().await.unwrap();
        match mode {
            CaptureMode::Live => return,
            CaptureMode::Complete => outlet.publish(frame("tape", seq, CaptureMode::Complete)).await.unwrap(),
        }
    }
    panic!("four recorded frames were taken before a live one");
}

async fn a_full_queue_makes_the_publisher_wait(site: Site) {
    let outlet = site.peer().await.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    for seq in 0..8 {
        outlet.publish(frame("tape", seq, CaptureMode::Complete)).await.unwrap();
    }
    let mut ninth = tokio::spawn({
        let outlet = outlet.clone();
        async move { outlet.publish(frame("tape", 8, CaptureMode::Complete)).await }
    });
    assert!(tokio::time::timeout(MOMENT, &mut ninth).await.is_err(), "there is no room for a ninth frame");
    // On loan is not gone: room is made by settling.
    let first = take_one(&mut inbox).await;
    assert!(tokio::time::timeout(MOMENT, &mut ninth).await.is_err(), "the first frame is still under way");
    assert_eq!(site.stored::<Frame>(&COMPLETE_FRAMES).await, 8);
    first.done().await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), ninth).await.expect("there is room now").unwrap().unwrap();
    let rest: Vec<u64> = take(&mut inbox, 8).await.iter().map(|delivery| delivery.item.id.seq).collect();
    assert_eq!(rest, [1, 2, 3, 4, 5, 6, 7, 8]);
}

async fn waiting_publishers_lose_nothing(site: Site) {
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    let mut publishers = tokio::task::JoinSet::new();
    for camera in ["a", "b", "c"] {
        let outlet = site.peer().await.outlet();
        publishers.spawn(async move {
            for seq in 0..20 {
                outlet.publish(frame(camera, seq, CaptureMode::Complete)).await.unwrap();
            }
        });
    }
    let mut seen: Vec<(String, u64)> = Vec::new();
    while seen.len() < 60 {
        assert!(site.stored::<Frame>(&COMPLETE_FRAMES).await <= 8);
        for delivery in take(&mut inbox, 1).await {
            seen.push(frame_number(&delivery.item));
            delivery.done().await.unwrap();
        }
    }
    publishers.join_all().await;
    assert_nothing_comes(&mut inbox).await;
    for camera in ["a", "b", "c"] {
        let seqs: Vec<u64> = seen.iter().filter(|(c, _)| c == camera).map(|(_, seq)| *seq).collect();
        assert_eq!(seqs, (0..20).collect::<Vec<_>>(), "{camera}");
    }
}

async fn a_pull_takes_what_is_queued_at_once(site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    for at in 0..7 {
        outlet.publish(change("lobby", at)).await.unwrap();
    }
    let began = Instant::now();
    let three = inbox.pull(3, Duration::from_secs(20)).await.unwrap();
    let rest = inbox.pull(16, Duration::from_secs(20)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for more: {:?}", began.elapsed());
    let numbers = |deliveries: &[_]| -> Vec<u64> {
        deliveries.iter().map(|d: &sightline_stage::bus::Delivery<_>| number(&d.item).1).collect()
    };
    assert_eq!((numbers(&three), numbers(&rest)), (vec![0, 1, 2], vec![3, 4, 5, 6]));
}

async fn a_pull_waits_for_the_first_message(site: Site) {
    let inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    let outlet = site.peer().await.outlet();
    waits_for_the_first(inbox, async move { outlet.publish(change("lobby", 1)).await.unwrap() }).await;
}

async fn a_pull_from_two_queues_waits_too(site: Site) {
    for mode in [CaptureMode::Live, CaptureMode::Complete] {
        let inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
        let outlet = site.peer().await.outlet();
        waits_for_the_first(inbox, async move { outlet.publish(frame("lobby", 1, mode)).await.unwrap() }).await;
    }
}

async fn waits_for_the_first<T: sightline_wire::Wire>(
    mut inbox: Inbox<T>,
    publish: impl Future<Output = ()> + Send + 'static,
) {
    let began = Instant::now();
    assert!(inbox.pull(16, Duration::from_millis(500)).await.unwrap().is_empty());
    let waited = began.elapsed();
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&waited), "{waited:?}");

    let publisher = tokio::spawn(async move {
        tokio::time::sleep(MOMENT).await;
        publish.await;
    });
    let began = Instant::now();
    let one = inbox.pull(16, Duration::from_secs(20)).await.unwrap();
    assert_eq!(one.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for delivery in one {
        delivery.done().await.unwrap();
    }
    publisher.await.unwrap();
}

async fn two_inboxes_share_the_work(site: Site) {
    let count = 200;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..2 {
        let mut inbox = site.peer().await.inbox::<IdentifyInput>("identify").await.unwrap();
        let seen = std::sync::Arc::clone(&seen);
        workers.spawn(async move {
            while seen.lock().unwrap().len() < count {
                for delivery in inbox.pull(4, Duration::from_millis(100)).await.unwrap() {
                    // Some work, so that the other one has its turn.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    seen.lock().unwrap().push((worker, number(&delivery.item).1));
                    delivery.done().await.unwrap();
                }
            }
        });
    }
    let outlet = site.bus.outlet();
    for at in 0..count {
        outlet.publish(change("lobby", at as u64)).await.unwrap();
    }
    workers.join_all().await;
    eventually("the queue is empty", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
    let seen = seen.lock().unwrap();
    let numbers: BTreeSet<u64> = seen.iter().map(|(_, at)| *at).collect();
    assert_eq!((seen.len(), numbers.len()), (count, count), "each message once");
    let shares = [0, 1].map(|worker| seen.iter().filter(|(who, _)| *who == worker).count());
    assert!(shares.iter().all(|share| *share >= 20), "{shares:?}");
}

async fn a_consumer_needs_a_proper_name(site: Site) {
    for name in ["", "a.b", "two words", "*", "ä"] {
        match site.bus.inbox::<IdentifyInput>(name).await {
            Err(BusError::Name { .. }) => {}
            Err(other) => panic!("{name:?}: {other}"),
            Ok(_) => panic!("{name:?} was taken"),
        }
    }
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named() {
    let url = format!("nats://user:secret@127.0.0.1:{}", sightline_testkit::process::free_port().unwrap());
    let config = NatsConfig { url, credentials: None, site: "contract".to_owned() };
    match Bus::nats(config.clone()).await {
        Err(error @ BusError::Unreachable { .. }) => {
            let text = error.to_string();
            assert!(text.contains("127.0.0.1") && !text.contains("secret"), "{text}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("connected to nobody"),
    }
    let dotted = NatsConfig { site: "a.b".to_owned(), ..config };
    assert!(matches!(Bus::nats(dotted).await, Err(BusError::Name { .. })));
}
