//! The runner of a node: it gives each organisation its turn, and has done what was claimed.

mod ring;
mod turn;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use metrics::gauge;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use self::ring::{Lane, Ring};
use super::model::Hint;
use super::{Kind, queries};
use crate::app::App;
use crate::config::JobsConfig;
use crate::error::{LogFailure as _, Result};
use crate::read;
use crate::telemetry::metric;
use crate::types::{OrgId, Timestamp};

/// How long a claim lasts. What is begun within it has to be done within it.
pub(crate) const LEASE: Duration = Duration::from_mins(1);

/// How long work may take from its claim on: ten seconds less, for what clocks of nodes differ by, and what a commit
/// takes.
const WORK: Duration = Duration::from_secs(50);

/// How long an announcement counts: longer than any request may take between it and its commit.
pub(crate) const ANNOUNCED: Duration = Duration::from_mins(1);

/// How often the directory is asked how many jobs are dead.
const TELL_DEAD: Duration = Duration::from_secs(30);

/// Organisations read from the directory in one go.
const PAGE: i64 = 1000;

/// Turns that a node takes at a time, of those whose last went well and of those whose last failed: each has a
/// connection of the database, of which requests want some.
const TURNS: [usize; Lane::ALL.len()] = [2, 1];

/// Has jobs done. Clones share it.
#[derive(Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

struct Inner {
    kinds: Vec<Arc<dyn Kind>>,
    ring: Mutex<Ring>,
    /// For each lane.
    turns: [Semaphore; Lane::ALL.len()],
    changed: Notify,
    poll: Duration,
    is_on: bool,
    /// Tells the other nodes that an organisation has jobs.
    herald: OnceLock<Box<dyn Fn(OrgId) + Send + Sync>>,
}

impl Runner {
    /// A runner of these kinds, which does nothing before `start`.
    pub fn new(config: &JobsConfig, kinds: Vec<Arc<dyn Kind>>) -> Self {
        let limits = kinds.iter().map(|kind| kind.limits()).collect();
        let ring = Mutex::new(Ring::new(limits));
        let (turns, changed) = (TURNS.map(Semaphore::new), Notify::new());
        let (poll, is_on, herald) = (config.poll, config.concurrency > 0, OnceLock::new());
        Self { inner: Arc::new(Inner { kinds, ring, turns, changed, poll, is_on, herald }) }
    }

    /// Has an organisation's jobs looked at now: to be called after the commit of what wrote some.
    pub fn wake(&self, org: OrgId) {
        if self.inner.is_on {
            self.inner.ring.lock().wake(org, None);
            self.inner.changed.notify_one();
        } else {
            self.tell(org);
        }
    }

    /// Has the other nodes told, by `herald`, of organisations that have more jobs than this node takes. The first
    /// stands.
    pub fn tell_others(&self, herald: impl Fn(OrgId) + Send + Sync + 'static) {
        self.inner.herald.get_or_init(|| Box::new(herald));
    }

    /// What wakes this node where another one says that an organisation has jobs. It does not keep the runner
    /// alive.
    pub fn waker(&self) -> impl Fn(OrgId) + Send + Sync + use<> {
        let inner = Arc::downgrade(&self.inner);
        move |org| {
            if let Some(inner) = inner.upgrade().filter(|inner| inner.is_on) {
                inner.ring.lock().wake(org, None);
                inner.changed.notify_one();
            }
        }
    }

    fn tell(&self, org: OrgId) {
        if let Some(herald) = self.inner.herald.get() {
            herald(org);
        }
    }
}

/// Starts the runner of an app. It ends when the app stops; what it has begun by then is finished.
pub(crate) fn start(app: &App) {
    if app.jobs.inner.is_on {
        app.tasks.spawn(kept_up(app.clone(), dispatch));
        app.tasks.spawn(kept_up(app.clone(), poll));
    }
}

/// Begins a part of the runner again that panicked: nothing else would give turns, and jobs would wait unseen.
async fn kept_up<F: Future<Output = ()>>(app: App, part: impl Fn(App) -> F) {
    while AssertUnwindSafe(part(app.clone())).catch_unwind().await.is_err() {
        tracing::error!("a part of what runs jobs panicked, and is begun again");
        if app.stop.run_until_cancelled(tokio::time::sleep(AFTER_PANIC)).await.is_none() {
            return;
        }
    }
}

/// How long after a panic a part of the runner is begun again: it would fill the log otherwise.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Gives turns as long as there is room, and waits for a change otherwise.
async fn dispatch(app: App) {
    let inner = Arc::clone(&app.jobs.inner);
    loop {
        let next_due = {
            let mut ring = inner.ring.lock();
            let now = app.clock.now();
            ring.wake_due(now);
            for lane in Lane::ALL {
                let turns = &inner.turns[lane.place()];
                while turns.available_permits() > 0
                    && let Some(turn) = ring.next_turn(lane, now)
                {
                    // There is one: nobody else takes any.
                    let permit = turns.try_acquire().map(tokio::sync::SemaphorePermit::forget);
                    debug_assert!(permit.is_ok());
                    app.tasks.spawn(turn::take(app.clone(), turn));
                }
            }
            tell(&inner, &ring);
            ring.next_due()
        };
        let wait = next_due.map_or(inner.poll, |due| due.since(app.clock.now()).min(inner.poll));
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = inner.changed.notified() => {}
            () = tokio::time::sleep(wait.max(Duration::from_millis(1))) => {}
        }
    }
}

fn tell(inner: &Inner, ring: &Ring) {
    for (kind, count) in inner.kinds.iter().zip(ring.counts()) {
        gauge!(metric::JOBS_RUNNING, "kind" => kind.name())
            .set(f64::from(u32::try_from(*count).unwrap_or(u32::MAX)));
    }
}

/// Wakes whom the directory says to have jobs, again and again: what this node was not told of, and what others
/// have left.
async fn poll(app: App) {
    let inner = Arc::clone(&app.jobs.inner);
    let mut told_at: Option<Instant> = None;
    loop {
        wake_announced(&app).await.log_failure("look for organisations with jobs");
        if told_at.is_none_or(|told_at| told_at.elapsed() >= TELL_DEAD) {
            tell_dead(&app).await.log_failure("count dead jobs");
            told_at = Some(Instant::now());
        }
        let pause = tokio::time::sleep(inner.poll);
        if app.stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

async fn tell_dead(app: &App) -> Result<()> {
    let dead = read!(app.db.central(), |conn| Ok(queries::sum_dead(conn).await?))?;
    gauge!(metric::JOBS_DEAD).set(f64::from(u32::try_from(dead).unwrap_or(u32::MAX)));
    Ok(())
}

async fn wake_announced(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut after: Option<(Timestamp, OrgId)> = None;
    loop {
        let hints: Vec<Hint> =
            read!(app.db.central(), |conn| Ok(queries::list_hints(conn, now, after, PAGE).await?))?;
        {
            let mut ring = app.jobs.inner.ring.lock();
            for hint in &hints {
                ring.wake(hint.org, Some(hint.announced_at));
            }
        }
        app.jobs.inner.changed.notify_one();
        after = hints.last().map(|hint| (hint.due_at, hint.org));
        if i64::try_from(hints.len()).unwrap_or(i64::MAX) < PAGE || app.stop.is_cancelled() {
            return Ok(());
        }
    }
}
