//! The cascade: proposals on a picture pyramid, refinement, output. Every rounding and every "+ 1" is the reference's, because
//! they decide which faces are found.

use sightline_vision::{Nms, Overlap, Point, Rect, Region, RgbImage};

use crate::detector::Detection;
use crate::detector::mtcnn::Mtcnn;
use crate::error::InferError;
use crate::session::Output;

/// P-Net looks at cells of 12 pixels, 2 pixels apart.
const CELL: f32 = 12.0;
const STRIDE: f32 = 2.0;
/// Most boxes in one run of R- or O-Net: bounds memory on pictures full of proposals.
const BATCH: usize = 256;

/// A box on its way through the cascade.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    bbox: Rect,
    score: f32,
    /// The network's correction, in shares of the box's sides.
    shift: [f32; 4],
}

/// What a network says about a cut-out box.
struct Verdict {
    score: f32,
    shift: [f32; 4],
    /// O-Net only: x of the five points, then y, in shares of the box's sides.
    points: [f32; 10],
}

impl Mtcnn {
    /// Faces, most probable first.
    pub(super) fn search(&mut self, image: &RgbImage) -> Result<Vec<Detection>, InferError> {
        let proposals = self.propose(image)?;
        let refined = self.refine(image, &proposals)?;
        self.finish(image, &refined)
    }

    fn propose(&mut self, image: &RgbImage) -> Result<Vec<Rect>, InferError> {
        let mut found = Vec::new();
        for scale in pyramid(image, self.params.min_face_size, self.params.factor) {
            let size = |side: u32| (f64::from(side) * scale + 1.0) as u32;
            let (width, height) = (size(image.width()), size(image.height()));
            self.tensor.clear();
            let whole = Region::whole(image.width(), image.height());
            self.pool.append(image, whole, (width, height), &self.normalization, &mut self.tensor);
            let shape = [1, 3, height as usize, width as usize];
            let threshold = self.params.thresholds[0];
            let at_scale =
                self.proposal.run(shape, &self.tensor, |outputs| proposals(outputs, scale as f32, threshold))?;
            found.extend(suppress(&at_scale, &Nms::union(0.5)));
        }
        let kept = suppress(&found, &Nms::union(0.7));
        let corrected = |candidate: &Candidate| {
            let (b, [dx1, dy1, dx2, dy2]) = (candidate.bbox, candidate.shift);
            let (width, height) = (b.x2 - b.x1, b.y2 - b.y1);
            square(&Rect::new(b.x1 + dx1 * width, b.y1 + dy1 * height, b.x2 + dx2 * width, b.y2 + dy2 * height))
        };
        Ok(kept.iter().map(corrected).collect())
    }

    fn refine(&mut self, image: &RgbImage, boxes: &[Rect]) -> Result<Vec<Rect>, InferError> {
        let threshold = self.params.thresholds[1];
        let passed = self.judge(image, boxes, 24)?.into_iter().filter(|(_, verdict)| verdict.score > threshold);
        let passed: Vec<Candidate> =
            passed.map(|(bbox, verdict)| Candidate { bbox, score: verdict.score, shift: verdict.shift }).collect();
        Ok(suppress(&passed, &Nms::union(0.7)).iter().map(|candidate| square(&correct(candidate))).collect())
    }

    fn finish(&mut self, image: &RgbImage, boxes: &[Rect]) -> Result<Vec<Detection>, InferError> {
        let threshold = self.params.thresholds[2];
        let passed = self.judge(image, boxes, 48)?.into_iter().filter(|(_, verdict)| verdict.score > threshold);
        let faces: Vec<Detection> = passed
            .map(|(bbox, verdict)| {
                let (width, height) = (bbox.x2 - bbox.x1 + 1.0, bbox.y2 - bbox.y1 + 1.0);
                let point = |i: usize| Point {
                    x: width * verdict.points[i] + bbox.x1 - 1.0,
                    y: height * verdict.points[5 + i] + bbox.y1 - 1.0,
                };
                let candidate = Candidate { bbox, score: verdict.score, shift: verdict.shift };
                Detection { bbox: correct(&candidate), score: verdict.score, landmarks: [0, 1, 2, 3, 4].map(point) }
            })
            .collect();
        let boxes: Vec<Rect> = faces.iter().map(|face| face.bbox).collect();
        let scores: Vec<f32> = faces.iter().map(|face| face.score).collect();
        let nms = Nms { threshold: 0.7, overlap: Overlap::Min, inclusive: true };
        Ok(nms.keep(&boxes, &scores).into_iter().map(|index| faces[index]).collect())
    }

    /// Cuts every box out at `side` pixels and asks R-Net (24) or O-Net (48). Boxes without pixels in the picture are left out.
    fn judge(&mut self, image: &RgbImage, boxes: &[Rect], side: u32) -> Result<Vec<(Rect, Verdict)>, InferError> {
        let cuts: Vec<(Rect, Region)> =
            boxes.iter().filter_map(|bbox| Some((*bbox, visible_part(bbox, image)?))).collect();
        let mut judged = Vec::with_capacity(cuts.len());
        for batch in cuts.chunks(BATCH) {
            self.tensor.clear();
            for (_, region) in batch {
                self.pool.append(image, *region, (side, side), &self.normalization, &mut self.tensor);
            }
            let shape = [batch.len(), 3, side as usize, side as usize];
            let network = if side == 24 { &mut self.refine } else { &mut self.output };
            let verdicts = network.run(shape, &self.tensor, |outputs| verdicts(outputs, batch.len()))?;
            judged.extend(batch.iter().map(|(bbox, _)| *bbox).zip(verdicts));
        }
        Ok(judged)
    }
}

