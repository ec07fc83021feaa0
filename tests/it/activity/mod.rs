//! The log and its writer.

mod feed;
mod keys;
mod order;
mod outcome;
mod proxy;
mod writer;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use diesel::ExpressionMethods as _;
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use futures_util::future::{BoxFuture, FutureExt as _};
use parking_lot::Mutex;
use roomcast::activity::{self, Activity, Origin, Writer};
use roomcast::db::schema::settings;
use roomcast::db::{CommitSink, Db, Engine, Tx};
use roomcast::error::Result;
use roomcast::types::{Audience, Clock, Isolation, LogEntry, Message, OrgId, Seq};
use roomcast::{transaction, with_conn};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::environment::postgres;

/// No test waits longer than this for what has to happen; the longest that the code itself waits is 10 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what has to happen.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.expect("this should have happened long ago")
}

/// Waits until a condition holds, looking again and again.
async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    soon(async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A writer, the tasks it runs on and what stops it.
struct Running {
    db: Db,
    writer: Writer,
    tasks: TaskTracker,
    stop: CancellationToken,
    sink: Arc<Recorder>,
}

impl Running {
    fn start(db: Db) -> Self {
        let sink = Arc::new(Recorder::default());
        let registered: Arc<dyn CommitSink> = Arc::<Recorder>::clone(&sink);
        db.on_commit(Arc::downgrade(&registered));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let writer = Writer::start(db.clone(), 8192, &tasks, stop.clone());
        Self { db, writer, tasks, stop, sink }
    }

    /// Begins an append, which is queued when this returns.
    fn begin(&self, org: OrgId, text: &str) -> Pending {
        self.db.place(org, Isolation::Shared);
        let writer = self.writer.clone();
        let activity = broadcast(text, Audience::Everyone);
        Pending::begin(async move { writer.append(origin(org), activity).await })
    }

    /// Stops the writer and waits until it and all its tasks have ended.
    async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        soon(self.tasks.wait()).await;
    }

    async fn log(&self, org: OrgId) -> Vec<LogEntry> {
        read_log(&self.db, org).await
    }

    /// How many entries each commit handed over.
    fn batch_sizes(&self) -> Vec<usize> {
        self.sink.commits.lock().iter().map(Vec::len).collect()
    }
}

/// An append that was begun.
struct Pending<T = Arc<LogEntry>> {
    future: BoxFuture<'static, Result<T>>,
    answer: Option<Result<T>>,
}

impl<T> Pending<T> {
    fn begin(append: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        let mut pending = Self { future: append.boxed(), answer: None };
        // It may be answered even now, where the test's thread was held up.
        pending.is_answered();
        pending
    }

    fn is_answered(&mut self) -> bool {
        if self.answer.is_none() {
            self.answer = self.future.as_mut().now_or_never();
        }
        self.answer.is_some()
    }

    async fn answer(self) -> Result<T> {
        match self.answer {
            Some(answer) => answer,
            None => soon(self.future).await,
        }
    }
}

/// Remembers what it is handed, a list for each commit.
#[derive(Default)]
struct Recorder {
    commits: Mutex<Vec<Vec<Arc<LogEntry>>>>,
}

impl Recorder {
    /// What was handed over of one log, in the order of that.
    fn of(&self, org: OrgId) -> Vec<Arc<LogEntry>> {
        let commits = self.commits.lock();
        commits.iter().flatten().filter(|entry| entry.org == org).cloned().collect()
    }
}

impl CommitSink for Recorder {
    fn committed(&self, entries: Vec<Arc<LogEntry>>) {
        self.commits.lock().push(entries);
    }
}

/// An organisation with an empty log.
async fn new_org(db: &Db) -> OrgId {
    let org = OrgId::new();
    make_org(db, org).await.unwrap();
    org
}

async fn make_org(db: &Db, org: OrgId) -> Result<()> {
    let now = Clock::default().now();
    // There is no directory to ask.
    db.place(org, Isolation::Shared);
    let values = (
        settings::org_id.eq(org),
        settings::name.eq("Acme"),
        settings::slug.eq("acme"),
        settings::plan.eq("FREE"),
        settings::status.eq("ACTIVE"),
        settings::created_at.eq(now),
        settings::updated_at.eq(now),
    );
    transaction!(db.org(org), |tx| {
        let conn = &mut **tx;
        with_conn!(conn, |c| diesel::insert_into(settings::table).values(values).execute(c).await)?;
        activity::create_log(tx, org, now).await
    })
}

fn origin(org: OrgId) -> Origin {
    Origin { org, actor: None, ip: None, user_agent: None, at: Clock::default().now() }
}

fn broadcast(text: &str, audience: Audience) -> Activity {
    Activity::BroadcastMessage { message: Message::try_from(text.to_owned()).unwrap(), data: None, audience }
}

/// The whole log, from one snapshot.
async fn read_log(db: &Db, org: OrgId) -> Vec<LogEntry> {
    let last = Seq::new(i64::MAX).unwrap();
    activity::read_range(db, org, Seq::ZERO, last).await.unwrap().0
}

fn texts(log: &[LogEntry]) -> Vec<String> {
    log.iter().map(text).collect()
}

/// The text of a broadcast.
fn text(entry: &LogEntry) -> String {
    let activity: serde_json::Value = serde_json::from_slice(&entry.json).unwrap();
    activity["payload"]["message"].as_str().unwrap().to_owned()
}

pub(crate) async fn execute(tx: &mut Tx, sql: &str) {
    let conn = &mut **tx;
    with_conn!(conn, |c| c.batch_execute(sql).await).unwrap();
}

/// Runs SQL that only one of the two databases understands, each its own: on PostgreSQL as whoever the URL names,
/// whom no policy holds.
pub(crate) async fn execute_on_either(db: &Db, url: &str, sqlite: &str, on_postgres: &str) {
    match db.engine() {
        Engine::Sqlite => {
            let mut tx = db.org(OrgId::new()).begin_write().await.unwrap();
            execute(&mut tx, sqlite).await;
            finish(tx).await;
        }
        Engine::Postgres => {
            let sql = format!("SET search_path TO shared, central; {on_postgres}");
            postgres(url).await.batch_execute(&sql).await.unwrap();
        }
    }
}

/// Keeps every log from being written to until it is finished.
async fn hold_all_logs(db: &Db) -> Tx {
    hold_all_logs_as(db, OrgId::new()).await
}

/// The same, by one who may also change what is this organisation's.
async fn hold_all_logs_as(db: &Db, org: OrgId) -> Tx {
    let mut tx = db.org(org).begin_write().await.unwrap();
    if db.engine() == Engine::Postgres {
        execute(&mut tx, "LOCK TABLE activity_heads IN ACCESS EXCLUSIVE MODE").await;
    }
    tx
}

pub(crate) async fn finish(tx: Tx) {
    let outcome: Result<()> = tx.finish(Ok(())).await;
    outcome.unwrap();
}
