//! Members: workers see each other come and go, and agree on who owns which camera.

use std::time::{Duration, Instant};

use sightline_stage::Shutdown;
use sightline_stage::members::{join, owner_of};
use tokio::sync::watch;

use crate::common::{PATIENCE, Site, as_killed_process, connect};

/// Within this a worker that is gone must be noticed: its cameras have stopped.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

on_both_buses!(two_members_see_each_other, roles_are_apart, only_the_keys_of_the_leaver_move);

async fn sees(members: &mut watch::Receiver<Vec<String>>, expected: &[&str], within: Duration) {
    let arrived = members.wait_for(|members| members == expected);
    let outcome = tokio::time::timeout(within, arrived).await.map(|seen| seen.unwrap().len());
    assert!(outcome.is_ok(), "{:?} within {within:?}, not {expected:?}", *members.borrow());
}

async fn two_members_see_each_other(site: Site) {
    let (stop_first, stop_second) = (Shutdown::new(), Shutdown::new());
    let mut first = join(&site.bus, "ingest", "first", stop_first.clone()).await.unwrap();
    sees(&mut first, &["first"], PATIENCE).await;
    let other = site.peer().await;
    let mut second = join(&other, "ingest", "second", stop_second.clone()).await.unwrap();
    sees(&mut first, &["first", "second"], NOTICED_WITHIN).await;
    sees(&mut second, &["first", "second"], NOTICED_WITHIN).await;
    stop_second.trigger();
    sees(&mut first, &["first"], NOTICED_WITHIN).await;
    // It may come back under the same name.
    let stop_again = Shutdown::new();
    let mut again = join(&other, "ingest", "second", stop_again.clone()).await.unwrap();
    sees(&mut first, &["first", "second"], NOTICED_WITHIN).await;
    sees(&mut again, &["first", "second"], NOTICED_WITHIN).await;
    stop_again.trigger();
    stop_first.trigger();
}

async fn roles_are_apart(site: Site) {
    let stop = Shutdown::new();
    let mut ingest = join(&site.bus, "ingest", "first", stop.clone()).await.unwrap();
    let mut detect = join(&site.peer().await, "detect", "second", stop.clone()).await.unwrap();
    let mut third = join(&site.peer().await, "ingest", "third", stop.clone()).await.unwrap();
    sees(&mut ingest, &["first", "third"], NOTICED_WITHIN).await;
    sees(&mut third, &["first", "third"], NOTICED_WITHIN).await;
    sees(&mut detect, &["second"], Duration::from_secs(1)).await;
    stop.trigger();
}

async fn only_the_keys_of_the_leaver_move(site: Site) {
    let stops = [(); 3].map(|()| Shutdown::new());
    let mut views = Vec::new();
    for (name, stop) in ["a", "b", "c"].into_iter().zip(&stops) {
        views.push(join(&site.peer().await, "ingest", name, stop.clone()).await.unwrap());
    }
    for view in &mut views {
        sees(view, &["a", "b", "c"], NOTICED_WITHIN).await;
    }
    let cameras: Vec<String> = (0..60).map(|at| format!("camera-{at}")).collect();
    let owners = |view: &watch::Receiver<Vec<String>>| -> Vec<String> {
        cameras.iter().map(|camera| owner_of(camera, &view.borrow()).unwrap().to_owned()).collect()
    };
    let before = owners(&views[0]);
    assert!(views.iter().all(|view| owners(view) == before), "everybody derives the same owners");
    stops[1].trigger();
    for at in [0, 2] {
        sees(&mut views[at], &["a", "c"], NOTICED_WITHIN).await;
    }
    let after = owners(&views[0]);
    assert_eq!(after, owners(&views[2]));
    for ((camera, before), after) in cameras.iter().zip(&before).zip(&after) {
        assert!(before == "b" || before == after, "{camera} moved from {before} to {after}");
    }
    assert!(before.contains(&"b".to_owned()) && !after.contains(&"b".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vanished_member_is_noticed() {
    let site = Site::nats().await;
    let stop = Shutdown::new();
    let mut first = join(&site.bus, "ingest", "first", stop.clone()).await.unwrap();
    let url = site.url();
    as_killed_process(async move {
        let bus = connect(url).await;
        let mut second = join(&bus, "ingest", "second", Shutdown::new()).await.unwrap();
        sees(&mut second, &["first", "second"], NOTICED_WITHIN).await;
        // It is noticed by its silence, so that it must have been heard first.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    })
    .await;
    let gone = Instant::now();
    sees(&mut first, &["first", "second"], Duration::from_secs(1)).await;
    sees(&mut first, &["first"], NOTICED_WITHIN).await;
    assert!(gone.elapsed() > Duration::from_secs(2), "after {:?}: a worker may be slow", gone.elapsed());
    stop.trigger();
}
