//! Sightline's own processes: started, asked over HTTP, measured, killed, stopped. For the demo and the end-to-end tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::{free_port, signal};

/// How long a worker may take from start to ready: models are read, hashed and warmed up.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct FleetPlan {
    /// The `sightline` binary.
    pub binary: PathBuf,
    /// Configuration, data and logs go here.
    pub folder: PathBuf,
    /// The arguments of each process, as in `["worker", "track"]`; the gateway's process is the last one.
    pub workers: Vec<Vec<String>>,
    /// Address of the NATS server; without one the bus is `memory`.
    pub nats_url: Option<String>,
    /// Further lines of the configuration file.
    pub configuration: String,
}

impl FleetPlan {
    /// Everything in one process.
    #[must_use]
    pub fn one_process(binary: &Path, folder: &Path) -> Self {
        Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            workers: vec![vec!["run".into()]],
            nats_url: None,
            configuration: String::new(),
        }
    }

    /// One process for each text, as in `"identify gateway"`, joined by the NATS server.
    #[must_use]
    pub fn over_nats(binary: &Path, folder: &Path, nats_url: &str, workers: &[&str]) -> Self {
        let arguments = |stages: &&str| ["worker"].into_iter().chain(stages.split(' ')).map(String::from).collect();
        Self {
            workers: workers.iter().map(arguments).collect(),
            nats_url: Some(nats_url.to_owned()),
            ..Self::one_process(binary, folder)
        }
    }
}

/// CPU seconds and peak memory of processes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and system time.
    pub cpu_seconds: f64,
    /// Sum of each one's largest resident set.
    pub peak_rss_mb: f64,
}

impl Usage {
    /// Of one running process, from /proc.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(process: u32) -> Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        let after_name = stat.rsplit_once(") ").context("/proc stat without a name")?.1;
        let fields: Vec<&str> = after_name.split(' ').collect();
        let ticks: f64 = [11, 12].iter().filter_map(|&i| fields.get(i)?.parse::<f64>().ok()).sum();
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let peak_kb = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok())
            .context("/proc status without VmHWM")?;
        // Linux shows times in /proc in hundredths of a second on every machine.
        Ok(Self { cpu_seconds: ticks / 100.0, peak_rss_mb: peak_kb / 1024.0 })
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds + other.cpu_seconds, peak_rss_mb: self.peak_rss_mb + other.peak_rss_mb }
    }
}

/// One process of a fleet; killed by its id when dropped.
#[derive(Debug)]
struct Worker {
    arguments: Vec<String>,
    child: Child,
    port: u16,
    starts: u32,
}

impl Drop for Worker {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            // Only to leave no zombie; how it ended does not matter any more.
            drop(self.child.wait());
        }
    }
}

/// Running processes of Sightline.
#[derive(Debug)]
pub struct Fleet {
    plan: FleetPlan,
    config: PathBuf,
    workers: Vec<Worker>,
    agent: ureq::Agent,
}

impl Fleet {
    /// Starts every process and returns when all are ready.
    ///
    /// # Errors
    /// When one cannot be started, ends, or is not ready within a minute.
    pub fn start(plan: FleetPlan) -> Result<Self> {
        let mut fleet = Self::start_unready(plan)?;
        fleet.wait_until_ready()?;
        Ok(fleet)
    }

