//! Cameras: decode, sample, number; the only crate that knows GStreamer.
