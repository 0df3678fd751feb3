//! Embedders: from a crop and its landmarks to a unit vector.

use std::collections::BTreeMap;

use sightline_vision::{Landmarks, Normalization, Rect, RgbImage, append_tensor, box_crop, similarity_chip};

use crate::bench_support::Recorder;
use crate::error::{InferError, ItemError};
use crate::manifest::{Alignment, EmbedderSection, Manifest, Thresholds};
use crate::session::{Network, Runtime};
use crate::store::{ModelId, ModelStore};

/// A face in a picture that holds more than the face: the generic crop, or a whole photo.
#[derive(Clone, Copy, Debug)]
pub struct FaceCrop<'a> {
    /// The pixels.
    pub image: &'a RgbImage,
    /// The detector's box in them.
    pub face: Rect,
    /// The detector's landmarks in them.
    pub landmarks: Landmarks,
    /// Model id of the detector: its landmarks decide the template.
    pub detector: &'a str,
}

/// An embedder, loaded, checked and warm. One for a thread.
#[derive(Debug)]
pub struct Embedder {
    network: Network,
    model_id: ModelId,
    section: EmbedderSection,
    thresholds: Thresholds,
    normalization: Normalization,
    /// Family of each detector, by manifest id.
    families: BTreeMap<String, String>,
    tensor: Vec<f32>,
}

impl Embedder {
    /// Loads the model, compares its file with the manifest and runs it once.
    ///
    /// # Errors
    /// [`InferError`] naming the model and what is wrong with its file or manifest.
    pub fn open(runtime: &Runtime, store: &ModelStore, model: &str) -> Result<Self, InferError> {
        let manifest = store.embedder(model)?;
        let section = manifest.embedder.clone().ok_or_else(|| manifest.missing("[embedder]"))?;
        check_output(manifest, &section)?;
        let model_id = store.verify(model)?;
        let families = store.list().map(|m| (m.id.clone(), m.family.clone())).collect();
        let mut embedder = Self {
            network: Network::open(runtime, store, manifest, 0)?,
            model_id,
            thresholds: manifest.thresholds.clone().ok_or_else(|| manifest.missing("[thresholds]"))?,
            normalization: manifest.input.normalization(),
            section,
            families,
            tensor: Vec::new(),
        };
        let (width, height) = embedder.input_size();
        embedder.embed_inputs(&[RgbImage::filled(width, height, [128; 3])])?;
        Ok(embedder)
    }

    /// The network's input: the face aligned as the manifest says.
    ///
    /// # Errors
    /// [`ItemError::Alignment`] for a box or landmarks that are not usable.
    pub fn prepare(&self, crop: &FaceCrop<'_>) -> Result<RgbImage, ItemError> {
        let size = self.section.crop_size;
        match self.section.alignment {
            Alignment::Box => box_crop(crop.image, &crop.face, self.section.margin, size)
                .ok_or(ItemError::Alignment("its box has no pixels in the picture")),
            Alignment::Similarity => {
                let template =
                    self.template(crop.detector).ok_or(ItemError::Alignment("no template for this detector"))?;
                similarity_chip(crop.image, &crop.landmarks, &template, size)
                    .ok_or(ItemError::Alignment("its landmarks fit no rotation and scale"))
            }
        }
    }

