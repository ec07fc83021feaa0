//! A hub of the run's own: this same program, on a temporary folder, without limits.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::folder::Folder;
use super::process::Process;

/// How long it may take to stop by itself.
const STOP: Duration = Duration::from_secs(10);

/// What it is told besides where to store. Tokens outlast any run, and nothing bounds who asks.
const SETTINGS: [(&str, &str); 12] = [
    // As in the image and the unit: what hashing a password took for a moment is not to be reused by sockets.
    ("MALLOC_MMAP_THRESHOLD_", "1048576"),
    ("HOST", "127.0.0.1"),
    ("PORT", "0"),
    ("RUST_LOG", "warn"),
    ("DRAIN_SECONDS", "0"),
    ("JWT_ACCESS_EXPIRES_IN", "1d"),
    ("RATE_LIMIT_PER_MINUTE", "0"),
    ("AUTH_RATE_LIMIT_PER_MINUTE", "0"),
    ("HANDSHAKES_PER_MINUTE", "0"),
    ("FRAMES_PER_MINUTE", "0"),
    ("MAX_SOCKETS_PER_USER", "0"),
    ("MAX_SOCKETS_PER_ORGANISATION", "0"),
];

/// A hub that ends with this value, and takes its folder with it.
pub(super) struct Hub {
    process: Child,
    /// Where it listens.
    pub(super) url: String,
    folder: Folder,
}

impl Hub {
    /// Starts it, on SQLite or on this PostgreSQL.
    pub(super) fn start(database_url: Option<&str>) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let program = std::env::current_exe().context("cannot find this program")?;
        let log =
            File::create(folder.path().join("log")).context("cannot write into the temporary folder")?;
        let mut command = Command::new(program);
        // Nothing of the settings here is meant for it, a database least of all.
        command
            .args(["serve", "--until-stdin-ends"])
            .env_clear()
            .envs(SETTINGS)
            .env("ROOMCAST_DATA_DIR", folder.path().join("data"));
        if let Some(url) = database_url {
            command.env("DATABASE_URL", url).env("JWT_ACCESS_SECRET", super::setup::random_text()?);
        }
        let process = command
            .current_dir(folder.path())
            // Its other end closes however this process ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start a hub")?;
        let mut hub = Self { process, url: String::new(), folder };
        let stdout = hub.process.stdout.take().context("the hub has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next().transpose()?.unwrap_or_default();
        match line.strip_prefix("listening on ") {
            Some(url) => url.trim().clone_into(&mut hub.url),
            None => bail!("the hub did not start: {}", hub.log()),
        }
        Ok(hub)
    }

    /// Its process, to be measured.
    pub(super) fn process(&self) -> Process {
        Process(self.process.id())
    }

    /// What it has to say.
    pub(super) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself, as when its terminal interrupted both.
        let is_running = matches!(self.process.try_wait(), Ok(None));
        let is_asked = id.is_some_and(|id| is_running && kill_process(id, Signal::TERM).is_ok());
        let asked = Instant::now();
        while is_asked && asked.elapsed() < STOP {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
