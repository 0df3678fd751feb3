//! The broker killed with `kill -9` and started again: what was stored is delivered, and everything goes on by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sightline_stage::bus::{Bus, BusError, Delivery, Inbox, Outlet};
use sightline_stage::health::Health;
use sightline_stage::members::join;
use sightline_stage::service::ServiceClient;
use sightline_stage::{Fault, Outbox, Outputs, RunError, RunnerConfig, Shutdown, Stage, run_stage};
use sightline_wire::service::{GetPerson, Person, PersonKey};
use sightline_wire::subject::{COMPLETE_FRAMES, FACES, LIVE_FRAMES, VISITS};
use sightline_wire::{CaptureMode, Frame, FrameFaces, IdentifyInput, PersonId, Utc, Wire};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::common::{
    MOMENT, PATIENCE, Site, as_killed_process, assert_nothing_comes, change, connect, eventually, faces, frame, number,
    take, take_one,
};

over_nats!(
    every_stored_message_is_delivered,
    a_publisher_waits_for_the_broker,
    frames_flow_again,
    dead_letters_are_kept,
    lost_in_the_middle_of_a_commit,
    broker_and_worker_lost_in_the_middle_of_a_commit,
    a_worker_lost_after_its_outputs_were_taken,
    broker_and_worker_lost_after_the_outputs_were_taken,
    a_runner_works_through_it,
    services_answer_again,
    tables_are_kept_and_watched_again,
    members_see_each_other_again,
);

/// As the runner does: all at once. A broker that has come back may know nothing of a delivery, and does not answer then.
async fn settle_all<T: Wire>(deliveries: Vec<Delivery<T>>) {
    drop(futures::future::join_all(deliveries.into_iter().map(Delivery::done)).await);
}

/// How often each message was seen, by camera and number.
type Seen = Arc<Mutex<BTreeMap<(String, u64), u32>>>;

/// Publishes numbered messages until it is told to stop; how many.
async fn publish_numbers(
    outlet: Outlet<IdentifyInput>,
    camera: &'static str,
    stop: Shutdown,
    total: Arc<AtomicU64>,
) -> u64 {
    let mut at = 0;
    while !stop.is_cancelled() {
        outlet.publish(change(camera, at)).await.unwrap();
        total.fetch_add(1, Ordering::SeqCst);
        at += 1;
        // Not faster than they can be consumed: this is no test of a full queue.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    at
}

async fn consume(mut inbox: Inbox<IdentifyInput>, seen: Seen, stop: Shutdown) {
    while !stop.is_cancelled() {
        // While the broker is away pulling and settling fail: that is said, and tried again.
        let Ok(deliveries) = inbox.pull(16, MOMENT).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        for delivery in &deliveries {
            *seen.lock().unwrap().entry(number(&delivery.item)).or_default() += 1;
        }
        settle_all(deliveries).await;
    }
}

/// Numbered messages, from several publishers and through two restarts: whatever `publish` returned for arrives.
async fn every_stored_message_is_delivered(mut site: Site) {
    let (seen, total) = (Seen::default(), Arc::new(AtomicU64::new(0)));
    let (stop_publishers, stop_consumer) = (Shutdown::new(), Shutdown::new());
    let mut publishers = JoinSet::new();
    for camera in ["a", "b", "c"] {
        let outlet = site.peer().await.outlet();
        let (stop, total) = (stop_publishers.clone(), Arc::clone(&total));
        publishers.spawn(async move { (camera, publish_numbers(outlet, camera, stop, total).await) });
    }
    let inbox = site.bus.inbox("identify").await.unwrap();
    let consumer = tokio::spawn(consume(inbox, Arc::clone(&seen), stop_consumer.clone()));
    for round in 1..=2 {
        let so_far = (total.load(Ordering::SeqCst), seen.lock().unwrap().len());
        eventually("messages are published and consumed", async || {
            total.load(Ordering::SeqCst) > so_far.0 + 100 && seen.lock().unwrap().len() > so_far.1 + 100
        })
        .await;
        site.kill_server().await;
        tokio::time::sleep(MOMENT * round).await;
        site.restart_server();
    }
    let so_far = total.load(Ordering::SeqCst);
    eventually("publishing goes on", async || total.load(Ordering::SeqCst) > so_far + 50).await;
    stop_publishers.trigger();
    let counts = publishers.join_all().await;
    let numbers = |(camera, count): (&str, u64)| (0..count).map(move |at| (camera.to_owned(), at)).collect::<Vec<_>>();
    let published: BTreeSet<(String, u64)> = counts.into_iter().flat_map(numbers).collect();
    eventually("every message has been seen", async || seen.lock().unwrap().len() >= published.len()).await;
    stop_consumer.trigger();
    consumer.await.unwrap();
    site.dead_letters(0).await;

    let seen = seen.lock().unwrap();
    assert_eq!(seen.keys().cloned().collect::<BTreeSet<_>>(), published);
    let again = seen.values().filter(|times| **times > 1).count();
    assert!(again <= 3 * 2 * 16, "{again} of {} came again: more than were under way", seen.len());
}

async fn a_publisher_waits_for_the_broker(mut site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    site.kill_server().await;
    eventually("the loss is noticed", async || !site.bus.is_connected()).await;
    let mut publish = tokio::spawn(async move { outlet.publish(change("lobby", 1)).await });
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut publish).await.is_err(), "nobody can have stored it");
    let began = Instant::now();
    assert!(inbox.pull(16, MOMENT).await.is_err() || began.elapsed() < PATIENCE, "a pull does not wait for ever");
    site.restart_server();
    tokio::time::timeout(PATIENCE, publish).await.expect("stored as soon as the broker is back").unwrap().unwrap();
    eventually("the bus is connected", async || site.bus.is_connected()).await;
    eventually("it is delivered", async || match inbox.pull(16, MOMENT).await {
        Ok(deliveries) => deliveries.iter().any(|delivery| number(&delivery.item).1 == 1),
        Err(_) => false,
    })
    .await;
}

