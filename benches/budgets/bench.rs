//! One measurement: the load tester, against a hub or the bare writer, on a CPU of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, RunQueryDsl as _, sql_query};
use serde_json::Value;
use tempfile::TempDir;

use super::postgres::Postgres;

/// No run takes longer: something is wrong then.
const LONGEST: Duration = Duration::from_mins(4);

/// Where hubs store.
pub(crate) struct Bench {
    /// None is SQLite.
    pub(crate) postgres: Option<Postgres>,
    pub(crate) redis_url: Option<String>,
    /// How long the log is of which pages are read.
    pub(crate) feed_rows: u64,
}

/// A figure of the hub, and what it is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// What has to reach its bound.
    pub(crate) value: f64,
    /// What the hub has, where that is something else.
    pub(crate) hub: Option<f64>,
    /// What it is compared with.
    pub(crate) beside: Option<f64>,
}

impl Found {
    pub(crate) fn alone(value: f64) -> Self {
        Self { value, hub: None, beside: None }
    }

    /// As a share of something.
    pub(crate) fn of(self, beside: f64) -> Self {
        Self { value: self.value / beside, hub: Some(self.value), beside: Some(beside) }
    }

    /// As what is more than something.
    pub(crate) fn over(self, beside: f64) -> Self {
        Self { value: self.value - beside, hub: Some(self.value), beside: Some(beside) }
    }
}

/// Which bare writer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Writer {
    /// It writes each message by itself.
    Plain,
    /// It writes all that waits at once.
    Coalescing,
}

impl Bench {
    /// Figures of a hub that the load tester starts.
    pub(crate) fn hub(&self, arguments: &str, figures: &[&str]) -> Result<Vec<Found>> {
        let database = self.postgres.as_ref().map(Postgres::create).transpose()?;
        let mut target = vec!["--spawn"];
        target.extend(database.as_ref().map(|fresh| ["--database-url", &fresh.url]).into_iter().flatten());
        Ok(load(arguments, &target, figures)?.into_iter().map(Found::alone).collect())
    }

    /// The same, as shares of what the bare writer has.
    pub(crate) fn beside(&self, writer: Writer, arguments: &str, figures: &[&str]) -> Result<Vec<Found>> {
        let hub = self.hub(arguments, figures)?;
        let bare = on_writer(writer, arguments, figures)?;
        Ok(hub.iter().zip(bare).map(|(hub, bare)| hub.of(bare)).collect())
    }

    /// Milliseconds that the database itself takes for a small commit, the median of many.
    pub(crate) fn sync_ms(&self) -> Result<f64> {
        match &self.postgres {
            Some(postgres) => postgres.sync_ms(),
            None => sync_ms(),
        }
    }
}

/// Runs the load tester; the figures that it found.
pub(crate) fn load(arguments: &str, target: &[&str], figures: &[&str]) -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let (report, said) = (folder.path().join("report.json"), folder.path().join("said"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomcast"));
    command.arg("load").args(arguments.split(' ')).args(target).args(["--pin", "--json"]).arg(&report);
    // No setting that lies around is meant here.
    command.current_dir(folder.path()).stdin(Stdio::null());
    let output = File::create(&said)?;
    let mut process =
        command.stdout(output.try_clone()?).stderr(output).spawn().context("the load tester")?;
    let began = Instant::now();
    let status = loop {
        match process.try_wait()? {
            Some(status) => break status,
            None if began.elapsed() > LONGEST => {
                process.kill()?;
                process.wait()?;
                bail!("{arguments} took longer than {} s", LONGEST.as_secs());
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    ensure!(status.success(), "{arguments}: {}", std::fs::read_to_string(&said).unwrap_or_default());
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let used = report.pointer("/generator/shareOfCore").and_then(Value::as_f64).unwrap_or_default();
    if used > 0.9 {
        eprintln!("  the generator used {:.0} % of its CPU: the server can do more", used * 100.0);
    }
    let figure = |name: &&str| {
        let found = report.get("figures").and_then(|figures| figures.get(name)).and_then(Value::as_f64);
        found.with_context(|| format!("{arguments} has no {name}"))
    };
    figures.iter().map(figure).collect()
}

/// A server in a process of its own, on the first CPU, until it is dropped.
pub(crate) struct Server {
    process: Child,
    /// What it says that it listens on.
    pub(crate) address: String,
}

impl Server {
    /// Starts a program that says `listening on …`. The hub's settings are all in `environment`.
    pub(crate) fn start(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let mut process = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(std::env::temp_dir())
            // It ends with this process, however that ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a server under taskset (util-linux)")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let mut server = Self { process, address: String::new() };
        line.trim()
            .strip_prefix("listening on ")
            .context("it did not start")?
            .clone_into(&mut server.address);
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input asks it to stop; if it does not, it is made to.
        drop(self.process.stdin.take());
        let asked = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && asked.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A hub without limits, that stores in `folder` or where `more` says.
pub(crate) fn serve(folder: &TempDir, more: &[(&str, &str)]) -> Result<Server> {
    let folder = folder.path().to_str().context("an odd folder")?;
    let mut environment = vec![
        ("MALLOC_MMAP_THRESHOLD_", "1048576"),
        ("PORT", "0"),
        ("RUST_LOG", "error"),
        ("HOST", "127.0.0.1"),
        ("DRAIN_SECONDS", "0"),
        ("ROOMCAST_DATA_DIR", folder),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("AUTH_RATE_LIMIT_PER_MINUTE", "0"),
        ("HANDSHAKES_PER_MINUTE", "0"),
        ("MAX_SOCKETS_PER_USER", "0"),
        ("MAX_SOCKETS_PER_ORGANISATION", "0"),
    ];
    environment.extend(more);
    Server::start(Path::new(env!("CARGO_BIN_EXE_roomcast")), &["serve", "--until-stdin-ends"], &environment)
}

fn on_writer(writer: Writer, arguments: &str, figures: &[&str]) -> Result<Vec<f64>> {
    let mode = match writer {
        Writer::Plain => "bare",
        Writer::Coalescing => "coalescing",
    };
    let server = Server::start(&std::env::current_exe()?, &[mode], &[])?;
    let (hear, say) =
        (format!("ws://{}/{{room}}", server.address), format!("http://{}/{{room}}", server.address));
    let pid = server.pid().to_string();
    load(arguments, &["--adapter", "plain", "--url", &hear, "--publish-url", &say, "--pid", &pid], figures)
}

/// Ends the process with its standard input.
pub(crate) fn end_with_stdin() {
    std::thread::spawn(|| {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
        std::process::exit(0);
    });
}

/// Milliseconds that a commit of one row takes SQLite, the median of many, through the driver that the hub uses and
/// synced as the hub's are. A sync of a file that grows, as one would write it by hand, is not that: SQLite writes over
/// a log of pages that is there.
fn sync_ms() -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("synced.db");
    let mut conn = SqliteConnection::establish(path.to_str().context("an odd folder")?)?;
    conn.batch_execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE synced (bytes text) STRICT",
    )?;
    let row = "x".repeat(200);
    let times = (0..400).map(|_| {
        let began = Instant::now();
        sql_query("INSERT INTO synced VALUES (?)").bind::<Text, _>(&row).execute(&mut conn)?;
        Ok(began.elapsed())
    });
    median_ms(times.collect::<Result<_>>()?)
}

pub(crate) fn median_ms(mut times: Vec<Duration>) -> Result<f64> {
    times.sort_unstable();
    Ok(times.get(times.len() / 2).context("no time")?.as_secs_f64() * 1000.0)
}