/// The scales at which the picture is searched.
fn pyramid(image: &RgbImage, min_face_size: u32, factor: f64) -> Vec<f64> {
    let mut scale = f64::from(CELL) / f64::from(min_face_size);
    let mut shorter = f64::from(image.width().min(image.height())) * scale;
    let mut scales = Vec::new();
    while shorter >= f64::from(CELL) {
        scales.push(scale);
        scale *= factor;
        shorter *= factor;
    }
    scales
}

fn proposals(outputs: &[Output<'_>], scale: f32, threshold: f32) -> Result<Vec<Candidate>, String> {
    let [probability, shift] = outputs else { return Err(format!("{} outputs instead of 2", outputs.len())) };
    let &[1, 2, rows, columns] = probability.shape else {
        return Err(format!("shape {:?} instead of [1, 2, h, w]", probability.shape));
    };
    let side = |side: i64| usize::try_from(side).map_err(|_| "a negative size".to_owned());
    let (rows, columns) = (side(rows)?, side(columns)?);
    let probability = probability.of_shape(&[1, 2, rows, columns])?;
    let shift = shift.of_shape(&[1, 4, rows, columns])?;
    let cells = rows * columns;
    let candidate = |(cell, &score): (usize, &f32)| {
        let (x, y) = (STRIDE * (cell % columns) as f32, STRIDE * (cell / columns) as f32);
        let first = |at: f32| ((at + 1.0) / scale).floor();
        let last = |at: f32| ((at + CELL) / scale).floor();
        Candidate {
            bbox: Rect::new(first(x), first(y), last(x), last(y)),
            score,
            shift: [0, 1, 2, 3].map(|i| shift[i * cells + cell]),
        }
    };
    Ok(probability[cells..].iter().enumerate().filter(|(_, score)| **score >= threshold).map(candidate).collect())
}

fn verdicts(outputs: &[Output<'_>], count: usize) -> Result<Vec<Verdict>, String> {
    let (probability, shift, points) = match outputs {
        [probability, shift] => (probability, shift, None),
        [probability, shift, points] => (probability, shift, Some(points.of_shape(&[count, 10])?)),
        _ => return Err(format!("{} outputs instead of 2 or 3", outputs.len())),
    };
    let (probability, shift) = (probability.of_shape(&[count, 2])?, shift.of_shape(&[count, 4])?);
    let verdict = |i: usize| Verdict {
        score: probability[2 * i + 1],
        shift: [0, 1, 2, 3].map(|j| shift[4 * i + j]),
        points: std::array::from_fn(|j| points.map_or(0.0, |points| points[10 * i + j])),
    };
    Ok((0..count).map(verdict).collect())
}

fn suppress(candidates: &[Candidate], nms: &Nms) -> Vec<Candidate> {
    let boxes: Vec<Rect> = candidates.iter().map(|candidate| candidate.bbox).collect();
    let scores: Vec<f32> = candidates.iter().map(|candidate| candidate.score).collect();
    nms.keep(&boxes, &scores).into_iter().map(|index| candidates[index]).collect()
}

/// The correction of R- and O-Net, with the reference's inclusive sides.
fn correct(candidate: &Candidate) -> Rect {
    let (b, [dx1, dy1, dx2, dy2]) = (candidate.bbox, candidate.shift);
    let (width, height) = (b.x2 - b.x1 + 1.0, b.y2 - b.y1 + 1.0);
    Rect::new(b.x1 + dx1 * width, b.y1 + dy1 * height, b.x2 + dx2 * width, b.y2 + dy2 * height)
}

/// The square of the longer side around the same centre, in the reference's order of operations.
fn square(b: &Rect) -> Rect {
    let (width, height) = (b.x2 - b.x1, b.y2 - b.y1);
    let side = width.max(height);
    let (x1, y1) = (b.x1 + width * 0.5 - side * 0.5, b.y1 + height * 0.5 - side * 0.5);
    Rect::new(x1, y1, x1 + side, y1 + side)
}

/// The whole pixels of a box inside the picture; what lies outside is cut off. The first pixel has number 1 here, as in the reference.
fn visible_part(bbox: &Rect, image: &RgbImage) -> Option<Region> {
    if !bbox.is_valid() {
        return None;
    }
    let first = |side: f32| (side.trunc() as i64).max(1) - 1;
    let (x, y) = (first(bbox.x1), first(bbox.y1));
    let end_x = (bbox.x2.trunc() as i64).min(i64::from(image.width()));
    let end_y = (bbox.y2.trunc() as i64).min(i64::from(image.height()));
    let (x, y) = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
    let (end_x, end_y) = (u32::try_from(end_x).ok()?, u32::try_from(end_y).ok()?);
    (end_x > x && end_y > y).then(|| Region { x, y, width: end_x - x, height: end_y - y })
}