/// The streams of frames are in the broker's memory and gone with it: they are made anew by whoever misses them.
async fn frames_flow_again(mut site: Site) {
    let (outlet, mut inbox) = (site.peer().await.outlet(), site.bus.inbox::<Frame>("detect").await.unwrap());
    for mode in [CaptureMode::Live, CaptureMode::Complete] {
        outlet.publish(frame("lobby", 0, mode)).await.unwrap();
        take_one(&mut inbox).await.done().await.unwrap();
    }
    site.kill_server().await;
    site.restart_server();
    for (mode, queue) in [(CaptureMode::Complete, COMPLETE_FRAMES), (CaptureMode::Live, LIVE_FRAMES)] {
        let published = outlet.publish(frame("lobby", 1, mode));
        tokio::time::timeout(PATIENCE, published)
            .await
            .unwrap_or_else(|_| panic!("{} takes nothing", queue.name))
            .unwrap();
        let mut seq = 1;
        eventually("frames are delivered", async || {
            // Live frames grow old while the consumer finds its way back.
            seq += 1;
            outlet.publish(frame("lobby", seq, mode)).await.unwrap();
            inbox.pull(1, MOMENT).await.is_ok_and(|deliveries| deliveries.iter().any(|d| d.item.mode == mode))
        })
        .await;
    }
}

async fn dead_letters_are_kept(mut site: Site) {
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<IdentifyInput>("identify").await.unwrap();
    outlet.publish(change("lobby", 1)).await.unwrap();
    take_one(&mut inbox).await.reject("no use".to_owned()).await.unwrap();
    site.kill_server().await;
    site.restart_server();
    eventually("the bus is connected", async || site.bus.is_connected()).await;
    eventually("the broker answers", async || site.bus.dead_letters().await.is_ok()).await;
    assert_eq!(site.dead_letters(1).await[0].reason, "no use");
}

/// A stage that answers each input, and tells what it was given.
struct Answering<O> {
    given: Arc<Mutex<Vec<u64>>>,
    output: PhantomData<fn() -> O>,
}

