//! The stage.

use std::sync::{Arc, Mutex};

use sightline_infer::{FaceCrop, FaceEmbedder, ItemError};
use sightline_stage::{Fault, Outbox, Stage};
use sightline_wire::{Crop, FaceVector, IdentifyInput, RejectedCrop};

use crate::MAX_BATCH;
use crate::metrics::EmbedMetrics;
use crate::shots::BestShots;

/// Turns crops into vectors.
#[derive(Debug)]
pub struct Embed<E> {
    /// Shared with the analysis of stills in the same process.
    embedder: Arc<Mutex<E>>,
    model: Arc<str>,
    metrics: EmbedMetrics,
    shots: Option<BestShots>,
}

impl<E: FaceEmbedder> Embed<E> {
    /// A stage that uses `embedder`, whose lock it takes for the time of one inference.
    ///
    /// # Errors
    /// [`Fault`] when another thread broke down while it used the embedder.
    pub fn new(embedder: Arc<Mutex<E>>) -> Result<Self, Fault> {
        let model: Arc<str> = embedder.lock().map_err(|_| poisoned())?.model_id().into();
        let metrics = EmbedMetrics::new(&model);
        Ok(Self { embedder, model, metrics, shots: None })
    }

    /// The same, handing every crop that has a vector to `shots`.
    #[must_use]
    pub fn with_best_shots(mut self, shots: Option<BestShots>) -> Self {
        self.shots = shots;
        self
    }

    fn answer(&self, crop: &Crop, vector: Result<Vec<f32>, ItemError>) -> IdentifyInput {
        match vector {
            Ok(vector) => {
                self.metrics.embedded.increment(1);
                if let Some(shots) = &self.shots {
                    shots.offer(crop);
                }
                IdentifyInput::Vector(Box::new(FaceVector {
                    id: crop.id.clone(),
                    head: crop.head.clone(),
                    stamp: crop.stamp,
                    size: crop.size,
                    bbox: crop.bbox,
                    score: crop.score,
                    quality: crop.quality,
                    detector: crop.detector.clone(),
                    embedder: self.model.clone(),
                    vector,
                }))
            }
            Err(reason) => {
                self.metrics.rejected.increment(1);
                tracing::warn!(crop = %crop.id, %reason, "a crop has no vector");
                IdentifyInput::Rejected(RejectedCrop {
                    id: crop.id.clone(),
                    head: crop.head.clone(),
                    reason: reason.to_string(),
                })
            }
        }
    }
}

impl<E: FaceEmbedder> Stage for Embed<E> {
    const NAME: &'static str = "embed";
    type In = Crop;
    type Out = IdentifyInput;

    fn process(&mut self, batch: &[Crop], out: &mut Outbox<IdentifyInput>) -> Result<(), Fault> {
        for crops in batch.chunks(MAX_BATCH) {
            let pictures: Vec<FaceCrop<'_>> = crops.iter().map(picture).collect();
            let vectors = self.embedder.lock().map_err(|_| poisoned())?.embed(&pictures);
            let vectors = vectors.map_err(|error| Fault::from_error(&error))?;
            if vectors.len() != crops.len() {
                let (got, need) = (vectors.len(), crops.len());
                return Err(Fault(format!("the embedder gave {got} vectors for {need} crops")));
            }
            for (crop, vector) in crops.iter().zip(vectors) {
                out.emit(self.answer(crop, vector));
            }
        }
        Ok(())
    }
}

fn picture(crop: &Crop) -> FaceCrop<'_> {
    FaceCrop {
        image: &crop.picture.image,
        face: crop.picture.face,
        landmarks: crop.picture.landmarks,
        detector: &crop.detector,
    }
}

fn poisoned() -> Fault {
    Fault("the embedder broke down in the middle of a batch".to_owned())
}

#[cfg(test)]
mod tests;
