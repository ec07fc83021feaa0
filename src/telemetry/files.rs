//! Log lines in files: one a day for the whole hub, kept for as many days as its operator wants.
//!
//! Nobody waits for a disk to log: lines go through a queue with a bound to a thread that writes them. What finds
//! the queue full, or the disk, is missing in the file, counted, and told.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chrono::NaiveDate;
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use super::metric::LOG_LINES_LOST;
use crate::types::{Clock, Timestamp};

/// Lines that may wait to be written: a few megabytes.
const QUEUE: usize = 8192;

/// How often it is looked whether lines were lost, or files are over.
const EVERY: Duration = Duration::from_mins(1);

const PREFIX: &str = "roomcast";
const SUFFIX: &str = "log";

/// Where lines are written, until it is dropped: what waits is written then.
pub struct LogFiles {
    folder: PathBuf,
    days: u32,
    overflown: ErrorCounter,
    failed: Arc<AtomicU64>,
    _writing: WorkerGuard,
}

impl LogFiles {
    /// Begins to write to the file of the day in this folder, which is made where it is missing, for its owner
    /// and group alone. Files of more than `days` days ago are deleted; 0 keeps them.
    pub(super) fn open(folder: &Path, days: u32) -> anyhow::Result<(NonBlocking, Self)> {
        let shown = || format!("cannot write log files in {} (LOG_DIR)", folder.display());
        DirBuilder::new().recursive(true).mode(0o750).create(folder).with_context(shown)?;
        let file = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix(PREFIX)
            .filename_suffix(SUFFIX)
            .build(folder)
            .with_context(shown)?;
        let failed = Arc::new(AtomicU64::new(0));
        let file = Counted { file, failed: Arc::clone(&failed) };
        let queue =
            NonBlockingBuilder::default().buffered_lines_limit(QUEUE).lossy(true).thread_name("log files");
        let (lines, writing) = queue.finish(file);
        let overflown = lines.error_counter();
        Ok((lines, Self { folder: folder.to_owned(), days, overflown, failed, _writing: writing }))
    }

    /// Tells of lines that were lost, and deletes files that are over, until the stop.
    pub async fn watch(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        let mut told = 0;
        let mut ticks = tokio::time::interval(EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let lost = self.lost();
            if lost > told {
                counter!(LOG_LINES_LOST).increment(lost - told);
                tracing::warn!(
                    lines = lost - told,
                    "lines are missing in the log file: its disk is full, or too slow"
                );
                told = lost;
            }
            let (files, now) = (Arc::clone(&self), clock.now());
            let pruned = tokio::task::spawn_blocking(move || files.prune(now)).await;
            if let Ok(Err(error)) = pruned {
                tracing::warn!(%error, "cannot delete old log files");
            }
        }
    }

    /// How many lines are missing in the files.
    fn lost(&self) -> u64 {
        let overflown = u64::try_from(self.overflown.dropped_lines()).unwrap_or(u64::MAX);
        overflown.saturating_add(self.failed.load(Ordering::Relaxed))
    }

    fn prune(&self, now: Timestamp) -> io::Result<()> {
        let days = Duration::from_hours(24) * self.days;
        let Some(first) = day_of(now.minus(days)).filter(|_| self.days > 0) else { return Ok(()) };
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let day = entry.file_name().to_str().and_then(day_of_file);
            if day.is_some_and(|day| day < first) && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn day_of(moment: Timestamp) -> Option<NaiveDate> {
    chrono::DateTime::from_timestamp(moment.as_secs(), 0).map(|moment| moment.date_naive())
}

/// The day of a file of ours; others are left alone.
fn day_of_file(name: &str) -> Option<NaiveDate> {
    let day = name.strip_prefix(PREFIX)?.strip_prefix('.')?.strip_suffix(SUFFIX)?.strip_suffix('.')?;
    NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()
}

/// Counts the lines that could not be written: the thread that writes them tells nobody.
struct Counted<W> {
    file: W,
    failed: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A whole line or none, where the disk lets us: the next begins on a line of its own.
        let written = self.file.write_all(line);
        if written.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        written.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_over_is_deleted_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::default();
        let today = day_of(clock.now()).unwrap();
        let name = |ago: u64| format!("roomcast.{}.log", today - chrono::Days::new(ago));
        let others =
            ["roomcast.log", "roomcast.2001-01-01.log.gz", "other.2001-01-01.log", "roomcast.2001-13-01.log"];
        for file in [name(0), name(2), name(3), name(400)].iter().map(String::as_str).chain(others) {
            fs::write(folder.path().join(file), "a line\n").unwrap();
        }
        let left = |days| {
            let (_lines, files) = LogFiles::open(folder.path(), days).unwrap();
            files.prune(clock.now()).unwrap();
            let names = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<String> =
                names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.retain(|name| !others.contains(&name.as_str()));
            names.sort();
            names
        };
        assert_eq!(left(0), [name(400), name(3), name(2), name(0)]);
        assert_eq!(left(2), [name(2), name(0)]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2 + others.len());
    }

    #[test]
    fn lines_that_are_not_written_are_counted() {
        let failed = Arc::new(AtomicU64::new(0));
        let mut file = Counted { file: Full, failed: Arc::clone(&failed) };
        file.write_all(b"a line\n").unwrap_err();
        assert_eq!(failed.load(Ordering::Relaxed), 1);
    }
}
