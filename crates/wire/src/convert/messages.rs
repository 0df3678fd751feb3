//! `Wire` for every message.

use bytes::Bytes;
use prost::Message as _;
use sightline_vision::{ColorMatrix, ColorRange, Planes, decode_planes, encode_planes};

use super::checks::{self, JPEG_QUALITY, Reader};
use super::proto;
use crate::event::CameraState;
use crate::id::CropId;
use crate::message::{
    CameraChange, CaptureMode, Crop, EndReason, Face, FaceVector, Frame, FrameFaces, IdentifyInput, RejectedCrop,
    VisitNote,
};
use crate::subject::{COMPLETE_FRAMES, CROPS, FACES, LIVE_FRAMES, Queue, VISITS, Wire, WireError};
use crate::time::{Stamp, Utc};

/// Largest frame that is read from the bus: 8K video, 33 million pixels.
const FRAME_PIXELS: u64 = 7680 * 4320;

/// Most faces of one frame that are read; detect sends no more than that.
const MOST_FACES: usize = 256;

fn parse<T: prost::Message + Default>(message: &'static str, bytes: &[u8]) -> Result<T, WireError> {
    T::decode(bytes).map_err(|error| WireError::Malformed { message, reason: error.to_string() })
}

impl Wire for Frame {
    const NAME: &'static str = "Frame";
    const QUEUES: &'static [Queue] = &[LIVE_FRAMES, COMPLETE_FRAMES];

    fn queue(&self) -> Queue {
        match self.mode {
            CaptureMode::Live => LIVE_FRAMES,
            CaptureMode::Complete => COMPLETE_FRAMES,
        }
    }

    fn key(&self) -> &str {
        self.id.camera.as_str()
    }

    fn message_id(&self) -> String {
        format!("frame/{}", self.id)
    }

    fn stamp(&self) -> Option<Stamp> {
        Some(self.stamp)
    }

    fn encode(&self) -> Result<Bytes, WireError> {
        let jpeg = encode_planes(&self.planes, JPEG_QUALITY)
            .map_err(|error| WireError::Encode { message: Self::NAME, reason: error.to_string() })?;
        let (matrix, range) = self.planes.color();
        let frame = proto::Frame {
            id: Some(checks::frame_id(&self.id)),
            stamp: Some(checks::stamp(&self.stamp)),
            mode: checks::mode(self.mode).into(),
            jpeg: Bytes::from(jpeg),
            bt709: matrix == ColorMatrix::Bt709,
            full_range: range == ColorRange::Full,
        };
        Ok(Bytes::from(frame.encode_to_vec()))
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let read = Reader(Self::NAME);
        let frame: proto::Frame = parse(Self::NAME, bytes)?;
        let matrix = if frame.bt709 { ColorMatrix::Bt709 } else { ColorMatrix::Bt601 };
        let range = if frame.full_range { ColorRange::Full } else { ColorRange::Limited };
        let planes: Planes = decode_planes(&frame.jpeg, FRAME_PIXELS, (matrix, range))
            .map_err(|error| read.bad("jpeg", error.to_string()))?;
        let mode = checks::read_mode(frame.mode());
        Ok(Self { id: read.frame_id(frame.id)?, stamp: read.stamp("stamp", frame.stamp)?, mode, planes })
    }
}

impl Wire for FrameFaces {
    const NAME: &'static str = "FrameFaces";
    const QUEUES: &'static [Queue] = &[FACES];

    fn queue(&self) -> Queue {
        FACES
    }

    fn key(&self) -> &str {
        self.frame.camera.as_str()
    }

    fn message_id(&self) -> String {
        format!("faces/{}", self.frame)
    }

    fn stamp(&self) -> Option<Stamp> {
        Some(self.stamp)
    }

    fn encode(&self) -> Result<Bytes, WireError> {
        let faces: Result<Vec<_>, _> = self.faces.iter().map(write_face).collect();
        let message = proto::FrameFaces {
            frame: Some(checks::frame_id(&self.frame)),
            stamp: Some(checks::stamp(&self.stamp)),
            mode: checks::mode(self.mode).into(),
            size: Some(checks::size(self.size)),
            detector: self.detector.to_string(),
            faces: faces?,
        };
        Ok(Bytes::from(message.encode_to_vec()))
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let read = Reader(Self::NAME);
        let message: proto::FrameFaces = parse(Self::NAME, bytes)?;
        if message.faces.len() > MOST_FACES {
            return Err(read.bad("faces", format!("{} faces, at most {MOST_FACES}", message.faces.len())));
        }
        let mode = checks::read_mode(message.mode());
        Ok(Self {
            frame: read.frame_id(message.frame)?,
            stamp: read.stamp("stamp", message.stamp)?,
            mode,
            size: read.size(message.size)?,
            detector: read.text("detector", message.detector)?.into(),
            faces: message.faces.into_iter().map(|face| read_face(read, face)).collect::<Result<_, _>>()?,
        })
    }
}

