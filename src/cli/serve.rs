//! `roomcast serve`.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::config::Config;
use crate::types::Clock;

/// Serves until SIGTERM or SIGINT, then stops in good order.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut signalled = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
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
    println!("listening on http://{}", running.addr);
    signalled().await;
    tracing::info!("stopping");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}
