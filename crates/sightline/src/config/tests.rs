use std::path::Path;

use super::reference::References;
use super::{Auto, BusSection, Config, ConfigError, Profile, Resolved, cameras_amiss, load, parse, print};

struct Fixed;

impl References for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        let known =
            [("PORT", "8081"), ("CAMERA", "rtsp://viewer:hunter2@10.0.0.5/a"), ("LOGIN", "viewer:hunter2@10.0.0.5")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        if path == "/run/secrets/site" { Ok("hall\n".to_owned()) } else { Err("no such file".to_owned()) }
    }
}

fn read(text: &str) -> Result<Config, ConfigError> {
    parse(Path::new("test.yaml"), text, &Fixed)
}

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_the_default() {
    let config = read("").unwrap();
    assert_eq!(config.http.listen, "127.0.0.1:8080");
    assert_eq!(config.bus, BusSection::Memory);
    assert_eq!(config.identify.accept, Auto::Auto);
}

#[test]
fn the_example_of_the_manual_is_read() {
    let config = read(
        "site: demo\nbus: {nats: {url: \"nats://127.0.0.1:4222\", credentials: null}}\n\
         http: {listen: \"127.0.0.1:${PORT}\"}\nmodels: {profile: fast, device: cpu, threads: 1}\n\
         cameras:\n  - {id: lobby, source: \"rtsp://viewer:${LOBBY_PASSWORD}@10.0.0.11/stream1\", fps: 5, mode: live, \
         transport: tcp, stall: 5s}\ndetect: {width: 640, min_face: 20, threshold: auto}\n\
         track: {max_embeds: 6, lost_after: 2s}\nidentify: {min_face: 40, accept: 0.95, unknown: auto}\n",
    )
    .unwrap();
    assert_eq!(config.http.listen, "127.0.0.1:8081");
    assert!(matches!(&config.bus, BusSection::Nats(nats) if nats.url == "nats://127.0.0.1:4222"));
    assert_eq!(config.models.profile, Profile::Fast);
    assert_eq!(config.identify.accept, Auto::Set(0.95));
    // Kept for the worker that opens the camera, which may be on another machine.
    assert!(config.cameras[0].source.expose().contains("${LOBBY_PASSWORD}"));
}

#[test]
fn unknown_keys_are_named_with_the_nearest() {
    assert_eq!(refused("sight: x"), "test.yaml:1: sight: there is no such key; did you mean `site`?");
    let message = refused("identify: {acept: 0.5}");
    assert!(message.contains("identify.acept") && message.contains("did you mean `accept`?"), "{message}");
    let message = refused("cameras: [{id: a, source: x, stal: 5s}]");
    assert!(message.contains("cameras[0]") && message.contains("did you mean `stall`?"), "{message}");
    assert!(refused("http: {zzz: 1}").contains("known here: listen"));
}

