//! What `deploy/` says, done without a container engine: the commands and environments of compose.yaml are started as processes,
//! and every metric that a dashboard or an alert names is looked for on them.
//!
//! Only what a container changes is translated: mounted paths, the names of other services, and the port that each has to itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sightline_testkit::process::{free_port, program};
use sightline_tests::{PATIENCE, alone, metric_of, rtsp_cameras, wait_until};
use tempfile::TempDir;

/// A started service; killed by its id when dropped.
struct Service {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn compose() -> Value {
    let text = std::fs::read_to_string(deploy().join("compose.yaml")).unwrap();
    let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    yaml.apply_merge().unwrap();
    serde_json::to_value(yaml).unwrap()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The services that run our image.
fn ours(compose: &Value) -> BTreeMap<String, Value> {
    let services = compose["services"].as_object().unwrap();
    let ours = services.iter().filter(|(_, service)| service["image"] == "sightline:local");
    ours.map(|(name, service)| (name.clone(), service.clone())).collect()
}

/// nats-server with the file that compose.yaml mounts.
fn start_nats(compose: &Value, folder: &Path) -> Service {
    let service = &compose["services"]["nats"];
    assert_eq!(words(&service["command"]), ["-c", "/etc/nats/nats.conf"]);
    assert!(words(&service["volumes"]).contains(&"./nats/nats.conf:/etc/nats/nats.conf:ro".to_owned()));
    let text = std::fs::read_to_string(deploy().join("nats/nats.conf")).unwrap();
    assert!(text.contains("sync_interval: always"));
    let store = "/data/jetstream";
    assert_eq!(service["environment"]["SIGHTLINE_NATS_STORE"], store);
    assert!(words(&service["volumes"]).contains(&format!("nats:{store}")));
    let port = free_port().unwrap();
    let translated = text
        .replace("0.0.0.0:4222", &format!("127.0.0.1:{port}"))
        .replace("0.0.0.0:8222", &format!("127.0.0.1:{}", free_port().unwrap()));
    let file = folder.join("nats.conf");
    std::fs::write(&file, translated).unwrap();
    let binary = std::env::var("SIGHTLINE_NATS_SERVER")
        .map_or_else(|_| sightline_testkit::cached("nats/nats-server").unwrap(), PathBuf::from);
    let child = Command::new(binary)
        .arg("-c")
        .arg(file)
        .env("SIGHTLINE_NATS_STORE", folder.join("jetstream"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("nats", PATIENCE, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
    Service { child, port, log: folder.join("nats.log") }
}

/// sightline.yaml with a data folder of this machine. Written once, before any service reads it.
fn config(folder: &Path) -> PathBuf {
    let config = folder.join("sightline.yaml");
    let text = std::fs::read_to_string(deploy().join("sightline.yaml")).unwrap();
    let text = text.replace("data_dir: /data", &format!("data_dir: {}", folder.join("data").display()));
    std::fs::write(&config, text).unwrap();
    config
}

fn start(service: &Value, nats: u16, config: &Path) -> Service {
    let folder = config.parent().unwrap();
    let port = free_port().unwrap();
    assert!(words(&service["volumes"]).contains(&"./sightline.yaml:/etc/sightline/sightline.yaml:ro".to_owned()));
    let translate = |text: &str| {
        text.replace("/etc/sightline/sightline.yaml", &config.display().to_string())
            .replace("nats:4222", &format!("127.0.0.1:{nats}"))
            .replace("0.0.0.0:8080", &format!("127.0.0.1:{port}"))
    };
    let mut command = Command::new(program("sightline").unwrap());
    command.args(words(&service["command"]).iter().map(|word| translate(word)));
    for (name, value) in service["environment"].as_object().unwrap() {
        command.env(name, translate(value.as_str().unwrap()));
    }
    let log = std::fs::File::create(folder.join(format!("{port}.log"))).unwrap();
    let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    Service { child, port, log: folder.join(format!("{port}.log")) }
}

fn get(port: u16, path: &str) -> Option<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(true).build().into();
    agent.get(&format!("http://127.0.0.1:{port}{path}")).call().ok()?.body_mut().read_to_string().ok()
}

/// Names of our metrics in a text of queries.
fn metric_names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("sightline_")).map(str::to_owned).collect()
}

fn queries_of_the_dashboard() -> String {
    let text = std::fs::read_to_string(deploy().join("grafana/dashboards/sightline.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let queries: Vec<String> = targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    assert!(queries.len() > 15, "{queries:?}");
    queries.join("\n")
}

fn queries_of_the_alerts() -> String {
    let text = std::fs::read_to_string(deploy().join("prometheus/alerts.yml")).unwrap();
    let rules: Value = serde_yaml_ng::from_str(&text).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap().iter();
    rules.map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_composed_services_work_together_and_have_every_metric_that_is_watched() {
    let _turn = alone();
    let folder = TempDir::new().unwrap();
    let compose = compose();
    let nats = start_nats(&compose, folder.path());
    let services = ours(&compose);
    let config = config(folder.path());
    let running: BTreeMap<&String, Service> =
        services.iter().map(|(name, service)| (name, start(service, nats.port, &config))).collect();
    for (name, service) in &running {
        let ready = wait_until(&format!("{name} is ready"), PATIENCE, || get(service.port, "/readyz").is_some());
        let log = std::fs::read_to_string(&service.log).unwrap_or_default();
        assert!(ready.is_ok(), "{ready:?}: {log}");
        assert!(get(service.port, "/livez").is_some() && get(service.port, "/startupz").is_some(), "{name}");
    }
    let gateway = running[&"gateway".to_owned()].port;
    let cameras = rtsp_cameras(&[("entrance", "cap12_edit")]).unwrap();
    let spec = json!({"id": "entrance", "source": cameras.url("entrance"), "fps": 5});
    ureq::post(format!("http://127.0.0.1:{gateway}/api/v1/cameras")).send_json(&spec).unwrap();
    let has_visit = || get(gateway, "/api/v1/events?after=0").is_some_and(|text| text.contains("sightline.event/1"));
    wait_until("a visit", PATIENCE, has_visit).unwrap();

    let metrics: String = running.values().map(|service| get(service.port, "/metrics").unwrap()).collect();
    let there = |name: &String| metrics.lines().any(|line| line.split(['{', ' ']).next() == Some(name));
    for queries in [queries_of_the_dashboard(), queries_of_the_alerts()] {
        let missing: Vec<String> = metric_names(&queries).into_iter().filter(|name| !there(name)).collect();
        assert!(missing.is_empty(), "no process exports {missing:?}");
    }
    assert!(metric_of(&metrics, "sightline_match_decisions_total", "") >= 1.0);
}

#[test]
fn what_is_mounted_and_scraped_exists() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        for volume in service["volumes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let source = volume.split(':').next().unwrap();
            if let Some(path) = source.strip_prefix("./") {
                assert!(deploy().join(path).exists(), "{name} mounts {path}, which is not there");
            } else {
                assert!(
                    compose["volumes"].get(source).is_some(),
                    "{name} mounts the volume {source}, which is not declared"
                );
            }
        }
    }
    let text = std::fs::read_to_string(deploy().join("prometheus/prometheus.yml")).unwrap();
    let scraped: Value = serde_yaml_ng::from_str(&text).unwrap();
    let targets = words(&scraped["scrape_configs"][0]["dns_sd_configs"][0]["names"]);
    assert_eq!(BTreeSet::from_iter(targets), ours(&compose).into_keys().collect());
}

#[test]
fn one_service_a_stage() {
    let services = ours(&compose());
    let stages: Vec<String> = services
        .values()
        .flat_map(|service| words(&service["command"]).into_iter().skip_while(|word| word != "worker").skip(1))
        .collect();
    let mut sorted = stages.clone();
    sorted.sort();
    assert_eq!(sorted, ["detect", "embed", "gateway", "identify", "ingest", "track"]);
}
