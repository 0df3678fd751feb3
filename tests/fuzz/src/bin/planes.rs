//! Frames as JPEG, read back into planes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::{frame, seed};
use sightline_vision::{ColorMatrix, ColorRange, Planes, decode_planes, encode_planes};

const COLOR: (ColorMatrix, ColorRange) = (ColorMatrix::Bt601, ColorRange::Full);
const LIMIT: u64 = 256 * 256;

fuzz_target!(
    init: seed([frame(16, 16), frame(5, 3), frame(1, 1)].map(|frame| encode_planes(&frame.planes, 90).expect("a JPEG"))),
    |bytes: &[u8]| {
        let Ok(planes) = decode_planes(bytes, LIMIT, COLOR) else { return };
        let pixels = u64::from(planes.width()) * u64::from(planes.height());
        assert!((1..=LIMIT).contains(&pixels));
        assert!(decode_planes(bytes, pixels - 1, COLOR).is_err(), "the limit is not kept");
        let same = |other: &Planes| (0..3).all(|index| planes.plane(index).0 == other.plane(index).0);
        assert!(same(&decode_planes(bytes, pixels, COLOR).expect("as before")));
        let jpeg = encode_planes(&planes, 90).expect("what was read can be written");
        let again = decode_planes(&jpeg, pixels, COLOR).expect("what was written can be read");
        assert_eq!((again.width(), again.height()), (planes.width(), planes.height()));
    }
);
