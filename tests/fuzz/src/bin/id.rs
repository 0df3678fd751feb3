//! Ids as texts.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::seed;
use sightline_wire::{CameraId, FrameId, IdError, PersonId, UnknownId, VisitId};

fuzz_target!(
    init: seed(["lobby-2", "lobby-ff-10-1", "019ab7d0-0000-7000-8000-000000000000", "ä b"]),
    |bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        same::<PersonId>(text);
        same::<UnknownId>(text);
        if let Some(visit) = same::<VisitId>(text) {
            assert_eq!(visit.as_str(), text);
        }
        if let Some(camera) = same::<CameraId>(text) {
            assert_eq!(camera.as_str(), text);
            assert!(!text.contains(['.', '*', '>', ' ', '/', '"']), "no part of a subject or a file name");
            // However large the numbers, the visit's id is one.
            same::<VisitId>(VisitId::new(&FrameId { camera, epoch: u64::MAX, seq: u64::MAX }, usize::MAX).as_str());
        }
    }
);

/// The id that `text` is, which comes back from its own text.
fn same<T: FromStr<Err = IdError> + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(id) => {
            assert_eq!(id.to_string().parse::<T>().as_ref(), Ok(&id));
            Some(id)
        }
        Err(error) => {
            assert!(error.to_string().len() < 600, "an error of bounded length");
            None
        }
    }
}
