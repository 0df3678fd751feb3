//! Durations and instants as texts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::seed;
use sightline_wire::{Utc, human_duration};

fuzz_target!(
    init: seed(["5s", "1500ms", "0.5h", "90 m", "2025-11-24T16:00:00.123Z", "2025-11-24T16:00:00+01:30"]),
    |bytes: &[u8]| {
        if let Some((number, _)) = bytes.split_first_chunk() {
            written(Utc::from_unix_ns(i64::from_le_bytes(*number)));
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if let Some(time) = Utc::parse(text) {
            written(time);
        }
        if let Some(duration) = human_duration::parse(text) {
            let shown = human_duration::format(duration);
            let again = human_duration::parse(&shown);
            assert_eq!(again, Some(duration), "{shown}");
        }
    }
);

/// A time is written with its milliseconds and read back.
fn written(time: Utc) {
    let again = Utc::parse(&time.to_string()).expect("a time that was written");
    assert!((0..1_000_000).contains(&time.ns_since(again)), "{time}");
    assert_eq!(again.to_string(), time.to_string());
}