impl<O: Outputs + From<FrameFaces>> Stage for Answering<O> {
    const NAME: &'static str = "contract";
    type In = IdentifyInput;
    type Out = O;

    fn process(&mut self, batch: &[IdentifyInput], out: &mut Outbox<O>) -> Result<(), Fault> {
        for (camera, at) in batch.iter().map(number) {
            self.given.lock().unwrap().push(at);
            out.emit(faces(&camera, at).into());
        }
        Ok(())
    }
}

/// An output that is held back between being stored and the runner's hearing of it.
struct Held(FrameFaces);

impl From<FrameFaces> for Held {
    fn from(faces: FrameFaces) -> Self {
        Self(faces)
    }
}

#[derive(Clone)]
struct Hold {
    outlet: Outlet<FrameFaces>,
    stored: Arc<Semaphore>,
    open: Shutdown,
}

impl Outputs for Held {
    type Outlets = Hold;

    async fn publish(self, hold: &Hold) -> Result<(), BusError> {
        hold.outlet.publish(self.0).await?;
        hold.stored.add_permits(1);
        hold.open.cancelled().await;
        Ok(())
    }
}

/// A stage that answers, whose confirmations are held back.
async fn hold_up(bus: Bus, given: Arc<Mutex<Vec<u64>>>, hold: Hold, stop: Shutdown) -> Result<(), RunError> {
    let stage = Answering::<Held> { given, output: PhantomData };
    let inbox = bus.inbox("contract").await.unwrap();
    // All inputs are to be in one batch.
    let config = RunnerConfig { careful: Duration::ZERO, ..RunnerConfig::new("contract", 0) };
    run_stage(stage, inbox, hold, config, Health::new(), stop).await
}

async fn publish_inputs(site: &Site, count: u64) {
    let outlet = site.bus.outlet();
    for at in 0..count {
        outlet.publish(change("lobby", at)).await.unwrap();
    }
}

