//! A picture far larger than a frame must not keep its memory. Alone in its process, because it looks at the process's memory.

use sightline_infer::{Detector, DetectorConfig, Device, ModelStore, Runtime};
use sightline_vision::{Picture, RgbImage};

/// Resident memory of this process, megabytes.
fn resident_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kb = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))?;
    Some(kb.trim().parse::<f64>().ok()? / 1024.0)
}

#[test]
fn a_large_still_gives_its_memory_back() {
    let library = sightline_testkit::onnxruntime().unwrap();
    let runtime = Runtime::load(Some(&library), Device::Cpu, 1).unwrap();
    let store = ModelStore::default_location().unwrap();
    let config = DetectorConfig { width: Some(0), ..DetectorConfig::new("centerface") };
    let mut detector = Detector::open(&runtime, &store, &config).unwrap();
    let mut detect = |width, height| {
        let picture = RgbImage::filled(width, height, [90; 3]);
        detector.detect(Picture::Rgb(&picture)).unwrap();
    };
    detect(640, 360);
    let before = resident_mb().unwrap();
    detect(2000, 1500);
    let after = resident_mb().unwrap();
    // While it ran it had some 400 MB of activations and 36 MB of input, whose buffer stays.
    assert!(after < before + 100.0, "{before:.0} MB before, {after:.0} MB after");
    detect(640, 360);
}
