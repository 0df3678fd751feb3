//! The runner: publish, wait until stored, then acknowledge; faults, rejections, panics, shutdown, backpressure.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sightline_stage::bus::{BusError, Outlet};
use sightline_stage::health::Health;
use sightline_stage::{Fault, Monotonic, Outbox, Outputs, RunError, RunnerConfig, Shutdown, Stage, run_stage};
use sightline_wire::subject::{COMPLETE_FRAMES, FACES, VISITS};
use sightline_wire::{CaptureMode, Frame, FrameFaces, IdentifyInput, Wire};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::common::{
    MOMENT, PATIENCE, Site, assert_nothing_comes, change, change_with, eventually, faces, frame, number, take, take_one,
};

on_both_buses!(
    everything_arrives_in_order,
    outputs_are_stored_before_the_input_is_settled,
    a_rejected_item_is_dead_and_the_others_go_on,
    after_one_fault_the_batch_comes_again,
    several_faults_in_a_row_end_the_stage,
    a_patient_stage_tries_its_batch_again,
    a_panic_ends_the_stage_and_the_message_comes_again,
    a_shutdown_finishes_what_is_under_way,
    stopped_when_nothing_waits_it_has_drained,
    a_stage_that_hangs_does_not_keep_the_process,
    time_passes_without_input,
    a_full_queue_downstream_stops_the_pulling,
    an_output_that_cannot_be_sent_blocks_nothing,
);

/// A stage made of a function.
pub(crate) struct Work<O, F>(F, PhantomData<fn() -> O>);

impl<O, F> Stage for Work<O, F>
where
    O: Outputs,
    F: FnMut(&[IdentifyInput], &mut Outbox<O>) -> Result<(), Fault> + Send + 'static,
{
    const NAME: &'static str = "contract";
    type In = IdentifyInput;
    type Out = O;

    fn process(&mut self, batch: &[IdentifyInput], out: &mut Outbox<O>) -> Result<(), Fault> {
        (self.0)(batch, out)
    }
}

pub(crate) fn work<O, F>(function: F) -> Work<O, F>
where
    F: FnMut(&[IdentifyInput], &mut Outbox<O>) -> Result<(), Fault>,
{
    Work(function, PhantomData)
}

/// The faces that stand for an input downstream.
pub(crate) fn answer(input: &IdentifyInput) -> FrameFaces {
    let (camera, at) = number(input);
    faces(&camera, at)
}

/// A stage of the site that runs.
pub(crate) struct Running {
    task: JoinHandle<Result<(), RunError>>,
    pub(crate) health: Health,
    stop: Shutdown,
}

impl Running {
    pub(crate) async fn start<S>(site: &Site, stage: S, outlets: <S::Out as Outputs>::Outlets, max_batch: usize) -> Self
    where
        S: Stage<In = IdentifyInput>,
    {
        let drain = Duration::from_secs(4);
        Self::start_with(site, stage, outlets, RunnerConfig { max_batch, drain, ..RunnerConfig::new(S::NAME, 0) }).await
    }

    pub(crate) async fn start_with<S>(
        site: &Site,
        stage: S,
        outlets: <S::Out as Outputs>::Outlets,
        config: RunnerConfig,
    ) -> Self
    where
        S: Stage<In = IdentifyInput>,
    {
        let (health, stop) = (Health::new(), Shutdown::new());
        let inbox = site.bus.inbox("contract").await.unwrap();
        let task = tokio::spawn(run_stage(stage, inbox, outlets, config, health.clone(), stop.clone()));
        Self { task, health, stop }
    }

    pub(crate) async fn end(self) -> Result<(), RunError> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the runner ends").unwrap()
    }

    pub(crate) async fn stop(self) -> Result<(), RunError> {
        self.stop.trigger();
        self.end().await
    }
}

pub(crate) async fn publish(site: &Site, numbers: std::ops::Range<u64>) {
    let outlet = site.bus.outlet();
    for at in numbers {
        outlet.publish(change("lobby", at)).await.unwrap();
    }
}

/// The numbers of the next `count` messages downstream.
pub(crate) async fn downstream(site: &Site, count: usize) -> Vec<u64> {
    let mut inbox = site.bus.inbox::<FrameFaces>("track").await.unwrap();
    let mut numbers = Vec::new();
    for delivery in take(&mut inbox, count).await {
        numbers.push(delivery.item.frame.seq);
        delivery.done().await.unwrap();
    }
    assert_nothing_comes(&mut inbox).await;
    numbers
}

pub(crate) async fn all_inputs_are_settled(site: &Site) {
    eventually("every input is settled", async || site.stored::<IdentifyInput>(&VISITS).await == 0).await;
}

