//! What the figures were measured on and with.

use std::process::Command;

use serde_json::{Value, json};
use sightline_testkit::{cache_dir, onnxruntime};

/// Versions and the machine, for the report.
pub(crate) fn describe() -> Value {
    json!({
        "cpu": cpu_model(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": first_line("/proc/sys/kernel/osrelease"),
        "load_average": load_average(),
        "sightline": env!("CARGO_PKG_VERSION"),
        "onnxruntime": onnxruntime().ok().and_then(|file| Some(file.file_name()?.to_string_lossy().into_owned())),
        "gstreamer": sightline_ingest::installed().unwrap_or_else(|missing| missing),
        "nats_server": nats_version(),
    })
}

/// Processes that wanted a core in the last minute; the benchmark is not alone where this is much above 0 at its start.
pub(crate) fn load_average() -> f64 {
    first_line("/proc/loadavg").split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown", |(_, name)| name).to_owned()
}

fn nats_version() -> String {
    let binary =
        std::env::var_os("SIGHTLINE_NATS_SERVER").map_or_else(|| cache_dir().join("nats/nats-server"), Into::into);
    let output = Command::new(binary).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn first_line(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}
