//! YuNet (Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023).
//!
//! Three grids of cells (8, 16 and 32 pixels) with class and object scores, box and landmarks. The score is the root of the
//! product of both. Its landmarks begin with the person's right eye, which is the left one as seen in the picture.

use sightline_vision::{Nms, Picture, Point, Rect};

use crate::bench_support::Recorder;
use crate::detector::input::{NetworkInput, to_picture};
use crate::detector::{Detection, DetectorConfig};
use crate::error::InferError;
use crate::manifest::Manifest;
use crate::session::{Network, Output, Runtime};
use crate::store::ModelStore;

/// Pixels of the input for one cell, for each of the three grids.
const STRIDES: [usize; 3] = [8, 16, 32];

#[derive(Debug)]
pub(super) struct YuNet {
    network: Network,
    input: NetworkInput,
    decoder: Decoder,
}

#[derive(Clone, Copy, Debug)]
struct Decoder {
    threshold: f32,
    nms: Nms,
}

impl YuNet {
    pub(super) fn open(
        runtime: &Runtime,
        store: &ModelStore,
        manifest: &Manifest,
        config: &DetectorConfig,
    ) -> Result<Self, InferError> {
        let section = manifest.detector.as_ref().ok_or_else(|| manifest.missing("[detector]"))?;
        let needs = |value: Option<f32>, key| value.ok_or_else(|| manifest.missing(key));
        let width = config.width.or(section.width).ok_or_else(|| manifest.missing("detector.width"))?;
        let threshold = needs(config.threshold.or(section.threshold), "detector.threshold")?;
        let nms = Nms::union(needs(section.nms_iou, "detector.nms_iou")?);
        Ok(Self {
            network: Network::open(runtime, store, manifest, 0)?,
            input: NetworkInput::new(&manifest.input, width, config.enlarge),
            decoder: Decoder { threshold, nms },
        })
    }

    pub(super) fn record(&mut self, recorder: Option<Recorder>) {
        self.network.record(recorder);
    }

    pub(super) fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<Detection>, InferError> {
        let size = self.input.size_for(picture.size())?;
        let shape = [1, 3, size.1 as usize, size.0 as usize];
        let tensor = self.input.fill(picture, size)?;
        let decoder = self.decoder;
        let faces = self.network.run(shape, tensor, |outputs| decoder.read(outputs, size))?;
        Ok(faces.iter().map(|face| to_picture(face, size, picture.size())).collect())
    }
}

impl Decoder {
    /// Faces in the network's pixels, best score first. `outputs` are class, object, box and landmarks, each for the three grids.
    fn read(&self, outputs: &[Output<'_>], (width, height): (u32, u32)) -> Result<Vec<Detection>, String> {
        if outputs.len() != 4 * STRIDES.len() {
            return Err(format!("{} outputs instead of 12", outputs.len()));
        }
        let mut found = Vec::new();
        for (grid, stride) in STRIDES.into_iter().enumerate() {
            let (columns, rows) = (width as usize / stride, height as usize / stride);
            let cells = columns * rows;
            let class = outputs[grid].of_shape(&[1, cells, 1])?;
            let object = outputs[3 + grid].of_shape(&[1, cells, 1])?;
            let boxes = outputs[6 + grid].of_shape(&[1, cells, 4])?;
            let points = outputs[9 + grid].of_shape(&[1, cells, 10])?;
            for cell in 0..cells {
                let score = (class[cell].clamp(0.0, 1.0) * object[cell].clamp(0.0, 1.0)).sqrt();
                if score >= self.threshold {
                    let corner = ((cell % columns) as f32, (cell / columns) as f32);
                    let numbers = (&boxes[4 * cell..4 * cell + 4], &points[10 * cell..10 * cell + 10]);
                    found.push(decode(score, corner, numbers, stride as f32));
                }
            }
        }
        let boxes: Vec<Rect> = found.iter().map(|face| face.bbox).collect();
        let scores: Vec<f32> = found.iter().map(|face| face.score).collect();
        Ok(self.nms.keep(&boxes, &scores).into_iter().map(|index| found[index]).collect())
    }
}

fn decode(score: f32, (column, row): (f32, f32), (bbox, points): (&[f32], &[f32]), stride: f32) -> Detection {
    let (x, y) = ((column + bbox[0]) * stride, (row + bbox[1]) * stride);
    let (width, height) = (bbox[2].exp() * stride, bbox[3].exp() * stride);
    let point =
        |index: usize| Point { x: (column + points[2 * index]) * stride, y: (row + points[2 * index + 1]) * stride };
    Detection {
        bbox: Rect::new(x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0),
        score,
        landmarks: [0, 1, 2, 3, 4].map(point),
    }
}

#[cfg(test)]
mod tests {
    use sightline_vision::Picture;

    use super::Decoder;
    use crate::detector::{Detector, DetectorConfig};
    use crate::golden;
    use crate::session::Output;
    use crate::store::ModelStore;

    #[test]
    fn outputs_of_another_shape_are_refused() {
        let decoder = Decoder { threshold: 0.5, nms: sightline_vision::Nms::union(0.3) };
        let one = Output { shape: &[1, 2, 1], data: &[0.0; 2] };
        assert!(decoder.read(&[one], (32, 32)).is_err());
        assert!(decoder.read(&[one; 12], (32, 32)).unwrap_err().contains("instead of [1, 16, 1]"));
    }

    /// There are no golden results of YuNet: every face that CenterFace's reference is sure of must be found, landmarks at the
    /// same places.
    #[test]
    fn finds_the_faces_that_the_reference_of_another_detector_finds() {
        let name = "yunet::finds_the_faces_that_the_reference_of_another_detector_finds";
        let (Some(shared), Some(pictures)) =
            (sightline_testkit::shared_data(), golden::pictures("centerface.json", name))
        else {
            return;
        };
        let (runtime, _) = golden::models();
        let store = ModelStore::new(&shared.join("data/models"), None).unwrap();
        let config = DetectorConfig { width: Some(0), ..DetectorConfig::new("yunet") };
        let mut detector = Detector::open(&runtime, &store, &config).unwrap();
        let (mut sure, mut hit) = (0, 0);
        for picture in &pictures {
            let found = detector.detect(Picture::Rgb(&picture.image)).unwrap();
            let expected = golden::Expected::read(&picture.record["full"], "scores");
            for face in expected.faces.iter().filter(|face| face.score >= 0.9) {
                sure += 1;
                hit += usize::from(found.iter().any(|other| {
                    let width = face.bbox.width();
                    let near = |index: usize| {
                        let (a, b) = (face.landmarks[index], other.landmarks[index]);
                        (a.x - b.x).hypot(a.y - b.y) < 0.15 * width
                    };
                    face.bbox.iou(&other.bbox) > 0.5 && (0..5).all(near)
                }));
            }
        }
        assert!(sure > 40 && hit * 20 >= sure * 19, "{hit} of {sure}");
    }
}