async fn everything_arrives_in_order(site: Site) {
    let stage = work(|batch: &[IdentifyInput], out| {
        assert!((1..=8).contains(&batch.len()), "a batch of {}", batch.len());
        batch.iter().for_each(|input| out.emit(answer(input)));
        Ok(())
    });
    publish(&site, 0..100).await;
    let running = Running::start(&site, stage, site.bus.outlet(), 8).await;
    assert_eq!(downstream(&site, 100).await, (0..100).collect::<Vec<_>>());
    all_inputs_are_settled(&site).await;
    running.stop().await.unwrap();
    site.dead_letters(0).await;
}

/// An output that says when it is stored, and whose confirmation can be held back.
struct Gated(FrameFaces);

#[derive(Clone)]
struct Gate {
    outlet: Outlet<FrameFaces>,
    stored: Arc<Semaphore>,
    open: Shutdown,
}

impl Outputs for Gated {
    type Outlets = Gate;

    async fn publish(self, gate: &Gate) -> Result<(), BusError> {
        gate.outlet.publish(self.0).await?;
        gate.stored.add_permits(1);
        gate.open.cancelled().await;
        Ok(())
    }
}

async fn outputs_are_stored_before_the_input_is_settled(site: Site) {
    let gate = Gate { outlet: site.bus.outlet(), stored: Arc::new(Semaphore::new(0)), open: Shutdown::new() };
    let stage = work(|batch: &[IdentifyInput], out| {
        batch.iter().for_each(|input| out.emit(Gated(answer(input))));
        Ok(())
    });
    publish(&site, 0..3).await;
    let running = Running::start(&site, stage, gate.clone(), 1).await;
    gate.stored.acquire().await.unwrap().forget();
    tokio::time::sleep(MOMENT).await;
    assert_eq!(site.stored::<FrameFaces>(&FACES).await, 1);
    assert_eq!(site.stored::<IdentifyInput>(&VISITS).await, 3, "the first output is not confirmed yet");
    gate.open.trigger();
    all_inputs_are_settled(&site).await;
    assert_eq!(downstream(&site, 3).await, [0, 1, 2]);
    running.stop().await.unwrap();
}

async fn a_rejected_item_is_dead_and_the_others_go_on(site: Site) {
    let stage = work(|batch: &[IdentifyInput], out| {
        for (index, input) in batch.iter().enumerate() {
            match number(input).1 {
                2 | 4 => out.reject(index, format!("number {} is even", number(input).1)),
                _ => out.emit(answer(input)),
            }
        }
        // An index outside the batch is a slip of the stage, and harms nobody.
        out.reject(99, "nothing");
        Ok(())
    });
    publish(&site, 1..6).await;
    let running = Running::start(&site, stage, site.bus.outlet(), 16).await;
    assert_eq!(downstream(&site, 3).await, [1, 3, 5]);
    all_inputs_are_settled(&site).await;
    let mut letters = site.dead_letters(2).await;
    letters.sort_by_key(|letter| letter.reason.clone());
    assert_eq!(letters[0].reason, "number 2 is even");
    assert_eq!((letters[1].stage.as_str(), letters[1].attempts), ("contract", 1));
    assert_eq!(letters[1].bytes, change("lobby", 4).encode().unwrap());
    running.stop().await.unwrap();
}

async fn after_one_fault_the_batch_comes_again(site: Site) {
    let mut first = true;
    let stage = work(move |batch: &[IdentifyInput], out| {
        if std::mem::take(&mut first) {
            out.emit(faces("lobby", 99));
            out.reject(0, "nonsense");
            return Err(Fault("the model is gone".to_owned()));
        }
        batch.iter().for_each(|input| out.emit(answer(input)));
        Ok(())
    });
    publish(&site, 0..4).await;
    let running = Running::start(&site, stage, site.bus.outlet(), 16).await;
    let mut numbers = downstream(&site, 4).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3], "what a faulty call emitted is not sent");
    all_inputs_are_settled(&site).await;
    running.stop().await.unwrap();
    site.dead_letters(0).await;
}

async fn several_faults_in_a_row_end_the_stage(site: Site) {
    let stage = work(|_: &[IdentifyInput], _: &mut Outbox<FrameFaces>| Err(Fault("the model is gone".to_owned())));
    publish(&site, 0..1).await;
    let running = Running::start(&site, stage, site.bus.outlet(), 16).await;
    let stop = running.stop.clone();
    match running.end().await {
        Err(RunError::Faults { stage: "contract", times: 3, fault }) => {
            assert_eq!(fault.to_string(), "the model is gone")
        }
        other => panic!("{other:?}"),
    }
    assert!(!stop.is_cancelled(), "whoever owns the stage decides what ends with it");
    // The message is somebody else's now.
    let mut inbox = site.bus.inbox::<IdentifyInput>("contract").await.unwrap();
    let again = take_one(&mut inbox).await;
    assert_eq!((number(&again.item).1, again.attempts), (0, 4));
    site.dead_letters(0).await;
}

