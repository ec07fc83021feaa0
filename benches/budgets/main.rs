//! `make bench`: what the hub costs beside the bare writer, row by row, on SQLite and, where `DATABASE_URL` names
//! one, on PostgreSQL. `roomcast load` measures both, on a CPU of its own. `RUNS` (3) is how often; the table
//! has the median and the range. `ROWS` picks rows by words of their names.

mod bare;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// What a row is measured on.
#[derive(Clone, Copy)]
enum Against {
    /// The hub alone: the figure itself.
    Nothing,
    /// The hub's figure divided by that of the bare writer, which writes each message by itself.
    Writer,
    /// The same of the one that writes all that waits at once.
    Coalescing,
    /// The hub's figure divided by its own with 1,000 sockets.
    Smaller,
    /// The hub's figure less the time of a sync of the disk.
    Sync,
}

#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    arguments: &'static str,
    figure: &'static str,
    against: Against,
    /// What it must reach, and should: on SQLite, on PostgreSQL.
    must: [f64; 2],
    aim: [f64; 2],
    /// Whether less is better.
    is_cost: bool,
}

const fn row(name: &'static str, arguments: &'static str, figure: &'static str, against: Against) -> Row {
    Row { name, arguments, figure, against, must: [0.0; 2], aim: [0.0; 2], is_cost: false }
}

const fn at_most(row: Row, must: f64, aim: f64) -> Row {
    Row { must: [must; 2], aim: [aim; 2], is_cost: true, ..row }
}

const fn at_least(row: Row, must: f64, aim: f64) -> Row {
    Row { must: [must; 2], aim: [aim; 2], ..row }
}

const ROOM: &str = "room --sockets 10000 --rate 10 --duration 10s";
/// As many messages wait as the budgets were taken with: more of them only shift the work to the generator.
const SATURATED: &str = "room --sockets 10000 --closed --callers 16 --duration 5s --patience 60s";
const ROOMS: &str = "rooms --rooms 1000 --sockets 10000 --closed --duration 5s --patience 60s";
const GROWN: &str = "room --sockets 18000 --rate 5 --duration 10s";
const SMALL: &str = "room --sockets 1000 --rate 90 --duration 10s";

fn rows() -> [Row; 10] {
    let publish = row(
        "durable broadcasts a second, 64 callers",
        "publish --duration 5s",
        "published/s",
        Against::Nothing,
    );
    [
        at_most(
            row(
                "KiB per idle socket, 18,000 in 1,000 rooms",
                "idle --sockets 18000 --rooms 1000 --duration 5s",
                "kib/socket",
                Against::Nothing,
            ),
            5.0,
            2.0,
        ),
        at_most(
            row(
                "CPU ms to accept 10,000 sockets",
                "idle --sockets 10000 --duration 1s",
                "cpu/10000-sockets",
                Against::Nothing,
            ),
            1000.0,
            500.0,
        ),
        at_least(
            row(
                "room of 10,000, 10/s: deliveries per CPU second, of the writer's",
                ROOM,
                "delivered/cpu-s",
                Against::Writer,
            ),
            0.65,
            0.85,
        ),
        at_most(row("the same: p99, of the writer's", ROOM, "p99", Against::Writer), 2.0, 1.3),
        at_least(
            row(
                "the same, saturated: deliveries a second, of the coalescing writer's",
                SATURATED,
                "delivered/s",
                Against::Coalescing,
            ),
            0.5,
            0.8,
        ),
        at_least(
            row(
                "1,000 rooms of 10, saturated: deliveries a second, of the writer's",
                ROOMS,
                "delivered/s",
                Against::Writer,
            ),
            0.25,
            0.5,
        ),
        Row { must: [8000.0, 4000.0], aim: [20_000.0, 10_000.0], ..publish },
        at_most(
            row(
                "ms of a lone broadcast over a sync of the disk",
                "publish --callers 1 --duration 3s",
                "publish.p50",
                Against::Sync,
            ),
            0.3,
            0.1,
        ),
        at_most(
            row(
                "ms until 5,000 sockets are back with 1,000 missed each",
                "storm --sockets 5000 --missed 1000 --handshakes 1024",
                "return",
                Against::Nothing,
            ),
            3000.0,
            1500.0,
        ),
        at_least(
            row(
                "deliveries per CPU second, 18,000 sockets of 1,000",
                GROWN,
                "delivered/cpu-s",
                Against::Smaller,
            ),
            0.8,
            0.95,
        ),
    ]
}

