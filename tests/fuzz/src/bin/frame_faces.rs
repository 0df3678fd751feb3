//! Faces of a frame from the bus.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::{faces, round_trip, seed};
use sightline_wire::{FrameFaces, Wire as _};

fuzz_target!(init: seed([faces().encode().expect("faces")]), |bytes: &[u8]| {
    if let Some(message) = round_trip::<FrameFaces>(bytes) {
        assert!(message.faces.len() <= 256 && message.size.width > 0 && message.size.height > 0);
        for face in message.faces {
            assert!(face.bbox.is_valid() && face.score.is_finite() && face.quality.score.is_finite());
            assert!(face.crop.image.width() * face.crop.image.height() <= 512 * 512);
        }
    }
});
