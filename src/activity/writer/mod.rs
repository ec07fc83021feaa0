//! The group-commit writer: appends that come with no other change share their transactions, because a
//! commit costs far more than a row.
//!
//! One task takes what waits, appends it in one transaction, answers each caller, and takes again what
//! came meanwhile. Nothing waits for a batch to fill: a lone append is committed at once.
//!
//! An organisation that cannot go with the others, because somebody holds its head, its rows are bad or
//! nobody knows whether its commit happened, is settled by a task of its own. The others go on, and
//! nothing more of it is taken until that is done, so its order holds.

mod alone;
mod commit;
mod queue;

use std::sync::Arc;

use anyhow::anyhow;
use metrics::counter;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::commit::Placed;
use self::queue::{BatchLimits, Queues, Taken, Waiting};
use super::{Activity, Origin};
use crate::db::{Db, Engine};
use crate::error::Result;
use crate::idempotency::{Answer, Claim};
use crate::telemetry::metric::APPEND_REJECTED;
use crate::types::{Isolation, LogEntry, OrgId};

/// Organisations that are settled by themselves at the same time. Each holds a connection of the pool
/// while it waits, and requests need the others.
const ALONE_AT_ONCE: usize = 4;

/// Organisations with a schema of their own that are written for at the same time, and of these that are settled by
/// themselves. Each holds a connection of the pool that requests need.
const SCHEMA_LANES: usize = 4;

/// The same of organisations with a database of their own, which has connections of its own. One that hangs holds its
/// place until that is found out, which takes seconds; after that it is refused at once.
const DATABASE_LANES: usize = 32;

/// On SQLite everybody takes turns with one connection, so a turn has to be short: the weight
/// stands for about 5 ms of work.
const SQLITE_LIMITS: BatchLimits = BatchLimits { rows: 256, weight: 512 };

/// On PostgreSQL a batch holds up nobody but its own organisations.
const POSTGRES_LIMITS: BatchLimits = BatchLimits { rows: 512, weight: 2048 };

/// What an append under an idempotency key comes to.
#[derive(Debug, Clone)]
pub enum Appended {
    /// It is in the log.
    Entry(Arc<LogEntry>),
    /// It was there before, and this was answered.
    Again(Answer),
}

/// Appends to logs, many callers in one transaction. Clones share the queues and the task.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// What callers, the writer's task and the tasks of single organisations share.
struct Shared {
    db: Db,
    queues: Mutex<Queues>,
    /// Wakes the writer's task: there may be something to take.
    work: Notify,
    alone: Semaphore,
    /// Organisations with a schema of their own that are written for at the same time.
    schema_lanes: Arc<Semaphore>,
    /// The same, of those with a database of their own.
    database_lanes: Arc<Semaphore>,
    /// The same as `alone`, of those with a schema of their own: one that is held keeps nobody of the others.
    schema_alone: Semaphore,
    /// The same, of those with a database of their own.
    database_alone: Semaphore,
    limits: BatchLimits,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Writer {
    /// Starts the writer's task, which runs on `tasks` as do those that it starts. It holds `capacity` ordinary
    /// appends, large ones count more; one organisation may hold an eighth of that. When `stop` is cancelled
    /// it lets nothing more in, appends what is queued, and ends.
    pub fn start(db: Db, capacity: usize, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let limits = match db.engine() {
            Engine::Postgres => POSTGRES_LIMITS,
            Engine::Sqlite => SQLITE_LIMITS,
        };
        let shared = Arc::new(Shared {
            db,
            queues: Mutex::new(Queues::new(capacity)),
            work: Notify::new(),
            alone: Semaphore::new(ALONE_AT_ONCE),
            schema_lanes: Arc::new(Semaphore::new(SCHEMA_LANES)),
            database_lanes: Arc::new(Semaphore::new(DATABASE_LANES)),
            schema_alone: Semaphore::new(SCHEMA_LANES),
            database_alone: Semaphore::new(DATABASE_LANES),
            limits,
            tasks: tasks.clone(),
            stop,
        });
        tasks.spawn(run(Arc::clone(&shared)));
        Self { shared }
    }

    /// How many ordinary appends one organisation may hold.
    pub fn share(&self) -> usize {
        self.shared.queues.lock().share()
    }

    /// Appends an activity that comes with no other change. Returns once it is committed.
    ///
    /// Fails with `overloaded` where too much waits, in all or of this organisation, `draining` once the
    /// writer stops, `store_unavailable`, `outcome_unknown` where the connection was lost while it was
    /// committed and nothing could be found out, or `not_found` where the organisation has no log.
    ///
    /// Queues the activity when it is first polled, once this node knows where the organisation is: whoever has let its
    /// caller in has asked. Dropped after that, the activity is still appended.
    pub async fn append(&self, origin: Origin, activity: Activity) -> Result<Arc<LogEntry>> {
        match self.append_once(origin, activity, None).await? {
            Appended::Entry(entry) => Ok(entry),
            Appended::Again(_) => {
                Err(anyhow!("an append without a key was taken for one done before").into())
            }
        }
    }

    /// Appends an activity unless that was done under the same idempotency key before, and keeps the entry as
    /// the answer of that key. Without a claim it is [`Writer::append`].
    ///
    /// Fails like that, or with `idempotency_key_reused`. The claim is of the origin's organisation.
    pub async fn append_once(
        &self,
        origin: Origin,
        activity: Activity,
        claim: Option<Claim>,
    ) -> Result<Appended> {
        let (answer, answered) = oneshot::channel();
        // Remembered, but for the first time that an organisation is heard of.
        let isolation = self.shared.db.isolation(origin.org).await?;
        if isolation.is_apart() {
            // Before a lane waits for it.
            self.shared.db.prepare(origin.org).await?;
        }
        let waiting = Waiting::new(origin, activity, claim, isolation, answer);
        let pushed = self.shared.queues.lock().push(waiting);
        if let Err(rejection) = pushed {
            counter!(APPEND_REJECTED, "reason" => rejection.reason()).increment(1);
            return Err(rejection.into());
        }
        if isolation.is_apart() {
            // The writer's task may be busy with those that share a store.
            start_lanes(&self.shared, isolation);
        } else {
            self.shared.work.notify_one();
        }
        answered
            .await
            .unwrap_or_else(|_| Err(anyhow!("the writer of the log ended without an answer").into()))
    }
}

/// What was taken of one organisation. Its next turn comes when this is answered or dropped.
struct Part {
    org: OrgId,
    items: Vec<Waiting>,
    weight: usize,
    isolation: Isolation,
    shared: Arc<Shared>,
}

impl Part {
    /// Answers the callers, in order.
    fn answer(mut self, answers: impl IntoIterator<Item = Result<Appended>>) {
        let items = std::mem::take(&mut self.items);
        // First the places, then the answers: who is answered may come again at once.
        drop(self);
        for (item, answer) in items.into_iter().zip(answers) {
            item.answer(answer);
        }
    }