/// The bare writer in a process of its own, on the first CPU.
struct Writer {
    process: Child,
    address: String,
}

impl Writer {
    fn start(mode: &str) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut process = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .arg(mode)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the bare writer under taskset (util-linux)")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").context("the bare writer did not start")?;
        Ok(Self { process, address: address.to_owned() })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It serves until somebody ends it.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Runs the load tester; the figure that it found.
fn load(arguments: &str, target: &[&str], figure: &str) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_roomcast"))
        .arg("load")
        .args(arguments.split(' '))
        .args(target)
        .args(["--pin", "--json"])
        .arg(&report)
        // No setting that lies around is meant here.
        .current_dir(folder.path())
        .output()
        .context("running the load tester")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments}: {said}\n{}", String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let used = report.pointer("/generator/shareOfCore").and_then(Value::as_f64).unwrap_or_default();
    if used > 0.9 {
        eprintln!("  the generator used {:.0} % of its CPU: the server can do more", used * 100.0);
    }
    let found = report.get("figures").and_then(|figures| figures.get(figure)).and_then(Value::as_f64);
    found.with_context(|| format!("{arguments} has no {figure}"))
}

fn on_hub(row: &Row, arguments: &str, database: Option<&str>) -> Result<f64> {
    let mut target = vec!["--spawn"];
    target.extend(database.map(|url| ["--database-url", url]).into_iter().flatten());
    load(arguments, &target, row.figure)
}

fn on_writer(row: &Row, mode: &str) -> Result<f64> {
    let writer = Writer::start(mode)?;
    let (hear, say) =
        (format!("ws://{}/{{room}}", writer.address), format!("http://{}/{{room}}", writer.address));
    let pid = writer.process.id().to_string();
    let target = ["--adapter", "plain", "--url", &hear, "--publish-url", &say, "--pid", &pid];
    load(row.arguments, &target, row.figure)
}

/// Milliseconds that a small write and its way to the disk take, the median of many.
fn sync_ms() -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut file = File::create(folder.path().join("synced"))?;
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect::<Result<_>>()?;
    times.sort_unstable();
    Ok(times.get(100).context("no time")?.as_secs_f64() * 1000.0)
}

fn measure(row: &Row, database: Option<&str>) -> Result<f64> {
    let hub = on_hub(row, row.arguments, database)?;
    Ok(match row.against {
        Against::Nothing => hub,
        Against::Writer => hub / on_writer(row, "bare")?,
        Against::Coalescing => hub / on_writer(row, "coalescing")?,
        Against::Smaller => hub / on_hub(row, SMALL, database)?,
        Against::Sync => hub - sync_ms()?,
    })
}

fn table(database: Option<&str>, runs: usize, words: &[String]) -> Result<()> {
    let column = usize::from(database.is_some());
    println!(
        "\n| {} | median | range | must | aim | |",
        ["SQLite", "PostgreSQL"].get(column).context("no name")?
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for row in rows().iter().filter(|row| words.iter().all(|word| row.name.contains(word.as_str()))) {
        let mut found = (0..runs).map(|_| measure(row, database)).collect::<Result<Vec<f64>>>()?;
        found.sort_by(f64::total_cmp);
        let (Some(low), Some(high), Some(median)) = (found.first(), found.last(), found.get(runs / 2)) else {
            continue;
        };
        let (must, aim) = (row.must.get(column).context("no must")?, row.aim.get(column).context("no aim")?);
        let reaches = |bound: &f64| if row.is_cost { median <= bound } else { median >= bound };
        let verdict = if reaches(aim) {
            "aim"
        } else if reaches(must) {
            "must"
        } else {
            "missed"
        };
        println!("| {} | {median:.2} | {low:.2} to {high:.2} | {must} | {aim} | {verdict} |", row.name);
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("bare") => return bare::serve(false),
        Some("coalescing") => return bare::serve(true),
        // `cargo test --all-targets` runs benches too, with another flag: there is nothing to test here.
        _ if !arguments.iter().any(|argument| argument == "--bench") => return Ok(()),
        _ => {}
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let variable = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let runs = variable("RUNS").and_then(|runs| runs.parse().ok()).unwrap_or(3usize).max(1);
    let words: Vec<String> =
        variable("ROWS").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    table(None, runs, &words)?;
    match variable("DATABASE_URL") {
        Some(url) => table(Some(&url), runs, &words),
        None => Ok(()),
    }
}
