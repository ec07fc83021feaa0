//! `roomcast load`: the arguments of the load tester.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::load::expect::{Expectations, FIGURES};
use crate::load::plan::{Demand, Plan, Scenario};
use crate::load::report::{self, Report};
use crate::load::{self, Credentials, Job, PlainTarget, Target};

/// Where the password of `--email` may stand, so that no list of processes shows it.
const PASSWORD: &str = "ROOMCAST_LOAD_PASSWORD";

/// What a message may be, in characters: it carries a mark, and a broadcast has a bound.
const PAYLOAD: std::ops::RangeInclusive<usize> = load::MARK_BYTES..=4096;

/// The rooms that a run may have.
const MAX_ROOMS: usize = 1 << 20;

/// The numbers that subscribers of a plain server may keep, four bytes each.
const MAX_NUMBERS: usize = 100_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScenarioName {
    /// Hold sockets: memory, accept rate, heartbeats
    Idle,
    /// One big room
    Room,
    /// Many small rooms
    Rooms,
    /// All sockets drop, miss something, and come back at once
    Storm,
    /// Durable broadcasts a second, without sockets
    Publish,
    /// Readers of the activity feed
    Feed,
    /// Rooms, readers, and sockets that come and go
    Mixed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AdapterName {
    /// Roomcast
    Roomcast,
    /// A server that sends every subscriber the text that was published
    Plain,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct LoadArgs {
    /// What to measure
    #[arg(value_enum)]
    scenario: ScenarioName,

    /// Start a hub for this run, without limits, on a temporary folder, or on the empty PostgreSQL that the
    /// flag --database-url names
    #[arg(long, help_heading = "Target", conflicts_with_all = ["url", "email", "credentials", "self_serve"])]
    spawn: bool,

    /// The hub: `http://HOST:PORT`. With the plain adapter, where subscribers connect: `ws://HOST:PORT/{room}`
    #[arg(long, help_heading = "Target", required_unless_present = "spawn")]
    url: Option<String>,

    /// Register an account and found an ENTERPRISE organisation for each room; waits where it is told to
    #[arg(long, help_heading = "Target", conflicts_with_all = ["email", "credentials"])]
    self_serve: bool,

    /// Email of an admin; the password stands in the variable `ROOMCAST_LOAD_PASSWORD` or in --password-file
    #[arg(long, help_heading = "Target", conflicts_with = "credentials")]
    email: Option<String>,

    /// File whose first line is the password of --email
    #[arg(long, help_heading = "Target", requires = "email")]
    password_file: Option<PathBuf>,

    /// Organisation of --email, by id or slug; else the one used last
    #[arg(long, help_heading = "Target", requires = "email")]
    organisation: Option<String>,

    /// File with an admin for each room: `[{"email": "…", "password": "…", "organisation": "…"}]`, the last one
    /// optional
    #[arg(long, help_heading = "Target")]
    credentials: Option<PathBuf>,

    /// Process id of the hub, to measure its CPU and memory
    #[arg(long, help_heading = "Target", conflicts_with = "spawn")]
    pid: Option<u32>,

    /// How to speak to the server
    #[arg(long, value_enum, default_value = "roomcast", help_heading = "Other servers", conflicts_with_all = ["spawn"])]
    adapter: AdapterName,

    /// Where to publish, if not at --url. Of Roomcast, another node of the same cluster; of another server, where to
    /// POST (`http://…/{room}`) or to say --publish-message (`ws://…`); `{room}` is the room's number
    #[arg(long, help_heading = "Target", conflicts_with = "spawn")]
    publish_url: Option<String>,

    /// What publishes `{text}`, of `{bytes}` bytes, in `{room}` over a socket
    #[arg(long, help_heading = "Other servers", requires = "publish_url")]
    publish_message: Option<String>,

    /// What a subscriber of `{room}` says once it is connected
    #[arg(long, help_heading = "Other servers")]
    subscribe_message: Option<String>,

    /// Sockets, in all rooms together
    #[arg(long, help_heading = "Load")]
    sockets: Option<usize>,

    /// Rooms; each is an organisation
    #[arg(long, help_heading = "Load")]
    rooms: Option<usize>,

    /// Open loop: requests a second, in all rooms together, however long the answers take
    #[arg(long, help_heading = "Load", conflicts_with = "closed")]
    rate: Option<f64>,

    /// Closed loop: each caller sends its next request once the one before is answered
    #[arg(long, help_heading = "Load")]
    closed: bool,

    /// Connections that send requests
    #[arg(long, default_value_t = 64, help_heading = "Load")]
    callers: usize,

    /// For how long to measure; 10s unless given, 0s in a storm
    #[arg(long, value_parser = humantime::parse_duration, help_heading = "Load")]
    duration: Option<Duration>,

    /// Size of a message, in bytes
    #[arg(long, default_value_t = 200, help_heading = "Load")]
    payload: usize,

    /// Sockets opened a second; else as fast as it goes
    #[arg(long, help_heading = "Load")]
    ramp: Option<f64>,

    /// Handshakes under way at once
    #[arg(long, default_value_t = 256, help_heading = "Load")]
    handshakes: usize,

    /// Share of the requests that reads the feed, from 0 to 1: 0.2 in mixed
    #[arg(long, help_heading = "Load")]
    reads: Option<f64>,

    /// What pages of the feed are asked for, besides their place: `type=USER_JOINED&limit=20`
    #[arg(long, help_heading = "Load")]
    feed_query: Option<String>,

    /// Share of the sockets that drops and comes back, a second: 0.01 in mixed
    #[arg(long, help_heading = "Load")]
    churn: Option<f64>,

    /// Broadcasts in each room before it begins: 1000 in feed
    #[arg(long, help_heading = "Load")]
    history: Option<u32>,

    /// Broadcasts that each room misses, in a storm
    #[arg(long, default_value_t = 100, help_heading = "Load")]
    missed: u32,

    /// Addresses of the loopback that sockets connect from, as 127.0.0.1, 127.0.0.2 …; else as many as they need
    #[arg(long, help_heading = "Load")]
    source_addresses: Option<u8>,

    /// Keep the generator on the last CPU, and a hub that it starts on the others
    #[arg(long, help_heading = "Load")]
    pin: bool,

    /// What is random follows from this
    #[arg(long, default_value_t = 1, help_heading = "Load")]
    seed: u64,

    /// How long nothing may happen before what is missing counts as lost
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration, help_heading = "Load")]
    patience: Duration,

    /// What it has to reach, else it ends with 1: `p99<50ms,lost=0`. --expect help lists the figures
    #[arg(long, help_heading = "Report")]
    expect: Option<String>,

    /// Write the report as JSON into this file; `-` prints it instead of the text
    #[arg(long, help_heading = "Report")]
    json: Option<PathBuf>,

    /// Write the report as one page into this file
    #[arg(long, help_heading = "Report")]
    html: Option<PathBuf>,
}

