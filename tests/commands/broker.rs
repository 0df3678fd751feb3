//! `sightline doctor` about NATS: whether the broker is as it must be, and who does which stage.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sightline_testkit::process::{free_port, signal};
use sightline_testkit::{NatsServer, cache_dir};
use sightline_tests::{PATIENCE, Site, wait_until};
use tempfile::TempDir;

use crate::doctor::{NOWHERE, doctor, doctor_mends};

#[test]
fn the_doctor_says_which_stages_nobody_does() {
    let mut site = Site::over_nats(&["ingest detect track", "embed", "identify gateway"], "").unwrap();
    let base = site.fleet.base_url();
    let folder = TempDir::new().unwrap();
    let url = site.nats.as_ref().unwrap().url();
    let write = |name: &str| {
        let text = format!("site: {name}\nbus: {{nats: {{url: \"{url}\"}}}}\n");
        std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
    };
    write("test");
    let (findings, _, well) = doctor(folder.path(), &["--server", &base]);
    assert!(well && findings.iter().any(|finding| finding["what"] == "stages"), "{findings:#?}");
    // Killed one after the other: the one with the gateway is left.
    for (worker, missing) in [(1, "embed"), (0, "ingest detect track embed")] {
        site.fleet.kill(worker).unwrap();
        let detail = doctor_mends(folder.path(), &["--server", &base], "stages");
        assert!(detail.contains(&format!("`sightline worker {missing}`")), "{detail}");
    }
    // Of another site there is nobody.
    write("elsewhere");
    let detail = doctor_mends(folder.path(), &NOWHERE, "stages");
    assert!(detail.contains("ingest detect track embed identify gateway") && detail.contains("elsewhere"), "{detail}");
}

#[test]
fn a_broker_without_jetstream_is_not_well() {
    let folder = TempDir::new().unwrap();
    let named = std::env::var_os("SIGHTLINE_NATS_SERVER");
    let program = named.map_or_else(|| cache_dir().join("nats/nats-server"), PathBuf::from);
    let port = free_port().unwrap();
    let words = ["-a", "127.0.0.1", "-p", &port.to_string()];
    let mut server = Command::new(program).args(words).stderr(Stdio::null()).spawn().unwrap();
    let up = wait_until("the broker is up", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let text = format!("bus: {{nats: {{url: \"nats://127.0.0.1:{port}\"}}}}\n");
    std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
    let (findings, bad, well) = doctor(folder.path(), &NOWHERE);
    server.kill().unwrap();
    server.wait().unwrap();
    up.unwrap();
    assert!(!well && bad.len() == 1 && bad[0].0 == "NATS" && bad[0].1.contains("JetStream"), "{findings:#?}");
}

#[test]
fn a_worker_that_hangs_is_told_from_one_that_is_not_there() {
    let site = Site::over_nats(&["ingest detect track", "embed", "identify gateway"], "").unwrap();
    let folder = TempDir::new().unwrap();
    let url = site.nats.as_ref().unwrap().url();
    let text = format!("site: test\nbus: {{nats: {{url: \"{url}\"}}}}\n");
    std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
    let (_, embed) = site.fleet.processes()[1];
    signal(embed, "STOP").unwrap();
    let (findings, bad, well) = doctor(folder.path(), &["--server", &site.fleet.base_url()]);
    signal(embed, "CONT").unwrap();
    assert!(!well && bad.len() == 1 && bad[0].0 == "stages", "{findings:#?}");
    let detail = &bad[0].1;
    assert!(detail.contains("who does embed of site \"test\" does not answer"), "{detail}");
    assert!(!detail.contains("nobody does") && !detail.contains("nats.conf"), "{detail}");
}

#[test]
fn a_broker_is_judged_by_whether_a_process_could_use_it() {
    let server = NatsServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    // Every address of a name counts, and every way to write one that the others take.
    for url in [format!("nats://127.0.0.1:{port}/"), format!("nats://localhost:{port}"), format!("127.0.0.1:{port}")] {
        let text = format!("bus: {{nats: {{url: \"{url}\"}}}}\n");
        std::fs::write(folder.path().join("sightline.yaml"), text).unwrap();
        // That nobody does anything there is another matter.
        let detail = doctor_mends(folder.path(), &NOWHERE, "stages");
        assert!(detail.contains("nobody does ingest"), "{url}: {detail}");
    }
}
