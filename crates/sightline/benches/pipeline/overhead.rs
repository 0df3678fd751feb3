//! The pipeline's own overhead: its CPU a frame, divided by decoding alone plus bare inference.
//!
//! What makes it a fair ratio:
//!
//! - Numerator: CPU of `sightline run` from ready to the end of the last visit, everything included: queues, tracking, cropping, the
//!   store with its syncs, events, HTTP, GStreamer's own start.
//! - Decoding alone: the same pipeline of GStreamer elements with the same number of decoder threads on the same file, all frames
//!   decoded and the same ones kept, whose planes are dropped at once.
//! - Bare inference: `Session::run` on the tensors that the networks get on this recording, same ONNX Runtime, same session
//!   options, same threads; the detector once a frame, the embedder in batches of the sizes that this round's run had. The tensors are
//!   recorded from the same stages, called one after the other; a run with another number of crops is refused.
//! - Everything in the denominator is warm: the file was decoded and each network run once before anything is counted. The product is not
//!   spared its own first frame. Bare inference runs one network after the other, so that each has the caches for itself, as it never has in
//!   the product. Both make the ratio larger rather than smaller.
//! - Decoding alone runs flat out. A decoder that has to wait for others finds its caches cold whenever it goes on, which was measured to cost
//!   it up to a fifth more; that too counts as the pipeline's.
//! - The three are measured in turn, round by round, with the same meter (the kernel's CPU time of the whole process), so that a machine
//!   that gets slower is slower for all. The result is the median of the rounds' ratios, shown with the smallest and the largest.

use anyhow::{Result, ensure};
use sightline_infer::bench_support::{Recording, Replay};
use sightline_infer::{Device, ModelStore, Runtime};
use sightline_testkit::fleet::Usage;

use crate::options::Settings;
use crate::recording::Recorded;
use crate::run::{Layout, Run};

/// CPU milliseconds a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) pipeline_ms: f64,
    pub(crate) decode_ms: f64,
    pub(crate) detect_ms: f64,
    pub(crate) embed_ms: f64,
    /// What the pipeline's detect and embed threads used.
    pub(crate) detect_stage_ms: f64,
    pub(crate) embed_stage_ms: f64,
    pub(crate) decode_stage_ms: f64,
}

impl Round {
    pub(crate) fn ratio(&self) -> f64 {
        self.pipeline_ms / (self.decode_ms + self.detect_ms + self.embed_ms)
    }
}

/// Measures in so many rounds.
pub(crate) fn measure(settings: &Settings, rounds: u32) -> Result<Vec<Round>> {
    let runtime = Runtime::load(None, Device::Cpu, settings.threads)?;
    let store = ModelStore::default_location()?;
    println!("\noverhead: recording the networks' inputs");
    let recorded = Recorded::of(settings, &runtime, &store)?;
    let bare = |calls: Vec<Recording>| -> Result<f64> {
        let mut replay = Replay::open(&runtime, &store, calls)?;
        replay.warm_up()?;
        cpu_of(|| Ok(replay.run()?))
    };
    let mut results = Vec::new();
    for round in 1..=rounds {
        let run = Run::of(settings, Layout::OneProcess, settings.fps)?;
        ensure!(run.frames == recorded.frames, "{} frames were analysed instead of {}", run.frames, recorded.frames);
        let decode_s = cpu_of(|| Ok(sightline_ingest::sample_file(&settings.clip, 1, settings.fps, |_, _| true)?))?;
        let detect_s = bare(recorded.detect.clone())?;
        let embed_s = bare(recorded.batched(&run.batches)?)?;
        let per_frame = |seconds: f64| 1000.0 * seconds / recorded.frames as f64;
        let result = Round {
            pipeline_ms: run.ms_per_frame(),
            decode_ms: per_frame(decode_s),
            detect_ms: per_frame(detect_s),
            embed_ms: per_frame(embed_s),
            detect_stage_ms: per_frame(run.split.detect_s),
            embed_stage_ms: per_frame(run.split.embed_s),
            decode_stage_ms: per_frame(run.split.decode_s),
        };
        println!("overhead: round {round} of {rounds}: {:.3}", result.ratio());
        results.push(result);
    }
    Ok(results)
}

/// CPU seconds that this process uses for `work`, on all its threads.
fn cpu_of<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let own = std::process::id();
    let before = Usage::of(own)?.cpu_seconds;
    work()?;
    Ok(Usage::of(own)?.cpu_seconds - before)
}