fn write_face(face: &Face) -> Result<proto::Face, WireError> {
    Ok(proto::Face {
        r#box: Some(checks::rect(&face.bbox)),
        landmarks: checks::landmarks(&face.landmarks),
        score: face.score,
        quality: Some(checks::quality(&face.quality)),
        flaw: checks::flaw(face.flaw).into(),
        crop: Some(checks::picture(FrameFaces::NAME, &face.crop)?),
    })
}

fn read_face(read: Reader, face: proto::Face) -> Result<Face, WireError> {
    let flaw = checks::read_flaw(face.flaw());
    Ok(Face {
        bbox: read.rect("faces.box", face.r#box)?,
        landmarks: read.landmarks("faces.landmarks", &face.landmarks)?,
        score: read.finite("faces.score", face.score)?,
        quality: read.quality(face.quality)?,
        flaw,
        crop: read.picture(face.crop)?,
    })
}

impl Wire for Crop {
    const NAME: &'static str = "Crop";
    const QUEUES: &'static [Queue] = &[CROPS];

    fn queue(&self) -> Queue {
        CROPS
    }

    fn key(&self) -> &str {
        self.head.camera.as_str()
    }

    fn message_id(&self) -> String {
        format!("crop/{}", self.id)
    }

    fn stamp(&self) -> Option<Stamp> {
        Some(self.stamp)
    }

    fn encode(&self) -> Result<Bytes, WireError> {
        let message = proto::Crop {
            index: self.id.index,
            head: Some(checks::head(&self.head)),
            stamp: Some(checks::stamp(&self.stamp)),
            size: Some(checks::size(self.size)),
            r#box: Some(checks::rect(&self.bbox)),
            score: self.score,
            quality: Some(checks::quality(&self.quality)),
            detector: self.detector.to_string(),
            picture: Some(checks::picture(Self::NAME, &self.picture)?),
        };
        Ok(Bytes::from(message.encode_to_vec()))
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let read = Reader(Self::NAME);
        let message: proto::Crop = parse(Self::NAME, bytes)?;
        let head = read.head(message.head)?;
        Ok(Self {
            id: CropId { visit: head.visit.clone(), index: message.index },
            head,
            stamp: read.stamp("stamp", message.stamp)?,
            size: read.size(message.size)?,
            bbox: read.rect("box", message.r#box)?,
            score: read.finite("score", message.score)?,
            quality: read.quality(message.quality)?,
            detector: read.text("detector", message.detector)?.into(),
            picture: read.picture(message.picture)?,
        })
    }
}

impl Wire for IdentifyInput {
    const NAME: &'static str = "IdentifyInput";
    const QUEUES: &'static [Queue] = &[VISITS];

    fn queue(&self) -> Queue {
        VISITS
    }

    fn key(&self) -> &str {
        match self {
            Self::Vector(vector) => vector.head.camera.as_str(),
            Self::Rejected(rejected) => rejected.head.camera.as_str(),
            Self::Note(note) => note.head.camera.as_str(),
            Self::Camera(change) => change.camera.as_str(),
        }
    }

    fn message_id(&self) -> String {
        match self {
            Self::Vector(vector) => format!("vector/{}", vector.id),
            // A crop has one outcome: whichever of vector and rejection comes first, the other is the duplicate.
            Self::Rejected(rejected) => format!("vector/{}", rejected.id),
            Self::Note(note) => format!("note/{}/{}", note.head.visit, note.note),
            Self::Camera(change) => format!("camera/{}/{}/{}", change.camera, change.epoch, change.state.as_str()),
        }
    }

    fn encode(&self) -> Result<Bytes, WireError> {
        use proto::identify_input::Kind;
        let kind = match self {
            Self::Vector(vector) => Kind::Vector(write_vector(vector)),
            Self::Rejected(rejected) => Kind::Rejected(proto::RejectedCrop {
                index: rejected.id.index,
                head: Some(checks::head(&rejected.head)),
                reason: rejected.reason.clone(),
            }),
            Self::Note(note) => Kind::Note(write_note(note)),
            Self::Camera(change) => Kind::Camera(proto::CameraChange {
                camera: change.camera.to_string(),
                epoch: change.epoch,
                state: change.state.as_str().to_owned(),
                at_unix_ns: change.at.unix_ns(),
                detail: change.detail.clone(),
            }),
        };
        Ok(Bytes::from(proto::IdentifyInput { kind: Some(kind) }.encode_to_vec()))
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        use proto::identify_input::Kind;
        let message: proto::IdentifyInput = parse(Self::NAME, bytes)?;
        match Reader(Self::NAME).present("kind", message.kind)? {
            Kind::Vector(vector) => Ok(Self::Vector(Box::new(read_vector(vector)?))),
            Kind::Rejected(rejected) => {
                let read = Reader("RejectedCrop");
                let head = read.head(rejected.head)?;
                let id = CropId { visit: head.visit.clone(), index: rejected.index };
                Ok(Self::Rejected(RejectedCrop { id, head, reason: read.text("reason", rejected.reason)? }))
            }
            Kind::Note(note) => Ok(Self::Note(Box::new(read_note(note)?))),
            Kind::Camera(change) => {
                let read = Reader("CameraChange");
                let state = CameraState::ALL.into_iter().find(|state| state.as_str() == change.state);
                Ok(Self::Camera(CameraChange {
                    camera: read.camera("camera", &change.camera)?,
                    epoch: change.epoch,
                    state: state.ok_or_else(|| read.bad("state", "not a state of a camera"))?,
                    at: Utc::from_unix_ns(change.at_unix_ns),
                    detail: read.text("detail", change.detail)?,
                }))
            }
        }
    }
}

fn write_vector(vector: &FaceVector) -> proto::FaceVector {
    proto::FaceVector {
        index: vector.id.index,
        head: Some(checks::head(&vector.head)),
        stamp: Some(checks::stamp(&vector.stamp)),
        size: Some(checks::size(vector.size)),
        r#box: Some(checks::rect(&vector.bbox)),
        score: vector.score,
        quality: Some(checks::quality(&vector.quality)),
        detector: vector.detector.to_string(),
        embedder: vector.embedder.to_string(),
        vector: vector.vector.clone(),
    }
}

fn read_vector(vector: proto::FaceVector) -> Result<FaceVector, WireError> {
    let read = Reader("FaceVector");
    let head = read.head(vector.head)?;
    Ok(FaceVector {
        id: CropId { visit: head.visit.clone(), index: vector.index },
        head,
        stamp: read.stamp("stamp", vector.stamp)?,
        size: read.size(vector.size)?,
        bbox: read.rect("box", vector.r#box)?,
        score: read.finite("score", vector.score)?,
        quality: read.quality(vector.quality)?,
        detector: read.text("detector", vector.detector)?.into(),
        embedder: read.text("embedder", vector.embedder)?.into(),
        vector: read.unit_vector(vector.vector)?,
    })
}

fn write_note(note: &VisitNote) -> proto::VisitNote {
    let end = match note.end {
        None => proto::EndReason::None,
        Some(EndReason::Left) => proto::EndReason::Left,
        Some(EndReason::CameraStopped) => proto::EndReason::CameraStopped,
        Some(EndReason::Shutdown) => proto::EndReason::Shutdown,
        Some(EndReason::OwnerLost) => proto::EndReason::OwnerLost,
    };
    proto::VisitNote {
        head: Some(checks::head(&note.head)),
        note: note.note,
        last_seen: Some(checks::stamp(&note.last_seen)),
        crops_sent: note.crops_sent,
        size: Some(checks::size(note.size)),
        best_box: Some(checks::rect(&note.best_box)),
        best_score: note.best_score,
        best_quality: Some(checks::quality(&note.best_quality)),
        flaw: checks::flaw(note.flaw).into(),
        detector: note.detector.to_string(),
        end: end.into(),
    }
}

fn read_note(note: proto::VisitNote) -> Result<VisitNote, WireError> {
    let read = Reader("VisitNote");
    let end = match note.end() {
        proto::EndReason::None => None,
        proto::EndReason::Left => Some(EndReason::Left),
        proto::EndReason::CameraStopped => Some(EndReason::CameraStopped),
        proto::EndReason::Shutdown => Some(EndReason::Shutdown),
        proto::EndReason::OwnerLost => Some(EndReason::OwnerLost),
    };
    let flaw = checks::read_flaw(note.flaw());
    Ok(VisitNote {
        head: read.head(note.head)?,
        note: note.note,
        last_seen: read.stamp("last_seen", note.last_seen)?,
        crops_sent: note.crops_sent,
        size: read.size(note.size)?,
        best_box: read.rect("best_box", note.best_box)?,
        best_score: read.finite("best_score", note.best_score)?,
        best_quality: read.quality(note.best_quality)?,
        flaw,
        detector: read.text("detector", note.detector)?.into(),
        end,
    })
}

#[cfg(test)]
mod tests;
