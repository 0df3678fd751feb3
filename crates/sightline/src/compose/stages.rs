//! detect, track, embed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use sightline_detect::{Detect, DetectConfig};
use sightline_embed::{Analyst, AnalystConfig, BestShots, Embed};
use sightline_stage::bus::{Bus, BusError};
use sightline_stage::health::Check;
use sightline_stage::{RunnerConfig, Shutdown, run_stage};
use sightline_track::{TrackConfig, TrackOutlets, Tracker};
use sightline_wire::service::{Analyse, AnalyseImage, Failure, FailureKind};
use sightline_wire::{Crop, Frame, FrameFaces, IdentifyInput, Wire};

use super::models::Models;
use super::{Part, Process};
use crate::args::StageName::{self, Embed as EmbedStage, Ingest, Track};

/// The ends of each arrow.
pub(super) const FRAMES: &[StageName] = &[Ingest, StageName::Detect];
pub(super) const FACES: &[StageName] = &[StageName::Detect, Track];
pub(super) const CROPS: &[StageName] = &[Track, EmbedStage];

/// Frames that one detector holds at a time: more would be older for nothing.
const FRAMES_AT_ONCE: usize = 1;

/// Crops of one inference.
const CROPS_AT_ONCE: usize = 8;

/// Largest still that is analysed: 50 megapixels, beyond what phones send.
const PIXEL_LIMIT: u64 = 50_000_000;

pub(super) fn waiting<T: Wire>(bus: &Bus) -> Arc<dyn Fn() -> usize + Send + Sync> {
    let bus = bus.clone();
    Arc::new(move || bus.unfinished::<T>())
}

pub(super) async fn detect(process: &Arc<Process>, models: &mut Models) -> Result<Vec<Part>> {
    let (frames, faces) = (process.arrow(FRAMES), process.arrow(FACES));
    let mut parts = Vec::new();
    for (index, detector) in models.detectors.drain(..).enumerate() {
        let config = DetectConfig { min_face: process.config.detect.min_face, gates: process.resolved.gates };
        let stage = Detect::new(detector, config);
        let inbox = frames.inbox::<Frame>("detect").await?;
        let runner = RunnerConfig { max_batch: FRAMES_AT_ONCE, ..RunnerConfig::new("detect", index) };
        let (outlet, health) = (faces.outlet::<FrameFaces>(), process.health.clone());
        parts.push(Part::start(StageName::Detect, waiting::<Frame>(frames), |stop| async move {
            Ok(run_stage(stage, inbox, outlet, runner, health, stop).await?)
        }));
    }
    Ok(parts)
}

pub(super) fn track(process: &Arc<Process>) -> Part {
    let faces = process.arrow(FACES).clone();
    let waiting = waiting::<FrameFaces>(&faces);
    let process = Arc::clone(process);
    Part::start(Track, waiting, |stop| {
        let shared = Arc::clone(&process);
        let arrow = faces.clone();
        // Over memory the faces are this process's own; over NATS one tracker may have them.
        owner_by_lease(process, faces, "track", stop, move |stop, owner| {
            run_tracker(Arc::clone(&shared), arrow.clone(), owner, stop)
        })
    })
}

async fn run_tracker(process: Arc<Process>, faces: Bus, owner: String, stop: Shutdown) -> Result<()> {
    // Frames of one detector in this process cannot overtake each other: a gap then costs no waiting.
    let alone = !faces.is_nats() && process.config.detect.workers == 1;
    let config = process.resolved.track.clone();
    let config = if alone { TrackConfig { reorder_frames: 0, ..config } } else { config };
    let stage = Tracker::new(config, owner.into())?;
    let inbox = faces.inbox::<FrameFaces>("track").await?;
    let outlets = TrackOutlets {
        crops: process.arrow(CROPS).outlet::<Crop>(),
        visits: process.services().outlet::<IdentifyInput>(),
    };
    Ok(run_stage(stage, inbox, outlets, RunnerConfig::new("track", 0), process.health.clone(), stop).await?)
}

