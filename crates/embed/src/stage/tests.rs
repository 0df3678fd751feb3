//! The stage with a made-up embedder.

use std::sync::{Arc, Mutex};

use sightline_infer::{FaceCrop, FaceEmbedder, InferError, ItemError};
use sightline_stage::{Outbox, Stage};
use sightline_vision::{Point, Quality, Rect, RgbImage};
use sightline_wire::{
    ClockSource, Crop, CropId, CropPicture, FrameId, FrameSize, IdentifyInput, Stamp, Utc, VisitHead, VisitId,
};

use super::Embed;

/// The vector of a crop is its first pixel's red, as a direction; black crops have none. Remembers the sizes of its
/// batches.
#[derive(Debug, Default)]
struct Fake {
    batches: Vec<usize>,
    broken: bool,
}

impl FaceEmbedder for Fake {
    fn embed(&mut self, crops: &[FaceCrop<'_>]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError> {
        self.batches.push(crops.len());
        if self.broken {
            return Err(InferError::Inference { model: "fake".into(), reason: "out of memory".into() });
        }
        let vector = |crop: &FaceCrop<'_>| match crop.image.pixel(0, 0)[0] {
            0 => Err(ItemError::Vector("zero")),
            red => Ok(vec![f32::from(red).cos(), f32::from(red).sin()]),
        };
        Ok(crops.iter().map(vector).collect())
    }

    fn model_id(&self) -> &str {
        "fake@000000000000"
    }
}

fn crop(index: u32, red: u8) -> Crop {
    let visit = VisitId::new(&FrameId { camera: "lobby".parse().unwrap(), epoch: 1, seq: 2 }, 0);
    let camera = "lobby".parse().unwrap();
    let capture = Utc::from_unix_ns(i64::from(index));
    Crop {
        id: CropId { visit: visit.clone(), index },
        head: VisitHead { visit, camera, first_seen: capture, tracker: "t".into() },
        stamp: Stamp { capture, clock: ClockSource::File, pts_ns: 3 },
        size: FrameSize { width: 640, height: 360 },
        bbox: Rect::new(1.0, 2.0, 3.0, 4.0),
        score: 0.9,
        quality: Quality { score: 0.5, sharpness: 10.0, frontality: 0.7 },
        detector: "centerface@0123456789ab".into(),
        picture: CropPicture {
            image: Arc::new(RgbImage::filled(8, 8, [red, 0, 0])),
            face: Rect::new(2.0, 2.0, 6.0, 6.0),
            landmarks: [Point::default(); 5],
        },
    }
}

#[test]
fn every_crop_is_answered_in_its_place() {
    let fake = Arc::new(Mutex::new(Fake::default()));
    let mut stage = Embed::new(fake.clone()).unwrap();
    let crops: Vec<Crop> = (0..11).map(|i| crop(i, u8::try_from(i).unwrap())).collect();
    let mut out = Outbox::default();
    stage.process(&crops, &mut out).unwrap();
    let (answers, rejections) = out.take();
    assert!(rejections.is_empty(), "a crop without a vector is an answer, not a dead letter");
    assert_eq!(fake.lock().unwrap().batches, [8, 3]);
    let IdentifyInput::Rejected(rejected) = &answers[0] else { panic!("{:?}", answers[0]) };
    assert_eq!((&rejected.id, &rejected.head), (&crops[0].id, &crops[0].head));
    assert_eq!(rejected.reason, "the vector is zero");
    for (answer, crop) in answers.iter().zip(&crops).skip(1) {
        let IdentifyInput::Vector(vector) = answer else { panic!("{answer:?}") };
        assert_eq!((&vector.id, &vector.head, vector.stamp), (&crop.id, &crop.head, crop.stamp));
        assert_eq!((vector.bbox, vector.score, vector.quality), (crop.bbox, crop.score, crop.quality));
        assert_eq!((&*vector.detector, &*vector.embedder), ("centerface@0123456789ab", "fake@000000000000"));
        assert_eq!(vector.vector[0], (crop.id.index as f32).cos());
    }
    assert_eq!(answers.len(), 11);
}

#[test]
fn a_broken_model_is_a_fault() {
    let mut stage = Embed::new(Arc::new(Mutex::new(Fake { broken: true, ..Fake::default() }))).unwrap();
    let fault = stage.process(&[crop(0, 1)], &mut Outbox::default()).unwrap_err();
    assert!(fault.to_string().contains("out of memory"), "{fault}");
}

#[test]
fn vectors_and_rejections_are_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        let mut stage = Embed::new(Arc::new(Mutex::new(Fake::default()))).unwrap();
        stage.process(&[crop(0, 0), crop(1, 1), crop(2, 2)], &mut Outbox::default()).unwrap();
    });
    let text = recorder.handle().render();
    for (result, count) in [("ok", 2), ("rejected", 1)] {
        let line = format!("sightline_embed_faces_total{{model=\"fake@000000000000\",result=\"{result}\"}} {count}");
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}