/// Runs it, and writes the reports. `database_url` is what the command line says, and nothing else: a run must
/// not fill the database of the settings that happen to lie in the present folder.
pub(super) async fn run(arguments: LoadArgs, database_url: Option<String>) -> anyhow::Result<()> {
    if arguments.expect.as_deref() == Some("help") {
        for (figure, _, meaning) in &FIGURES {
            println!("{figure:<18} {meaning}");
        }
        return Ok(());
    }
    let job = arguments.job(database_url)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let mut running = tokio::task::spawn_blocking(move || load::run(&job, &stopping));
    // A hub that was started for the run has to end with it.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let report = tokio::select! {
        report = &mut running => Some(report),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let report = if let Some(report) = report {
        report
    } else {
        stop.store(true, Ordering::Relaxed);
        running.await
    };
    let report = report.context("the run broke down")??;
    arguments.write(&report)?;
    ensure!(report.problems.is_empty(), "{}", report.problems.join("; "));
    Ok(())
}

impl LoadArgs {
    fn write(&self, report: &Report) -> anyhow::Result<()> {
        let prints_json = self.json.as_deref() == Some(Path::new("-"));
        if prints_json {
            println!("{}", serde_json::to_string_pretty(report)?);
        } else {
            print!("{}", report::text(report));
        }
        let put = |path: &Path, text: String| {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        if let Some(path) = self.json.as_deref().filter(|_| !prints_json) {
            put(path, serde_json::to_string_pretty(report)?)?;
        }
        if let Some(path) = &self.html {
            put(path, report::page(report))?;
        }
        Ok(())
    }

    fn job(&self, database_url: Option<String>) -> anyhow::Result<Job> {
        let expectations = match &self.expect {
            Some(text) => text.parse().map_err(|error| anyhow::anyhow!("--expect: {error}"))?,
            None => Expectations::default(),
        };
        let target = self.target(database_url)?;
        let plan = self.plan(&target)?;
        let publish_url = self.publish_url.clone().filter(|_| self.adapter == AdapterName::Roomcast);
        Ok(Job { plan, target, publish_url, pid: self.pid, pins: self.pin, expectations })
    }

    fn target(&self, database_url: Option<String>) -> anyhow::Result<Target> {
        if self.spawn {
            return Ok(Target::Spawn(database_url));
        }
        ensure!(database_url.is_none(), "--database-url is for --spawn: a hub that runs has its own");
        let url = self.url.clone().context("there is no --url")?;
        if self.adapter == AdapterName::Plain {
            let publish = self.publish_url.clone().context("the plain adapter needs a --publish-url")?;
            let by_socket = publish.starts_with("ws");
            ensure!(
                by_socket == self.publish_message.is_some(),
                "--publish-message is what is said at a --publish-url of ws://…, and nothing else is said there"
            );
            return Ok(Target::Plain(PlainTarget {
                subscribe: url,
                greeting: self.subscribe_message.clone(),
                publish,
                message: self.publish_message.clone(),
            }));
        }
        ensure!(
            self.publish_message.is_none() && self.subscribe_message.is_none(),
            "--publish-message and --subscribe-message are for --adapter plain"
        );
        match (&self.email, &self.credentials) {
            (Some(email), _) => Ok(Target::Accounts(url, vec![self.account(email)?])),
            (None, Some(file)) => Ok(Target::Accounts(url, accounts(file)?)),
            (None, None) if self.self_serve => Ok(Target::SelfServe(url)),
            (None, None) => bail!("--url needs --email, --credentials or --self-serve, or --adapter plain"),
        }
    }

    fn account(&self, email: &str) -> anyhow::Result<Credentials> {
        let password = match &self.password_file {
            Some(path) => {
                let text =
                    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
                text.lines().next().unwrap_or_default().to_owned()
            }
            None => std::env::var_os(PASSWORD)
                .and_then(|password| password.into_string().ok())
                .with_context(|| format!("set {PASSWORD} or give --password-file"))?,
        };
        Ok(Credentials { email: email.to_owned(), password, organisation: self.organisation.clone() })
    }

    fn plan(&self, target: &Target) -> anyhow::Result<Plan> {
        let scenario = self.scenario.into();
        let usual = Usual::of(scenario);
        let has_sockets = usual.sockets > 0;
        ensure!(
            has_sockets || self.sockets.is_none(),
            "{} has no sockets: leave out --sockets",
            scenario.name()
        );
        let is_plain = matches!(target, Target::Plain(_));
        ensure!(
            !is_plain || matches!(scenario, Scenario::Idle | Scenario::Room | Scenario::Rooms),
            "a plain server keeps nothing: {} is for Roomcast",
            scenario.name()
        );
        let rooms = match target {
            Target::Accounts(_, accounts) => {
                ensure!(
                    self.rooms.is_none(),
                    "--rooms is for --spawn and --self-serve: each admin is a room"
                );
                accounts.len()
            }
            _ => self.rooms.unwrap_or(usual.rooms),
        };
        let sockets = if has_sockets { self.sockets.unwrap_or(usual.sockets) } else { 0 };
        self.check(rooms, sockets, has_sockets)?;
        ensure!(
            !is_plain || (rooms + sockets).saturating_mul(self.callers) <= MAX_NUMBERS,
            "every subscriber keeps a number for every caller of a plain server: --sockets times --callers is up to \
             {MAX_NUMBERS}"
        );
        let demand = self.demand(scenario, &usual)?;
        Ok(Plan {
            scenario,
            rooms,
            sockets,
            demand,
            callers: self.callers,
            reads: self.reads.unwrap_or(usual.reads),
            feed_query: self.feed_query.clone(),
            churn: if has_sockets { self.churn.unwrap_or(usual.churn) } else { 0.0 },
            history: self.history.unwrap_or(usual.history),
            missed: if scenario == Scenario::Storm { self.missed } else { 0 },
            payload_bytes: self.payload,
            ramp: self.ramp,
            handshakes: self.handshakes,
            duration: self.duration.unwrap_or(usual.duration),
            patience: self.patience,
            source_addresses: self.source_addresses,
            seed: self.seed,
        })
    }

    /// Refuses numbers that make no sense.
    fn check(&self, rooms: usize, sockets: usize, has_sockets: bool) -> anyhow::Result<()> {
        ensure!((1..=MAX_ROOMS).contains(&rooms), "--rooms is from 1 to {MAX_ROOMS}");
        ensure!(!has_sockets || sockets >= rooms, "--sockets {sockets} leave some of {rooms} rooms empty");
        ensure!((1..=10_000).contains(&self.callers), "--callers is from 1 to 10000");
        ensure!(
            PAYLOAD.contains(&self.payload),
            "--payload is from {} to {}",
            PAYLOAD.start(),
            PAYLOAD.end()
        );
        ensure!(self.handshakes > 0, "--handshakes is from 1");
        let is_query = |query: &str| query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        ensure!(
            self.feed_query.as_deref().is_none_or(is_query),
            "--feed-query is part of a URL: type=X, without spaces"
        );
        for (name, rate) in [("--rate", self.rate), ("--ramp", self.ramp)] {
            ensure!(
                rate.is_none_or(|rate| (0.001..=1e7).contains(&rate)),
                "{name} is from 0.001 to 10000000"
            );
        }
        for (name, share) in [("--reads", self.reads), ("--churn", self.churn)] {
            ensure!(share.is_none_or(|share| (0.0..=1.0).contains(&share)), "{name} is from 0 to 1");
        }
        Ok(())
    }

    fn demand(&self, scenario: Scenario, usual: &Usual) -> anyhow::Result<Demand> {
        let asked = match (self.rate, self.closed) {
            (Some(rate), _) => Some(Demand::Open(rate)),
            (None, true) => Some(Demand::Closed),
            (None, false) => None,
        };
        ensure!(
            asked.is_none() || scenario != Scenario::Idle,
            "idle sends no requests: --rate and --closed are for the other scenarios"
        );
        Ok(asked.unwrap_or(usual.demand))
    }
}

fn accounts(file: &Path) -> anyhow::Result<Vec<Credentials>> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    // What is wrong is told by its place: the text holds passwords.
    let accounts: Vec<Credentials> = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!(
            "{shown} is no list of email, password and organisation: line {line}, column {column}"
        )
    })?;
    ensure!(!accounts.is_empty(), "{shown} names nobody");
    Ok(accounts)
}