    fn succeed(self, placed: Placed) {
        self.answer(placed.answers);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.shared.queues.lock().release(self.org, self.weight);
        self.shared.work.notify_one();
    }
}

impl Shared {
    /// What is taken of one that is so far apart, and the right to write it.
    fn take_own(self: &Arc<Self>, isolation: Isolation) -> Option<(Part, OwnedSemaphorePermit)> {
        let lanes = match isolation {
            Isolation::Shared => return None,
            Isolation::Schema => &self.schema_lanes,
            Isolation::Database => &self.database_lanes,
        };
        // First the right: what is taken waits for nothing.
        let permit = Arc::clone(lanes).try_acquire_owned().ok()?;
        let taken = self.queues.lock().take_own(isolation, self.limits)?;
        Some((self.part(taken, isolation), permit))
    }

    fn take(self: &Arc<Self>, limits: BatchLimits) -> Vec<Part> {
        let taken = self.queues.lock().take(limits);
        taken.into_iter().map(|taken| self.part(taken, Isolation::Shared)).collect()
    }

    fn part(self: &Arc<Self>, taken: Taken, isolation: Isolation) -> Part {
        let Taken { org, items, weight } = taken;
        Part { org, items, weight, isolation, shared: Arc::clone(self) }
    }
}

/// Whoever is let in is answered: this sees to it when the writer's task ends by a panic, or with its
/// runtime. After a stop nothing waits.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let abandoned = self.0.queues.lock().abandon();
        drop(abandoned);
    }
}

/// Commits where the database is asked without a change of threads, which on SQLite is a thread of the writer's own: to
/// have another take each batch there and back took as long as a statement.
async fn run(shared: Arc<Shared>) {
    let db = shared.db.clone();
    // That thread is not to outlive this task, which ends with its runtime at the latest.
    let gone = CancellationToken::new();
    let _gone = gone.clone().drop_guard();
    db.in_one_hop(serve(shared, gone)).await;
}

async fn serve(shared: Arc<Shared>, gone: CancellationToken) {
    let stop = &shared.stop;
    let _closing = Closing(&shared);
    while !gone.is_cancelled() {
        // Looked at each time, because under load the queues are never empty.
        if stop.is_cancelled() {
            shared.queues.lock().close();
        }
        for isolation in [Isolation::Schema, Isolation::Database] {
            start_lanes(&shared, isolation);
        }
        let parts = shared.take(shared.limits);
        if !parts.is_empty() {
            commit::commit_batch(&shared, parts).await;
        } else if shared.queues.lock().is_drained() {
            return;
        } else {
            tokio::select! {
                () = shared.work.notified() => {}
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = gone.cancelled() => {}
            }
        }
    }
}

/// Has those written for who are so far apart, each on a task: what is slow there is slow for itself.
fn start_lanes(shared: &Arc<Shared>, isolation: Isolation) {
    while let Some((part, permit)) = shared.take_own(isolation) {
        let lane = Arc::clone(shared);
        shared.tasks.spawn(async move {
            let db = lane.db.clone();
            db.in_one_hop(run_lane(lane, part, permit)).await;
        });
    }
}

/// Commits this part, and then those of whichever organisation of its kind is next.
async fn run_lane(shared: Arc<Shared>, mut part: Part, mut permit: OwnedSemaphorePermit) {
    let isolation = part.isolation;
    loop {
        commit::commit_batch(&shared, vec![part]).await;
        drop(permit);
        // Somebody may have found no place free.
        shared.work.notify_one();
        if shared.stop.is_cancelled() {
            return;
        }
        let Some(next) = shared.take_own(isolation) else { return };
        (part, permit) = next;
    }
}
