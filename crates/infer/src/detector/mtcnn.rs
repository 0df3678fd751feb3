//! MTCNN (Zhang et al., "Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks", 2016) with the
//! parameters, names, defaults and arithmetic of facenet-pytorch 2.6.0.

mod cascade;
mod select;
#[cfg(test)]
mod tests;

use sightline_vision::{AreaPool, Normalization, RgbImage, append_tensor, box_crop};

use crate::bench_support::Recorder;
use crate::detector::Detection;
use crate::error::InferError;
use crate::manifest::Manifest;
use crate::session::{Device, Network, Runtime};
use crate::store::ModelStore;

/// facenet-pytorch's constructor arguments: same names, same defaults, same meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct MtcnnParams {
    /// Side of the extracted face, pixels.
    pub image_size: u32,
    /// Pixels of the extracted face that lie around the box, half on each side.
    pub margin: u32,
    /// Smallest face searched for, pixels.
    pub min_face_size: u32,
    /// Least probability after each network.
    pub thresholds: [f32; 3],
    /// Step of the picture pyramid, more than 0 and less than 1.
    pub factor: f64,
    /// Extracted faces as `(pixel - 127.5) / 128` instead of 0 to 255.
    pub post_process: bool,
    /// Order by area, largest first, instead of by probability; with `selection_method` unset also decides which face is taken.
    pub select_largest: bool,
    /// Which face is taken when not all are; unset: `largest` or `probability`, by `select_largest`.
    pub selection_method: Option<SelectionMethod>,
    /// Extract every face instead of one.
    pub keep_all: bool,
    /// What computes.
    pub device: Device,
}

impl Default for MtcnnParams {
    fn default() -> Self {
        Self {
            image_size: 160,
            margin: 0,
            min_face_size: 20,
            thresholds: [0.6, 0.7, 0.7],
            factor: 0.709,
            post_process: true,
            select_largest: true,
            selection_method: None,
            keep_all: false,
            device: Device::Cpu,
        }
    }
}

impl MtcnnParams {
    /// The manifest's, searching from `min_face` pixels on if that is more.
    ///
    /// # Errors
    /// [`InferError::Manifest`] for one of another family.
    pub fn of(manifest: &Manifest, min_face: f32) -> Result<Self, InferError> {
        let section = manifest.detector.as_ref().ok_or_else(|| manifest.missing("[detector]"))?;
        let least = section.min_face_size.ok_or_else(|| manifest.missing("detector.min_face_size"))?;
        Ok(Self {
            min_face_size: least.max(min_face) as u32,
            thresholds: section.thresholds.ok_or_else(|| manifest.missing("detector.thresholds"))?,
            factor: section.factor.ok_or_else(|| manifest.missing("detector.factor"))?,
            ..Self::default()
        })
    }

    pub(super) fn check(&self) -> Result<(), InferError> {
        let refuse = |key, reason: String| Err(InferError::Setting { key, reason });
        // P-Net's cell: a smaller face would mean enlarging the picture.
        if self.min_face_size < 12 {
            return refuse("min_face_size", format!("{} is less than 12, P-Net's cell", self.min_face_size));
        }
        if !(self.factor > 0.0 && self.factor < 1.0) {
            return refuse("factor", format!("{} is not between 0 and 1", self.factor));
        }
        if !self.thresholds.iter().all(|threshold| (0.0..=1.0).contains(threshold)) {
            return refuse("thresholds", format!("{:?} are not all from 0 to 1", self.thresholds));
        }
        if self.image_size == 0 || self.margin >= self.image_size {
            return refuse("margin", format!("{} leaves nothing of {}", self.margin, self.image_size));
        }
        Ok(())
    }
}

/// Which of several faces is extracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMethod {
    /// The largest area.
    Largest,
    /// The highest probability.
    Probability,
    /// The largest among those of a probability above 0.9; none when there is none.
    LargestOverThreshold,
    /// Large and near the picture's centre: area minus twice the squared distance of the centres.
    CenterWeightedSize,
}

/// A face cut out for an embedder that takes unaligned boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractedFace {
    /// Where it was.
    pub detection: Detection,
    /// `image_size` x `image_size` pixels.
    pub image: RgbImage,
    /// The same as three planes of floats, red first: `(pixel - 127.5) / 128` with `post_process`, else 0 to 255.
    pub tensor: Vec<f32>,
}

/// The three networks with their parameters. One for a thread.
#[derive(Debug)]
pub struct Mtcnn {
    proposal: Network,
    refine: Network,
    output: Network,
    normalization: Normalization,
    params: MtcnnParams,
    pool: AreaPool,
    tensor: Vec<f32>,
}

impl Mtcnn {
    /// Loads the networks of the manifest `id` on `params.device`; the files' hashes are compared.
    ///
    /// # Errors
    /// [`InferError`] for files or parameters that are not usable.
    pub fn open(runtime: &Runtime, store: &ModelStore, id: &str, params: MtcnnParams) -> Result<Self, InferError> {
        params.check()?;
        let manifest = store.detector(id)?;
        store.verify(id)?;
        let runtime = if params.device == Device::Cpu { runtime.clone() } else { runtime.on(params.device)? };
        Ok(Self {
            proposal: Network::open(&runtime, store, manifest, 0)?,
            refine: Network::open(&runtime, store, manifest, 1)?,
            output: Network::open(&runtime, store, manifest, 2)?,
            normalization: manifest.input.normalization(),
            params,
            pool: AreaPool::default(),
            tensor: Vec::new(),
        })
    }

    /// All faces, largest first with `select_largest`, else most probable first.
    ///
    /// # Errors
    /// [`InferError::Inference`] or [`InferError::Output`] when a network is broken.
    pub fn detect(&mut self, image: &RgbImage) -> Result<Vec<Detection>, InferError> {
        let mut faces = self.search(image)?;
        if self.params.select_largest {
            faces.sort_by(|a, b| select::area(b).total_cmp(&select::area(a)));
        }
        Ok(faces)
    }

    /// facenet-pytorch's `forward`: the faces found, all or the selected one, cut out. A box without pixels in the picture gives none.
    ///
    /// # Errors
    /// As [`Mtcnn::detect`].
    pub fn forward(&mut self, image: &RgbImage) -> Result<Vec<ExtractedFace>, InferError> {
        let mut faces = self.detect(image)?;
        if !self.params.keep_all {
            let otherwise = match self.params.select_largest {
                true => SelectionMethod::Largest,
                false => SelectionMethod::Probability,
            };
            let method = self.params.selection_method.unwrap_or(otherwise);
            faces = select::select(&faces, method, (image.width(), image.height())).into_iter().collect();
        }
        Ok(faces.into_iter().filter_map(|face| self.extract(image, face)).collect())
    }

    fn extract(&self, image: &RgbImage, detection: Detection) -> Option<ExtractedFace> {
        let image = box_crop(image, &detection.bbox, self.params.margin, self.params.image_size)?;
        let normalization = match self.params.post_process {
            true => Normalization { mean: [127.5; 3], scale: [1.0 / 128.0; 3], bgr: false },
            false => Normalization::NONE,
        };
        let mut tensor = Vec::new();
        append_tensor(&image, &normalization, &mut tensor);
        Some(ExtractedFace { detection, image, tensor })
    }

    pub(super) fn record(&mut self, recorder: Option<&Recorder>) {
        for network in [&mut self.proposal, &mut self.refine, &mut self.output] {
            network.record(recorder.cloned());
        }
    }
}
