//! Vectors, rejections, visit notes and camera changes from the bus.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sightline_fuzz::{bbox, head, quality, round_trip, seed, size, stamp};
use sightline_wire::{
    CameraChange, CameraState, CropId, EndReason, FaceVector, IdentifyInput, RejectedCrop, Utc, VisitNote, Wire as _,
};

fuzz_target!(init: seed(examples()), |bytes: &[u8]| {
    if let Some(IdentifyInput::Vector(vector)) = round_trip::<IdentifyInput>(bytes) {
        let square: f32 = vector.vector.iter().map(|value| value * value).sum();
        assert!((square - 1.0).abs() < 0.01 && vector.bbox.is_valid() && vector.score.is_finite());
    }
});

fn examples() -> [Bytes; 4] {
    let id = CropId { visit: head().visit, index: 0 };
    let vector = FaceVector {
        id: id.clone(),
        head: head(),
        stamp: stamp(),
        size: size(),
        bbox: bbox(),
        score: 0.9,
        quality: quality(),
        detector: "centerface@0".into(),
        embedder: "facenet@1".into(),
        vector: vec![0.6, 0.8],
    };
    let note = VisitNote {
        head: head(),
        note: 4,
        last_seen: stamp(),
        crops_sent: 3,
        size: size(),
        best_box: bbox(),
        best_score: 0.8,
        best_quality: quality(),
        flaw: None,
        detector: "centerface@0".into(),
        end: Some(EndReason::Left),
    };
    let change = CameraChange {
        camera: head().camera,
        epoch: 3,
        state: CameraState::Unauthorized,
        at: Utc::from_unix_ns(9),
        detail: "wrong password".to_owned(),
    };
    [
        IdentifyInput::Vector(Box::new(vector)),
        IdentifyInput::Rejected(RejectedCrop { id, head: head(), reason: "zero".to_owned() }),
        IdentifyInput::Note(Box::new(note)),
        IdentifyInput::Camera(change),
    ]
    .map(|input| input.encode().expect("a message"))
}
