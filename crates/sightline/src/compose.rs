//! From stages to a process: which arrows are memory and which NATS, who is started, and in which order it ends.

pub(crate) mod cameras;
mod gallery;
mod models;
mod stages;
mod stills;

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use sightline_gateway::{Gateway, Limits};
use sightline_stage::Shutdown;
use sightline_stage::bus::{Bus, NatsConfig};
use sightline_stage::health::{self, Health};
use sightline_stage::service::ServiceClient;
use tokio::task::JoinHandle;

use crate::args::StageName;
use crate::config::{BusSection, Config, ConfigError, Resolved};
use models::Models;

/// Threads for everything that waits; the stages compute on threads of their own.
const IO_THREADS: usize = 2;

/// After a stage's predecessors have ended: how long what they left behind may take.
const DRAIN: Duration = Duration::from_millis(1500);

/// After a signal a process that has started ends within this, whatever hangs: less than the 10 s after which container engines kill.
const ALL_ENDED: Duration = Duration::from_secs(8);

/// How often the samples of histograms are counted, whether or not anybody scrapes them.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Open connections, event streams above all, are given so long at the end.
const HANG_UP: Duration = Duration::from_millis(300);

/// What runs in this process.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    /// Everything, joined by memory.
    OneProcess,
    /// These stages; what leaves the process goes over NATS.
    Worker(BTreeSet<StageName>),
}

/// Everything that the parts of a process share.
pub(crate) struct Process {
    pub(crate) config: Config,
    pub(crate) resolved: Resolved,
    pub(crate) stages: BTreeSet<StageName>,
    /// Joins the stages of this process.
    pub(crate) memory: Bus,
    /// Joins processes, unless everything is in this one.
    pub(crate) remote: Option<Bus>,
    pub(crate) health: Health,
    /// Of this process, among all that share a bus.
    pub(crate) worker: String,
}

impl Process {
    pub(crate) fn has(&self, stage: StageName) -> bool {
        self.stages.contains(&stage)
    }

    /// The bus of an arrow: memory when everybody at its ends is in this process.
    pub(crate) fn arrow(&self, ends: &[StageName]) -> &Bus {
        match &self.remote {
            Some(remote) if !ends.iter().all(|stage| self.has(*stage)) => remote,
            _ => &self.memory,
        }
    }

    /// The bus of services, tables, leases and of what identify listens to: whoever runs elsewhere may speak to it as well.
    pub(crate) fn services(&self) -> &Bus {
        self.remote.as_ref().unwrap_or(&self.memory)
    }
}

/// A part of the process that runs until its own shutdown.
pub(crate) struct Part {
    pub(crate) name: StageName,
    pub(crate) stop: Shutdown,
    pub(crate) task: JoinHandle<Result<()>>,
    /// Messages that wait for it in this process.
    pub(crate) waiting: Arc<dyn Fn() -> usize + Send + Sync>,
}

impl Part {
    /// Starts `work`, which is told when to end.
    pub(crate) fn start<F>(
        name: StageName,
        waiting: Arc<dyn Fn() -> usize + Send + Sync>,
        work: impl FnOnce(Shutdown) -> F,
    ) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let stop = Shutdown::new();
        Self { name, task: tokio::spawn(work(stop.clone())), stop, waiting }
    }
}

/// Runs a process until a signal, or until a part of it is broken.
pub(crate) fn run(config: Config, layout: Layout) -> Result<()> {
    let resolved = Resolved::new(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("io")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(process(config, resolved, layout));
    // A thread that hangs in a driver must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

async fn process(config: Config, resolved: Resolved, layout: Layout) -> Result<()> {
    let shutdown = Shutdown::on_signals()?;
    let exporter = sightline_stage::metrics::install(env!("CARGO_PKG_VERSION"))?;
    let health = Health::new().of_site(&config.site);
    let starting = health.check("start");
    let listen = config.http.listen.clone();
    let listener = tokio::net::TcpListener::bind(&listen).await.with_context(|| {
        format!("http.listen: {listen} cannot be listened on; give another address, as in 127.0.0.1:8081")
    })?;
    let (stages, remote) = join(&config, layout, &health, &shutdown).await?;
    let _held = if stages.contains(&StageName::Identify) { hold(&config.data_dir, remote.is_none())? } else { None };
    let process = Arc::new(Process {
        config,
        resolved,
        stages,
        memory: Bus::memory(),
        remote,
        health: health.clone(),
        worker: format!("w{}", uuid::Uuid::now_v7().simple()),
    });

    // Samples of histograms are kept until somebody asks for them, or until this.
    let (upkeep, ends) = (exporter.clone(), shutdown.clone());
    tokio::spawn(async move {
        while !ends.is_cancelled() {
            upkeep.run_upkeep();
            tokio::time::sleep(METRICS_UPKEEP).await;
        }
    });
    let hang_up = Shutdown::new();
    let mut router = health::router(health.clone(), exporter);
    if process.has(StageName::Gateway) {
        let gateway = Gateway::new(ServiceClient::new(process.services()), Limits::default());
        router = router.merge(gateway.until(hang_up.clone()).router());
    }
    let http = tokio::spawn(sightline_stage::http::serve(listener, router, hang_up.clone()));
    let names: Vec<&str> = process.stages.iter().map(|stage| stage.as_str()).collect();
    tracing::info!(stages = names.join(" "), listen, worker = process.worker, site = process.config.site, "starting");

    let outcome = work(&process, &shutdown, &starting).await;
    hang_up.trigger();
    if tokio::time::timeout(HANG_UP, http).await.is_err() {
        tracing::debug!("connections that were still open have been cut");
    }
    outcome
}

/// Holds the data folder for as long as the file is kept: alone in one process, where no lease tells two owners apart; over NATS beside
/// a standby. None where the file system has no locks.
fn hold(data_dir: &Path, alone: bool) -> Result<Option<File>> {
    let place = data_dir.join("lock");
    std::fs::create_dir_all(data_dir).with_context(|| format!("data_dir: {}", data_dir.display()))?;
    let file = File::create(&place).with_context(|| format!("data_dir: {}", place.display()))?;
    match if alone { file.try_lock() } else { file.try_lock_shared() } {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(anyhow!(
            "data_dir: {} is in use by another sightline: stop that one first, or give this one another data_dir",
            data_dir.display()
        )),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, data_dir = %data_dir.display(), "the folder cannot be locked: see that only one process uses it");
            Ok(None)
        }
    }
}

