//! Decoding alone: as fast as possible, nothing else. What benchmarks compare with.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sightline_vision::Planes;
use sightline_wire::Transport;

use crate::pipeline::{Pipeline, PipelineEvent, PlayOptions};
use crate::sample;
use crate::sampler::Sampler;
use crate::sink::Picture;
use crate::source::Source;
use crate::trust::Trust;

/// A file that shows no picture by then has none, though nothing says so.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// Why a file could not be decoded to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {detail}")]
pub struct DecodeError {
    file: String,
    detail: String,
}

/// Hands every frame of `file`, with its presentation time in nanoseconds, to `take`, until that returns false or the file ends. Returns
/// how many frames there were. `take` runs on the decoder's thread.
///
/// # Errors
/// [`DecodeError`] for a file that is missing, is no video, or has a frame that cannot be used.
pub fn decode_file(
    file: &Path,
    decode_threads: u32,
    mut take: impl FnMut(Planes, i64) -> bool + Send + 'static,
) -> Result<u64, DecodeError> {
    let failed = |detail: String| DecodeError { file: file.display().to_string(), detail };
    let trust = Trust::default();
    let options = PlayOptions { transport: Transport::Tcp, trust: &trust, decode_threads, real_time: false };
    let progress = Arc::new(Progress::default());
    let seen = Arc::clone(&progress);
    let on_picture = Box::new(move |picture: Picture| {
        seen.seen.store(true, Ordering::Relaxed);
        let go_on = match sample::planes(picture.buffer, &picture.info) {
            Ok(planes) => {
                seen.frames.fetch_add(1, Ordering::Relaxed);
                take(planes, picture.pts_ns)
            }
            Err(error) => {
                *seen.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                false
            }
        };
        seen.stopped.store(!go_on, Ordering::Release);
        go_on
    });
    let pipeline = Pipeline::play(&Source::File(file.to_owned()), options, on_picture).map_err(|o| failed(o.detail))?;
    let opened = Instant::now();
    loop {
        let event = pipeline.next_event(Duration::from_millis(20));
        if let Some(error) = progress.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(failed(error));
        }
        let seen = progress.seen.load(Ordering::Relaxed);
        match event {
            None if !seen && opened.elapsed() > FIRST_WITHIN => {
                return Err(failed(format!("no picture within {FIRST_WITHIN:?}")));
            }
            Some(PipelineEvent::Failed(outage)) => return Err(failed(outage.detail)),
            None if !progress.stopped.load(Ordering::Acquire) => {}
            _ => return Ok(progress.frames.load(Ordering::Relaxed)),
        }
    }
}

/// The same for the frames that a camera with this `fps` keeps; all are decoded. Returns how many frames there were in all.
///
/// # Errors
/// As [`decode_file`].
pub fn sample_file(
    file: &Path,
    decode_threads: u32,
    fps: f64,
    mut take: impl FnMut(Planes, i64) -> bool + Send + 'static,
) -> Result<u64, DecodeError> {
    let mut sampler = Sampler::new(fps);
    decode_file(file, decode_threads, move |planes, pts_ns| !sampler.keep(pts_ns) || take(planes, pts_ns))
}

/// What the decoder's thread tells.
#[derive(Debug, Default)]
struct Progress {
    /// There was a picture; `take` may be at work on it for long.
    seen: AtomicBool,
    frames: AtomicU64,
    stopped: AtomicBool,
    error: Mutex<Option<String>>,
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{decode_file, sample_file};

    #[test]
    fn every_frame_of_a_clip_comes_in_order() {
        let clip = sightline_testkit::clip("cap13_edit2").unwrap();
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let count = decode_file(&clip, 1, move |planes, pts_ns| {
            assert_eq!((planes.width(), planes.height()), (400, 300));
            seen.lock().unwrap().push(pts_ns);
            true
        });
        assert_eq!(count, Ok(765));
        assert!(times.lock().unwrap().windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(decode_file(&clip, 1, |_, pts_ns| pts_ns < 1_000_000_000), Ok(26));
    }

    #[test]
    fn as_many_are_kept_as_a_camera_keeps() {
        let clip = sightline_testkit::clip("cap13_edit2").unwrap();
        let kept = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&kept);
        let count = sample_file(&clip, 1, 5.0, move |_, _| {
            *seen.lock().unwrap() += 1;
            true
        });
        assert_eq!((count, *kept.lock().unwrap()), (Ok(765), 153));
    }

    #[test]
    fn what_is_no_video_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("noise.mp4");
        std::fs::write(&file, [7; 5000]).unwrap();
        let message = decode_file(&file, 1, |_, _| true).unwrap_err().to_string();
        assert!(message.contains("noise.mp4") && message.len() > 20, "{message}");
        let message = decode_file(&folder.path().join("none.mp4"), 1, |_, _| true).unwrap_err().to_string();
        assert!(message.contains("none.mp4") && message.contains("nothing at this address or path"), "{message}");
    }
}
