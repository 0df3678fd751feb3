//! A clip as its encoded pictures.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

/// One encoded picture (an access unit of H.264, with start codes).
#[derive(Clone, Debug)]
pub(super) struct AccessUnit {
    pub(super) data: gst::Buffer,
    /// When it is shown, from the start of the clip.
    pub(super) pts_ns: u64,
    /// When it is decoded: the order in which it is sent.
    pub(super) dts_ns: u64,
}

/// All pictures of a clip, in the order of decoding.
#[derive(Clone, Debug)]
pub(super) struct Clip {
    pub(super) units: Vec<AccessUnit>,
    pub(super) duration_ns: u64,
}

impl Clip {
    /// Takes a file with H.264 apart.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let description = "filesrc name=file ! qtdemux ! h264parse config-interval=-1 ! \
                           video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=units sync=false";
        let pipeline = gst::parse::launch(description)?.downcast::<gst::Pipeline>().ok().context("no pipeline")?;
        let file = pipeline.by_name("file").context("no source")?;
        file.set_property("location", path.to_str().context("the clip's path is no UTF-8")?);
        let sink = pipeline.by_name("units").and_downcast::<gst_app::AppSink>().context("no sink")?;
        pipeline.set_state(gst::State::Playing).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut units = Vec::new();
        let mut end_ns = 0;
        while let Ok(sample) = sink.pull_sample() {
            let buffer = sample.buffer_owned().context("a sample without a picture")?;
            let pts_ns = buffer.pts().context("a picture without time")?.nseconds();
            let dts_ns = buffer.dts().map_or(pts_ns, gst::ClockTime::nseconds);
            let length_ns = buffer.duration().map_or(40_000_000, gst::ClockTime::nseconds);
            end_ns = end_ns.max(pts_ns + length_ns);
            units.push(AccessUnit { data: buffer, pts_ns, dts_ns });
        }
        let failure = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        pipeline.set_state(gst::State::Null)?;
        if let Some(gst::MessageView::Error(error)) = failure.as_ref().map(|message| message.view()) {
            bail!("{}: {}", path.display(), error.error());
        }
        ensure!(!units.is_empty(), "there is no H.264 video in {}", path.display());
        let start_ns = units.iter().map(|unit| unit.dts_ns).min().unwrap_or(0);
        for unit in &mut units {
            unit.pts_ns -= start_ns;
            unit.dts_ns -= start_ns;
        }
        Ok(Self { units, duration_ns: end_ns - start_ns })
    }
}

/// Writes a clip anew with a key frame every so many pictures: the clips of the registries have one in ten seconds, and nobody
/// who opens such a camera sees anything before the next one. Cameras send one every one or two seconds.
///
/// # Errors
/// When the clip cannot be read or the new one not be written.
pub fn with_key_frames(clip: &Path, every: u32, to: &Path) -> Result<()> {
    gst::init()?;
    let description = format!(
        "filesrc name=from ! qtdemux ! h264parse ! avdec_h264 ! videoconvert \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={every} ! h264parse ! mp4mux ! filesink name=to"
    );
    let pipeline = gst::parse::launch(&description)?.downcast::<gst::Pipeline>().ok().context("no pipeline")?;
    for (name, path) in [("from", clip), ("to", to)] {
        let path = path.to_str().context("a path is no UTF-8")?;
        pipeline.by_name(name).context("no such element")?.set_property("location", path);
    }
    pipeline.set_state(gst::State::Playing).with_context(|| format!("{} cannot be read", clip.display()))?;
    let ends = [gst::MessageType::Error, gst::MessageType::Eos];
    let last = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &ends));
    pipeline.set_state(gst::State::Null)?;
    match last.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => bail!("{}: {}", clip.display(), error.error()),
        _ => bail!("{} is not written anew within two minutes", clip.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::Clip;

    #[test]
    fn a_clip_is_all_its_pictures() {
        gstreamer::init().unwrap();
        let clip = Clip::read(&crate::clip("cap13_edit2").unwrap()).unwrap();
        assert_eq!(clip.units.len(), 765);
        assert!(clip.units.windows(2).all(|pair| pair[0].dts_ns < pair[1].dts_ns));
        assert!((30_500_000_000..30_800_000_000).contains(&clip.duration_ns), "{}", clip.duration_ns);
    }
}