/// What it needs comes back: nothing is handed back meanwhile, and the process says that it is not ready.
async fn a_patient_stage_tries_its_batch_again(site: Site) {
    let disk_is_full = Arc::new(AtomicBool::new(true));
    let (full, tries) = (Arc::clone(&disk_is_full), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&tries);
    let stage = work(move |batch: &[IdentifyInput], out| {
        counter.fetch_add(1, Ordering::SeqCst);
        if full.load(Ordering::SeqCst) {
            return Err(Fault("the disk is full".to_owned()));
        }
        batch.iter().for_each(|input| out.emit(answer(input)));
        Ok(())
    });
    publish(&site, 0..3).await;
    let config = RunnerConfig { patient: true, max_faults: 1, ..RunnerConfig::new("contract", 0) };
    let running = Running::start_with(&site, stage, site.bus.outlet(), config).await;
    eventually("it has tried twice", async || tries.load(Ordering::SeqCst) >= 2).await;
    assert!(!running.health.is_ready() && running.health.is_live());
    assert_eq!(site.stored::<IdentifyInput>(&VISITS).await, 3);
    disk_is_full.store(false, Ordering::SeqCst);
    assert_eq!(downstream(&site, 3).await, [0, 1, 2]);
    all_inputs_are_settled(&site).await;
    assert!(running.health.is_ready());
    running.stop().await.unwrap();
    site.dead_letters(0).await;
}

async fn a_panic_ends_the_stage_and_the_message_comes_again(site: Site) {
    let stage = work(|batch: &[IdentifyInput], _: &mut Outbox<FrameFaces>| {
        assert!(number(&batch[0]).1 != 7, "a defect that the test has made");
        Ok(())
    });
    let running = Running::start(&site, stage, site.bus.outlet(), 1).await;
    publish(&site, 7..8).await;
    assert!(matches!(running.end().await, Err(RunError::Panicked { stage: "contract" })));
    let mut inbox = site.bus.inbox::<IdentifyInput>("contract").await.unwrap();
    let again = take_one(&mut inbox).await;
    assert_eq!(number(&again.item).1, 7);
    // A batch that was prefetched when the stage broke down was a delivery too.
    assert!((2..=3).contains(&again.attempts), "{}", again.attempts);
}

/// A stage that begins a batch when it comes and ends it when it is told to.
fn slow(
    begun: Arc<AtomicUsize>,
    go_on: std::sync::mpsc::Receiver<()>,
) -> impl Stage<In = IdentifyInput, Out = FrameFaces> {
    work(move |batch: &[IdentifyInput], out: &mut Outbox<FrameFaces>| {
        begun.fetch_add(batch.len(), Ordering::SeqCst);
        // Released by a word or by the end of the test.
        let _released_or_over = go_on.recv_timeout(PATIENCE);
        batch.iter().for_each(|input| out.emit(answer(input)));
        Ok(())
    })
}

async fn a_shutdown_finishes_what_is_under_way(site: Site) {
    let begun = Arc::new(AtomicUsize::new(0));
    let (go_on, wait) = std::sync::mpsc::sync_channel(1);
    publish(&site, 0..40).await;
    let running = Running::start(&site, slow(Arc::clone(&begun), wait), site.bus.outlet(), 1).await;
    eventually("the first batch has begun", async || begun.load(Ordering::SeqCst) == 1).await;
    running.stop.trigger();
    tokio::time::sleep(MOMENT).await;
    assert!(!running.task.is_finished(), "the first batch is still computed");
    drop(go_on);
    running.end().await.unwrap();

    let done = begun.load(Ordering::SeqCst);
    assert!((1..=4).contains(&done), "{done} were begun: after a shutdown nothing more is pulled");
    assert_eq!(downstream(&site, done).await, (0..done as u64).collect::<Vec<_>>());
    // The rest waits for the next one, and nothing is under way.
    assert_eq!(site.stored::<IdentifyInput>(&VISITS).await, 40 - done);
    let mut inbox = site.bus.inbox::<IdentifyInput>("contract").await.unwrap();
    let rest = take(&mut inbox, 40 - done).await;
    assert!(rest.iter().all(|delivery| delivery.attempts == 1));
    site.dead_letters(0).await;
}

/// As a process ends: its producers are stopped, then each stage once nothing waits for it.
async fn stopped_when_nothing_waits_it_has_drained(site: Site) {
    let stage = work(|batch: &[IdentifyInput], out| {
        std::thread::sleep(Duration::from_millis(5));
        batch.iter().for_each(|input| out.emit(answer(input)));
        Ok(())
    });
    publish(&site, 0..50).await;
    let running = Running::start(&site, stage, site.bus.outlet(), 4).await;
    all_inputs_are_settled(&site).await;
    assert_eq!(site.bus.unfinished::<IdentifyInput>(), 0);
    running.stop().await.unwrap();
    assert_eq!(downstream(&site, 50).await, (0..50).collect::<Vec<_>>());
}

