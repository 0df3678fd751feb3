//! The stage with a made-up detector, and with a real one where its weights are.

use sightline_infer::{Detection, Detector, DetectorConfig, Device, FaceDetector, InferError, ModelStore, Runtime};
use sightline_stage::{Outbox, Stage};
use sightline_vision::{ColorMatrix, ColorRange, Picture, Planes, Point, QualityGates, QualityReason, Rect};
use sightline_wire::{CaptureMode, ClockSource, Frame, FrameFaces, FrameId, Stamp, Utc};

use super::{Detect, DetectConfig};

/// Finds what it was told to find, in every frame.
struct Fake(Result<Vec<Detection>, &'static str>);

impl FaceDetector for Fake {
    fn detect(&mut self, _: Picture<'_>) -> Result<Vec<Detection>, InferError> {
        let broken = |reason: &'static str| InferError::Inference { model: "fake".into(), reason: reason.into() };
        self.0.clone().map_err(broken)
    }

    fn model_id(&self) -> &str {
        "fake@000000000000"
    }
}

fn detection(x: f32, width: f32) -> Detection {
    let point = |dx: f32, dy: f32| Point { x: x + width * dx, y: 50.0 + width * 1.25 * dy };
    Detection {
        bbox: Rect::new(x, 50.0, x + width, 50.0 + width * 1.25),
        score: 0.9,
        landmarks: [point(0.3, 0.4), point(0.7, 0.4), point(0.5, 0.6), point(0.35, 0.8), point(0.65, 0.8)],
    }
}

/// A frame with a pattern fine enough to be sharp.
fn frame(seq: u64, (width, height): (u32, u32)) -> Frame {
    let (w, h) = (width as usize, height as usize);
    let mut data: Vec<u8> = (0..w * h).map(|i| if (i % w / 8 + i / w / 8) % 2 == 0 { 60 } else { 190 }).collect();
    data.resize(w * h + 2 * w.div_ceil(2) * h.div_ceil(2), 128);
    let color = (ColorMatrix::Bt601, ColorRange::Limited);
    Frame {
        id: FrameId { camera: "lobby".parse().unwrap(), epoch: 1, seq },
        stamp: Stamp { capture: Utc::from_unix_ns(7), clock: ClockSource::File, pts_ns: 7 },
        mode: CaptureMode::Complete,
        planes: Planes::from_i420((width, height), color, data).unwrap(),
    }
}

fn config() -> DetectConfig {
    let gates = QualityGates { min_size: 40.0, ..QualityGates::default() };
    DetectConfig { min_face: 20.0, gates }
}

fn run(fake: Fake, frames: &[Frame]) -> Vec<FrameFaces> {
    let mut stage = Detect::new(fake, config());
    let mut out = Outbox::default();
    stage.process(frames, &mut out).unwrap();
    let (outputs, rejections) = out.take();
    assert!(rejections.is_empty());
    outputs
}

#[test]
fn every_frame_has_exactly_one_answer_also_without_faces() {
    let frames: Vec<Frame> = (0..5).map(|seq| frame(seq, (320, 240))).collect();
    let answers = run(Fake(Ok(vec![])), &frames);
    assert_eq!(answers.len(), 5);
    for (answer, frame) in answers.iter().zip(&frames) {
        assert_eq!(answer.frame, frame.id);
        assert_eq!((answer.stamp, answer.mode), (frame.stamp, frame.mode));
        assert_eq!((answer.size.width, answer.size.height), (320, 240));
        assert_eq!(&*answer.detector, "fake@000000000000");
        assert!(answer.faces.is_empty());
    }
}

#[test]
fn a_face_comes_with_a_square_crop_of_twice_its_box() {
    let answers = run(Fake(Ok(vec![detection(100.0, 64.0)])), &[frame(0, (320, 240))]);
    let face = &answers[0].faces[0];
    assert_eq!(face.bbox, detection(100.0, 64.0).bbox);
    assert_eq!((face.crop.image.width(), face.crop.image.height()), (160, 160));
    let center = face.crop.face.center();
    assert!((center.x - 80.0).abs() <= 1.0 && (center.y - 80.0).abs() <= 1.0, "{center:?}");
    let nose = face.crop.landmarks[2];
    assert!((nose.x - 80.0).abs() <= 1.0, "{nose:?}");
    assert_eq!(face.flaw, None);
    assert!(face.quality.score > 0.3);
    let large = run(Fake(Ok(vec![detection(100.0, 300.0)])), &[frame(0, (1280, 720))]);
    assert_eq!(large[0].faces[0].crop.image.width(), 256);
}

#[test]
fn small_faces_are_reported_with_their_flaw_and_tiny_ones_not() {
    let found = vec![detection(20.0, 19.0), detection(60.0, 30.0), detection(150.0, 50.0)];
    let answers = run(Fake(Ok(found)), &[frame(0, (320, 240))]);
    let flaws: Vec<_> = answers[0].faces.iter().map(|face| (face.bbox.width(), face.flaw)).collect();
    assert_eq!(flaws, [(30.0, Some(QualityReason::Small)), (50.0, None)]);
}

#[test]
fn broken_numbers_are_left_out() {
    let mut nan = detection(100.0, 50.0);
    nan.bbox.y2 = f32::NAN;
    let mut inverted = detection(100.0, 50.0);
    inverted.bbox.x2 = 0.0;
    let answers = run(Fake(Ok(vec![nan, inverted])), &[frame(0, (320, 240))]);
    assert!(answers[0].faces.is_empty());
}

#[test]
fn a_broken_model_is_a_fault_and_sends_nothing() {
    let mut stage = Detect::new(Fake(Err("out of memory")), config());
    let fault = stage.process(&[frame(0, (320, 240))], &mut Outbox::default()).unwrap_err();
    assert!(fault.to_string().contains("out of memory"), "{fault}");
}

#[test]
fn faces_are_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        run(
            Fake(Ok(vec![detection(20.0, 50.0), detection(150.0, 50.0)])),
            &[frame(0, (320, 240)), frame(1, (320, 240))],
        );
    });
    let line = "sightline_detector_faces_total{camera=\"lobby\",model=\"fake@000000000000\"} 4";
    let text = recorder.handle().render();
    assert!(text.contains(line), "{text}");
}

