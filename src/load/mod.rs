//! `roomcast load`: drives a server as many clients would, checks everything that it sends, and says what
//! that cost.
//!
//! One thread runs one event loop over all sockets (`engine`); nothing is allocated for a message that
//! arrives. What a subscriber was owed is judged by the one verifier that there is, of the client crate. It
//! speaks to a hub over its public interface alone, as anybody could, and uses no other part of this program.

mod adapter;
mod address;
mod engine;
pub mod expect;
mod feed;
mod folder;
mod mark;
pub mod plan;
mod process;
mod proof;
pub mod report;
mod setup;
mod spawn;
mod watch;
mod wire;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use self::adapter::{Adapter, Plain, Room, Template};
use self::address::{Endpoint, Sources};
use self::engine::{Engine, Live, Site};
use self::expect::Expectations;
pub use self::mark::MARK_BYTES;
use self::plan::{Plan, Scenario};
use self::process::{Pins, Process};
use self::report::{Build, Report, Server};
pub use self::setup::Credentials;
use self::setup::{Api, Ready};
use self::spawn::Hub;
use self::watch::Progress;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::wire::fuzz;

/// Which server a run drives.
pub enum Target {
    /// A hub that is started for it, on SQLite or on this PostgreSQL.
    Spawn(Option<String>),
    /// A hub that runs, with accounts that exist.
    Accounts(String, Vec<Credentials>),
    /// A hub that runs, on which the run makes its own organisations.
    SelfServe(String),
    /// Another server.
    Plain(PlainTarget),
}

/// A server that fans out what it is told. `{room}` and `{text}` are filled in.
pub struct PlainTarget {
    /// Where subscribers connect: `ws://…`.
    pub subscribe: String,
    /// What they say then, if anything.
    pub greeting: Option<String>,
    /// Where publishers POST (`http://…`) or connect (`ws://…`).
    pub publish: String,
    /// What publishers say over a socket.
    pub message: Option<String>,
}

/// A whole run.
pub struct Job {
    /// What it does.
    pub plan: Plan,
    /// To whom.
    pub target: Target,
    /// Where broadcasts go, if that is another node than the one with the sockets.
    pub publish_url: Option<String>,
    /// The process of a server that the run did not start, to be measured.
    pub pid: Option<u32>,
    /// Whether the generator has a CPU of its own.
    pub pins: bool,
    /// What it has to reach.
    pub expectations: Expectations,
}

/// Files that a run needs besides sockets and callers.
const RESERVED_FILES: u64 = 64;

/// Runs it; `stop` ends it early, with an error. The report is there even if the run failed: then it says why.
pub fn run(job: &Job, stop: &AtomicBool) -> anyhow::Result<Report> {
    let Job { plan, target, publish_url, pid, pins, expectations } = job;
    check_files(plan)?;
    let pins = if *pins { Some(Pins::find()?) } else { None };
    let progress = Progress::new(plan.scenario.name());
    let hub = match target {
        Target::Spawn(database_url) => {
            progress.say("starting a hub");
            // It has the CPUs of who starts it.
            pins.as_ref().map_or(Ok(()), Pins::of_server)?;
            Some(Hub::start(database_url.as_deref())?)
        }
        Target::Accounts(..) | Target::SelfServe(_) | Target::Plain(_) => None,
    };
    pins.as_ref().map_or(Ok(()), Pins::of_generator)?;
    let process = hub.as_ref().map(Hub::process).or(pid.map(Process));
    let (mut site, server) = prepare(plan, target, hub.as_ref(), process, &progress)?;
    if let Some(url) = publish_url {
        site.publish = Endpoint::parse(url)?;
    }
    let (live, samples, is_over) = (Live::default(), Mutex::new(Vec::new()), AtomicBool::new(false));
    let finished = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch::watch(plan, &live, process, &progress, &samples, &is_over));
        let finished = Engine::new(plan, &site, &live, stop).and_then(Engine::run);
        is_over.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        finished
    });
    drop(progress);
    let log = hub.as_ref().map(Hub::log).unwrap_or_default();
    let finished = finished.with_context(|| {
        if log.is_empty() {
            "the run was given up".to_owned()
        } else {
            format!("the run was given up; the hub says:\n{log}")
        }
    })?;
    let timeline = samples.into_inner().unwrap_or_default();
    let server = Server { limits: limits(&server, finished.tally.request_limit), ..server };
    Ok(report::report(plan, server, site.sources.count(), &finished, timeline, expectations))
}

/// Raises the bound on open files as far as it goes, and refuses what does not fit.
fn check_files(plan: &Plan) -> anyhow::Result<()> {
    let sockets = u64::try_from(plan.sockets + plan.callers)?;
    let files = rlimit::increase_nofile_limit(u64::MAX).context("cannot tell how many files may be open")?;
    let needed = sockets + RESERVED_FILES;
    ensure!(
        needed <= files,
        "{} sockets and {} callers need {needed} open files, and a process may have {files} here: raise the bound \
         (ulimit -Hn, LimitNOFILE) or ask for fewer sockets",
        plan.sockets,
        plan.callers,
    );
    Ok(())
}

