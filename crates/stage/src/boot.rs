//! What every process does first: logging.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, for machines.
    Json,
}

/// Starts logging to standard error. `SIGHTLINE_LOG` or `RUST_LOG` choose what is logged; `info` by default.
pub fn init_logging(format: LogFormat) {
    let filter = std::env::var("SIGHTLINE_LOG").or_else(|_| std::env::var("RUST_LOG")).unwrap_or_default();
    let filter = if filter.is_empty() { "info,async_nats=warn,ort=warn".to_owned() } else { filter };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_target(false);
    let outcome = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if outcome.is_err() {
        tracing::debug!("logging was started before");
    }
}