    /// Starts every process without waiting.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_unready(plan: FleetPlan) -> Result<Self> {
        std::fs::create_dir_all(&plan.folder)?;
        let config = plan.folder.join("sightline.yaml");
        std::fs::write(&config, configuration(&plan))?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        let mut fleet = Self { plan, config, workers: Vec::new(), agent };
        for arguments in fleet.plan.workers.clone() {
            let port = free_port()?;
            let child = fleet.spawn(&arguments, fleet.workers.len(), 0, port)?;
            fleet.workers.push(Worker { arguments, child, port, starts: 1 });
        }
        Ok(fleet)
    }

    /// The gateway's address: that of the last process.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.url(self.workers.len() - 1)
    }

    /// The address of one process.
    #[must_use]
    pub fn url(&self, worker: usize) -> String {
        format!("http://127.0.0.1:{}", self.workers[worker].port)
    }

    /// The configuration file of all of them.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// A call of the HTTP API; any status.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let url = format!("{}{path}", self.base_url());
        let answer = match (method, body) {
            ("POST", Some(body)) => self.agent.post(&url).send_json(body),
            ("PUT", Some(body)) => self.agent.put(&url).send_json(body),
            ("PATCH", Some(body)) => self.agent.patch(&url).send_json(body),
            ("GET", None) => self.agent.get(&url).call(),
            ("DELETE", None) => self.agent.delete(&url).call(),
            _ => bail!("{method} with this body is not something the tests send"),
        };
        let mut answer = answer.with_context(|| format!("{method} {url}"))?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    }

    /// A call that must succeed and answer with JSON, or nothing.
    ///
    /// # Errors
    /// When there is no answer, or another one.
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, text) = self.request(method, path, body)?;
        ensure!((200..300).contains(&status), "{method} {path}: {status}: {text}");
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path}: no JSON: {text}"))
    }

    /// Events after `after`, waiting up to a second for the first.
    ///
    /// # Errors
    /// As [`Fleet::api`].
    pub fn events_after(&self, after: u64) -> Result<Vec<Value>> {
        let page = self.api("GET", &format!("/api/v1/events?after={after}&limit=1000&wait=1000"), None)?;
        Ok(page["events"].as_array().cloned().unwrap_or_default())
    }

    /// The text of `/metrics` of one process.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn metrics(&self, worker: usize) -> Result<String> {
        let url = format!("{}/metrics", self.url(worker));
        Ok(self.agent.get(&url).call().with_context(|| url.clone())?.body_mut().read_to_string()?)
    }

    /// How many processes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// What each process runs, and its id.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, u32)> {
        self.workers.iter().map(|worker| (worker.arguments.join(" "), worker.child.id())).collect()
    }

    /// CPU and memory of all processes so far.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn usage(&self) -> Result<Usage> {
        self.workers.iter().try_fold(Usage::default(), |sum, worker| Ok(sum.plus(Usage::of(worker.child.id())?)))
    }

    /// Fails when a process has ended.
    ///
    /// # Errors
    /// Names the process and its log.
    pub fn check_alive(&mut self) -> Result<()> {
        for worker in &mut self.workers {
            if let Some(status) = worker.child.try_wait()? {
                bail!("{} ended with {status}; logs in {}", worker.arguments.join(" "), self.plan.folder.display());
            }
        }
        Ok(())
    }

    /// Whether a process answers ready.
    #[must_use]
    pub fn is_ready(&self, worker: usize) -> bool {
        let answer = self.agent.get(&format!("{}/readyz", self.url(worker))).call();
        answer.is_ok_and(|response| response.status().is_success())
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// When one ends or takes longer than a minute.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        for worker in 0..self.workers.len() {
            while !self.is_ready(worker) {
                self.check_alive()?;
                let name = self.workers[worker].arguments.join(" ");
                ensure!(Instant::now() < deadline, "{name} is not ready; logs in {}", self.plan.folder.display());
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it was gone already.
    pub fn kill(&mut self, worker: usize) -> Result<()> {
        let child = &mut self.workers[worker].child;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Starts a process again that was killed or stopped, on its old port.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self, worker: usize) -> Result<()> {
        let Worker { arguments, port, starts, .. } = &self.workers[worker];
        let child = self.spawn(&arguments.clone(), worker, *starts, *port)?;
        let worker = &mut self.workers[worker];
        worker.child = child;
        worker.starts += 1;
        Ok(())
    }

    /// SIGTERM, and how it ended, and after how long.
    ///
    /// # Errors
    /// When it has not ended within `patience`.
    pub fn terminate(&mut self, worker: usize, patience: Duration) -> Result<(ExitStatus, Duration)> {
        let worker = &mut self.workers[worker];
        signal(worker.child.id(), "TERM")?;
        let asked = Instant::now();
        loop {
            if let Some(status) = worker.child.try_wait()? {
                return Ok((status, asked.elapsed()));
            }
            let name = worker.arguments.join(" ");
            ensure!(asked.elapsed() < patience, "{name} did not end within {patience:?} of SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops all, in the order of the flow, and sees that they leave with 0.
    ///
    /// # Errors
    /// When one does not end within ten seconds, or not with 0.
    pub fn stop(mut self) -> Result<()> {
        for worker in 0..self.workers.len() {
            let (status, _) = self.terminate(worker, Duration::from_secs(10))?;
            ensure!(status.success(), "{} ended with {status}", self.workers[worker].arguments.join(" "));
        }
        Ok(())
    }

    /// The log of a process, of all its starts.
    #[must_use]
    pub fn log(&self, worker: usize) -> String {
        let starts = 0..self.workers[worker].starts;
        starts.filter_map(|start| std::fs::read_to_string(self.log_path(worker, start)).ok()).collect()
    }

    fn log_path(&self, worker: usize, start: u32) -> PathBuf {
        self.plan.folder.join(format!("worker-{worker}-{start}.log"))
    }

    fn spawn(&self, arguments: &[String], worker: usize, start: u32, port: u16) -> Result<Child> {
        let log = std::fs::File::create(self.log_path(worker, start))?;
        Command::new(&self.plan.binary)
            .arg("-c")
            .arg(&self.config)
            .args(arguments)
            .env("SIGHTLINE_PORT", port.to_string())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.plan.binary.display()))
    }
}

fn configuration(plan: &FleetPlan) -> String {
    let bus = match &plan.nats_url {
        Some(url) => format!("{{nats: {{url: \"{url}\"}}}}"),
        None => "memory".into(),
    };
    format!(
        "site: test\ndata_dir: \"{}\"\nbus: {bus}\nhttp: {{listen: \"127.0.0.1:${{SIGHTLINE_PORT}}\"}}\n{}",
        plan.folder.join("data").display(),
        plan.configuration
    )
}
