//! Deleting what is over: old activities, sessions, invites, idempotency keys, and of the platform what is like them.
//!
//! In chunks, each in a short transaction of its own with a pause behind it, so that nobody who writes waits
//! for long; in turns, so that no organisation's many keep others' few waiting. Every node does this. On
//! PostgreSQL a node that meets another in a chunk leaves the rest of its round to that.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use metrics::counter;

use super::ORGS;
use crate::activity::retention;
use crate::app::App;
use crate::db::{Claim, DbError, Tx, try_claim};
use crate::error::{Error, LogFailure as _, Result};
use crate::telemetry::metric;
use crate::types::{InviteId, OrgId, OrgIds, SessionId, Timestamp};
use crate::{auth, idempotency, invites, organisations, platform, transaction};

/// How long after the start it first looks: a start is busy.
const FIRST_AFTER: Duration = Duration::from_mins(1);

/// How often it looks. What it deletes is counted in days.
const EVERY: Duration = Duration::from_hours(1);

/// After each chunk it rests this many times as long as that took: a fifth of the writer's time on SQLite,
/// and of a connection on PostgreSQL, is what it takes at most.
const REST: u32 = 4;

/// Rests at least so long, for those who wait to have their turn.
const MIN_REST: Duration = Duration::from_millis(5);

/// How long a session is kept after it ended or expired, beyond the life of its last access token: nothing
/// counts on it then but people who look at the table.
const KEEP_SESSIONS: Duration = Duration::from_hours(24);

/// How long an invite is kept after the moment at which it expires. Until then its token is told whether it
/// was used (409) or has expired (410), later that it names nothing (404).
const KEEP_INVITES: Duration = Duration::from_hours(90 * 24);

/// Deletes what is over, again and again, until the app stops.
pub fn start(app: &App) {
    let upkeep = app.clone();
    app.tasks.spawn(async move {
        let mut pause = FIRST_AFTER;
        loop {
            tokio::select! {
                () = upkeep.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = EVERY;
            run(&upkeep).await.log_failure("look for what is over");
        }
    });
}

/// Rows deleted in one transaction: some milliseconds' work, as for [`retention::CHUNK`].
const CHUNK: i64 = 500;

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Activities,
    Sessions,
    Invites,
    IdempotencyKeys,
}

/// Something to delete, a chunk a turn.
struct Job {
    kind: Kind,
    orgs: Vec<OrgId>,
    before: Timestamp,
}

/// What a turn found to be over.
enum Found {
    Nothing,
    /// The log's own to say, under its head.
    Activities(OrgId),
    Sessions(Vec<SessionId>),
    Invites(Vec<InviteId>),
    IdempotencyKeys(OrgId),
}

/// What became of a turn.
enum Turn {
    Deleted {
        count: u64,
        more: bool,
    },
    /// Another node is at it.
    NotOurs,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Activities => "activities",
            Self::Sessions => "sessions",
            Self::Invites => "invites",
            Self::IdempotencyKeys => "idempotency_keys",
        }
    }
}

/// Deletes all that is over by now; a stop is heeded between two chunks.
pub async fn run(app: &App) -> Result<()> {
    let now = app.clock.now();
    let over = now.minus(app.config.auth.access_lifetime + KEEP_SESSIONS);
    platform::service::sessions::delete_over(&app.db, over).await?;
    idempotency::delete_expired_of_administrators(&app.db, now).await?;
    prune_audit(app, now).await?;
    let mut jobs = VecDeque::new();
    let mut after = OrgId::from(uuid::Uuid::nil());
    loop {
        let orgs = organisations::service::list_ids(&app.db, after, ORGS).await?;
        let Some(last) = orgs.last() else { break };
        after = *last;
        for orgs in app.db.by_made_store(&orgs).await? {
            let is_apart = app.db.is_own_store(&orgs);
            let mut own = VecDeque::new();
            let jobs = if is_apart { &mut own } else { &mut jobs };
            // Where a store is away, the others are none the worse, and the next time comes.
            list_jobs(app, &orgs, now, jobs).await.log_failure("look for what is over in a store");
            // At once, while there are connections to it.
            work(app, own).await;
            if app.stop.is_cancelled() {
                return Ok(());
            }
        }
    }
    work(app, jobs).await;
    Ok(())
}

/// Deletes entries of the platform's audit that are older than they are kept.
async fn prune_audit(app: &App, now: Timestamp) -> Result<()> {
    let days = app.config.database.audit_retention_days;
    if days == 0 {
        return Ok(());
    }
    let before = now.minus(Duration::from_hours(24) * days);
    loop {
        let began = Instant::now();
        let deleted = transaction!(app.db.central(), |tx| {
            if try_claim(tx, Claim::Upkeep).await? {
                platform::service::audit::delete_over(tx, before, CHUNK).await
            } else {
                Ok(0)
            }
        })?;
        let count = u64::try_from(deleted).unwrap_or(u64::MAX);
        counter!(metric::UPKEEP_DELETED, "kind" => "platform_audit").increment(count);
        let rest = (began.elapsed() * REST).max(MIN_REST);
        if !is_full(deleted) || app.stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            return Ok(());
        }
    }
}