pub(super) async fn embed(process: &Arc<Process>, models: &Models) -> Result<Vec<Part>> {
    let (crops, visits) = (process.arrow(CROPS), process.services());
    let shots = process.config.embed.best_shots.as_deref();
    let shots =
        shots.map(|folder| BestShots::start(folder).with_context(|| format!("embed.best_shots: {}", folder.display())));
    let shots = shots.transpose()?;
    let mut parts = Vec::new();
    for (index, embedder) in models.embedders.iter().enumerate() {
        let stage = Embed::new(Arc::clone(embedder)).map_err(|fault| anyhow::anyhow!("{fault}"))?;
        let stage = stage.with_best_shots(shots.clone());
        let inbox = crops.inbox::<Crop>("embed").await?;
        let runner = RunnerConfig { max_batch: CROPS_AT_ONCE, ..RunnerConfig::new("embed", index) };
        let (outlet, health) = (visits.outlet::<IdentifyInput>(), process.health.clone());
        parts.push(Part::start(EmbedStage, waiting::<Crop>(crops), |stop| async move {
            Ok(run_stage(stage, inbox, outlet, runner, health, stop).await?)
        }));
    }
    let stop = parts.first().map(|part| part.stop.clone()).unwrap_or_default();
    serve_analysis(process, models, stop).await?;
    Ok(parts)
}

/// The analysis of stills, with a detector of its own and the embedder of the first thread.
async fn serve_analysis(process: &Process, models: &Models, stop: Shutdown) -> Result<()> {
    let (Some(detector), Some(embedder)) = (&models.stills, models.embedders.first()) else { return Ok(()) };
    let config = AnalystConfig { pixel_limit: PIXEL_LIMIT, gates: process.resolved.gates };
    let analyst = Analyst::new(Arc::clone(detector), Arc::clone(embedder), config);
    let handler = move |request: AnalyseImage, picture: Bytes| {
        let analyst = analyst.clone();
        async move {
            let answer = tokio::task::spawn_blocking(move || analyst.answer(request, &picture)).await;
            answer.unwrap_or_else(|_| Err(Failure::new(FailureKind::Internal, "the analysis broke down; see the log")))
        }
    };
    Ok(process.services().serve::<Analyse, _, _>(handler, stop).await?)
}

/// Runs `work` while this process holds the stage's lease, and stands by while another does. Where `arrow` is memory there is
/// no other. What it tells of its readiness it tells from now on, not from its first turn.
pub(super) fn owner_by_lease<F>(
    process: Arc<Process>,
    arrow: Bus,
    stage: &'static str,
    stop: Shutdown,
    work: impl FnMut(Shutdown, String) -> F + Send + 'static,
) -> impl Future<Output = Result<()>> + Send
where
    F: Future<Output = Result<()>> + Send,
{
    let check = arrow.is_nats().then(|| process.health.check(&format!("lease-{stage}")));
    by_turns(process, (arrow, check), stage, stop, work)
}

async fn by_turns<F>(
    process: Arc<Process>,
    (arrow, check): (Bus, Option<Check>),
    stage: &'static str,
    stop: Shutdown,
    mut work: impl FnMut(Shutdown, String) -> F + Send,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send,
{
    let Some(check) = check else {
        return work(stop.clone(), process.worker.clone()).await;
    };
    let mut turn = 0;
    loop {
        let lease = match arrow.lease(stage, &process.worker, &check, &stop).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(()),
            Err(error) => {
                check.set(false, error.to_string());
                rest(&stop).await;
                continue;
            }
        };
        turn += 1;
        // Ends with the lease as well as with the process.
        let own = stop.child();
        let (lost, ends) = (lease.lost(), own.clone());
        let watch = tokio::spawn(async move {
            lost.cancelled().await;
            ends.trigger();
        });
        let outcome = work(own, format!("{}-{turn}", process.worker)).await;
        watch.abort();
        let was_lost = lease.lost().is_cancelled();
        lease.release().await;
        match outcome {
            outcome if stop.is_cancelled() => return outcome,
            Err(error) if was_lost || is_outage(&error) => {
                tracing::warn!(stage, error = format!("{error:#}"), "the broker was away; standing by");
                rest(&stop).await;
            }
            Ok(()) if was_lost => tracing::warn!(stage, "the lease was lost; standing by"),
            outcome => return outcome,
        }
    }
}

/// The broker is away or slow, which passes.
fn is_outage(error: &anyhow::Error) -> bool {
    let passes = |cause: &BusError| matches!(cause, BusError::Request { .. } | BusError::Unreachable { .. });
    error.chain().any(|cause| cause.downcast_ref::<BusError>().is_some_and(passes))
}

/// Before the broker is asked once more.
async fn rest(stop: &Shutdown) {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
        () = stop.cancelled() => {}
    }
}
