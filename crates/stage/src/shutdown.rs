//! One token that says "stop", from a signal or from whoever owns the work.

use tokio_util::sync::CancellationToken;

/// Tells everything that holds a clone to stop. Children stop with their parent, not the other way.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A token that nobody has triggered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Triggered by SIGINT or SIGTERM. A second signal ends the process at once, as if it had not been caught.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = Self::new();
        let token = shutdown.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            tracing::info!(signal = name, "stopping: queued work is finished first; a second signal stops at once");
            token.trigger();
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::warn!("second signal: stopping at once");
            std::process::abort();
        });
        Ok(shutdown)
    }

    /// Stops everything that holds a clone or a child.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    /// Whether it was triggered.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Returns once it was triggered.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// A token that stops with this one, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }
}
