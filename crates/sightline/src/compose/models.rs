//! The models of this process, opened and warm before anything starts.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use sightline_infer::{Detector, Embedder};

use super::Process;
use crate::args::StageName;
use crate::config::Resolved;

/// Each behind a lock that a stage shares with the analysis of stills.
#[derive(Debug, Default)]
pub(super) struct Models {
    pub(super) detectors: Vec<Arc<Mutex<Detector>>>,
    pub(super) embedders: Vec<Arc<Mutex<Embedder>>>,
}

impl Models {
    /// One for each worker thread of the stages that are here. With embed comes the analysis of stills, which needs a detector too.
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
            for _ in 0..if detect { config.detect.workers } else { 1 } {
                models.detectors.push(Arc::new(Mutex::new(resolved.open_detector(&runtime)?)));
            }
            for _ in 0..if embed { config.embed.workers } else { 0 } {
                models.embedders.push(Arc::new(Mutex::new(resolved.open_embedder(&runtime)?)));
            }
            Ok(models)
        })
        .await??;
        check.set(true, "warm");
        Ok(models)
    }
}
