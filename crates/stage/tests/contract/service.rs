//! Services: request and reply with an attachment, failures of every kind, deadlines, nobody there, shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sightline_stage::Shutdown;
use sightline_stage::service::ServiceClient;
use sightline_wire::service::{Call, Failure, FailureKind};

use crate::common::{MOMENT, PATIENCE, Site, eventually};

on_both_buses!(
    a_call_is_answered,
    failures_keep_their_kind,
    without_an_answer_there_is_a_timeout,
    nobody_serves,
    large_attachments,
    many_callers_at_once,
    a_handler_that_panics,
    after_a_shutdown_it_is_not_served,
    calls_under_way_are_answered_at_a_shutdown,
    another_server_takes_over,
);

/// Echoes, fails or waits, as the request says.
struct Echo;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Request {
    text: String,
    fail: Option<FailureKind>,
    panic: bool,
    wait_ms: u64,
    times: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reply {
    text: String,
    length: usize,
    sum: u64,
}

impl Call for Echo {
    const NAME: &'static str = "test.echo";
    type Request = Request;
    type Reply = Reply;
}

fn say(text: &str) -> Request {
    Request { text: text.to_owned(), fail: None, panic: false, wait_ms: 0, times: 1 }
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().enumerate().map(|(at, byte)| at as u64 * u64::from(*byte)).sum()
}

async fn echo(request: Request, attachment: Bytes) -> Result<Reply, Failure> {
    tokio::time::sleep(Duration::from_millis(request.wait_ms)).await;
    assert!(!request.panic, "a defect that the test has made");
    match request.fail {
        Some(kind) => Err(Failure::new(kind, request.text)),
        None => Ok(Reply { text: request.text.repeat(request.times), length: attachment.len(), sum: sum(&attachment) }),
    }
}

/// A client in another process than the server's.
async fn served(site: &Site) -> (ServiceClient, Shutdown) {
    let stop = Shutdown::new();
    site.bus.serve::<Echo, _, _>(echo, stop.clone()).await.unwrap();
    (ServiceClient::new(&site.peer().await), stop)
}

async fn call(client: &ServiceClient, request: &Request) -> Result<Reply, Failure> {
    client.call::<Echo>(request, Bytes::new(), PATIENCE).await
}

fn kind(answer: Result<Reply, Failure>) -> FailureKind {
    answer.expect_err("it must fail").kind
}

async fn a_call_is_answered(site: Site) {
    let (client, _stop) = served(&site).await;
    let text = "ä \"quoted\"\n\u{1F600}";
    let attachment = Bytes::from_static(b"\x00\xff\x01");
    let reply = client.call::<Echo>(&say(text), attachment.clone(), PATIENCE).await.unwrap();
    assert_eq!(reply, Reply { text: text.to_owned(), length: 3, sum: sum(&attachment) });
    assert_eq!(call(&client, &say("")).await.unwrap().length, 0);
}

async fn failures_keep_their_kind(site: Site) {
    let (client, _stop) = served(&site).await;
    for kind in [
        FailureKind::NotFound,
        FailureKind::Conflict,
        FailureKind::Invalid,
        FailureKind::TooLarge,
        FailureKind::Unavailable,
        FailureKind::Timeout,
        FailureKind::Internal,
    ] {
        let request = Request { fail: Some(kind), ..say("no person has this id") };
        assert_eq!(call(&client, &request).await, Err(Failure::new(kind, "no person has this id")));
    }
}

async fn without_an_answer_there_is_a_timeout(site: Site) {
    let (client, _stop) = served(&site).await;
    let request = Request { wait_ms: 20_000, ..say("slow") };
    let began = Instant::now();
    let answer = client.call::<Echo>(&request, Bytes::new(), Duration::from_millis(300)).await;
    assert_eq!(kind(answer), FailureKind::Timeout);
    assert!((Duration::from_millis(290)..Duration::from_secs(5)).contains(&began.elapsed()), "{:?}", began.elapsed());
    // The service itself is well.
    call(&client, &say("quick")).await.unwrap();
}

async fn nobody_serves(site: Site) {
    let client = ServiceClient::new(&site.bus);
    let began = Instant::now();
    assert_eq!(kind(call(&client, &say("hello")).await), FailureKind::Unavailable);
    assert!(began.elapsed() < Duration::from_secs(5), "said at once, not after {:?}", began.elapsed());
}

async fn large_attachments(site: Site) {
    let (client, _stop) = served(&site).await;
    for size in [1 << 20, 5 << 20] {
        let attachment: Bytes = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let reply = client.call::<Echo>(&say("picture"), attachment.clone(), PATIENCE).await.unwrap();
        assert_eq!((reply.length, reply.sum), (size, sum(&attachment)));
    }
    if site.bus.is_nats() {
        let answer = client.call::<Echo>(&say("picture"), Bytes::from(vec![0; 9 << 20]), PATIENCE).await;
        assert_eq!(kind(answer), FailureKind::TooLarge);
        let began = Instant::now();
        let answer = call(&client, &Request { times: 9 << 20, ..say("x") }).await;
        assert_eq!(kind(answer), FailureKind::TooLarge, "an answer can be too large as well");
        assert!(began.elapsed() < PATIENCE / 2, "said at once, not at the deadline");
    }
}

async fn many_callers_at_once(site: Site) {
    let (client, _stop) = served(&site).await;
    let mut callers = tokio::task::JoinSet::new();
    for at in 0..24 {
        let client = client.clone();
        callers.spawn(async move {
            let text = at.to_string();
            let request = Request { wait_ms: 50, ..say(&text) };
            assert_eq!(call(&client, &request).await.unwrap().text, text, "everybody gets the own answer");
        });
    }
    callers.join_all().await;
}

async fn a_handler_that_panics(site: Site) {
    let (client, _stop) = served(&site).await;
    let began = Instant::now();
    let answer = call(&client, &Request { panic: true, ..say("hello") }).await;
    assert_eq!(kind(answer), FailureKind::Internal);
    assert!(began.elapsed() < PATIENCE / 2, "said at once, not at the deadline");
    call(&client, &say("still there")).await.unwrap();
}

async fn after_a_shutdown_it_is_not_served(site: Site) {
    let (client, stop) = served(&site).await;
    call(&client, &say("hello")).await.unwrap();
    stop.trigger();
    eventually("nobody serves it any more", async || {
        let answer = client.call::<Echo>(&say("hello"), Bytes::new(), Duration::from_secs(2)).await;
        answer.is_err_and(|failure| failure.kind == FailureKind::Unavailable)
    })
    .await;
}

async fn calls_under_way_are_answered_at_a_shutdown(site: Site) {
    let begun = Arc::new(AtomicUsize::new(0));
    let (stop, go_on) = (Shutdown::new(), Shutdown::new());
    let handler = {
        let (begun, go_on) = (Arc::clone(&begun), go_on.clone());
        move |request: Request, _: Bytes| {
            let (begun, go_on) = (Arc::clone(&begun), go_on.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                go_on.cancelled().await;
                Ok(Reply { text: request.text, length: 0, sum: 0 })
            }
        }
    };
    site.bus.serve::<Echo, _, _>(handler, stop.clone()).await.unwrap();
    let client = ServiceClient::new(&site.peer().await);
    let under_way = tokio::spawn({
        let client = client.clone();
        async move { call(&client, &say("hello")).await }
    });
    eventually("the call has begun", async || begun.load(Ordering::SeqCst) == 1).await;
    stop.trigger();
    // While that call is finished, others hear at once that they must go elsewhere.
    eventually("new calls are refused", async || {
        let began = Instant::now();
        let answer = client.call::<Echo>(&say("late"), Bytes::new(), MOMENT * 3).await;
        answer.is_err_and(|failure| failure.kind == FailureKind::Unavailable) && began.elapsed() < MOMENT * 3
    })
    .await;
    go_on.trigger();
    assert_eq!(under_way.await.unwrap().unwrap().text, "hello");
}

/// Identify's successor serves what the one before served.
async fn another_server_takes_over(site: Site) {
    let (client, stop) = served(&site).await;
    let other = Shutdown::new();
    stop.trigger();
    site.peer().await.serve::<Echo, _, _>(echo, other.clone()).await.unwrap();
    eventually("the other one answers", async || call(&client, &say("hello")).await.is_ok()).await;
    for _ in 0..20 {
        call(&client, &say("hello")).await.unwrap();
    }
    other.trigger();
}
