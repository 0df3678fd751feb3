//! Crops from the bus.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::{crop, round_trip, seed};
use sightline_wire::{Crop, Wire as _};

fuzz_target!(init: seed([crop().encode().expect("a crop")]), |bytes: &[u8]| {
    if let Some(crop) = round_trip::<Crop>(bytes) {
        assert!(crop.bbox.is_valid() && crop.picture.face.is_valid() && crop.score.is_finite());
        assert!(crop.picture.image.width() * crop.picture.image.height() <= 512 * 512);
        assert_eq!(crop.id.visit, crop.head.visit);
    }
});
