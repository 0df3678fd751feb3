//! Cameras for tests and the demo: an RTSP server that plays clips for ever, as a process that can be killed.
//!
//! A clip is taken apart into its encoded pictures once, and these are sent in real time, again and again, with times that only
//! rise: what a camera sends, without encoding anything. All who watch a camera share one stream.

mod certificate;
mod clip;
mod server;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process::{free_port, program, signal};
pub use certificate::{AUTHORITY, Certificate};
pub use clip::with_key_frames;
pub use server::{Manners, Mount, serve, serve_with};

/// How long the server may take from its start to its first request.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// What the server prints when it listens.
pub const LISTENING: &str = "listening";

/// A running RTSP server; killed by its id when dropped.
#[derive(Debug)]
pub struct RtspProcess {
    mounts: Vec<(String, PathBuf)>,
    guard: Guard,
    port: u16,
    child: Child,
}

/// [`Manners`] of a process.
#[derive(Clone, Debug, Default)]
struct Guard {
    login: Option<(String, String)>,
    digest: bool,
    tls: Option<Certificate>,
}

impl Drop for RtspProcess {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            // Only to leave no zombie; how it ended does not matter any more.
            drop(self.child.wait());
        }
    }
}

impl RtspProcess {
    /// Serves each clip as a camera of the given name.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub fn start(mounts: &[(String, PathBuf)]) -> Result<Self> {
        Self::launch(mounts, Guard::default())
    }

    /// The same; cameras ask for this user and password.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub fn start_with_login(mounts: &[(String, PathBuf)], user: &str, password: &str) -> Result<Self> {
        let login = Some((user.to_owned(), password.to_owned()));
        Self::launch(mounts, Guard { login, ..Guard::default() })
    }

    /// The same; the password is asked for by digest.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub fn start_with_digest(mounts: &[(String, PathBuf)], user: &str, password: &str) -> Result<Self> {
        let login = Some((user.to_owned(), password.to_owned()));
        Self::launch(mounts, Guard { login, digest: true, tls: None })
    }

    /// The same over TLS; [`RtspProcess::url`] is `rtsps`.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub fn start_with_tls(mounts: &[(String, PathBuf)], certificate: Certificate) -> Result<Self> {
        Self::launch(mounts, Guard { tls: Some(certificate), ..Guard::default() })
    }

    fn launch(mounts: &[(String, PathBuf)], guard: Guard) -> Result<Self> {
        let port = free_port()?;
        let child = spawn(mounts, &guard, port)?;
        Ok(Self { mounts: mounts.to_vec(), guard, port, child })
    }

    /// The address of a camera, without user and password.
    #[must_use]
    pub fn url(&self, camera: &str) -> String {
        format!("{}://127.0.0.1:{}/{camera}", self.scheme(), self.port)
    }

    /// The address of a camera with user and password.
    #[must_use]
    pub fn url_with_login(&self, camera: &str, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@127.0.0.1:{}/{camera}", self.scheme(), self.port)
    }

    const fn scheme(&self) -> &'static str {
        if self.guard.tls.is_some() { "rtsps" } else { "rtsp" }
    }

    /// `kill -9`: all cameras are gone at once.
    ///
    /// # Errors
    /// When it was gone already.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts the server again on its old port.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.mounts, &self.guard, self.port)?;
        Ok(())
    }

    /// Stops the process without ending it: connections stay open and silent.
    ///
    /// # Errors
    /// When it is gone.
    pub fn freeze(&self) -> Result<()> {
        signal(self.child.id(), "STOP")
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// When it is gone.
    pub fn thaw(&self) -> Result<()> {
        signal(self.child.id(), "CONT")
    }
}

fn spawn(mounts: &[(String, PathBuf)], guard: &Guard, port: u16) -> Result<Child> {
    let mut command = Command::new(program("sightline-rtsp")?);
    command.arg("--port").arg(port.to_string());
    if let Some((user, password)) = &guard.login {
        command.arg("--login").arg(format!("{user}:{password}"));
    }
    if guard.digest {
        command.arg("--digest");
    }
    if let Some(certificate) = guard.tls {
        command.arg("--tls").arg(certificate.as_str());
    }
    command.args(mounts.iter().map(|(camera, clip)| format!("{camera}={}", clip.display())));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("sightline-rtsp")?;
    let outcome = wait_until_up(&mut child);
    if let Err(error) = outcome {
        drop(child.kill());
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        drop(child.wait());
        bail!("the RTSP server did not start: {error}: {}", said.trim());
    }
    Ok(child)
}

fn wait_until_up(child: &mut Child) -> Result<()> {
    let stdout = child.stdout.take().context("no standard output")?;
    let (sender, lines) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let line = BufReader::new(stdout).lines().next();
        // Nobody waits any more when it took too long.
        drop(sender.send(line));
    });
    match lines.recv_timeout(UP_WITHIN) {
        Ok(Some(Ok(line))) if line == LISTENING => Ok(()),
        Ok(_) => bail!("it ended"),
        Err(_) => bail!("it is not up after {UP_WITHIN:?}"),
    }
}

/// Reads `camera=path`.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_mount(text: &str) -> Result<Mount, String> {
    let (camera, clip) = text.split_once('=').ok_or("write camera=path/of/clip.mp4")?;
    Ok(Mount { camera: camera.to_owned(), clip: Path::new(clip).to_owned() })
}