/// What a scenario does unless it is told otherwise.
struct Usual {
    sockets: usize,
    rooms: usize,
    demand: Demand,
    duration: Duration,
    reads: f64,
    churn: f64,
    history: u32,
}

impl Usual {
    fn of(scenario: Scenario) -> Self {
        let duration = Duration::from_secs(10);
        let usual = Self {
            sockets: 1000,
            rooms: 1,
            demand: Demand::None,
            duration,
            reads: 0.0,
            churn: 0.0,
            history: 0,
        };
        match scenario {
            Scenario::Idle => usual,
            Scenario::Room => Self { demand: Demand::Open(10.0), ..usual },
            Scenario::Rooms => Self { rooms: 100, demand: Demand::Open(100.0), ..usual },
            Scenario::Storm => Self { duration: Duration::ZERO, ..usual },
            Scenario::Publish => Self { sockets: 0, demand: Demand::Closed, ..usual },
            Scenario::Feed => Self { sockets: 0, demand: Demand::Closed, reads: 1.0, history: 1000, ..usual },
            Scenario::Mixed => {
                Self { rooms: 100, demand: Demand::Open(100.0), reads: 0.2, churn: 0.01, ..usual }
            }
        }
    }
}

impl From<ScenarioName> for Scenario {
    fn from(name: ScenarioName) -> Self {
        match name {
            ScenarioName::Idle => Self::Idle,
            ScenarioName::Room => Self::Room,
            ScenarioName::Rooms => Self::Rooms,
            ScenarioName::Storm => Self::Storm,
            ScenarioName::Publish => Self::Publish,
            ScenarioName::Feed => Self::Feed,
            ScenarioName::Mixed => Self::Mixed,
        }
    }
}
