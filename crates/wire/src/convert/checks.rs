//! The shared parts of messages: written, and read with every rule checked.

use std::sync::Arc;

use bytes::Bytes;
use sightline_vision::{
    Landmarks, Point, Quality, QualityReason, Rect, RgbImage, Subsampling, decode_jpeg, encode_rgb,
};

use super::proto;
use crate::event::FrameSize;
use crate::id::{CameraId, FrameId, VisitId};
use crate::message::{CaptureMode, CropPicture, VisitHead};
use crate::subject::WireError;
use crate::time::{ClockSource, Stamp, Utc};

/// Quality of the JPEGs on the bus: at 90 a face's vector keeps a cosine above .99 with that of the original pixels.
pub(super) const JPEG_QUALITY: u8 = 90;

/// Largest crop that is read: 512 pixels a side, twice what detect makes.
const CROP_PIXELS: u64 = 512 * 512;

/// Longest text of a model id or a reason.
const TEXT_LIMIT: usize = 512;

/// What is being read, for error messages.
#[derive(Clone, Copy)]
pub(super) struct Reader(pub(super) &'static str);

impl Reader {
    pub(super) fn bad(self, field: &'static str, reason: impl Into<String>) -> WireError {
        WireError::Invalid { message: self.0, field, reason: reason.into() }
    }

    pub(super) fn present<T>(self, field: &'static str, value: Option<T>) -> Result<T, WireError> {
        value.ok_or_else(|| self.bad(field, "missing"))
    }

    pub(super) fn finite(self, field: &'static str, value: f32) -> Result<f32, WireError> {
        if value.is_finite() { Ok(value) } else { Err(self.bad(field, format!("{value} is no finite number"))) }
    }

    pub(super) fn text(self, field: &'static str, value: String) -> Result<String, WireError> {
        if value.len() <= TEXT_LIMIT {
            Ok(value)
        } else {
            Err(self.bad(field, format!("{} bytes, at most {TEXT_LIMIT} are allowed", value.len())))
        }
    }

    pub(super) fn camera(self, field: &'static str, text: &str) -> Result<CameraId, WireError> {
        text.parse().map_err(|error: crate::id::IdError| self.bad(field, error.to_string()))
    }

    pub(super) fn frame_id(self, id: Option<proto::FrameId>) -> Result<FrameId, WireError> {
        let id = self.present("id", id)?;
        Ok(FrameId { camera: self.camera("id.camera", &id.camera)?, epoch: id.epoch, seq: id.seq })
    }

    pub(super) fn stamp(self, field: &'static str, stamp: Option<proto::Stamp>) -> Result<Stamp, WireError> {
        let stamp = self.present(field, stamp)?;
        let clock = match stamp.clock() {
            proto::Clock::Rtcp => ClockSource::Rtcp,
            proto::Clock::Arrival => ClockSource::Arrival,
            proto::Clock::File => ClockSource::File,
            proto::Clock::Unspecified => return Err(self.bad(field, "no clock named")),
        };
        Ok(Stamp { capture: Utc::from_unix_ns(stamp.capture_unix_ns), clock, pts_ns: stamp.pts_ns })
    }

    pub(super) fn size(self, size: Option<proto::Size>) -> Result<FrameSize, WireError> {
        let size = self.present("size", size)?;
        if size.width_px == 0 || size.height_px == 0 {
            return Err(self.bad("size", "a side is 0"));
        }
        Ok(FrameSize { width: size.width_px, height: size.height_px })
    }

    pub(super) fn rect(self, field: &'static str, value: Option<proto::Box>) -> Result<Rect, WireError> {
        let value = self.present(field, value)?;
        let rect = Rect::new(value.x1, value.y1, value.x2, value.y2);
        if rect.is_valid() { Ok(rect) } else { Err(self.bad(field, format!("{:?} is no box", rect.to_array()))) }
    }

    pub(super) fn landmarks(self, field: &'static str, values: &[f32]) -> Result<Landmarks, WireError> {
        let values: [f32; 10] = values
            .try_into()
            .map_err(|_| self.bad(field, format!("{} numbers where five points have 10", values.len())))?;
        for value in values {
            self.finite(field, value)?;
        }
        Ok(std::array::from_fn(|i| Point { x: values[2 * i], y: values[2 * i + 1] }))
    }

    pub(super) fn quality(self, quality: Option<proto::Quality>) -> Result<Quality, WireError> {
        let quality = self.present("quality", quality)?;
        Ok(Quality {
            score: self.finite("quality.score", quality.score)?,
            sharpness: self.finite("quality.sharpness", quality.sharpness)?,
            frontality: self.finite("quality.frontality", quality.frontality)?,
        })
    }

    pub(super) fn head(self, head: Option<proto::VisitHead>) -> Result<VisitHead, WireError> {
        let head = self.present("head", head)?;
        let visit: Result<VisitId, _> = head.visit.parse();
        Ok(VisitHead {
            visit: visit.map_err(|error| self.bad("head.visit", error.to_string()))?,
            camera: self.camera("head.camera", &head.camera)?,
            first_seen: Utc::from_unix_ns(head.first_seen_unix_ns),
            tracker: self.text("head.tracker", head.tracker)?.into(),
        })
    }

    pub(super) fn picture(self, picture: Option<proto::CropPicture>) -> Result<CropPicture, WireError> {
        let picture = self.present("crop", picture)?;
        let image =
            decode_jpeg(&picture.jpeg, CROP_PIXELS).map_err(|error| self.bad("crop.jpeg", error.to_string()))?;
        Ok(CropPicture {
            image: Arc::new(image),
            face: self.rect("crop.face", picture.face)?,
            landmarks: self.landmarks("crop.landmarks", &picture.landmarks)?,
        })
    }

    /// A vector of length 1 within what single precision and JPEG leave.
    pub(super) fn unit_vector(self, vector: Vec<f32>) -> Result<Vec<f32>, WireError> {
        let norm = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        if !vector.is_empty() && vector.len() <= 4096 && (norm - 1.0).abs() < 1e-3 {
            Ok(vector)
        } else {
            Err(self.bad("vector", format!("{} numbers of length {norm}, where a unit vector is needed", vector.len())))
        }
    }
}

pub(super) fn frame_id(id: &FrameId) -> proto::FrameId {
    proto::FrameId { camera: id.camera.to_string(), epoch: id.epoch, seq: id.seq }
}

pub(super) fn stamp(stamp: &Stamp) -> proto::Stamp {
    let clock = match stamp.clock {
        ClockSource::Rtcp => proto::Clock::Rtcp,
        ClockSource::Arrival => proto::Clock::Arrival,
        ClockSource::File => proto::Clock::File,
    };
    proto::Stamp { capture_unix_ns: stamp.capture.unix_ns(), clock: clock.into(), pts_ns: stamp.pts_ns }
}

pub(super) const fn mode(mode: CaptureMode) -> proto::Mode {
    match mode {
        CaptureMode::Live => proto::Mode::Live,
        CaptureMode::Complete => proto::Mode::Complete,
    }
}

pub(super) const fn read_mode(mode: proto::Mode) -> CaptureMode {
    match mode {
        proto::Mode::Live => CaptureMode::Live,
        proto::Mode::Complete => CaptureMode::Complete,
    }
}

pub(super) const fn size(size: FrameSize) -> proto::Size {
    proto::Size { width_px: size.width, height_px: size.height }
}

pub(super) const fn rect(rect: &Rect) -> proto::Box {
    proto::Box { x1: rect.x1, y1: rect.y1, x2: rect.x2, y2: rect.y2 }
}

pub(super) fn landmarks(landmarks: &Landmarks) -> Vec<f32> {
    landmarks.iter().flat_map(|point| [point.x, point.y]).collect()
}

pub(super) const fn quality(quality: &Quality) -> proto::Quality {
    proto::Quality { score: quality.score, sharpness: quality.sharpness, frontality: quality.frontality }
}

pub(super) const fn flaw(flaw: Option<QualityReason>) -> proto::Flaw {
    match flaw {
        None => proto::Flaw::None,
        Some(QualityReason::Small) => proto::Flaw::Small,
        Some(QualityReason::Blurred) => proto::Flaw::Blurred,
        Some(QualityReason::Turned) => proto::Flaw::Turned,
        Some(QualityReason::Truncated) => proto::Flaw::Truncated,
        Some(QualityReason::LowScore) => proto::Flaw::LowScore,
    }
}

pub(super) const fn read_flaw(flaw: proto::Flaw) -> Option<QualityReason> {
    match flaw {
        proto::Flaw::None => None,
        proto::Flaw::Small => Some(QualityReason::Small),
        proto::Flaw::Blurred => Some(QualityReason::Blurred),
        proto::Flaw::Turned => Some(QualityReason::Turned),
        proto::Flaw::Truncated => Some(QualityReason::Truncated),
        proto::Flaw::LowScore => Some(QualityReason::LowScore),
    }
}

pub(super) fn head(head: &VisitHead) -> proto::VisitHead {
    proto::VisitHead {
        visit: head.visit.to_string(),
        camera: head.camera.to_string(),
        first_seen_unix_ns: head.first_seen.unix_ns(),
        tracker: head.tracker.to_string(),
    }
}

pub(super) fn picture(message: &'static str, picture: &CropPicture) -> Result<proto::CropPicture, WireError> {
    let image: &RgbImage = &picture.image;
    // Colour at full size: at half size a small face loses visible detail around eyes and lips.
    let jpeg = encode_rgb(image, JPEG_QUALITY, Subsampling::Full)
        .map_err(|error| WireError::Encode { message, reason: error.to_string() })?;
    Ok(proto::CropPicture {
        jpeg: Bytes::from(jpeg),
        face: Some(rect(&picture.face)),
        landmarks: landmarks(&picture.landmarks),
    })
}
