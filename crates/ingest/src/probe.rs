//! Opens a source once and says what it delivers: `sightline camera probe`.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use sightline_vision::Planes;
use sightline_wire::{CameraState, Transport};

use crate::outage::Outage;
use crate::pipeline::{Pipeline, PipelineEvent, PlayOptions};
use crate::sample;
use crate::sink::Picture;
use crate::source::Source;
use crate::trust::Trust;

/// What a source delivers.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    /// Width and height of its pictures.
    pub size: (u32, u32),
    /// Pictures a second, measured over the first two seconds; for files as fast as they are in real time.
    pub fps: f64,
    /// From opening to the first picture.
    pub first_frame: Duration,
    /// That picture.
    pub picture: Planes,
}

/// Opens `source` and watches it for two seconds. Blocks.
///
/// # Errors
/// [`Outage`] with the reason why there is no picture within `patience`; to find that reason may take some seconds more.
pub fn probe(source: &Source, transport: Transport, trust: &Trust, patience: Duration) -> Result<ProbeReport, Outage> {
    let options = PlayOptions { transport, trust, decode_threads: 1, real_time: true };
    watch(source, options, patience).map_err(|outage| outage.explained(source, || true))
}

fn watch(source: &Source, options: PlayOptions<'_>, patience: Duration) -> Result<ProbeReport, Outage> {
    let started = Instant::now();
    let (sender, pictures) = mpsc::sync_channel::<Picture>(64);
    let pipeline = Pipeline::play(source, options, Box::new(move |picture| sender.try_send(picture).is_ok()))?;
    let first = loop {
        if let Ok(picture) = pictures.recv_timeout(Duration::from_millis(20)) {
            break picture;
        }
        match pipeline.next_event(Duration::ZERO) {
            Some(PipelineEvent::Failed(outage)) => return Err(outage),
            Some(PipelineEvent::Ended) => {
                return Err(Outage::new(CameraState::Ended, "it ended before its first picture"));
            }
            None if started.elapsed() > patience => {
                // Whoever sends something that no picture can begin with is there, and nothing is to be looked for.
                let came = pipeline.skipped() > 0;
                let awaited = if came { "key frame" } else { "picture" };
                let silence = Outage::silence(source, format!("no {awaited} within {} s", patience.as_secs()));
                return Err(Outage { vague: !came, ..silence });
            }
            None => {}
        }
    };
    let first_frame = started.elapsed();
    let (mut last_ns, mut count) = (first.pts_ns, 0_u32);
    while started.elapsed() < first_frame + Duration::from_secs(2) && count < 50 {
        match pictures.recv_timeout(Duration::from_millis(200)) {
            Ok(picture) => (last_ns, count) = (picture.pts_ns, count + 1),
            Err(_) if pipeline.next_event(Duration::ZERO).is_some() => break,
            Err(_) => {}
        }
    }
    let seconds = (last_ns - first.pts_ns) as f64 / 1e9;
    let fps = if seconds > 0.0 { f64::from(count) / seconds } else { 0.0 };
    let picture = sample::planes(first.buffer, &first.info)
        .map_err(|error| Outage::new(CameraState::Unsupported, error.to_string()))?;
    Ok(ProbeReport { size: (picture.width(), picture.height()), fps, first_frame, picture })
}
