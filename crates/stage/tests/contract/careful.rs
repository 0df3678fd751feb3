//! What fails or kills takes no other with it: after a restart and after a redelivery one message is taken at a time.

use std::time::Duration;

use sightline_stage::{Fault, Outbox, RunError, RunnerConfig, Stage};
use sightline_wire::subject::COMPLETE_FRAMES;
use sightline_wire::{CaptureMode, Frame, FrameFaces, IdentifyInput, Wire};

use crate::common::{MOMENT, PATIENCE, Site, change, eventually, frame, number, take_one};
use crate::runner::{Running, all_inputs_are_settled, answer, downstream, publish, work};

on_both_buses!(
    what_fails_takes_no_other_with_it,
    what_killed_another_worker_ends_this_one,
    a_stage_that_waits_for_the_queue_downstream_lives,
);

/// Sixteen messages, of which one fails in its own way; the others arrive.
async fn fifteen_arrive<S>(site: &Site, stage: impl Fn() -> S, reason: &str)
where
    S: Stage<In = IdentifyInput, Out = FrameFaces>,
{
    publish(site, 0..16).await;
    let lives = async {
        loop {
            let running = Running::start(site, stage(), site.bus.outlet(), 16).await;
            match running.end().await {
                Err(RunError::Faults { .. } | RunError::Panicked { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let others = async {
        // Five deliveries, each until the deadline of an acknowledgement.
        let dead = async {
            while site.bus.dead_letters().await.unwrap().is_empty() {
                tokio::time::sleep(MOMENT).await;
            }
        };
        tokio::time::timeout(4 * PATIENCE, dead).await.expect("it is dead");
        let letter = site.dead_letters(1).await.remove(0);
        assert_eq!(letter.bytes, change("lobby", 7).encode().unwrap());
        assert!(letter.reason.contains(reason), "{}", letter.reason);
        all_inputs_are_settled(site).await;
    };
    tokio::select! {
        () = lives => {},
        () = others => {},
    }
    let mut numbers = downstream(site, 15).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..16).filter(|at| *at != 7).collect::<Vec<_>>());
}

async fn what_fails_takes_no_other_with_it(site: Site) {
    let stage = || {
        work(|batch: &[IdentifyInput], out| {
            if batch.iter().any(|input| number(input).1 == 7) {
                return Err(Fault("this one cannot be done".to_owned()));
            }
            batch.iter().for_each(|input| out.emit(answer(input)));
            Ok(())
        })
    };
    fifteen_arrive(&site, stage, "failed 5 times").await;
}

/// It had been delivered before; whoever takes it after that is told that the stage has panicked, and does not wait for ever.
async fn what_killed_another_worker_ends_this_one(site: Site) {
    let stage = work(|batch: &[IdentifyInput], _: &mut Outbox<FrameFaces>| {
        assert!(number(&batch[0]).1 != 7, "a defect that the test has made");
        Ok(())
    });
    publish(&site, 7..8).await;
    let mut inbox = site.bus.inbox::<IdentifyInput>("contract").await.unwrap();
    take_one(&mut inbox).await.retry(Duration::from_millis(700)).await.unwrap();
    let config = RunnerConfig { careful: Duration::from_millis(300), ..RunnerConfig::new("contract", 0) };
    let running = Running::start_with(&site, stage, site.bus.outlet(), config).await;
    assert!(matches!(running.end().await, Err(RunError::Panicked { stage: "contract" })));
}

/// A commit that waits for somebody else is no reason to restart the process, also when one message is taken at a time.
async fn a_stage_that_waits_for_the_queue_downstream_lives(site: Site) {
    let stage = work(|batch: &[IdentifyInput], out| {
        batch.iter().for_each(|input| out.emit(frame("tape", number(input).1, CaptureMode::Complete)));
        Ok(())
    });
    publish(&site, 0..12).await;
    let running = Running::start(&site, stage, site.bus.outlet::<Frame>(), 1).await;
    eventually("the queue downstream is full", async || site.stored::<Frame>(&COMPLETE_FRAMES).await == 8).await;
    // Longer than a thread may be silent.
    tokio::time::sleep(Duration::from_secs(33)).await;
    assert!(running.health.is_live());
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    for _ in 0..12 {
        take_one(&mut inbox).await.done().await.unwrap();
    }
    running.stop().await.unwrap();
}

/// Over NATS, where messages outlive the worker that one of them kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kills_takes_no_other_with_it() {
    let stage = || {
        work(|batch: &[IdentifyInput], out| {
            assert!(batch.iter().all(|input| number(input).1 != 7), "a defect that the test has made");
            batch.iter().for_each(|input| out.emit(answer(input)));
            Ok(())
        })
    };
    fifteen_arrive(&Site::nats().await, stage, "did not survive").await;
}
