//! Experiment.
mod common;
use common::*;
use sightline_ingest::{Source, probe};
use sightline_wire::Transport;
use std::time::{Duration, Instant};
#[test]
fn cut() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    media::video(&d.join("whole.mp4"), (320, 240), 50, "mp4mux");
    media::cut(&d.join("whole.mp4"), 0.6, &d.join("cut.mp4"));
    let text = d.join("cut.mp4").to_str().unwrap().to_owned();
    let threads: Vec<_> = (0..6).map(|_| { let text = text.clone(); std::thread::spawn(move || {
    for _ in 0..150 {
        let t = Instant::now();
        let r = probe(&Source::parse(&text).unwrap(), Transport::Tcp, Duration::from_secs(3));
        if t.elapsed() > Duration::from_secs(1) { println!("{:?} {:?}", t.elapsed(), r.err()); }
    }})}).collect();
    for t in threads { t.join().unwrap(); }
}
