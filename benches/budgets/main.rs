//! `make bench`: what the hub costs beside the bare writer, row by row, on SQLite and, where `DATABASE_URL` names
//! a server, on PostgreSQL. `roomcast load` measures both, on a CPU of its own. `RUNS` (3) is how often; the tables
//! have the median and the range. `ROWS` picks rows by words of their names, `FEED_ROWS` is how long the feed's
//! log is (10,000,000), `DATABASES` which of `sqlite postgres`. The tables go to standard output and to the file
//! that `BENCH_OUTPUT` names; it ends with 1 where a "must" is missed.

mod bare;
mod bench;
mod feed;
mod nodes;
mod postgres;
mod rows;

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use self::bench::{Bench, Found, end_with_stdin};
use self::postgres::Postgres;
use self::rows::{Group, Row, groups};

/// What was asked for.
struct Wanted {
    runs: usize,
    words: Vec<String>,
}

impl Wanted {
    fn has(&self, row: &Row) -> bool {
        self.words.iter().all(|word| row.name.contains(word.as_str()))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
}

/// The machine and what is measured, as the output begins.
fn head(wanted: &Wanted, bench: &Bench) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let cpu = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    format!(
        "Roomcast {} ({}), {cores} CPUs ({}), Linux {}; {} runs, feed of {} rows\n",
        env!("CARGO_PKG_VERSION"),
        variable("BENCH_COMMIT").as_deref().unwrap_or("unknown commit"),
        cpu.trim_start_matches([' ', '\t', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        wanted.runs,
        bench.feed_rows,
    )
}

/// Measures what is wanted of a group: a list of findings for each row.
fn measure(group: &Group, bench: &Bench, wanted: &Wanted) -> Result<Vec<Vec<Found>>> {
    let mut found: Vec<Vec<Found>> = group.rows.iter().map(|_| Vec::new()).collect();
    for run in 1..=wanted.runs {
        for ((row, all), one) in group.rows.iter().zip(&mut found).zip((group.measure)(bench)?) {
            eprintln!("  {run}/{}: {}: {}", wanted.runs, row.name, number(one.value));
            all.push(one);
        }
    }
    Ok(found)
}

/// The line of a row in the table, and whether it reaches what it must.
fn line(row: &Row, mut found: Vec<Found>, column: usize) -> Result<Option<(String, bool)>> {
    found.sort_by(|one, other| one.value.total_cmp(&other.value));
    let (Some(low), Some(high), Some(median)) = (found.first(), found.last(), found.get(found.len() / 2))
    else {
        return Ok(None);
    };
    let (must, aim) = (row.must.get(column).context("no must")?, row.aim.get(column).context("no aim")?);
    let reaches = |bound: &f64| if row.is_cost { median.value <= *bound } else { median.value >= *bound };
    let verdict = match (reaches(aim), reaches(must)) {
        (true, _) => "aim",
        (false, true) => "must",
        (false, false) => "missed",
    };
    let sign = if row.is_cost { '≤' } else { '≥' };
    let shown = |value: Option<f64>| value.map(number).unwrap_or_default();
    let text = format!(
        "| {} | {} | {} to {} | {} | {} | {sign} {} | {sign} {} | {verdict} |",
        row.name,
        number(median.value),
        number(low.value),
        number(high.value),
        shown(median.hub),
        shown(median.beside),
        number(*must),
        number(*aim),
    );
    Ok(Some((text, reaches(must))))
}

/// A number to three digits or so.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => {
            let digits = format!("{value:.0}");
            let groups: Vec<&str> = digits
                .as_bytes()
                .rchunks(3)
                .rev()
                .filter_map(|group| std::str::from_utf8(group).ok())
                .collect();
            groups.join(",")
        }
        middle if middle >= 20.0 => format!("{value:.0}"),
        small if small >= 2.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The table of one database, and how many rows miss what they must reach.
fn table(bench: &Bench, wanted: &Wanted) -> Result<(String, usize)> {
    let column = usize::from(bench.postgres.is_some());
    let name = ["SQLite", "PostgreSQL"].get(column).context("no name")?;
    eprintln!("{name}");
    let mut out = format!(
        "\n| {name} | median | range | hub | beside | must | aim | |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    let mut missed = 0;
    for group in groups().iter().filter(|group| group.rows.iter().any(|row| wanted.has(row))) {
        let all = match measure(group, bench, wanted) {
            Ok(all) => all,
            Err(error) => {
                eprintln!("  {error:#}");
                for row in &group.rows {
                    missed += 1;
                    writeln!(out, "| {} | failed | | | | | | missed |", row.name)?;
                }
                continue;
            }
        };
        for (row, found) in group.rows.iter().zip(all) {
            if let Some((line, is_reached)) = line(row, found, column)? {
                missed += usize::from(!is_reached);
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok((out, missed))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mode = arguments.first().map(String::as_str);
    if let Some("bare" | "coalescing") = mode {
        end_with_stdin();
        return bare::serve(mode == Some("coalescing"));
    }
    // `cargo test --all-targets` runs benches too, with another flag: there is nothing to test here.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let wanted = Wanted {
        runs: variable("RUNS").and_then(|runs| runs.parse().ok()).unwrap_or(3).max(1),
        words: variable("ROWS").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    };
    let feed_rows =
        variable("FEED_ROWS").and_then(|rows| rows.parse().ok()).unwrap_or(10_000_000).max(100_000);
    let databases = variable("DATABASES").unwrap_or_else(|| "sqlite postgres".to_owned());
    let mut benches = Vec::new();
    if databases.contains("sqlite") {
        benches.push(Bench { postgres: None, redis_url: None, feed_rows });
    }
    if let Some(url) = variable("DATABASE_URL").filter(|_| databases.contains("postgres")) {
        benches.push(Bench {
            postgres: Some(Postgres::at(&url)?),
            redis_url: variable("REDIS_URL"),
            feed_rows,
        });
    }
    let mut output = benches.first().map(|bench| head(&wanted, bench)).unwrap_or_default();
    print!("{output}");
    let mut all_missed = 0;
    for bench in &benches {
        let (text, missed) = table(bench, &wanted)?;
        print!("{text}");
        output += &text;
        all_missed += missed;
    }
    if let Some(path) = variable("BENCH_OUTPUT") {
        std::fs::write(&path, output).with_context(|| format!("cannot write {path}"))?;
    }
    if all_missed > 0 {
        eprintln!("{all_missed} rows miss what they must reach");
        std::process::exit(1);
    }
    Ok(())
}
