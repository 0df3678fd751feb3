//! Events in JSON: read by clients, and by whoever takes over from the store.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::seed;
use sightline_wire::EventRecord;

fuzz_target!(
    init: seed([VISIT, CAMERA, ALIAS]),
    |bytes: &[u8]| {
        let Ok(event) = serde_json::from_slice::<EventRecord>(bytes) else { return };
        let value = serde_json::to_value(&event).expect("what was read can be written");
        assert_eq!(value["schema"].as_str(), Some(event.schema()));
        assert_eq!(value["seq"].as_u64(), Some(event.seq()));
        assert_eq!(value["camera"].as_str(), event.camera().map(|camera| camera.as_str()));
        // Times lose what is below a millisecond when they are written, once.
        let again: EventRecord = serde_json::from_value(value.clone()).expect("what was written can be read");
        assert_eq!(serde_json::to_value(&again).expect("as before"), value);
    }
);

const VISIT: &str = r#"{"schema":"sightline.event/1","seq":1234,"type":"update","id":"lobby-ff-10-1","camera":"lobby",
"capture_ts":"2025-11-24T16:00:00.123Z","clock":"rtcp","publish_ts":"2025-11-24T16:00:00.123Z","first_seen":"2025-11-24T16:00:00.123Z",
"last_seen":"2025-11-24T16:00:00.123Z","outcome":"known","subject":{"id":"019ab7d0-0000-7000-8000-000000000000","name":"Ann"},
"unknown_id":null,"score":0.71,"runner_up":0.33,"face":{"box":[1,2,30.5,40],"det_score":0.97,"quality":0.81},
"frame":{"width":1280,"height":720},"model":{"detector":"centerface@0","embedder":"facenet@1"},"reason":null}"#;

const CAMERA: &str = r#"{"schema":"sightline.camera/1","seq":7,"type":"offline","camera":"lobby","state":"not_found",
"at":"2025-11-24T16:00:00.123Z","publish_ts":"2025-11-24T16:00:00.123Z","detail":"no such path"}"#;

const ALIAS: &str = r#"{"schema":"sightline.alias/1","seq":8,"kind":"unknown","from":"019ab7d0-0000-7000-8000-000000000000",
"into":"019ab7d0-0000-7000-8000-000000000001","publish_ts":"2025-11-24T16:00:00.123Z"}"#;
