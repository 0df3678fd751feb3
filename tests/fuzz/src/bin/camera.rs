//! Cameras as the API takes them, in JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::seed;
use sightline_wire::CameraSpec;

fuzz_target!(
    init: seed([
        r#"{"id":"a","source":"test://"}"#,
        r#"{"id":"lobby","source":"rtsp://u:p@h/a","fps":2.5,"mode":"complete","transport":"udp","stall":"1500ms"}"#,
    ]),
    |bytes: &[u8]| {
        let Ok(camera) = serde_json::from_slice::<CameraSpec>(bytes) else { return };
        if camera.check().is_err() {
            return;
        }
        let text = serde_json::to_string(&camera).expect("what was read can be written");
        let again: CameraSpec = serde_json::from_str(&text).expect("what was written can be read");
        // JSON numbers are read to the last digit but one.
        assert!((again.fps - camera.fps).abs() < 1e-9);
        assert_eq!(CameraSpec { fps: camera.fps, ..again.clone() }, camera);
        assert_eq!(again.check(), Ok(()));
    }
);
