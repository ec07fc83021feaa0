//! `roomcast serve`.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::app::App;
use crate::config::Config;
use crate::telemetry::LogFiles;
use crate::types::Clock;

/// Files that connections leave alone, besides the database's: the embedded database and its journals, the
/// listener, the certificate, what is looked up, one connection that is being refused.
const RESERVED_FILES: usize = 64;

/// Serves until SIGTERM or SIGINT, then stops in good order; at once when one comes again. SIGHUP has a hub
/// that speaks TLS look at its certificate.
pub(super) async fn run(
    mut config: Config,
    until_stdin_ends: bool,
    files: Option<Arc<LogFiles>>,
) -> anyhow::Result<()> {
    config.server.max_connections = bound_connections(&config);
    let mut ended = if until_stdin_ends { Some(end_of_stdin()?) } else { None };
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut signalled = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = end(&mut ended) => {}
        }
    };
    // Without TLS it ends the program, as when its terminal is closed.
    let mut hang_up = match config.server.tls_cert {
        Some(_) => Some(signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?),
        None => None,
    };
    let database = config.database_url()?;
    // A start may wait a minute for its database.
    let running = tokio::select! {
        running = App::start(config, Clock::default()) => running?,
        () = signalled() => {
            tracing::info!("stopped before it was ready");
            return Ok(());
        }
    };
    tracing::info!(database = ?database, "Roomcast {} is ready", env!("CARGO_PKG_VERSION"));
    if let Some(files) = &files {
        let app = &running.app;
        app.tasks.spawn(Arc::clone(files).watch(app.clock.clone(), app.stop.clone()));
    }
    println!("listening on {}", running.url());
    loop {
        tokio::select! {
            () = signalled() => break,
            () = next(hang_up.as_mut()) => {
                if let Some(tls) = &running.app.tls {
                    tls.look_now();
                }
            }
        }
    }
    tracing::info!("stopping");
    tokio::select! {
        () = running.stop() => {
            tracing::info!("stopped");
            Ok(())
        }
        () = signalled() => anyhow::bail!("stopped at once, at the second signal"),
    }
}

/// Hears of the end of standard input, from a thread: a read of it cannot be given up.
fn end_of_stdin() -> anyhow::Result<oneshot::Receiver<()>> {
    let (say, hear) = oneshot::channel();
    let read = move || {
        // A read that fails is an end, too.
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        drop(say);
    };
    std::thread::Builder::new().name("stdin".to_owned()).spawn(read).context("cannot start a thread")?;
    Ok(hear)
}

/// The end that is waited for, once; never, where none is.
async fn end(ended: &mut Option<oneshot::Receiver<()>>) {
    match ended {
        Some(hear) => {
            // It tells by being dropped.
            drop(hear.await);
            *ended = None;
        }
        None => std::future::pending().await,
    }
}

/// The next signal of this kind; never, where none is waited for.
async fn next(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// How many connections there may be: as many as files may be open, once that bound is raised as far as it
/// goes, less those that are needed otherwise. `None` where nothing bounds them.
fn bound_connections(config: &Config) -> Option<usize> {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => usize::try_from(files).unwrap_or(usize::MAX),
        Err(error) => {
            tracing::warn!(%error, "cannot raise the bound on open files: connections are not bounded");
            return None;
        }
    };
    let reserved = RESERVED_FILES + config.database.max_connections;
    // With fewer files than that it still serves.
    let connections = files.saturating_sub(reserved).max(files / 2);
    tracing::info!(
        files.max = files,
        files.reserved = files - connections,
        "at most {connections} connections at once, sockets among them; raise the bound on open files \
         (LimitNOFILE, ulimit -n) for more"
    );
    Some(connections)
}
