//! The demo's processes: RTSP server, workers, broker; started, asked, measured, stopped.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Tools;

/// One process or many.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    OneProcess,
    Nats,
}

impl Layout {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::OneProcess => "one process",
            Self::Nats => "separate processes over NATS: ingest, detect x2, track, embed x2, identify with gateway",
        }
    }

    /// The stages of each process; the last one is the gateway's.
    const fn workers(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::OneProcess => &[&["run"]],
            Self::Nats => &[
                &["worker", "ingest"],
                &["worker", "detect"],
                &["worker", "detect"],
                &["worker", "track"],
                &["worker", "embed"],
                &["worker", "embed"],
                &["worker", "identify", "gateway"],
            ],
        }
    }
}

/// CPU seconds and peak memory of some processes.
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    pub(super) peak_rss_mb: f64,
}

/// A child that is ended by its id when dropped.
struct Process {
    name: String,
    child: Child,
    port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            // Only to leave no zombie; how it ended does not matter any more.
            drop(self.child.wait());
        }
    }
}

/// Everything the demo started.
pub(super) struct Fleet {
    workers: Vec<Process>,
    broker: Option<Process>,
    rtsp: Process,
    rtsp_url: String,
    base_url: String,
    agent: ureq::Agent,
}

impl Fleet {
    /// Starts the RTSP server, the broker where there is one, and the workers; returns when all are ready.
    pub(super) fn start(tools: &Tools, layout: Layout, folder: &Path, cameras: &[(&str, &str)]) -> Result<Self> {
        let (rtsp, rtsp_url) = start_rtsp(tools, cameras)?;
        let broker = (layout == Layout::Nats).then(|| start_broker(tools, folder)).transpose()?;
        let config = write_config(folder, broker.as_ref().map(|b| b.port))?;
        let mut workers = Vec::new();
        for (number, arguments) in layout.workers().iter().enumerate() {
            workers.push(start_worker(tools, folder, &config, number, arguments)?);
        }
        let port = workers.last().map_or(0, |worker| worker.port);
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        let base_url = format!("http://127.0.0.1:{port}");
        let mut fleet = Self { workers, broker, rtsp, rtsp_url, base_url, agent };
        fleet.wait_until_ready(folder)?;
        Ok(fleet)
    }

    /// The gateway's address.
    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The RTSP address of a camera.
    pub(super) fn stream(&self, camera: &str) -> String {
        format!("{}/{camera}", self.rtsp_url)
    }