/// Which stages, and the connection to the others.
async fn join(
    config: &Config,
    layout: Layout,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<(BTreeSet<StageName>, Option<Bus>)> {
    let stages = match layout {
        Layout::OneProcess => return Ok((BTreeSet::from(StageName::ALL), None)),
        Layout::Worker(stages) => stages,
    };
    let BusSection::Nats(nats) = &config.bus else {
        let reason = "`sightline worker` needs `bus: {nats: {url: ...}}`; everything in one process is `sightline run`";
        return Err(ConfigError::Unusable(reason.to_owned()).into());
    };
    let (url, credentials) = (nats.url.clone(), nats.credentials.clone());
    let remote = Bus::nats(NatsConfig { url, credentials, site: config.site.clone() }).await?;
    let check = health.check("bus");
    let (watched, stop) = (remote.clone(), shutdown.clone());
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            let connected = watched.is_connected();
            check.set(connected, if connected { "connected" } else { "the NATS server is away; waiting for it" });
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    Ok((stages, Some(remote)))
}

/// Starts every part, from the last to the first, so that nobody speaks before somebody listens; then waits, and ends them from
/// the first to the last, so that what is under way arrives.
async fn work(process: &Arc<Process>, shutdown: &Shutdown, starting: &health::Check) -> Result<()> {
    let mut models = Models::open(process).await?;
    let mut parts: Vec<Part> = Vec::new();
    if process.has(StageName::Identify) {
        parts.push(gallery::start(process)?);
    }
    if process.has(StageName::Embed) {
        parts.extend(stages::embed(process, &models).await?);
    }
    if process.has(StageName::Track) {
        parts.push(stages::track(process));
    }
    if process.has(StageName::Detect) {
        parts.extend(stages::detect(process, &mut models).await?);
    }
    if process.has(StageName::Ingest) {
        parts.push(cameras::start(process)?);
    }
    for stage in &process.stages {
        process.services().answer_for(stage.as_str(), shutdown.clone()).await?;
    }
    starting.set(true, "started");
    parts.reverse();

    let broken = wait(&mut parts, shutdown).await;
    let ended = finish(parts).await;
    broken.and(ended)
}

/// Until the shutdown, or until a part ends by itself, which is an error.
async fn wait(parts: &mut Vec<Part>, shutdown: &Shutdown) -> Result<()> {
    loop {
        if shutdown.is_cancelled() {
            return Ok(());
        }
        if let Some(at) = parts.iter().position(|part| part.task.is_finished()) {
            let part = parts.remove(at);
            let name = part.name.as_str();
            return match part.task.await {
                Ok(Err(error)) => Err(error.context(format!("{name} is broken"))),
                Ok(Ok(())) => Err(anyhow!("{name} has ended although nobody asked for it")),
                Err(_) => Err(anyhow!("{name} panicked")),
            };
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

/// Ends the parts from the first to the last; the threads of one stage end together.
async fn finish(parts: Vec<Part>) -> Result<()> {
    let at_last = tokio::time::Instant::now() + ALL_ENDED;
    // When the first ones hang, the others are told while there is still time to end well.
    let all_told = at_last - DRAIN;
    let mut outcome = Ok(());
    for stage in parts.chunk_by(|one, next| one.name == next.name) {
        let deadline = all_told.min(tokio::time::Instant::now() + DRAIN);
        while stage.iter().any(|part| (part.waiting)() > 0) && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stage.iter().for_each(|part| part.stop.trigger());
        let over = || stage.iter().all(|part| part.task.is_finished());
        while !over() && tokio::time::Instant::now() < all_told {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for part in parts {
        let name = part.name.as_str();
        let ended = match tokio::time::timeout_at(at_last, part.task).await {
            Ok(Ok(ended)) => ended.with_context(|| format!("{name} did not end well")),
            Ok(Err(_)) => Err(anyhow!("{name} panicked")),
            Err(_) => {
                Err(anyhow!("{name} was still at work {ALL_ENDED:?} after the signal; what it had is redelivered"))
            }
        };
        if let Err(error) = &ended {
            tracing::error!(stage = name, error = format!("{error:#}"), "ended with an error");
        }
        outcome = outcome.and(ended);
    }
    outcome
}
