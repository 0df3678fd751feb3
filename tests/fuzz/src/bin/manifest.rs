//! Manifests of models.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::seed;
use sightline_infer::{Manifest, ModelKind};

fuzz_target!(
    init: seed([
        include_str!("../../../../models/centerface.toml"),
        include_str!("../../../../models/mtcnn.toml"),
        include_str!("../../../../models/dlib-resnet.toml"),
    ]),
    |bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let manifest = match Manifest::parse("fuzz.toml", text) {
            Ok(manifest) => manifest,
            Err(error) => return assert!(error.to_string().contains("fuzz.toml")),
        };
        assert!(!manifest.id.is_empty() && !manifest.id.contains(['/', ' ', '\n']));
        assert!(manifest.files.iter().all(|file| !file.name.contains('/') && file.inputs.len() == 1));
        let input = &manifest.input;
        assert!(input.multiple_of > 0 && input.mean.iter().chain(&input.scale).all(|value| value.is_finite()));
        if let Some(detector) = &manifest.detector {
            let single = [detector.threshold, detector.nms_iou, detector.min_face_size];
            let numbers = single.into_iter().flatten().chain(detector.thresholds.into_iter().flatten());
            assert!(numbers.chain(detector.factor.map(|factor| factor as f32)).all(f32::is_finite));
        }
        if let Some(embedder) = &manifest.embedder {
            assert!(embedder.dimension > 0 && (input.width, input.height) == (embedder.crop_size, embedder.crop_size));
            assert!(embedder.templates.values().flatten().flatten().all(|value| value.is_finite()));
        }
        assert_eq!(manifest.kind == ModelKind::Embedder, manifest.embedder.is_some());
        if let (ModelKind::Embedder, Some(limits)) = (manifest.kind, &manifest.thresholds) {
            assert!(-1.0 <= limits.unknown && limits.unknown <= limits.accept && limits.accept <= limits.cluster);
            assert!(limits.cluster <= 1.0 && limits.margin >= 0.0);
        }
    }
);
