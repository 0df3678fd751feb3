//! Pictures from files, and a detector from the command line's arguments.

use std::path::Path;

use anyhow::Context as _;
use sightline_infer::{Detection, Detector, DetectorConfig, MtcnnParams, Runtime};
use sightline_vision::{RgbImage, decode_still};

use crate::args::{DetectorArguments, UsageError};
use crate::config::Resolved;

/// The largest picture that is decoded: 100 megapixels, 300 MB.
const PIXEL_LIMIT: u64 = 100_000_000;

pub(super) fn read(path: &Path) -> anyhow::Result<RgbImage> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    decode_still(&bytes, PIXEL_LIMIT).with_context(|| path.display().to_string())
}

/// The configured detector, with what the command line says instead.
pub(super) fn open_detector(
    runtime: &Runtime,
    resolved: &Resolved,
    arguments: &DetectorArguments,
) -> anyhow::Result<Detector> {
    let mut config = match &arguments.detector {
        // Settings belong to a model: those of the configured one say nothing about another.
        Some(model) if *model != resolved.detector.model => DetectorConfig::new(model),
        _ => resolved.detector.clone(),
    };
    config.threshold = arguments.threshold.or(config.threshold);
    config.width = arguments.width.or(config.width);
    let manifest = resolved.store.detector(&config.model)?;
    let for_mtcnn = [
        ("--min-face-size", arguments.min_face_size.is_some()),
        ("--thresholds", arguments.thresholds.is_some()),
        ("--factor", arguments.factor.is_some()),
    ];
    let for_others = [("--threshold", arguments.threshold.is_some()), ("--width", arguments.width.is_some())];
    let is_mtcnn = manifest.family == "mtcnn";
    let foreign = if is_mtcnn { &for_others[..] } else { &for_mtcnn[..] };
    if let Some((name, _)) = foreign.iter().find(|(_, given)| *given) {
        return Err(UsageError(format!("{name} is no parameter of {}", config.model)).into());
    }
    if is_mtcnn {
        config.mtcnn = Some(mtcnn(arguments)?);
    }
    config.min_face = 0.0;
    Ok(Detector::open(runtime, &resolved.store, &config)?)
}

fn mtcnn(arguments: &DetectorArguments) -> anyhow::Result<MtcnnParams> {
    let default = MtcnnParams::default();
    Ok(MtcnnParams {
        min_face_size: arguments.min_face_size.unwrap_or(default.min_face_size),
        thresholds: arguments.thresholds.map_or(default.thresholds, |thresholds| thresholds.0),
        factor: arguments.factor.unwrap_or(default.factor),
        ..default
    })
}

/// `[x1, y1, x2, y2]` and five `[x, y]`, as every command writes a face.
pub(super) fn coordinates(face: &Detection) -> ([f32; 4], [[f32; 2]; 5]) {
    (face.bbox.to_array(), face.landmarks.map(|point| [point.x, point.y]))
}
