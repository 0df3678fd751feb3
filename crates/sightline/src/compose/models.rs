//! The models of this process, opened and warm before anything starts.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use sightline_infer::{Detector, Embedder};

use super::Process;
use super::stills::StillDetector;
use crate::args::StageName;
use crate::config::Resolved;

/// The embedders behind locks, because the first is shared with the analysis of stills.
#[derive(Default)]
pub(super) struct Models {
    pub(super) detectors: Vec<Detector>,
    pub(super) embedders: Vec<Arc<Mutex<Embedder>>>,
    /// With embed comes the analysis of stills.
    pub(super) stills: Option<Arc<Mutex<StillDetector>>>,
}

impl Models {
    /// One for each worker thread of the stages that are here.
    pub(super) async fn open(process: &Arc<Process>) -> Result<Self> {
        let (detect, embed) = (process.has(StageName::Detect), process.has(StageName::Embed));
        if !detect && !embed {
            return Ok(Self::default());
        }
        let check = process.health.check("models");
        let shared = Arc::clone(process);
        let models = tokio::task::spawn_blocking(move || -> Result<Self> {
            let (config, resolved) = (&shared.config, &shared.resolved);
            let runtime = Resolved::runtime(config)?;
            let mut models = Self::default();
            for _ in 0..if detect { config.detect.workers } else { 0 } {
                models.detectors.push(resolved.open_detector(&runtime)?);
            }
            for _ in 0..if embed { config.embed.workers } else { 0 } {
                models.embedders.push(Arc::new(Mutex::new(resolved.open_embedder(&runtime)?)));
            }
            if embed {
                models.stills = Some(Arc::new(Mutex::new(StillDetector::new(resolved, &runtime)?)));
            }
            Ok(models)
        })
        .await??;
        check.set(true, "warm");
        Ok(models)
    }
}
