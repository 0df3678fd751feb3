//! Frames from the bus.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::{frame, round_trip, seed};
use sightline_wire::{Frame, Wire as _};

const LIMIT: u64 = 7680 * 4320;

fuzz_target!(
    init: seed([frame(16, 16), frame(5, 3)].map(|frame| frame.encode().expect("a frame"))),
    |bytes: &[u8]| {
        if let Some(frame) = round_trip::<Frame>(bytes) {
            assert!(u64::from(frame.planes.width()) * u64::from(frame.planes.height()) <= LIMIT);
        }
    }
);
