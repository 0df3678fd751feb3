//! The configuration as a file with every key, its meaning, and what `auto` stands for.

use std::fmt::Write as _;

use serde::Serialize;
use sightline_wire::{CameraSpec, SourceUrl};

use super::{Auto, BusSection, Config, Resolved};

/// The text; reading it gives the same configuration. Secrets are not in it.
pub(crate) fn print(config: &Config, resolved: &Resolved) -> String {
    let mut out = String::new();
    let mut line = |text: String, comment: &str| {
        // Writing to a string cannot fail.
        let _infallible = match comment {
            "" => writeln!(out, "{text}"),
            _ => writeln!(out, "{text:40} # {comment}"),
        };
    };
    line(format!("site: {}", json(&config.site)), "name of this installation");
    line(format!("data_dir: {}", json(&config.data_dir)), "gallery, sightings, events");
    match &config.bus {
        BusSection::Memory => {
            line("bus: memory".to_owned(), "one process; or {nats: {url: \"nats://127.0.0.1:4222\"}}")
        }
        BusSection::Nats(nats) => {
            let (url, credentials) = (json(&SourceUrl::new(nats.url.clone()).redacted()), json(&nats.credentials));
            line(format!("bus: {{nats: {{url: {url}, credentials: {credentials}}}}}"), "or: memory");
        }
    }
    line("http:".to_owned(), "");
    line(format!("  listen: {}", json(&config.http.listen)), "API, metrics and health");
    models(config, resolved, &mut line);
    cameras(&config.cameras, &mut line);
    line("ingest:".to_owned(), "");
    line(format!("  decode_threads: {}", config.ingest.decode_threads), "of each camera");
    line(
        format!("  trust: {}", json(&config.ingest.trust)),
        "PEM file: certificates of rtsps cameras, or what signed them, that are accepted beside the system's",
    );
    line("detect:".to_owned(), "");
    line(format!("  workers: {}", config.detect.workers), "detectors in this process");
    let width = resolved.auto.width.map_or("full size".to_owned(), |width| width.to_string());
    line(
        format!("  width: {}", auto(config.detect.width)),
        &format!("of the network's input, 0 is full size; auto is {width}"),
    );
    line(format!("  min_face: {}", config.detect.min_face), "smallest face reported, pixels");
    let threshold = resolved.auto.threshold.map_or("the model's own".to_owned(), |threshold| threshold.to_string());
    line(format!("  threshold: {}", auto(config.detect.threshold)), &format!("least score; auto is {threshold}"));
    line("track:".to_owned(), "");
    line(format!("  max_embeds: {}", config.track.max_embeds), "most crops of a visit that are embedded");
    let lost_after = sightline_wire::human_duration::format(config.track.lost_after);
    line(format!("  lost_after: {lost_after}"), "a face unseen for so long has left");
    line("embed:".to_owned(), "");
    line(format!("  workers: {}", config.embed.workers), "embedders in this process");
    line(format!("  best_shots: {}", json(&config.embed.best_shots)), "folder for the best picture of each visit");
    line("identify:".to_owned(), "");
    line(format!("  min_face: {}", config.identify.min_face), "smallest face that may be named, pixels");
    let (set, stated) = (&config.identify, resolved.auto.thresholds);
    for (key, value, stated, meaning) in [
        ("accept", set.accept, stated.accept, "known from this cosine on"),
        ("unknown", set.unknown, stated.unknown, "unknown below this one"),
        ("margin", set.margin, stated.margin, "least lead over the next person"),
        ("cluster", set.cluster, stated.cluster, "unknowns this alike are one"),
    ] {
        line(format!("  {key}: {}", auto(value)), &format!("{meaning}; auto is {stated}"));
    }
    secret_key(config, &mut line);
    out
}

fn models(config: &Config, resolved: &Resolved, line: &mut impl FnMut(String, &str)) {
    line("models:".to_owned(), "");
    let models = &config.models;
    let (detector, embedder) = (&resolved.detector.model, &resolved.embedder);
    line(
        format!("  profile: {}", json(&models.profile)),
        &format!("here {detector} and {embedder}; default, classic, fast"),
    );
    line(format!("  device: {}", models.device), "cpu, cuda, tensorrt, openvino");
    line(format!("  threads: {}", models.threads), "of each model's session");
    line(
        format!("  dir: {}", json(&models.dir)),
        &format!("ONNX files; here {}", resolved.store.models_dir().display()),
    );
    line(format!("  manifests: {}", json(&models.manifests)), "folder of your own manifests");
    line(format!("  onnxruntime: {}", json(&models.onnxruntime)), "the library, if not the cache's");
    line(format!("  detector: {}", json(&models.detector)), "instead of the profile's");
    line(format!("  embedder: {}", json(&models.embedder)), "instead of the profile's");
}

/// Commented: the value is never shown, and most installations of one machine need none.
fn secret_key(config: &Config, line: &mut impl FnMut(String, &str)) {
    let state =
        if config.secret_key.is_some() { "set, but not shown here" } else { "unset: data_dir has a key of its own" };
    line("# secret_key: \"${SIGHTLINE_SECRET_KEY}\"".to_owned(), state);
    line("# Base64 of 32 bytes, as from `openssl rand -base64 32`; seals the passwords of cameras that are added over HTTP.".to_owned(), "");
    line("# It must be the same on every machine that ingests cameras with passwords.".to_owned(), "");
}

fn cameras(cameras: &[CameraSpec], line: &mut impl FnMut(String, &str)) {
    if cameras.is_empty() {
        return line("cameras: []".to_owned(), "- {id: door, source: \"rtsp://user:${PASSWORD}@host/path\"}");
    }
    line("cameras:".to_owned(), "");
    for camera in cameras {
        let stall = sightline_wire::human_duration::format(camera.stall);
        let (source, mode, transport) = (json(&camera.source.redacted()), json(&camera.mode), json(&camera.transport));
        let (id, fps) = (&camera.id, camera.fps);
        line(
            format!(
                "  - {{id: {id}, source: {source}, fps: {fps}, mode: {mode}, transport: {transport}, stall: {stall}}}"
            ),
            "",
        );
    }
}

/// A value as JSON, which YAML reads.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn auto<T: Serialize>(value: Auto<T>) -> String {
    json(&value).trim_matches('"').to_owned()
}
