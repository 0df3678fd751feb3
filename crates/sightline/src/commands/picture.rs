//! Pictures from files, and a detector from the command line's arguments.

use std::path::Path;

use anyhow::Context as _;
use sightline_infer::{Detection, DetectorConfig, InferError, Manifest, MtcnnParams};
use sightline_vision::{RgbImage, decode_still};

use crate::args::{DetectorArguments, UsageError};
use crate::config::Resolved;

/// The largest picture that is decoded: 100 megapixels, 300 MB.
const PIXEL_LIMIT: u64 = 100_000_000;

pub(super) fn read(path: &Path) -> anyhow::Result<RgbImage> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    decode_still(&bytes, PIXEL_LIMIT).with_context(|| path.display().to_string())
}

/// The configured detector, with what the command line says instead. Nothing is loaded yet.
pub(super) fn detector_config(resolved: &Resolved, arguments: &DetectorArguments) -> anyhow::Result<DetectorConfig> {
    let mut config = match &arguments.detector {
        // Settings belong to a model: those of the configured one say nothing about another.
        Some(model) if *model != resolved.detector.model => DetectorConfig::new(model),
        _ => resolved.detector.clone(),
    };
    config.threshold = arguments.threshold.or(config.threshold);
    config.width = arguments.width.or(config.width);
    // A width that somebody asks for is meant as it is.
    config.enlarge = arguments.width.is_some();
    config.min_face = 0.0;
    let manifest = resolved.store.detector(&config.model).map_err(as_usage)?;
    let is_mtcnn = manifest.family == "mtcnn";
    refuse_foreign(arguments, is_mtcnn, &config.model)?;
    if is_mtcnn {
        config.mtcnn = Some(mtcnn(manifest, arguments)?);
    }
    config.check(&resolved.store).map_err(as_usage)?;
    Ok(config)
}

fn refuse_foreign(arguments: &DetectorArguments, is_mtcnn: bool, model: &str) -> Result<(), UsageError> {
    let for_mtcnn = [
        ("--min-face-size", arguments.min_face_size.is_some()),
        ("--thresholds", arguments.thresholds.is_some()),
        ("--factor", arguments.factor.is_some()),
    ];
    let for_others = [("--threshold", arguments.threshold.is_some()), ("--width", arguments.width.is_some())];
    let foreign = if is_mtcnn { &for_others[..] } else { &for_mtcnn[..] };
    match foreign.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(UsageError(format!("{name} is no parameter of {model}"))),
        None => Ok(()),
    }
}

/// The manifest's, as in the pipeline, unless given.
fn mtcnn(manifest: &Manifest, arguments: &DetectorArguments) -> anyhow::Result<MtcnnParams> {
    let own = MtcnnParams::of(manifest, 0.0)?;
    Ok(MtcnnParams {
        min_face_size: arguments.min_face_size.unwrap_or(own.min_face_size),
        thresholds: arguments.thresholds.map_or(own.thresholds, |thresholds| thresholds.0),
        factor: arguments.factor.unwrap_or(own.factor),
        ..own
    })
}

/// The configuration has been checked before: what is refused now was typed.
fn as_usage(error: InferError) -> anyhow::Error {
    let said = match &error {
        InferError::UnknownModel { .. } => format!("--detector: {error}"),
        InferError::Setting { key, reason } => {
            format!("--{}: {reason}", key.trim_start_matches("detect.").replace('_', "-"))
        }
        _ => return error.into(),
    };
    UsageError(said).into()
}

/// `[x1, y1, x2, y2]` and five `[x, y]`, as every command writes a face.
pub(super) fn coordinates(face: &Detection) -> ([f32; 4], [[f32; 2]; 5]) {
    (face.bbox.to_array(), face.landmarks.map(|point| [point.x, point.y]))
}
