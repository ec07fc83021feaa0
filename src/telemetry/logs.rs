//! Log lines: coloured text on a terminal, JSON for machines. They never hold a token, a password or any
//! other secret.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, TelemetryConfig};

/// Libraries that write whole queries with their values, or raw bytes of connections, at `debug`: they
/// stay at `info` unless they are named.
const QUIET: [&str; 8] =
    ["tokio_postgres", "hyper", "hyper_util", "rustls", "mio", "tungstenite", "tokio_tungstenite", "h2"];

/// Starts logging for the whole process, to standard error. Fails where the filter cannot be read.
pub fn init(config: &TelemetryConfig) -> anyhow::Result<()> {
    let filter = filter(&config.log)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
    started.map_err(|error| anyhow::anyhow!("logging was started before: {error}"))
}

fn filter(directives: &str) -> anyhow::Result<EnvFilter> {
    let quiet = QUIET.iter().filter(|library| !directives.contains(*library));
    let quiet = quiet.map(|library| format!("{library}=info"));
    // What it warns of is that a connection ended, a line for each and every attempt; the bus says that once.
    let redis = (!directives.contains("fred")).then(|| "fred=error".to_owned());
    let all: Vec<String> = std::iter::once(directives.to_owned()).chain(quiet).chain(redis).collect();
    EnvFilter::try_new(all.join(",")).with_context(|| format!("RUST_LOG: cannot read {directives:?}"))
}