async fn a_stage_that_hangs_does_not_keep_the_process(site: Site) {
    let begun = Arc::new(AtomicUsize::new(0));
    let (go_on, wait) = std::sync::mpsc::sync_channel::<()>(1);
    publish(&site, 0..1).await;
    let drain = Duration::from_millis(500);
    let config = RunnerConfig { drain, ..RunnerConfig::new("contract", 0) };
    let running = Running::start_with(&site, slow(Arc::clone(&begun), wait), site.bus.outlet(), config).await;
    eventually("the batch has begun", async || begun.load(Ordering::SeqCst) == 1).await;
    let began = Instant::now();
    match running.stop().await {
        Err(RunError::Drain { stage: "contract", within }) => assert_eq!(within, drain),
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(go_on);
}

/// Emits one answer a tick, ten in all, and one at the end.
struct Clockwork {
    ticks: u64,
    last: Option<Monotonic>,
}

impl Stage for Clockwork {
    const NAME: &'static str = "contract";
    type In = IdentifyInput;
    type Out = FrameFaces;

    fn process(&mut self, _: &[IdentifyInput], _: &mut Outbox<FrameFaces>) -> Result<(), Fault> {
        Err(Fault("nothing was published".to_owned()))
    }

    fn tick(&mut self, now: Monotonic, out: &mut Outbox<FrameFaces>) -> Result<(), Fault> {
        assert!(self.last.is_none_or(|last| last <= now), "time goes backwards");
        self.last = Some(now);
        self.ticks += 1;
        if self.ticks <= 10 {
            out.emit(faces("tick", self.ticks));
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Outbox<FrameFaces>) -> Result<(), Fault> {
        out.emit(faces("finish", 11));
        Ok(())
    }
}

async fn time_passes_without_input(site: Site) {
    let began = Instant::now();
    let running = Running::start(&site, Clockwork { ticks: 0, last: None }, site.bus.outlet(), 16).await;
    assert_eq!(downstream(&site, 10).await, (1..=10).collect::<Vec<_>>());
    assert!(began.elapsed() < Duration::from_secs(9), "four times a second, not {:?} for ten", began.elapsed());
    running.stop().await.unwrap();
    assert_eq!(downstream(&site, 1).await, [11], "the last word of an orderly shutdown");
}

async fn a_full_queue_downstream_stops_the_pulling(site: Site) {
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&begun);
    let stage = work(move |batch: &[IdentifyInput], out| {
        counter.fetch_add(batch.len(), Ordering::SeqCst);
        batch.iter().for_each(|input| out.emit(frame("tape", number(input).1, CaptureMode::Complete)));
        Ok(())
    });
    publish(&site, 0..40).await;
    let config = RunnerConfig { max_batch: 1, careful: Duration::ZERO, ..RunnerConfig::new("contract", 0) };
    let running = Running::start_with(&site, stage, site.bus.outlet::<Frame>(), config).await;
    eventually("the queue downstream is full", async || site.stored::<Frame>(&COMPLETE_FRAMES).await == 8).await;
    // One batch waits to be stored, one for that, one to be handed over.
    eventually("the stage stands still", async || begun.load(Ordering::SeqCst) >= 10).await;
    tokio::time::sleep(MOMENT).await;
    assert!(begun.load(Ordering::SeqCst) <= 11, "{} of 40 were computed", begun.load(Ordering::SeqCst));
    assert!(site.stored::<IdentifyInput>(&VISITS).await >= 31, "only what is stored downstream is settled");

    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    for seq in 0..40 {
        let delivery = take_one(&mut inbox).await;
        assert_eq!(delivery.item.id.seq, seq);
        delivery.done().await.unwrap();
    }
    all_inputs_are_settled(&site).await;
    running.stop().await.unwrap();
}

async fn an_output_that_cannot_be_sent_blocks_nothing(site: Site) {
    // The stage hands its inputs on; one of them is too large for a server.
    let stage = work(|batch: &[IdentifyInput], out| {
        for input in batch {
            let at = number(input).1;
            let mut faces = answer(input);
            if at == 1 {
                faces.detector = "x".repeat(9 << 20).into();
            }
            out.emit(faces);
        }
        Ok(())
    });
    site.bus.outlet().publish(change_with("lobby", 1, "large".to_owned())).await.unwrap();
    publish(&site, 2..4).await;
    let running = Running::start(&site, stage, site.bus.outlet(), 16).await;
    let expected: &[u64] = if site.bus.is_nats() { &[2, 3] } else { &[1, 2, 3] };
    assert_eq!(downstream(&site, expected.len()).await, expected);
    all_inputs_are_settled(&site).await;
    running.stop().await.unwrap();
}
