//! A real nats-server on a free port, with JetStream on disk, as a process that can be killed.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::process::free_port;

/// How long the server may take from its start to its first connection.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// A running nats-server; killed by its id when dropped, and its store with it.
#[derive(Debug)]
pub struct NatsServer {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            // Only to leave no zombie; how it ended does not matter any more.
            drop(self.child.wait());
        }
    }
}

impl NatsServer {
    /// Starts one with the settings of `deploy/nats/nats.conf`, its own ports and folder aside.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let port = free_port()?;
        std::fs::write(folder.path().join("nats.conf"), configuration(port, free_port()?, folder.path()))?;
        let child = spawn(folder.path(), port)?;
        Ok(Self { folder, port, child })
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Id of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it was gone already.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on its old port, with what it had on disk.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        self.child = spawn(self.folder.path(), self.port)?;
        Ok(())
    }

    /// What it has logged since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("nats.log")).unwrap_or_default()
    }
}

fn configuration(port: u16, monitoring: u16, folder: &Path) -> String {
    format!(
        "server_name: sightline\nlisten: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitoring}\"\nmax_payload: 8MB\n\
         jetstream {{ store_dir: \"{}\", max_memory_store: 512MB, max_file_store: 16GB, sync_interval: always }}\n",
        folder.join("store").display()
    )
}

fn binary() -> PathBuf {
    std::env::var_os("SIGHTLINE_NATS_SERVER").map_or_else(|| crate::cache_dir().join("nats/nats-server"), PathBuf::from)
}

fn spawn(folder: &Path, port: u16) -> Result<Child> {
    let binary = binary();
    let log = std::fs::File::create(folder.join("nats.log"))?;
    let mut child = Command::new(&binary)
        .arg("-c")
        .arg(folder.join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("{} cannot be started: run `cargo xtask setup`", binary.display()))?;
    let deadline = Instant::now() + UP_WITHIN;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = child.try_wait()?;
        if ended.is_some() || Instant::now() > deadline {
            drop(child.kill());
            drop(child.wait());
            let log = std::fs::read_to_string(folder.join("nats.log")).unwrap_or_default();
            bail!("nats-server is not up: {log}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}