/// Finds out whom to speak to and as whom.
fn prepare(
    plan: &Plan,
    target: &Target,
    hub: Option<&Hub>,
    process: Option<Process>,
    progress: &Progress,
) -> anyhow::Result<(Site, Server)> {
    let on_wait = |wait| progress.wait(wait);
    let url = match target {
        Target::Spawn(_) => hub.map(|hub| hub.url.as_str()).context("there is no hub")?,
        Target::Accounts(url, _) | Target::SelfServe(url) => url.as_str(),
        Target::Plain(other) => return prepare_plain(plan, other, process),
    };
    let endpoint = Endpoint::parse(url)?;
    let sources = Sources::find(endpoint.address, plan.sockets, plan.source_addresses)?;
    let server = ask_server(&endpoint, url, hub.is_some(), &on_wait)?;
    progress.say("signing in");
    let ready = match target {
        Target::Accounts(_, accounts) => {
            let only_admins = plan.scenario != Scenario::Feed || plan.history > 0 || plan.reads < 1.0;
            setup::sign_in(&endpoint, accounts, only_admins, &on_wait)?
        }
        Target::Spawn(_) | Target::SelfServe(_) | Target::Plain(_) => {
            progress.say(format!("founding {} organisations", plan.rooms));
            setup::found(&endpoint, plan.rooms, &on_wait)?
        }
    };
    check_lifetime(plan, &ready)?;
    let site = Site {
        adapter: Adapter::Roomcast,
        subscribe: endpoint.clone(),
        publish: endpoint,
        rooms: ready.rooms,
        sources,
        process,
    };
    Ok((site, server))
}

fn prepare_plain(
    plan: &Plan,
    other: &PlainTarget,
    process: Option<Process>,
) -> anyhow::Result<(Site, Server)> {
    let (subscribe, publish) = (Endpoint::parse(&other.subscribe)?, Endpoint::parse(&other.publish)?);
    let sources = Sources::find(subscribe.address, plan.sockets, plan.source_addresses)?;
    let template = |text: &str| Template(text.to_owned());
    let path = |target: &str| if target.is_empty() { template("/") } else { template(target) };
    let adapter = Adapter::Plain(Plain {
        subscribe: path(&subscribe.target),
        greeting: other.greeting.as_deref().map(template),
        publish: path(&publish.target),
        message: other.message.as_deref().map(template),
    });
    let rooms = (0..plan.rooms).map(|room| Room { name: room.to_string(), ..Room::default() }).collect();
    let server = Server { url: other.subscribe.clone(), kind: "plain", ..Server::default() };
    Ok((Site { adapter, subscribe, publish, rooms, sources, process }, server))
}

/// What a hub tells of itself.
fn ask_server(
    endpoint: &Endpoint,
    url: &str,
    is_spawned: bool,
    on_wait: &(dyn Fn(Duration) + Sync),
) -> anyhow::Result<Server> {
    let ready = Api::new(endpoint, on_wait).ask("GET", "/readyz", "", &Value::Null)?;
    let text = |pointer: &str| ready.body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    match text("/status").as_deref() {
        Some("ready") => {}
        Some(status) => bail!("the hub at {url} is not ready: {status}"),
        None => bail!("what answers at {url} is no Roomcast: /readyz says {}", ready.status),
    }
    Ok(Server {
        url: url.to_owned(),
        kind: "roomcast",
        is_spawned,
        build: Build { version: text("/version"), commit: text("/commit") },
        database: text("/database/engine"),
        durability: text("/database/durability"),
        limits: String::new(),
    })
}

/// What bounds clients there, as far as it can be known from outside.
fn limits(server: &Server, request_limit: Option<u32>) -> String {
    match (server.kind, server.is_spawned, request_limit) {
        ("roomcast", true, _) => "all off".to_owned(),
        ("roomcast", false, Some(limit)) => {
            format!("{limit} requests a minute of one caller, as the hub tells")
        }
        ("roomcast", false, None) => "the hub tells of none on requests".to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// Refuses a run that its tokens would not see the end of.
fn check_lifetime(plan: &Plan, ready: &Ready) -> anyhow::Result<()> {
    let ramp = plan
        .ramp
        .map_or(0.0, |per_second| f64::from(u32::try_from(plan.sockets).unwrap_or(u32::MAX)) / per_second);
    let needed = plan.duration + Duration::try_from_secs_f64(ramp)? + plan.patience;
    ensure!(
        needed < ready.expires_in,
        "the run takes up to {} s, and the hub's access tokens end after {} s (JWT_ACCESS_EXPIRES_IN): sockets would be \
         closed in the midst of it",
        needed.as_secs(),
        ready.expires_in.as_secs(),
    );
    Ok(())
}