/// Overlap of the best match for each of `boxes`.
fn overlaps(boxes: &[Rect], faces: &[sightline_wire::Face]) -> Vec<f32> {
    boxes.iter().map(|b| faces.iter().map(|face| face.bbox.iou(b)).fold(0.0, f32::max)).collect()
}

#[test]
fn centerface_finds_everybody_in_a_frame_of_video() {
    let Some(shared) = sightline_testkit::shared_or_skip("centerface_finds_everybody_in_a_frame_of_video") else {
        return;
    };
    let photo = std::fs::read(shared.join("data/photos/group/multiface.jpg")).unwrap();
    // As a camera would give it: half the colour, planes.
    let photo = sightline_vision::decode_still(&photo, 10_000_000).unwrap();
    let jpeg = sightline_vision::encode_rgb(&photo, 95, sightline_vision::Subsampling::Half).unwrap();
    let color = (ColorMatrix::Bt601, ColorRange::Full);
    let planes = sightline_vision::decode_planes(&jpeg, 10_000_000, color).unwrap();
    let runtime = Runtime::load(None, Device::Cpu, 1).unwrap();
    let store = ModelStore::default_location().unwrap();
    let model = DetectorConfig { width: Some(640), ..DetectorConfig::new("centerface") };
    let detector = Detector::open(&runtime, &store, &model).unwrap();
    let mut stage = Detect::new(detector, config());
    let mut out = Outbox::default();
    stage.process(&[Frame { planes, ..frame(0, (16, 16)) }], &mut out).unwrap();
    let answer = &out.take().0[0];
    // The reference implementation's boxes on the same photo, of golden/centerface.json, `w640`.
    let expected = [
        Rect::new(554.2, 49.3, 634.1, 158.3),
        Rect::new(419.6, 133.9, 504.9, 243.5),
        Rect::new(624.8, 199.0, 699.0, 295.2),
        Rect::new(222.7, 250.6, 308.9, 356.8),
        Rect::new(857.7, 442.2, 951.4, 552.8),
        Rect::new(720.9, 470.4, 802.1, 568.5),
    ];
    assert_eq!(answer.faces.len(), expected.len());
    let overlaps = overlaps(&expected, &answer.faces);
    assert!(overlaps.iter().all(|&overlap| overlap > 0.85), "{overlaps:?}");
    for face in &answer.faces {
        assert_eq!(face.flaw, None, "{face:?}");
        assert!(face.quality.score > 0.4, "{face:?}");
    }
}
