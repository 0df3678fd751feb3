//! Round trips, and bytes that are no messages.

use std::sync::Arc;

use proptest::prelude::*;
use sightline_vision::{ColorMatrix, ColorRange, Planes, Point, Quality, QualityReason, Rect, RgbImage};

use crate::event::{CameraState, FrameSize};
use crate::id::{CropId, FrameId, VisitId};
use crate::message::{
    CameraChange, CaptureMode, Crop, CropPicture, EndReason, Face, FaceVector, Frame, FrameFaces, IdentifyInput,
    RejectedCrop, VisitHead, VisitNote,
};
use crate::subject::{Wire, WireError};
use crate::time::{ClockSource, Stamp, Utc};

fn frame_id() -> FrameId {
    FrameId { camera: "lobby".parse().unwrap(), epoch: 1_764_000_000_000, seq: 42 }
}

fn stamp() -> Stamp {
    Stamp { capture: Utc::from_unix_ns(1_764_000_000_123_456_789), clock: ClockSource::Rtcp, pts_ns: -5 }
}

fn picture() -> CropPicture {
    CropPicture {
        image: Arc::new(RgbImage::filled(64, 64, [200, 150, 120])),
        face: Rect::new(16.0, 16.0, 48.0, 48.0),
        landmarks: [Point { x: 20.0, y: 25.5 }; 5],
    }
}

fn quality() -> Quality {
    Quality { score: 0.5, sharpness: 100.0, frontality: 0.9 }
}

fn head() -> VisitHead {
    VisitHead {
        visit: VisitId::new(&frame_id(), 3),
        camera: "lobby".parse().unwrap(),
        first_seen: Utc::from_unix_ns(7),
        tracker: "t1".into(),
    }
}

fn vector(values: Vec<f32>) -> IdentifyInput {
    IdentifyInput::Vector(Box::new(FaceVector {
        id: CropId { visit: head().visit, index: 2 },
        head: head(),
        stamp: stamp(),
        size: FrameSize { width: 1280, height: 720 },
        bbox: Rect::new(1.0, 2.0, 30.0, 40.0),
        score: 0.9,
        quality: quality(),
        detector: "centerface@0".into(),
        embedder: "facenet@1".into(),
        vector: values,
    }))
}

fn note(end: Option<EndReason>) -> IdentifyInput {
    IdentifyInput::Note(Box::new(VisitNote {
        head: head(),
        note: 4,
        last_seen: stamp(),
        crops_sent: 3,
        size: FrameSize { width: 1280, height: 720 },
        best_box: Rect::new(1.0, 2.0, 30.0, 40.0),
        best_score: 0.8,
        best_quality: quality(),
        flaw: Some(QualityReason::Turned),
        detector: "centerface@0".into(),
        end,
    }))
}

fn frame() -> Frame {
    let (w, h) = (64_u32, 48_u32);
    let data = (0..w * h * 3 / 2).map(|i| (i % 251) as u8).collect();
    let planes = Planes::from_i420((w, h), (ColorMatrix::Bt709, ColorRange::Limited), data).unwrap();
    Frame { id: frame_id(), stamp: stamp(), mode: CaptureMode::Complete, planes }
}

fn faces() -> FrameFaces {
    let face = Face {
        bbox: Rect::new(1.0, 2.0, 30.0, 40.0),
        landmarks: [Point { x: 3.0, y: 4.0 }; 5],
        score: 0.7,
        quality: quality(),
        flaw: None,
        crop: picture(),
    };
    FrameFaces {
        frame: frame_id(),
        stamp: stamp(),
        mode: CaptureMode::Live,
        size: FrameSize { width: 640, height: 360 },
        detector: "centerface@0".into(),
        faces: vec![face],
    }
}

#[test]
fn identify_inputs_survive_the_trip() {
    let rejected = RejectedCrop { id: CropId { visit: head().visit, index: 0 }, head: head(), reason: "zero".into() };
    let change = CameraChange {
        camera: "lobby".parse().unwrap(),
        epoch: 3,
        state: CameraState::Unauthorized,
        at: Utc::from_unix_ns(9),
        detail: "wrong password".into(),
    };
    for input in [
        vector(vec![0.6, 0.8]),
        IdentifyInput::Rejected(rejected),
        note(None),
        note(Some(EndReason::Left)),
        IdentifyInput::Camera(change),
    ] {
        assert_eq!(IdentifyInput::decode(&input.encode().unwrap()).unwrap(), input);
    }
}

#[test]
fn a_frame_keeps_its_samples_but_for_jpeg() {
    let original = frame();
    let read = Frame::decode(&original.encode().unwrap()).unwrap();
    assert_eq!((read.id, read.stamp, read.mode), (original.id, original.stamp, original.mode));
    assert_eq!(read.planes.color(), original.planes.color());
    assert_eq!((read.planes.width(), read.planes.height()), (64, 48));
}

#[test]
fn faces_and_crops_survive_the_trip() {
    let read = FrameFaces::decode(&faces().encode().unwrap()).unwrap();
    assert_eq!(read.faces.len(), 1);
    assert_eq!(read.faces[0].bbox, faces().faces[0].bbox);
    assert_eq!(read.faces[0].crop.image.width(), 64);
    let crop = Crop {
        id: CropId { visit: head().visit, index: 1 },
        head: head(),
        stamp: stamp(),
        size: FrameSize { width: 640, height: 360 },
        bbox: Rect::new(1.0, 2.0, 30.0, 40.0),
        score: 0.7,
        quality: quality(),
        detector: "centerface@0".into(),
        picture: picture(),
    };
    let read = Crop::decode(&crop.encode().unwrap()).unwrap();
    assert_eq!((read.id, read.head, read.picture.landmarks), (crop.id, crop.head, crop.picture.landmarks));
}

#[test]
fn what_breaks_a_rule_is_named() {
    for (input, field) in
        [(vector(vec![0.0, 0.0]), "vector"), (vector(vec![f32::NAN, 1.0]), "vector"), (vector(vec![]), "vector")]
    {
        match IdentifyInput::decode(&input.encode().unwrap()) {
            Err(WireError::Invalid { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{other:?}"),
        }
    }
    let mut bad = faces();
    bad.faces[0].bbox.x1 = f32::INFINITY;
    assert!(matches!(FrameFaces::decode(&bad.encode().unwrap()), Err(WireError::Invalid { field: "faces.box", .. })));
}

#[test]
fn ids_name_the_kind_of_message() {
    assert!(frame().message_id().starts_with("frame/lobby/"));
    assert!(faces().message_id().starts_with("faces/lobby/"));
    assert_ne!(note(None).message_id(), vector(vec![1.0]).message_id());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        // Reading must return; whether these bytes happen to be a message is not the point.
        drop((Frame::decode(&bytes), FrameFaces::decode(&bytes), Crop::decode(&bytes), IdentifyInput::decode(&bytes)));
    }

    #[test]
    fn truncated_messages_never_panic(cut in 0usize..2000, flip in any::<u8>()) {
        for bytes in [frame().encode().unwrap(), faces().encode().unwrap(), note(None).encode().unwrap()] {
            let mut bytes = bytes[..cut.min(bytes.len())].to_vec();
            if let Some(byte) = bytes.last_mut() { *byte ^= flip; }
            drop((Frame::decode(&bytes), FrameFaces::decode(&bytes), IdentifyInput::decode(&bytes)));
        }
    }
}
