//! The exact tensors that the networks get on the recording: the same stages, called one after the other in this process.
//!
//! All of them are kept in memory: 3 MB a frame with CenterFace at 640, 15 MB with MTCNN (of 720p), so that a minute of video takes 1 or 4.5 GB.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, anyhow, ensure};
use sightline_detect::{Detect, DetectConfig};
use sightline_embed::Embed;
use sightline_infer::bench_support::{Recorder, Recording};
use sightline_infer::{Detector, DetectorConfig, Embedder, ModelStore, Runtime};
use sightline_stage::{Fault, Outbox, Stage};
use sightline_testkit::prometheus::Histogram;
use sightline_track::{TrackConfig, TrackOutput, Tracker};
use sightline_vision::{Planes, QualityGates};
use sightline_wire::{CameraId, CaptureMode, ClockSource, Crop, Frame, FrameFaces, FrameId, Stamp, Utc};

use crate::options::Settings;

/// The product's defaults.
const SMALLEST_REPORTED: f32 = 20.0;
const SMALLEST_NAMED: f32 = 40.0;

/// What went into the networks.
pub(crate) struct Recorded {
    pub(crate) frames: u64,
    /// The detector's calls.
    pub(crate) detect: Vec<Recording>,
    /// The embedder's, one for each crop.
    pub(crate) crops: Vec<Recording>,
}

impl Recorded {
    /// Runs the stages over the recording.
    pub(crate) fn of(settings: &Settings, runtime: &Runtime, store: &ModelStore) -> Result<Self> {
        let mut chain = Chain::open(settings, runtime, store)?;
        let (sender, frames) = sync_channel::<(Planes, i64)>(2);
        let (clip, fps) = (settings.clip.clone(), settings.fps);
        let decoding = std::thread::spawn(move || {
            sightline_ingest::sample_file(&clip, 1, fps, move |planes, pts_ns| sender.send((planes, pts_ns)).is_ok())
        });
        for (planes, pts_ns) in frames {
            chain.analyse(planes, pts_ns)?;
        }
        decoding.join().map_err(|_| anyhow!("the decoding thread panicked"))??;
        chain.finish()
    }

    /// The embedder's calls in batches of the sizes that a run had.
    pub(crate) fn batched(&self, batches: &Histogram) -> Result<Vec<Recording>> {
        let sizes = sizes(batches);
        let (there, used) = (self.crops.len(), sizes.iter().sum::<usize>());
        ensure!(there == used, "the run embedded {used} crops, the same stages one after the other {there}");
        let mut rest = self.crops.as_slice();
        let mut calls = Vec::with_capacity(sizes.len());
        for size in sizes {
            let (batch, later) = rest.split_at(size);
            rest = later;
            calls.push(joined(batch).context("an empty batch")?);
        }
        Ok(calls)
    }
}

/// The stages between the decoder and identify.
struct Chain {
    detect: Detect<Detector>,
    track: Tracker,
    embed: Embed<Embedder>,
    detect_calls: Recorder,
    embed_calls: Recorder,
    camera: CameraId,
    start: Utc,
    frames: u64,
}

impl Chain {
    fn open(settings: &Settings, runtime: &Runtime, store: &ModelStore) -> Result<Self> {
        let (detect_calls, embed_calls) = (Recorder::default(), Recorder::default());
        let config = DetectorConfig {
            width: settings.width,
            min_face: SMALLEST_REPORTED,
            ..DetectorConfig::new(&settings.detector)
        };
        let mut detector = Detector::open(runtime, store, &config)?;
        detector.record(Some(detect_calls.clone()));
        let mut embedder = Embedder::open(runtime, store, &settings.embedder)?;
        embedder.record(Some(embed_calls.clone()));
        let gates = QualityGates { min_size: SMALLEST_NAMED, ..QualityGates::default() };
        let detect = DetectConfig { min_face: SMALLEST_REPORTED, gates };
        let track = TrackConfig { reorder_frames: 0, ..TrackConfig::default() };
        Ok(Self {
            detect: Detect::new(detector, detect),
            track: Tracker::new(track, "bench".into())?,
            embed: Embed::new(Arc::new(Mutex::new(embedder)))?,
            detect_calls,
            embed_calls,
            camera: "bench".parse()?,
            start: Utc::now(),
            frames: 0,
        })
    }

    fn analyse(&mut self, planes: Planes, pts_ns: i64) -> Result<()> {
        let capture = Utc::from_unix_ns(self.start.unix_ns().saturating_add(pts_ns));
        let frame = Frame {
            id: FrameId { camera: self.camera.clone(), epoch: 1, seq: self.frames },
            stamp: Stamp { capture, clock: ClockSource::File, pts_ns },
            mode: CaptureMode::Complete,
            planes,
        };
        self.frames += 1;
        let faces: Vec<FrameFaces> = outputs(|out| self.detect.process(&[frame], out))?;
        let tracked = outputs(|out| self.track.process(&faces, out))?;
        self.embed(tracked)
    }

    fn finish(mut self) -> Result<Recorded> {
        let tracked = outputs(|out| self.track.finish(out))?;
        self.embed(tracked)?;
        Ok(Recorded { frames: self.frames, detect: self.detect_calls.take(), crops: self.embed_calls.take() })
    }

    fn embed(&mut self, tracked: Vec<TrackOutput>) -> Result<()> {
        for output in tracked {
            if let TrackOutput::Crop(crop) = output {
                let crop: [Crop; 1] = [*crop];
                outputs(|out| self.embed.process(&crop, out))?;
            }
        }
        Ok(())
    }
}

fn outputs<T>(work: impl FnOnce(&mut Outbox<T>) -> Result<(), Fault>) -> Result<Vec<T>> {
    let mut out = Outbox::default();
    work(&mut out)?;
    Ok(out.take().0)
}

/// Sizes of batches that fill these buckets and have this sum: first the smallest that each bucket allows, then one more here and
/// there until the sum is right.
fn sizes(batches: &Histogram) -> Vec<usize> {
    let (mut sizes, mut below, mut least) = (Vec::new(), 0, 0);
    for (limit, cumulative) in &batches.buckets {
        for _ in below..*cumulative {
            sizes.push((least + 1, *limit as usize));
        }
        (below, least) = (*cumulative, *limit as usize);
    }
    let mut missing = (batches.sum as usize).saturating_sub(sizes.iter().map(|(size, _)| size).sum());
    for (size, most) in &mut sizes {
        let more = missing.min(*most - *size);
        *size += more;
        missing -= more;
    }
    sizes.into_iter().map(|(size, _)| size).collect()
}

/// One call instead of several.
fn joined(batch: &[Recording]) -> Option<Recording> {
    let first = batch.first()?;
    let [_, channels, rows, columns] = first.shape;
    let data: Vec<f32> = batch.iter().flat_map(|call| call.data.iter().copied()).collect();
    Some(Recording { file: first.file.clone(), shape: [batch.len(), channels, rows, columns], data: data.into() })
}
