//! Which stage the CPU time went to, by the names of threads.
//!
//! Each stage computes on a thread of its own (`detect-0`). GStreamer's threads have GStreamer's names: whatever
//! has no name of ours decodes; that thread also samples and hands over the frames it keeps, without copying them. What remains (`rest`) is the camera's
//! watching thread, the threads named `io` (queues, services, HTTP, and over NATS the encoding of messages), SQLite's thread,
//! the broker, and threads that ended between two looks.

use sightline_testkit::threads::ThreadTime;

/// CPU seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Split {
    pub(crate) decode_s: f64,
    pub(crate) detect_s: f64,
    pub(crate) track_s: f64,
    pub(crate) embed_s: f64,
    pub(crate) identify_s: f64,
    pub(crate) rest_s: f64,
}

impl Split {
    /// Of these threads; what is missing to `total_s` is added to the rest.
    pub(crate) fn of(threads: &[ThreadTime], total_s: f64) -> Self {
        let mut split = Self::default();
        for thread in threads {
            *split.place(&thread.name) += thread.cpu_seconds;
        }
        let seen: f64 = split.rows().iter().map(|(_, seconds)| seconds).sum();
        split.rest_s += total_s - seen;
        split
    }

    /// In the order of the flow.
    pub(crate) fn rows(&self) -> [(&'static str, f64); 6] {
        [
            ("decode", self.decode_s),
            ("detect", self.detect_s),
            ("track", self.track_s),
            ("embed", self.embed_s),
            ("identify", self.identify_s),
            ("rest", self.rest_s),
        ]
    }

    fn place(&mut self, thread: &str) -> &mut f64 {
        let stage = thread.rsplit_once('-').map_or("", |(stage, _)| stage);
        match (stage, thread) {
            ("detect", _) => &mut self.detect_s,
            ("track", _) => &mut self.track_s,
            ("embed", _) => &mut self.embed_s,
            ("identify", _) => &mut self.identify_s,
            ("camera", _) | (_, "io" | "sightline" | "nats-server" | "pool-sightline") => &mut self.rest_s,
            _ => &mut self.decode_s,
        }
    }
}