/// Whether there may be more of what a chunk was.
fn is_full(found: usize) -> bool {
    i64::try_from(found).is_ok_and(|found| found >= CHUNK)
}

/// Adds what there is to do in a store.
async fn list_jobs(app: &App, orgs: &[OrgId], now: Timestamp, jobs: &mut VecDeque<Job>) -> Result<()> {
    let over = now.minus(app.config.auth.access_lifetime + KEEP_SESSIONS);
    let of_each = |kind, found: Vec<OrgId>, before| {
        found.into_iter().map(move |org| Job { kind, orgs: vec![org], before })
    };
    let expired = idempotency::list_expired(&app.db, orgs, now).await?;
    jobs.push_back(Job { kind: Kind::Sessions, orgs: orgs.to_vec(), before: over });
    jobs.push_back(Job { kind: Kind::Invites, orgs: orgs.to_vec(), before: now.minus(KEEP_INVITES) });
    jobs.extend(of_each(Kind::IdempotencyKeys, expired, now));
    if let Some(before) = kept_since(app, now) {
        let prunable = retention::list_prunable(&app.db, orgs, before).await?;
        jobs.extend(of_each(Kind::Activities, prunable, before));
    }
    Ok(())
}

/// Activities from before this are not kept.
fn kept_since(app: &App, now: Timestamp) -> Option<Timestamp> {
    let days = app.config.database.activity_retention_days;
    (days > 0).then(|| now.minus(Duration::from_hours(24) * days))
}

/// Does the jobs in turns, each as often as there is more of it.
async fn work(app: &App, mut jobs: VecDeque<Job>) {
    while let Some(job) = jobs.pop_front() {
        let began = Instant::now();
        match turn(app, &job).await {
            Ok(Turn::NotOurs) => return,
            Ok(Turn::Deleted { count: 0, .. }) => {}
            Ok(Turn::Deleted { count, more }) => {
                counter!(metric::UPKEEP_DELETED, "kind" => job.kind.name()).increment(count);
                if more {
                    jobs.push_back(job);
                }
                let rest = (began.elapsed() * REST).max(MIN_REST);
                if app.stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                    return;
                }
            }
            Err(error) => {
                let is_away = matches!(error, Error::Database(DbError::Unreachable(_)));
                let ids = OrgIds(job.orgs.clone());
                tracing::error_span!("upkeep", organisation.ids = %ids)
                    .in_scope(|| Err::<(), _>(error).log_failure("delete what is over"));
                // The next time comes. Where it is one organisation's trouble, the others are none the worse for it.
                if is_away {
                    return;
                }
            }
        }
        if app.stop.is_cancelled() {
            return;
        }
    }
}

/// Deletes a chunk, if there is any. What is over is looked for outside the transaction that deletes it,
/// which nobody need wait for.
async fn turn(app: &App, job: &Job) -> Result<Turn> {
    let found = look(app, job).await?;
    if matches!(found, Found::Nothing) {
        return Ok(Turn::Deleted { count: 0, more: false });
    }
    transaction!(app.db.orgs(job.orgs.clone()), |tx| {
        if try_claim(tx, Claim::Upkeep).await? { delete(tx, job, &found).await } else { Ok(Turn::NotOurs) }
    })
}

async fn look(app: &App, job: &Job) -> Result<Found> {
    let Job { kind, orgs, before } = job;
    Ok(match kind {
        Kind::Activities => orgs.first().map_or(Found::Nothing, |org| Found::Activities(*org)),
        Kind::IdempotencyKeys => orgs.first().map_or(Found::Nothing, |org| Found::IdempotencyKeys(*org)),
        Kind::Sessions => {
            let found = auth::sessions::list_over(app, orgs, *before, CHUNK).await?;
            if found.is_empty() { Found::Nothing } else { Found::Sessions(found) }
        }
        Kind::Invites => {
            let found = invites::service::list_over(app, orgs, *before, CHUNK).await?;
            if found.is_empty() { Found::Nothing } else { Found::Invites(found) }
        }
    })
}

async fn delete(tx: &mut Tx, job: &Job, found: &Found) -> Result<Turn> {
    let Job { orgs, before, .. } = job;
    Ok(match found {
        Found::Nothing => Turn::Deleted { count: 0, more: false },
        Found::Activities(org) => {
            let pruned = retention::prune(tx, *org, *before).await?;
            Turn::Deleted { count: pruned.deleted, more: pruned.more }
        }
        Found::Sessions(ids) => {
            let count = auth::sessions::delete_over(tx, orgs, ids, *before).await?;
            Turn::Deleted { count, more: is_full(ids.len()) }
        }
        Found::Invites(ids) => {
            let count = invites::service::delete_over(tx, orgs, ids, *before).await?;
            Turn::Deleted { count, more: is_full(ids.len()) }
        }
        Found::IdempotencyKeys(org) => {
            let deleted = idempotency::queries::delete_expired(tx, *org, *before, CHUNK).await?;
            Turn::Deleted { count: u64::try_from(deleted).unwrap_or(u64::MAX), more: is_full(deleted) }
        }
    })
}
