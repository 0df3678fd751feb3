//! `/api/v1/events` and its stream.

use std::io::{BufRead as _, BufReader};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sightline_stage::Shutdown;

use super::house::{House, eventually};

const EVENTS: &str = "/api/v1/events";
const STREAM: &str = "/api/v1/events/stream";

fn seqs(page: &Value) -> Vec<u64> {
    page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[test]
fn a_page_holds_what_is_after_the_cursor() {
    let house = House::new();
    assert_eq!(house.get(EVENTS).json(200), json!({"events": [], "newest": 0}));
    for _ in 0..120 {
        house.world.happen();
    }
    let page = |query: &str| house.get(&format!("{EVENTS}{query}")).json(200);
    let first = page("");
    assert_eq!((seqs(&first), &first["newest"]), ((1..=100).collect(), &json!(120)));
    assert_eq!(first["events"][0]["schema"], "sightline.camera/1");
    assert_eq!(seqs(&page("?after=100")), (101..=120).collect::<Vec<_>>());
    assert_eq!(seqs(&page("?after=117&limit=2")), [118, 119]);
    assert_eq!(seqs(&page("?limit=0")), [1]);
    assert_eq!(seqs(&page("?limit=4000000000")).len(), 120);
    assert_eq!(page("?after=120"), json!({"events": [], "newest": 120}));
    assert_eq!(page("?after=18446744073709551615&wait=1"), json!({"events": [], "newest": 120}));
}

#[test]
fn a_question_that_cannot_be_meant_is_refused() {
    let house = House::new();
    for query in
        ["after=x", "after=-1", "after=", "limit=-1", "wait=1s", "wait=99999999999", "afer=5", "after=1&after=2"]
    {
        house.get(&format!("{EVENTS}?{query}")).problem(422);
        house.get(&format!("{STREAM}?{query}")).problem(422);
    }
    for cursor in ["x", "-1", "1.5", "99999999999999999999"] {
        house.send("GET", STREAM, &[("last-event-id", cursor)], &[]).problem(422);
    }
}

#[test]
fn a_page_waits_for_its_first_event() {
    let house = House::new();
    house.world.happen();
    std::thread::scope(|scope| {
        let begin = Instant::now();
        let page = scope.spawn(|| house.get(&format!("{EVENTS}?after=1&wait=20000")).json(200));
        eventually("somebody waits", || house.world.waiting.load(Ordering::SeqCst) == 1);
        assert!(!page.is_finished());
        house.world.happen();
        assert_eq!(seqs(&page.join().unwrap()), [2]);
        assert!(begin.elapsed() < Duration::from_secs(15), "it came with the event, not with the end of the wait");
    });
    // What is there already is not waited for.
    let begin = Instant::now();
    assert_eq!(seqs(&house.get(&format!("{EVENTS}?after=1&wait=20000")).json(200)), [2]);
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_wait_without_an_event_ends_empty() {
    let house = House::new();
    let begin = Instant::now();
    let page = house.get(&format!("{EVENTS}?wait=300")).json(200);
    assert_eq!(page, json!({"events": [], "newest": 0}));
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[test]
fn no_event_falls_between_two_waits() {
    let house = House::new();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut after = 0;
            while after < 300 {
                let begin = Instant::now();
                let page = house.get(&format!("{EVENTS}?after={after}&wait=20000")).json(200);
                for seq in seqs(&page) {
                    assert_eq!(seq, after + 1);
                    after = seq;
                }
                assert!(begin.elapsed() < Duration::from_secs(15), "an event was overlooked after {after}");
            }
        });
        for _ in 0..300 {
            house.world.happen();
            std::thread::sleep(Duration::from_micros(500));
        }
        reader.join().unwrap();
    });
}

/// An open stream of server-sent events.
struct Listener(BufReader<ureq::BodyReader<'static>>);

impl Listener {
    fn open(house: &House, query: &str, last_event_id: Option<&str>) -> Self {
        let headers: Vec<_> = last_event_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = house.open("GET", &format!("{STREAM}{query}"), &headers, &[]);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self(BufReader::new(response.into_body().into_reader()))
    }

    /// The next event; its id equals its `seq`. `None` at the end of the stream.
    fn next(&mut self) -> Option<Value> {
        let (mut id, mut data) = (None, None);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("data", text)) => {
                    assert!(data.is_none(), "one line of data for each event");
                    data = Some(serde_json::from_str::<Value>(text).unwrap());
                }
                _ => {}
            }
            if line == "\n"
                && let Some(data) = data.take()
            {
                assert_eq!(id.unwrap(), data["seq"].to_string());
                return Some(data);
            }
        }
    }

    fn seqs(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.next().unwrap()["seq"].as_u64().unwrap()).collect()
    }
}