#[test]
fn wrong_values_are_named() {
    for (text, key, reason) in [
        ("identify: {accept: high}", "identify.accept", "neither a number nor auto"),
        ("track: {lost_after: 2}", "track.lost_after", "2 is not a duration with its unit, as in 500ms"),
        ("http: {listen: localhost}", "http.listen", "no address with a port"),
        ("models: {threads: 0}", "models.threads", "not from 1"),
        ("models: {profile: best}", "models.profile", "\"best\" is none of default, classic, fast"),
        ("cameras: [{id: a, source: x}, {id: a, source: y}]", "cameras[1].id", "another camera"),
        ("cameras: [{id: a, source: x, fps: 0}]", "cameras[0].fps: ", "0 is not above 0"),
        ("cameras: [{id: a, source: x, fps: .nan}]", "cameras[0]", "fps"),
        ("cameras: [{id: \"a b\", source: x}]", "cameras[0].id", ""),
        ("site: \"${NOBODY}\"", "site", "`NOBODY` is not set"),
        ("site: \"${file:/nowhere}\"", "site", "no such file"),
        ("site: \"${PORT\"", "site", "without `}`"),
        ("site: \"a b\"", "site: \"a b\"", "letters, digits"),
        ("site: \"\"", "site", "letters, digits"),
        ("secret_key: short", "secret_key", "32 bytes"),
        ("site: [", "test.yaml is no YAML", ""),
    ] {
        let message = refused(text);
        assert!(message.contains(key) && message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn wrong_values_are_named_in_plain_words_with_their_line() {
    for (text, wanted) in [
        ("site: a\ndetect:\n  workers: two\n", ":3: detect.workers: \"two\" is not a whole number, 0 or more"),
        ("detect: {workers: -1}", ":1: detect.workers: -1 is not a whole number, 0 or more"),
        ("detect: {width: 2.5}", ":1: detect.width: 2.5 is neither a whole number from 0 to 4294967295 nor auto"),
        ("identify:\n\n  min_face: 1e3", ":3: identify.min_face: 1000.0 is not a whole number"),
        ("site: 7", ":1: site: 7 is not a text (in quotes"),
        (
            "models: {profile: clasic}",
            ":1: models.profile: \"clasic\" is none of default, classic, fast; did you mean `classic`?",
        ),
        ("models: {profile: 3}", ":1: models.profile: 3 is not one of default, classic, fast"),
        ("models: {device: [gpu]}", ":1: models.device: a list is not one of cpu, cuda, tensorrt, openvino"),
        ("bus: kafka", ":1: bus: \"kafka\" is none of memory, nats"),
        ("bus: nats", ":1: bus: \"nats\" is not memory or {nats: {url: "),
        ("bus: 3", ":1: bus: 3 is not memory or {nats: {url: "),
        ("bus: {nats: {}}", ":1: bus.nats.url: it is missing"),
        ("bus: {nats: here}", ":1: bus.nats: \"here\" is not memory or {nats: {url: "),
        ("http: 8080", ":1: http: 8080 is not a group of keys with their values"),
        ("http:", ":1: http: nothing is not a group of keys"),
        ("cameras: lobby", ":1: cameras: \"lobby\" is not a list"),
        ("cameras:\n  - id: a\n", ":2: cameras[0].source: it is missing"),
        ("cameras:\n  - id: 5\n    source: x", ":2: cameras[0].id: 5 is not a text (in quotes"),
        (
            "cameras:\n  - {id: a, source: x}\n  - {id: b, source: y,\n     stall: 5}",
            ":4: cameras[1].stall: 5 is not a duration",
        ),
        ("cameras: [{id: a, source: x, mode: 1}]", ":1: cameras[0].mode: 1 is not one of live, complete"),
        ("cameras: [{id: a, source: x, transport: 1}]", ":1: cameras[0].transport: 1 is not one of tcp, udp"),
        ("cameras:\n  - {id: a, source: x}\n  - {id: a, source: y}", ":3: cameras[1].id: another camera"),
        ("site: a\n\nhttp:\n  listen: \"${NOBODY}\"", ":4: http.listen: the environment variable `NOBODY` is not set"),
        ("site: a\n# why\nidentfy: {}\n", ":3: identfy: there is no such key; did you mean `identify`?"),
        ("hello", "test.yaml:1: the whole file: \"hello\" is not a group of keys"),
    ] {
        let message = refused(text);
        assert!(message.starts_with("test.yaml:") && message.contains(wanted), "{text}: {message}");
        for foreign in ["invalid type", "invalid value", "variant", "expected", "struct", "u32", "usize", "string"] {
            assert!(!message.contains(foreign), "{text}: {message}");
        }
    }
    // A number may be somebody's password.
    for text in ["secret_key: 471147", "bus: {nats: {url: 471147}}", "cameras: [{id: a, source: 471147}]"] {
        let message = refused(text);
        assert!(message.contains("a number is not a text") && !message.contains("471147"), "{message}");
    }
    // The words that are offered are taken.
    for (key, words) in
        [("profile", ["default", "classic", "fast"].as_slice()), ("device", &["cpu", "cuda", "tensorrt", "openvino"])]
    {
        for word in words {
            assert!(read(&format!("models: {{{key}: {word}}}")).is_ok(), "{word}");
        }
    }
    for rest in ["mode: live", "mode: complete", "transport: tcp", "transport: udp"] {
        assert!(read(&format!("cameras: [{{id: a, source: x, {rest}}}]")).is_ok(), "{rest}");
    }
}

#[test]
fn no_password_is_shown_wherever_it_stands() {
    for (text, wanted) in [
        ("cameras: [\"${CAMERA}\"]", "cameras[0]: a text is not a group of keys"),
        ("cameras: [viewer:hunter2@10.0.0.5]", "cameras[0]: a text is not a group of keys"),
        ("cameras: rtsp://viewer:hunter2@10.0.0.5/a", "cameras: a text is not a list"),
        ("bus: {nats: \"${CAMERA}\"}", "bus.nats: a text is not memory or {nats: {url: "),
        ("bus: \"${CAMERA}\"", "bus: a text is none of memory, nats"),
        ("bus: {\"nats://svc:hunter2@h:4222\": 1}", "bus: a text is none of memory, nats"),
        ("models: {profile: \"${LOGIN}\"}", "models.profile: a text is none of default, classic, fast"),
        ("models: {device: \"${LOGIN}\"}", "models.device: a text is none of cpu, cuda, tensorrt, openvino"),
        ("detect: {workers: \"${LOGIN}\"}", "detect.workers: a text is not a whole number"),
        ("identify: {accept: \"${LOGIN}\"}", "identify.accept: "),
        ("track: {lost_after: \"${LOGIN}\"}", "track.lost_after: "),
        ("cameras: [{id: \"${CAMERA}\", source: x}]", "cameras[0].id: this text cannot be used here"),
        ("cameras: [{id: a, source: x, stall: \"${CAMERA}\"}]", "cameras[0].stall: "),
        ("cameras: [{id: a, rtsp://viewer:hunter2@10.0.0.5/a}]", "cameras[0]: a key in it is none of id, source"),
        ("rtsp://viewer:hunter2@10.0.0.5/a:", "the whole file: a key in it is none of site"),
        ("http: {listen: \"${LOGIN}\"}", "http.listen: a text is no address with a port"),
        ("site: \"${CAMERA}\"", "site: a text is not 1 to 64 letters"),
        ("${CAMERA}", "the whole file: a text is not a group of keys"),
    ] {
        let message = refused(text);
        assert!(message.starts_with("test.yaml:1: ") && message.contains(wanted), "{text}: {message}");
        assert!(!message.contains("hunter2"), "{text}: {message}");
    }
}

#[test]
fn a_file_that_is_not_there_is_said_once() {
    let message = format!("{:#}", anyhow::Error::from(load(Some(Path::new("/nowhere/a.yaml"))).unwrap_err()));
    assert_eq!(message, "/nowhere/a.yaml: there is no such file");
}

#[test]
fn cameras_whose_references_lead_nowhere_are_found() {
    let config = read(
        "cameras:\n  - {id: a, source: \"test://?fps=${PORT}\"}\n  - {id: b, source: \"rtsp://u:${NOBODY}@h/p\"}\n\
         \x20 - {id: c, source: \"rtsp://u:${file:/nowhere}@h/p\"}\n  - {id: d, source: \"${file:/run/secrets/site}.mp4\"}\n\
         \x20 - {id: e, source: /dev/null}\n  - {id: f, source: \"file:///nowhere/a.mp4\"}\n  - {id: g, source: \"${LOGIN}/a\"}\n",
    );
    let amiss = cameras_amiss(&config.unwrap(), &Fixed);
    assert_eq!(amiss.len(), 6, "{amiss:?}");
    for (found, wanted) in amiss.iter().zip([
        ["cameras[0].source of camera \"a\"", "such numbers"],
        ["cameras[1].source of camera \"b\"", "`NOBODY` is not set: set it where this camera is ingested"],
        ["cameras[2].source of camera \"c\"", "no such file"],
        ["cameras[3].source of camera \"d\"", "no file ${file:/run/secrets/site}.mp4: put it where"],
        ["cameras[5].source of camera \"f\"", "no file file:///nowhere/a.mp4: put it where"],
        ["cameras[6].source of camera \"g\"", "no file ${LOGIN}/a: put it where"],
    ]) {
        assert!(wanted.iter().all(|part| found.contains(part)) && !found.contains("hunter2"), "{found}");
    }
}

#[test]
fn references_are_replaced_after_parsing() {
    assert_eq!(read("site: \"${file:/run/secrets/site}-${PORT}\"").unwrap().site, "hall-8081");
}

#[test]
fn what_is_printed_reads_back_and_has_no_password() {
    let config = read(
        "bus: {nats: {url: \"nats://u:s3cr3t@h:4222\"}}\nmodels: {profile: fast}\n\
         cameras: [{id: a, source: \"rtsp://u:s3cr3t@h/p\", fps: 2.5}]",
    );
    let config = config.unwrap();
    let text = print(&config, &Resolved::new(&config).unwrap());
    assert!(!text.contains("s3cr3t") && text.contains("rtsp://u:***@h/p"), "{text}");
    assert!(text.contains("nats://u:***@h:4222"), "{text}");
    assert!(text.contains("accept: auto") && text.contains("auto is 0.93"), "{text}");
    assert!(text.contains("# secret_key:") && text.contains("same on every machine"), "{text}");
    let again = read(&text).unwrap();
    assert_eq!(print(&again, &Resolved::new(&again).unwrap()), text);
    // Every key of the defaults is in it.
    let keys = serde_json::to_value(Config::default()).unwrap();
    for (section, value) in keys.as_object().unwrap() {
        assert!(text.contains(&format!("{section}:")), "{section}");
        for key in value.as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(text.contains(&format!("{key}:")), "{section}.{key}");
        }
    }
}

#[test]
fn what_auto_stands_for_is_printed_beside_what_is_set() {
    let printed = |text: &str| {
        let config = read(text).unwrap();
        print(&config, &Resolved::new(&config).unwrap())
    };
    let line = |text: &str, key: &str| {
        let found = text.lines().find(|line| line.trim_start().starts_with(key)).map(str::to_owned);
        found.unwrap_or_else(|| panic!("no {key} in {text}"))
    };
    let text = printed("detect: {width: 800, threshold: 0.7}\nidentify: {accept: 0.7, cluster: 0.8}");
    for (key, set, auto) in [
        ("width", "width: 800", "auto is 640"),
        ("threshold", "threshold: 0.7", "auto is 0.5"),
        ("accept", "accept: 0.7", "auto is 0.6"),
    ] {
        let line = line(&text, key);
        assert!(line.contains(set) && line.contains(auto), "{line}");
    }
    assert!(line(&printed("models: {profile: fast}"), "width").contains("auto is 320"));
    assert!(line(&printed("models: {profile: fast, detector: mtcnn}"), "width").contains("auto is full size"));
    let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=";
    let text = printed(&format!("secret_key: \"{key}\""));
    assert!(line(&text, "# secret_key").contains("set, but not shown") && !text.contains(key), "{text}");
}

#[test]
fn what_the_models_would_refuse_is_found_without_loading_them() {
    let refused = |text: &str| Resolved::new(&read(text).unwrap()).unwrap_err().to_string();
    for (text, key, rule) in [
        ("detect: {threshold: 1.5}", "detect.threshold: 1.5", "from 0 to 1"),
        ("detect: {width: 32}", "detect.width: 32", "from 64"),
        ("detect: {min_face: -1}", "detect.min_face: -1", "0 or more"),
        ("models: {profile: classic}\ndetect: {threshold: 0.6}", "detect.threshold: 0.6", "`mtcnn`"),
        ("models: {detector: mtcnn}\ndetect: {width: 640}", "detect.width: 640", "`mtcnn`"),
    ] {
        let message = refused(text);
        assert!(message.contains(key) && message.contains(rule), "{text}: {message}");
    }
    let classic = read("models: {profile: classic}\ndetect: {threshold: auto, min_face: 30}").unwrap();
    assert!(Resolved::new(&classic).is_ok());
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_device_that_is_not_compiled_in_is_refused() {
    let message = Resolved::new(&read("models: {device: cuda}").unwrap()).unwrap_err().to_string();
    assert!(message.contains("models.device") && message.contains("--features cuda"), "{message}");
}

#[test]
fn thresholds_outside_the_models_range_are_refused() {
    let refused = |text: &str| Resolved::new(&read(text).unwrap()).unwrap_err().to_string();
    let message = refused("identify: {accept: 0.99}");
    assert!(message.contains("accept") && message.contains("0.99"), "{message}");
    assert!(refused("models: {detector: haar}").contains("known detectors: centerface"));
    assert!(refused("track: {max_embeds: 0}").contains("track.max_embeds"));
}
