//! Log lines: coloured text on a terminal, JSON for machines, and the same in files where those are wanted. They never
//! hold a token, a password or any other secret.
//!
//! What is done for an organisation says so in `organisation.id`: of the span of a request, a socket or a job, or of the
//! line itself.

use std::fmt;
use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FormatFields, Layer, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, registry};

use super::LogFiles;
use crate::config::{LogFormat, TelemetryConfig};

/// Libraries that write whole queries with their values, or raw bytes of connections, at `debug`: they
/// stay at `info` unless they are named.
const QUIET: [&str; 8] =
    ["tokio_postgres", "hyper", "hyper_util", "rustls", "mio", "tungstenite", "tokio_tungstenite", "h2"];

/// Who logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logger {
    /// A hub, which also writes files where those are wanted.
    Hub,
    /// A command of an operator's, who sees what it says.
    Command,
}

/// Starts logging for the whole process, to standard error, and to the files that it returns. Fails where the
/// filter cannot be read, or a file cannot be written.
pub fn init(config: &TelemetryConfig, logger: Logger) -> anyhow::Result<Option<LogFiles>> {
    let filter = filter(&config.log)?;
    let folder = config.log_dir.as_deref().filter(|_| logger == Logger::Hub);
    let opened = folder.map(|folder| LogFiles::open(folder, config.log_retention_days)).transpose()?;
    let (lines, files) = opened.unzip();
    let started = match config.log_format {
        LogFormat::Text => {
            let shown = layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
            let plain = || layer().with_ansi(false).fmt_fields(Plain(DefaultFields::new()));
            let written = lines.map(|lines| plain().with_writer(lines));
            registry().with(filter).with(shown).with(written).try_init()
        }
        LogFormat::Json => {
            let written = lines.map(|lines| json().with_writer(lines));
            registry().with(filter).with(json().with_writer(std::io::stderr)).with(written).try_init()
        }
    };
    started.map_err(|error| anyhow::anyhow!("logging was started before: {error}"))?;
    Ok(files)
}

fn json<S>() -> Layer<S, JsonFields, Format<Json>>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    layer().json().flatten_event(true).with_current_span(true).with_span_list(false)
}

/// Writes the fields of spans for files. A type of its own, because what a span's fields look like is kept once for
/// each type: the file would have the colours of the terminal, and both would have added to them.
struct Plain(DefaultFields);

impl<'writer> FormatFields<'writer> for Plain {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }
}

fn filter(directives: &str) -> anyhow::Result<EnvFilter> {
    let quiet = QUIET.iter().filter(|library| !directives.contains(*library));
    let quiet = quiet.map(|library| format!("{library}=info"));
    // What it warns of is that a connection ended, a line for each and every attempt; the bus says that once.
    let redis = (!directives.contains("fred")).then(|| "fred=error".to_owned());
    let all: Vec<String> = std::iter::once(directives.to_owned()).chain(quiet).chain(redis).collect();
    EnvFilter::try_new(all.join(",")).with_context(|| format!("RUST_LOG: cannot read {directives:?}"))
}