    /// A unit vector for each input, in its place. All go through the network at once: the caller bounds the batch.
    ///
    /// # Errors
    /// Outer: [`InferError`], the model is broken. Inner: [`ItemError`], this input has no vector.
    pub fn embed_inputs(&mut self, inputs: &[RgbImage]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError> {
        let prepared = inputs.iter().map(|input| self.check_size(input).map(|()| input));
        let prepared: Vec<Result<&RgbImage, ItemError>> = prepared.collect();
        self.run(&prepared)
    }

    /// Aligns and embeds, as [`Embedder::prepare`] and [`Embedder::embed_inputs`].
    ///
    /// # Errors
    /// As [`Embedder::embed_inputs`].
    pub fn embed_crops(&mut self, crops: &[FaceCrop<'_>]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError> {
        let prepared: Vec<Result<RgbImage, ItemError>> = crops.iter().map(|crop| self.prepare(crop)).collect();
        let borrowed: Vec<Result<&RgbImage, ItemError>> =
            prepared.iter().map(|input| input.as_ref().map_err(Clone::clone)).collect();
        self.run(&borrowed)
    }

    /// Identity of the weights: vectors of different ones cannot be compared.
    #[must_use]
    pub const fn model_id(&self) -> &ModelId {
        &self.model_id
    }

    /// Numbers in a vector.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.section.dimension
    }

    /// The manifest's cosines for decisions.
    #[must_use]
    pub const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Width and height of the network's input.
    #[must_use]
    pub const fn input_size(&self) -> (u32, u32) {
        (self.section.crop_size, self.section.crop_size)
    }

    /// From now on copies every input tensor into `recorder`; for benchmarks.
    pub fn record(&mut self, recorder: Option<Recorder>) {
        self.network.record(recorder);
    }

    fn run(&mut self, inputs: &[Result<&RgbImage, ItemError>]) -> Result<Vec<Result<Vec<f32>, ItemError>>, InferError> {
        self.tensor.clear();
        for input in inputs.iter().flatten() {
            append_tensor(input, &self.normalization, &mut self.tensor);
        }
        let count = inputs.iter().flatten().count();
        let raw = if count == 0 { Vec::new() } else { self.raw(count)? };
        let mut vectors = raw.chunks_exact(self.section.dimension);
        let answer = |input: &Result<&RgbImage, ItemError>| match input {
            Ok(_) => normalized(vectors.next().unwrap_or_default()),
            Err(reason) => Err(reason.clone()),
        };
        Ok(inputs.iter().map(answer).collect())
    }

    /// The network's output for the `count` inputs in the tensor, one after the other.
    fn raw(&mut self, count: usize) -> Result<Vec<f32>, InferError> {
        let side = self.section.crop_size as usize;
        let dimension = self.section.dimension;
        self.network.run([count, 3, side, side], &self.tensor, |outputs| match outputs {
            [output] => Ok(output.of_shape(&[count, dimension])?.to_vec()),
            _ => Err(format!("{} outputs instead of 1", outputs.len())),
        })
    }

    fn check_size(&self, input: &RgbImage) -> Result<(), ItemError> {
        let (net_width, net_height) = self.input_size();
        if (input.width(), input.height()) == (net_width, net_height) {
            return Ok(());
        }
        Err(ItemError::InputSize { width: input.width(), height: input.height(), net_width, net_height })
    }

    /// For a model id as messages carry it (`id@hash`), a manifest's id or a family.
    fn template(&self, detector: &str) -> Option<Landmarks> {
        let id = detector.split('@').next().unwrap_or(detector);
        self.section.template(self.families.get(id).map_or(id, String::as_str))
    }
}

fn check_output(manifest: &Manifest, section: &EmbedderSection) -> Result<(), InferError> {
    let declared = manifest.files.first().and_then(|file| file.outputs.first()?.shape.get(1)).map(String::as_str);
    if declared == Some(section.dimension.to_string().as_str()) {
        return Ok(());
    }
    let reason = format!("`embedder.dimension` is {}, the output's shape says {declared:?}", section.dimension);
    Err(InferError::Manifest { file: manifest.id.clone(), reason })
}

fn normalized(vector: &[f32]) -> Result<Vec<f32>, ItemError> {
    let norm = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !norm.is_finite() {
        return Err(ItemError::Vector("not finite"));
    }
    // Shorter ones are rounding noise, whose direction says nothing.
    if norm < 1e-6 {
        return Err(ItemError::Vector("zero"));
    }
    Ok(vector.iter().map(|value| (f64::from(*value) / norm) as f32).collect())
}

#[cfg(test)]
mod tests;