    /// One call of the HTTP API.
    pub(super) fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}{path}", self.base_url);
        let mut response = match body {
            Some(body) => self.agent.post(&url).send_json(body),
            None => self.agent.get(&url).call(),
        }
        .with_context(|| format!("{method} {url}"))?;
        let status = response.status();
        let text = response.body_mut().read_to_string()?;
        ensure!(status.is_success(), "{method} {url}: {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{method} {url}: no JSON"))
    }

    /// The text of `/metrics` of every worker.
    pub(super) fn metrics(&self) -> Result<Vec<String>> {
        self.workers
            .iter()
            .map(|worker| {
                let url = format!("http://127.0.0.1:{}/metrics", worker.port);
                Ok(self.agent.get(&url).call().with_context(|| url.clone())?.body_mut().read_to_string()?)
            })
            .collect()
    }

    /// CPU and memory so far of all workers and the broker; the RTSP server plays the cameras and does not count.
    pub(super) fn usage(&self) -> Result<Usage> {
        let mut total = Usage { cpu_seconds: 0.0, peak_rss_mb: 0.0 };
        for process in self.workers.iter().chain(&self.broker) {
            let one = usage_of(process.child.id())?;
            total.cpu_seconds += one.cpu_seconds;
            total.peak_rss_mb += one.peak_rss_mb;
        }
        Ok(total)
    }

    /// Fails when a process has ended.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        for process in self.workers.iter_mut().chain(&mut self.broker).chain([&mut self.rtsp]) {
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended early with {status}; its log is in target/demo", process.name);
            }
        }
        Ok(())
    }

    /// Ends the workers with SIGTERM, in the order of the flow, and sees that they leave with 0.
    pub(super) fn stop(mut self) -> Result<()> {
        for worker in &mut self.workers {
            let id = worker.child.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &id]).status()?;
            ensure!(sent.success(), "{} could not be asked to stop", worker.name);
        }
        for worker in &mut self.workers {
            let deadline = Instant::now() + Duration::from_secs(10);
            let status = loop {
                if let Some(status) = worker.child.try_wait()? {
                    break status;
                }
                ensure!(Instant::now() < deadline, "{} did not stop within 10 s", worker.name);
                std::thread::sleep(Duration::from_millis(50));
            };
            ensure!(status.success(), "{} ended with {status}", worker.name);
        }
        Ok(())
    }

    fn wait_until_ready(&mut self, folder: &Path) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let ports: Vec<(String, u16)> = self.workers.iter().map(|w| (w.name.clone(), w.port)).collect();
        for (name, port) in ports {
            let url = format!("http://127.0.0.1:{port}/readyz");
            while !self.agent.get(&url).call().is_ok_and(|response| response.status().is_success()) {
                self.check_alive()?;
                ensure!(
                    Instant::now() < deadline,
                    "{name} did not become ready within 60 s; its log is in {}",
                    folder.display()
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}

fn start_rtsp(tools: &Tools, cameras: &[(&str, &str)]) -> Result<(Process, String)> {
    let mut command = Command::new(&tools.rtsp_server);
    command.args(["--port", "0"]);
    for (camera, clip) in cameras {
        command.arg("--mount").arg(format!("{camera}={}", tools.clips.join(clip).display()));
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("the RTSP server cannot be started")?;
    let output = child.stdout.take().context("the RTSP server has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let url = line.trim().strip_prefix("listening ").context("the RTSP server did not say where it listens")?;
    Ok((Process { name: "RTSP server".into(), child, port: 0 }, url.to_owned()))
}

fn start_broker(tools: &Tools, folder: &Path) -> Result<Process> {
    let port = free_port()?;
    let config = folder.join("nats.conf");
    let store = folder.join("nats");
    // The same settings as deploy/nats/nats.conf: every acknowledgement is on disk.
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nmax_payload: 8MB\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
        store.display()
    );
    std::fs::write(&config, text)?;
    let log = std::fs::File::create(folder.join("nats.log"))?;
    let child = Command::new(&tools.nats_server)
        .arg("-c")
        .arg(&config)
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("nats-server cannot be started")?;
    let process = Process { name: "nats-server".into(), child, port };
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < deadline, "nats-server does not listen; its log is in {}", folder.display());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(process)
}

fn write_config(folder: &Path, broker_port: Option<u16>) -> Result<PathBuf> {
    let bus = match broker_port {
        Some(port) => format!("{{nats: {{url: \"nats://127.0.0.1:{port}\"}}}}"),
        None => "memory".into(),
    };
    let text = format!(
        "site: demo\ndata_dir: {folder}/data\nbus: {bus}\nhttp: {{listen: \"127.0.0.1:${{SIGHTLINE_DEMO_PORT}}\"}}\n\
         embed: {{best_shots: {folder}/shots}}\n",
        folder = folder.display()
    );
    let path = folder.join("sightline.yaml");
    std::fs::write(&path, text)?;
    Ok(path)
}

fn start_worker(tools: &Tools, folder: &Path, config: &Path, number: usize, arguments: &[&str]) -> Result<Process> {
    let port = free_port()?;
    let name = arguments.join(" ");
    let log = std::fs::File::create(folder.join(format!("{number}-{}.log", arguments.join("-"))))?;
    let child = Command::new(&tools.sightline)
        .arg("-c")
        .arg(config)
        .args(arguments)
        .env("SIGHTLINE_DEMO_PORT", port.to_string())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("{} cannot be started", tools.sightline.display()))?;
    Ok(Process { name, child, port })
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// User and system time and VmHWM of a process, as /proc tells them.
fn usage_of(id: u32) -> Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let after_name = stat.rsplit_once(") ").context("/proc stat without a name")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks: f64 = [11, 12].iter().filter_map(|&i| fields.get(i)?.parse::<f64>().ok()).sum();
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let peak_kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok())
        .context("/proc status without VmHWM")?;
    // 100 ticks a second is fixed on Linux for what /proc shows.
    Ok(Usage { cpu_seconds: ticks / 100.0, peak_rss_mb: peak_kb / 1024.0 })
}
