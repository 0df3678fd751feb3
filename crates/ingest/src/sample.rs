//! From GStreamer's buffer to our planes, without a copy.

use std::sync::Arc;

use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoInfo, VideoMeta};
use gstreamer as gst;
use gstreamer_video as gst_video;
use sightline_vision::{ColorMatrix, ColorRange, ImageError, PlaneLayout, Planes};

/// Height from which video without a stated matrix is taken as high definition (BT.709), as players do.
const HIGH_DEFINITION: u32 = 720;

/// The planes of a decoded picture; the decoder's buffer lives as long as they do.
pub(crate) fn planes(buffer: gst::Buffer, info: &VideoInfo) -> Result<Planes, ImageError> {
    let unreadable = |reason: &str| ImageError::Decode { format: "YUV", reason: reason.to_owned() };
    let layout = match info.format() {
        VideoFormat::I420 => PlaneLayout::I420,
        VideoFormat::Nv12 => PlaneLayout::Nv12,
        _ => return Err(unreadable("the pipeline let another format through")),
    };
    let at = match buffer.meta::<VideoMeta>() {
        Some(meta) => offsets_and_strides(meta.offset(), meta.stride()),
        None => offsets_and_strides(info.offset(), info.stride()),
    };
    let at = at.ok_or_else(|| unreadable("a picture stored upside down"))?;
    let map = buffer.into_mapped_buffer_readable().map_err(|_| unreadable("its memory cannot be mapped"))?;
    Planes::new(layout, (info.width(), info.height()), color(info), &at, Arc::new(map))
}

fn offsets_and_strides(offsets: &[usize], strides: &[i32]) -> Option<Vec<(usize, usize)>> {
    offsets.iter().zip(strides).map(|(offset, stride)| Some((*offset, usize::try_from(*stride).ok()?))).collect()
}

fn color(info: &VideoInfo) -> (ColorMatrix, ColorRange) {
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        VideoColorMatrix::Bt601 => ColorMatrix::Bt601,
        VideoColorMatrix::Bt709 => ColorMatrix::Bt709,
        _ if info.height() >= HIGH_DEFINITION => ColorMatrix::Bt709,
        _ => ColorMatrix::Bt601,
    };
    let range = match colorimetry.range() {
        VideoColorRange::Range0_255 => ColorRange::Full,
        _ => ColorRange::Limited,
    };
    (matrix, range)
}

/// The camera's own time since 1900, where the stream carries it.
pub(crate) fn ntp_ns(buffer: &gst::BufferRef) -> Option<u64> {
    buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .find(|meta| meta.reference().structure(0).is_some_and(|caps| caps.name() == "timestamp/x-ntp"))
        .map(|meta| meta.timestamp().nseconds())
}