/// The numbers that came out of the stage, sorted, once all inputs are settled.
async fn outputs(site: &Site, count: usize) -> Vec<u64> {
    eventually("every input is settled", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
    let mut downstream = site.bus.inbox::<FrameFaces>("track").await.unwrap();
    let mut seen: Vec<u64> = take(&mut downstream, count).await.iter().map(|d| d.item.frame.seq).collect();
    assert_nothing_comes(&mut downstream).await;
    seen.sort_unstable();
    seen
}

/// Outputs stored, acknowledgements not sent, broker gone and back: the commit is finished, and nothing is doubled.
async fn lost_in_the_middle_of_a_commit(mut site: Site) {
    publish_inputs(&site, 6).await;
    let (given, stop) = (Arc::default(), Shutdown::new());
    let hold = Hold { outlet: site.bus.outlet(), stored: Arc::new(Semaphore::new(0)), open: Shutdown::new() };
    let running = tokio::spawn(hold_up(site.bus.clone(), Arc::clone(&given), hold.clone(), stop.clone()));
    hold.stored.acquire_many(6).await.unwrap().forget();
    site.kill_server().await;
    hold.open.trigger();
    // The acknowledgements reach nobody now.
    eventually("the loss is noticed", async || !site.bus.is_connected()).await;
    tokio::time::sleep(MOMENT).await;
    site.restart_server();
    assert_eq!(outputs(&site, 6).await, [0, 1, 2, 3, 4, 5], "each output once");
    // The same stage goes on.
    site.bus.outlet().publish(change("lobby", 6)).await.unwrap();
    assert_eq!(outputs(&site, 1).await, [6]);
    stop.trigger();
    running.await.unwrap().unwrap();
    site.dead_letters(0).await;
}

/// A worker that ends, as by `kill -9`, with its outputs stored and none of its inputs acknowledged.
async fn worker_lost_in_the_middle_of_a_commit(site: &Site) {
    publish_inputs(site, 6).await;
    let url = site.url();
    as_killed_process(async move {
        let bus = connect(url).await;
        let hold = Hold { outlet: bus.outlet(), stored: Arc::new(Semaphore::new(0)), open: Shutdown::new() };
        tokio::spawn(hold_up(bus, Arc::default(), hold.clone(), Shutdown::new()));
        hold.stored.acquire_many(6).await.unwrap().forget();
    })
    .await;
    assert_eq!(site.stored::<IdentifyInput>(&VISITS).await, 6, "nothing was acknowledged");
    assert_eq!(site.stored::<FrameFaces>(&FACES).await, 6);
}

async fn restart(site: &mut Site) {
    site.kill_server().await;
    site.restart_server();
    eventually("the bus is connected", async || site.bus.is_connected()).await;
}

/// The next worker is given every input again, and has settled them.
async fn the_next_worker_finishes_it(site: &Site) {
    let (given, stop): (Arc<Mutex<Vec<u64>>>, _) = (Arc::default(), Shutdown::new());
    let hold = Hold { outlet: site.bus.outlet(), stored: Arc::new(Semaphore::new(0)), open: Shutdown::new() };
    hold.open.trigger();
    let running = tokio::spawn(hold_up(site.bus.clone(), Arc::clone(&given), hold, stop.clone()));
    eventually("every input comes again", async || given.lock().unwrap().len() >= 6).await;
    eventually("every input is settled", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
    stop.trigger();
    running.await.unwrap().unwrap();
    site.dead_letters(0).await;
}

/// The inputs come again, their outputs are the same messages, and downstream sees each once.
async fn broker_and_worker_lost_in_the_middle_of_a_commit(mut site: Site) {
    worker_lost_in_the_middle_of_a_commit(&site).await;
    restart(&mut site).await;
    the_next_worker_finishes_it(&site).await;
    assert_eq!(outputs(&site, 6).await, [0, 1, 2, 3, 4, 5], "each output once");
}

/// Also where downstream had them already.
async fn a_worker_lost_after_its_outputs_were_taken(site: Site) {
    worker_lost_in_the_middle_of_a_commit(&site).await;
    let mut downstream = site.bus.inbox::<FrameFaces>("track").await.unwrap();
    settle_all(take(&mut downstream, 6).await).await;
    the_next_worker_finishes_it(&site).await;
    assert_nothing_comes(&mut downstream).await;
}

/// The one case that de-duplication by the broker does not cover: killed, it remembers the ids of what is still stored, not
/// of what was taken. Then the same messages come a second time, and stages know them by their ids.
async fn broker_and_worker_lost_after_the_outputs_were_taken(mut site: Site) {
    worker_lost_in_the_middle_of_a_commit(&site).await;
    let mut downstream = site.bus.inbox::<FrameFaces>("track").await.unwrap();
    let taken = take(&mut downstream, 6).await;
    let ids: BTreeSet<String> = taken.iter().map(|delivery| delivery.item.message_id()).collect();
    settle_all(taken).await;
    restart(&mut site).await;
    the_next_worker_finishes_it(&site).await;
    let again = downstream.pull(64, MOMENT).await.unwrap();
    assert!(again.len() <= 6 && again.iter().all(|delivery| ids.contains(&delivery.item.message_id())));
}

/// Restarts under a running stage: every input has its output, and nobody has to restart the stage.
async fn a_runner_works_through_it(mut site: Site) {
    let given = Arc::new(Mutex::new(Vec::new()));
    let stop = Shutdown::new();
    let running = tokio::spawn(run_stage(
        Answering::<FrameFaces> { given: Arc::clone(&given), output: PhantomData },
        site.bus.inbox("contract").await.unwrap(),
        site.bus.outlet(),
        RunnerConfig { max_batch: 4, ..RunnerConfig::new("contract", 0) },
        Health::new(),
        stop.clone(),
    ));
    let (total, stop_publisher) = (Arc::new(AtomicU64::new(0)), Shutdown::new());
    let outlet = site.peer().await.outlet();
    let publisher = tokio::spawn(publish_numbers(outlet, "lobby", stop_publisher.clone(), Arc::clone(&total)));
    eventually("the stage is at work", async || given.lock().unwrap().len() > 30).await;
    site.kill_server().await;
    tokio::time::sleep(MOMENT).await;
    site.restart_server();
    let so_far = total.load(Ordering::SeqCst);
    eventually("publishing goes on", async || total.load(Ordering::SeqCst) > so_far + 50).await;
    stop_publisher.trigger();
    let total = publisher.await.unwrap();

    let mut downstream = site.bus.inbox::<FrameFaces>("track").await.unwrap();
    let mut seen = BTreeSet::new();
    eventually("every input has its output", async || {
        let deliveries = downstream.pull(64, MOMENT).await.unwrap_or_default();
        seen.extend(deliveries.iter().map(|delivery| delivery.item.frame.seq));
        settle_all(deliveries).await;
        seen.len() >= total as usize
    })
    .await;
    assert_eq!(seen, (0..total).collect::<BTreeSet<_>>());
    eventually("every input is settled", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
    assert!(!running.is_finished());
    stop.trigger();
    running.await.unwrap().unwrap();
    site.dead_letters(0).await;
}

async fn services_answer_again(mut site: Site) {
    let stop = Shutdown::new();
    let ann = Person { id: PersonId::generate(), name: "Ann".to_owned(), templates: 1, created: Utc::from_unix_ns(0) };
    let answer = ann.clone();
    let handler = move |_: PersonKey, _: Bytes| {
        let answer = answer.clone();
        async move { Ok(answer) }
    };
    site.bus.serve::<GetPerson, _, _>(handler, stop.clone()).await.unwrap();
    let client = ServiceClient::new(&site.peer().await);
    let key = PersonKey { id: ann.id };
    let ask = async || client.call::<GetPerson>(&key, Bytes::new(), Duration::from_secs(2)).await;
    assert_eq!(ask().await, Ok(ann.clone()));
    site.kill_server().await;
    assert!(ask().await.is_err(), "nobody can have answered");
    site.restart_server();
    eventually("it is answered again", async || ask().await == Ok(ann.clone())).await;
    stop.trigger();
}

async fn tables_are_kept_and_watched_again(mut site: Site) {
    let table = site.bus.table::<u32>("cameras").await.unwrap();
    table.put("lobby", &1).await.unwrap();
    let mut entries = site.peer().await.table::<u32>("cameras").await.unwrap().subscribe();
    entries.wait_for(|entries| entries.contains_key("lobby")).await.unwrap();
    site.kill_server().await;
    eventually("the loss is noticed", async || !site.bus.is_connected()).await;
    assert_eq!(entries.borrow().get("lobby"), Some(&1), "the last known entries stay");
    site.restart_server();
    eventually("the table can be written", async || table.put("gate", &2).await.is_ok()).await;
    assert_eq!(table.get("lobby").await.unwrap(), Some(1));
    let seen = entries.wait_for(|entries| entries.contains_key("gate"));
    let seen = tokio::time::timeout(PATIENCE, seen).await.expect("the change is seen").unwrap().clone();
    assert_eq!((seen["lobby"], seen["gate"]), (1, 2));
    table.delete("lobby").await.unwrap();
    let gone = entries.wait_for(|entries| !entries.contains_key("lobby"));
    tokio::time::timeout(PATIENCE, gone).await.expect("the removal is seen").unwrap();
}

async fn members_see_each_other_again(mut site: Site) {
    let stop = Shutdown::new();
    let mut first = join(&site.bus, "ingest", "first", stop.clone()).await.unwrap();
    let mut second = join(&site.peer().await, "ingest", "second", stop.clone()).await.unwrap();
    let both = |members: &Vec<String>| members.len() == 2;
    for view in [&mut first, &mut second] {
        tokio::time::timeout(PATIENCE, view.wait_for(both)).await.expect("both are there").unwrap();
    }
    site.kill_server().await;
    tokio::time::sleep(MOMENT).await;
    site.restart_server();
    // Whatever each believed meanwhile: it comes to both again, and stays.
    tokio::time::sleep(Duration::from_secs(7)).await;
    for view in [&mut first, &mut second] {
        tokio::time::timeout(PATIENCE, view.wait_for(both)).await.expect("both are there again").unwrap();
    }
    stop.trigger();
}
