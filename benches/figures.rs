//! First figures, until the load tester measures in earnest: memory per idle socket, and durable
//! broadcasts a second. `cargo bench --bench figures` runs the hub as a process of its own on a temporary
//! SQLite file, or on the PostgreSQL that `DATABASE_URL` names, drives it over the loopback, and prints a
//! table.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use roomcast_client::{ConnectOptions, Received, Socket};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Sockets that are held open at once.
const SOCKETS: usize = 10_000;

/// Handshakes under way at once.
const HANDSHAKES: usize = 64;

/// Callers that broadcast at once, each its next after the answer to its last.
const CALLERS: usize = 64;

/// For how long they do.
const BROADCASTING: Duration = Duration::from_secs(5);

/// A hub in a process of its own, which ends with this value.
struct Hub {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Hub {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_roomcast"))
            .args(["--port", "0", "--log", "warn", "--data-dir"])
            .arg(folder.path())
            .env("JWT_ACCESS_SECRET", "a key for figures that guards nothing at all")
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the hub")?;
        let stdout = process.stdout.take().context("the hub has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").context("the hub did not start")?;
        Ok(Self { process, url: url.to_owned(), _folder: folder })
    }

    /// Proportional memory of the process in KiB, as the kernel counts it.
    fn memory_kib(&self) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.process.id());
        let rollup = fs::read_to_string(Path::new(&path)).context("reading the hub's memory")?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        line.trim().trim_end_matches(" kB").parse().context("an odd Pss")
    }

    /// Seconds of CPU that the process has used.
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("an odd stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("no time")?.parse()?) };
        // User and system time, in the ticks of a hundredth that Linux shows to programs.
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    async fn register(&self, http: &reqwest::Client) -> Result<String> {
        let body = json!({
            "organisationName": "Figures", "name": "Ana", "password": "correct horse",
            "email": format!("{}@example.com", uuid::Uuid::now_v7()),
        });
        let answer = http.post(format!("{}/api/v1/auth/register", self.url)).json(&body).send().await?;
        let session: Value = answer.error_for_status()?.json().await?;
        Ok(session.get("accessToken").and_then(Value::as_str).context("no token")?.to_owned())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // A process that has ended already needs no end.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn main() -> Result<()> {
    // `cargo test --all-targets` runs benches too, with another flag: there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        idle(&http).await?;
        broadcasts(&http).await
    })
}

/// Holds sockets open and asks how much more memory the hub has for it.
async fn idle(http: &reqwest::Client) -> Result<()> {
    let hub = Hub::start()?;
    let token = hub.register(http).await?;
    let (before, cpu) = (hub.memory_kib()?, hub.cpu_seconds()?);
    let mut sockets = Vec::with_capacity(SOCKETS);
    let mut opening = JoinSet::new();
    for started in 0..SOCKETS + HANDSHAKES {
        if started >= HANDSHAKES {
            let socket: Result<Socket> = opening.join_next().await.context("no handshake")??;
            sockets.push(socket?);
        }
        if started < SOCKETS {
            let (url, options) = (hub.url.clone(), ConnectOptions::new(token.as_str()));
            opening.spawn(async move {
                let mut socket = Socket::connect(&url, &options).await?;
                match socket.recv().await? {
                    Received::Frame { .. } => Ok(socket),
                    Received::Closed { code, .. } => bail!("refused with {code}"),
                }
            });
        }
    }
    let (after, accepted) = (hub.memory_kib()?, hub.cpu_seconds()?);
    let count = f64::from(u32::try_from(sockets.len())?);
    let grown = f64::from(u32::try_from(after.saturating_sub(before))?);
    println!("idle sockets in one room              {SOCKETS}");
    println!("KiB a socket (Pss over before)        {:.2}", grown / count);
    println!("CPU seconds to accept them            {:.2}", accepted - cpu);
    Ok(())
}

/// Broadcasts into an organisation without sockets as fast as the answers come.
async fn broadcasts(http: &reqwest::Client) -> Result<()> {
    let hub = Hub::start()?;
    let token = hub.register(http).await?;
    let (acknowledged, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let cpu = hub.cpu_seconds()?;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (http, acknowledged) = (http.clone(), Arc::clone(&acknowledged));
        let (url, token) = (format!("{}/api/v1/organisations/broadcast", hub.url), token.clone());
        callers.spawn(async move {
            let body = json!({ "message": "x".repeat(200) });
            while started.elapsed() < BROADCASTING {
                let answer = http.post(&url).bearer_auth(&token).json(&body).send().await?;
                answer.error_for_status()?;
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    let elapsed = started.elapsed().as_secs_f64();
    let count = f64::from(u32::try_from(acknowledged.load(Ordering::Relaxed))?);
    println!("durable broadcasts a second, {CALLERS} callers {:.0}", count / elapsed);
    println!("of the hub's CPU seconds, each        {:.0}", count / (hub.cpu_seconds()? - cpu));
    Ok(())
}