#[test]
fn a_stream_tells_everything_and_then_what_happens() {
    let house = House::new();
    for _ in 0..450 {
        house.world.happen();
    }
    let mut listener = Listener::open(&house, "", None);
    let first = listener.next().unwrap();
    let page = house.get(&format!("{EVENTS}?limit=1")).json(200);
    assert_eq!(first, page["events"][0], "the same as in a page, line breaks included");
    assert_eq!(listener.seqs(449), (2..=450).collect::<Vec<_>>());
    for seq in 451..460 {
        house.world.happen();
        assert_eq!(listener.seqs(1), [seq]);
    }
}

#[test]
fn a_stream_goes_on_where_its_client_stopped() {
    let house = House::new();
    for _ in 0..5 {
        house.world.happen();
    }
    assert_eq!(Listener::open(&house, "?after=3", None).seqs(2), [4, 5]);
    assert_eq!(Listener::open(&house, "", Some("2")).seqs(3), [3, 4, 5]);
    // The address of a stream does not change when its client comes back.
    assert_eq!(Listener::open(&house, "?after=1", Some("4")).seqs(1), [5]);
}

#[test]
fn a_stream_survives_an_outage_of_the_services() {
    let house = House::empty(super::house::limits());
    let mut listener = Listener::open(&house, "", None);
    let mut expected = 0;
    // Before the services ever were there, and twice again.
    for _ in 0..3 {
        house.world.happen();
        let services = Shutdown::new();
        house.runtime.block_on(house.world.serve_events(&house.bus, &services));
        house.world.happen();
        assert_eq!(listener.seqs(2), [expected + 1, expected + 2]);
        expected += 2;
        services.trigger();
        eventually("the service is gone", || house.get(EVENTS).status == 503);
    }
}

#[test]
fn many_who_wait_do_not_keep_others_from_the_log() {
    let house = House::new();
    let mut listeners: Vec<_> = (0..40).map(|_| Listener::open(&house, "", None)).collect();
    std::thread::scope(|scope| {
        let pages: Vec<_> =
            (0..40).map(|_| scope.spawn(|| house.get(&format!("{EVENTS}?wait=20000")).json(200))).collect();
        eventually("somebody waits", || house.world.waiting.load(Ordering::SeqCst) > 0);
        let begin = Instant::now();
        assert_eq!(house.get(EVENTS).json(200)["newest"], 0);
        assert!(begin.elapsed() < Duration::from_secs(5), "took {:?}", begin.elapsed());
        house.world.happen();
        for listener in &mut listeners {
            assert_eq!(listener.seqs(1), [1]);
        }
        for page in pages {
            assert_eq!(seqs(&page.join().unwrap()), [1]);
        }
    });
    assert_eq!(house.world.most_waiting.load(Ordering::SeqCst), 1, "one waits for all");
}

#[test]
fn a_cursor_from_elsewhere_spoils_nothing_for_others() {
    let house = House::new();
    // The first who waits begins the look-out.
    let lost = house.connect(b"GET /api/v1/events?after=1000000&wait=20000 HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("somebody waits", || house.world.waiting.load(Ordering::SeqCst) == 1);
    let begin = Instant::now();
    for after in 0..30 {
        std::thread::scope(|scope| {
            let page = scope.spawn(|| house.get(&format!("{EVENTS}?after={after}&wait=20000")).json(200));
            house.world.happen();
            assert_eq!(seqs(&page.join().unwrap()), [after + 1]);
        });
    }
    assert!(begin.elapsed() < Duration::from_secs(15));
    drop(lost);
}

#[test]
fn streams_and_waits_end_with_the_gateway() {
    let mut house = House::new();
    house.world.happen();
    std::thread::scope(|scope| {
        let page = scope.spawn(|| house.get(&format!("{EVENTS}?after=1&wait=20000")));
        eventually("somebody waits", || house.world.waiting.load(Ordering::SeqCst) == 1);
        let mut listener = Listener::open(&house, "", None);
        assert_eq!(listener.seqs(1), [1]);
        let begin = Instant::now();
        house.hang_up.trigger();
        assert_eq!(listener.next(), None, "ended, not cut");
        assert_eq!(page.join().unwrap().json(200), json!({"events": [], "newest": 1}));
        assert!(begin.elapsed() < Duration::from_secs(15));
    });
    house.end();
}
