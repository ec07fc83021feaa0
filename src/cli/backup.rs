//! `roomcast backup`.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::backup::{self, Progress, Step};
use crate::config::Config;
use crate::types::Clock;

/// How often a terminal is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What a shell takes for the end by an interruption.
const INTERRUPTED: i32 = 130;

/// Saves a backup, and says on a terminal how far it is.
pub(super) async fn run(config: Config, file: PathBuf) -> anyhow::Result<()> {
    let progress = Arc::new(Progress::default());
    let (now, watched, target) = (Clock::default().now(), Arc::clone(&progress), file.clone());
    let mut work = tokio::task::spawn_blocking(move || backup::create(&config, &target, now, &progress));
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut ticks = tokio::time::interval(TELL_EVERY);
    let shown = std::io::stderr().is_terminal();
    let manifest = loop {
        tokio::select! {
            done = &mut work => break done.context("the backup ended early")?,
            _ = ticks.tick(), if shown => tell(&watched),
            _ = interrupt.recv() => abandon(&watched),
            _ = terminate.recv() => abandon(&watched),
        }
    };
    if shown {
        eprint!("\r\x1b[K");
    }
    let manifest = manifest?;
    let bytes: u64 = manifest.parts.iter().map(|part| part.bytes).sum();
    let parts: Vec<&str> = manifest.parts.iter().map(|part| part.name.as_str()).collect();
    println!(
        "saved {} ({}, {bytes} bytes) as of {}",
        file.display(),
        parts.join(" and "),
        manifest.created_at
    );
    Ok(())
}

fn abandon(progress: &Progress) -> ! {
    progress.abandon();
    // The copying itself cannot be stopped, and a runtime waits for it.
    std::process::exit(INTERRUPTED)
}

fn tell(progress: &Progress) {
    let Some((step, percent)) = progress.percent() else { return };
    let what = match step {
        Step::Copying(_) => "copying the database",
        Step::Packing(_) => "packing it",
    };
    eprint!("\r\x1b[K{what}: {percent} %");
    // A terminal that is gone does not stop a backup.
    drop(std::io::stderr().flush());
}
