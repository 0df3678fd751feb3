//! ONNX Runtime sessions, model manifests, detectors and embedders; the only crate that knows ort.
