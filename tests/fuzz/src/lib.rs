//! What the fuzz targets share: seeds, and the round trip of a message.

use std::fmt::Debug;
use std::sync::Arc;

use sightline_vision::{ColorMatrix, ColorRange, Planes, Point, Quality, QualityReason, Rect, RgbImage};
use sightline_wire::{
    CaptureMode, ClockSource, Crop, CropId, CropPicture, Face, Frame, FrameFaces, FrameId, FrameSize, Stamp, Utc,
    VisitHead, VisitId, Wire,
};

/// Writes valid inputs into the corpus, if there is one: random bytes hardly ever get past the first checks.
pub fn seed<B: AsRef<[u8]>>(inputs: impl IntoIterator<Item = B>) {
    let Some(folder) = std::env::var_os("SIGHTLINE_FUZZ_SEEDS") else { return };
    for (number, input) in inputs.into_iter().enumerate() {
        std::fs::write(std::path::Path::new(&folder).join(format!("seed-{number}")), input).expect("a corpus folder");
    }
}

/// What is read can be written, and comes back the same.
pub fn round_trip<M: Wire + Debug>(bytes: &[u8]) -> Option<M> {
    let read = M::decode(bytes).ok()?;
    let again = M::decode(&read.encode().expect("what was read can be written")).expect("what was written can be read");
    // Pictures lose a little as JPEG; printed they show their size only. Protobuf drops the sign of a zero.
    let shown =
        |message: &M| format!("{message:?}").replace("-0.0,", "0.0,").replace("-0.0 ", "0.0 ").replace("-0.0]", "0.0]");
    assert_eq!(shown(&read), shown(&again));
    assert_eq!((read.key(), read.message_id(), read.queue()), (again.key(), again.message_id(), again.queue()));
    assert!(M::QUEUES.contains(&read.queue()));
    Some(read)
}

/// A frame of `width` x `height`.
pub fn frame(width: u32, height: u32) -> Frame {
    let samples = width * height + 2 * width.div_ceil(2) * height.div_ceil(2);
    let data = (0..samples).map(|i| (i % 251) as u8).collect();
    let planes = Planes::from_i420((width, height), (ColorMatrix::Bt709, ColorRange::Limited), data);
    Frame { id: frame_id(), stamp: stamp(), mode: CaptureMode::Complete, planes: planes.expect("sizes that fit") }
}

/// Two faces.
pub fn faces() -> FrameFaces {
    let face = Face {
        bbox: bbox(),
        landmarks: [Point { x: 3.0, y: 4.0 }; 5],
        score: 0.7,
        quality: quality(),
        flaw: Some(QualityReason::Turned),
        crop: picture(),
    };
    let (frame, stamp, mode) = (frame_id(), stamp(), CaptureMode::Live);
    FrameFaces { frame, stamp, mode, size: size(), detector: "centerface@0".into(), faces: vec![face.clone(), face] }
}

/// A crop.
pub fn crop() -> Crop {
    let head = head();
    Crop {
        id: CropId { visit: head.visit.clone(), index: 1 },
        head,
        stamp: stamp(),
        size: size(),
        bbox: bbox(),
        score: 0.7,
        quality: quality(),
        detector: "centerface@0".into(),
        picture: picture(),
    }
}

/// How a message about a visit begins.
pub fn head() -> VisitHead {
    let visit = VisitId::new(&frame_id(), 3);
    VisitHead { visit, camera: frame_id().camera, first_seen: Utc::from_unix_ns(7), tracker: "t1".into() }
}

/// A time of capture.
pub fn stamp() -> Stamp {
    Stamp { capture: Utc::from_unix_ns(1_764_000_000_123_456_789), clock: ClockSource::Rtcp, pts_ns: -5 }
}

/// A frame's size.
pub fn size() -> FrameSize {
    FrameSize { width: 1280, height: 720 }
}

/// A box.
pub fn bbox() -> Rect {
    Rect::new(1.0, 2.0, 30.0, 40.0)
}

/// A quality.
pub fn quality() -> Quality {
    Quality { score: 0.5, sharpness: 100.0, frontality: 0.9 }
}

fn frame_id() -> FrameId {
    FrameId { camera: "lobby".parse().expect("a camera's id"), epoch: 1_764_000_000_000, seq: 42 }
}

fn picture() -> CropPicture {
    CropPicture {
        image: Arc::new(RgbImage::filled(16, 16, [200, 150, 120])),
        face: Rect::new(4.0, 4.0, 12.0, 12.0),
        landmarks: [Point { x: 5.0, y: 6.5 }; 5],
    }
}
