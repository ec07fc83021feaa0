//! One organisation's turn: claiming some of its jobs, and doing them.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt as _;
use metrics::{counter, histogram};
use tokio::time::Instant;

use super::ring::{Claimed, Lane, Turn};
use super::{ANNOUNCED, LEASE, WORK};
use crate::activity;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, LogFailure as _, Result};
use crate::jobs::{Job, WhileSuspended, Work, queries, service};
use crate::telemetry::metric;
use crate::transaction;
use crate::types::{LeaseId, OrgId, Timestamp};

/// While jobs may still be announced and not written yet, how long until the directory's entry is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// How long until it is looked again whether an organisation is still suspended. Who opens it says so besides.
const SUSPENDED: Duration = Duration::from_mins(1);

/// How long until an organisation is looked at again that has dead jobs and no others.
const DEAD: Duration = Duration::from_hours(1);

/// How long until jobs are asked for again that are due and that somebody else is just claiming.
const CLAIMED_BY_OTHERS: Duration = Duration::from_millis(100);

/// What a turn has begun, of one kind.
struct Begun {
    kind: usize,
    jobs: Vec<Job>,
    work: Work,
}

/// What came of the claims of a turn.
struct Outcome {
    begun: Vec<Begun>,
    /// For each kind, whether jobs wait for which there was no room.
    waits: Vec<bool>,
    /// When this node can claim the next.
    next_due: Option<Timestamp>,
    /// When anybody can, of any kind.
    next_of_all: Option<Timestamp>,
    /// How many are dead, where that was asked.
    dead: i64,
    now: Timestamp,
    /// When work has to be over.
    until: Instant,
}

/// The right to a turn, given back whatever becomes of it.
struct Permit(App, Lane);

impl Drop for Permit {
    fn drop(&mut self) {
        let Self(app, lane) = self;
        app.jobs.inner.turns[lane.place()].add_permits(1);
        app.jobs.inner.changed.notify_one();
    }
}

/// Takes a turn that the ring has given, and a permit for it.
pub(super) async fn take(app: App, turn: Turn) {
    let permit = Permit(app.clone(), turn.lane);
    let claimed = AssertUnwindSafe(claim(&app, &turn)).catch_unwind().await;
    let claimed = claimed.unwrap_or_else(|_| Err(anyhow!("the claim panicked").into()));
    match claimed {
        Ok(outcome) => carry_on(&app, turn, permit, outcome).await,
        Err(error) => {
            Err::<(), _>(error).log_failure("claim jobs");
            app.jobs.inner.ring.lock().failed(&turn, app.clock.now());
        }
    }
}

/// Has done what a turn has begun.
async fn carry_on(app: &App, turn: Turn, permit: Permit, outcome: Outcome) {
    let inner = &app.jobs.inner;
    let Outcome { begun, waits, next_due, next_of_all, dead, now, until } = outcome;
    let mut counts = vec![0; turn.room.len()];
    for begun in &begun {
        counts[begun.kind] = begun.jobs.len();
    }
    let is_idle = begun.is_empty();
    // More wait than this node has taken, most likely: others may.
    let is_full = turn.room.iter().zip(&counts).any(|(room, count)| *room > 0 && room == count);
    let is_told = {
        let mut ring = inner.ring.lock();
        ring.claimed(&turn, &Claimed { counts, waits, next_due });
        is_full && ring.may_tell(turn.org, now)
    };
    if is_told {
        app.jobs.tell(turn.org);
    }
    for begun in begun {
        app.tasks.spawn(work(app.clone(), turn.org, begun, until));
    }
    if let Some(announced_at) = turn.announced_at.filter(|_| is_idle) {
        settle_hint(app, turn.org, announced_at, next_of_all, dead, now)
            .await
            .log_failure("note that an organisation has no jobs");
    }
    // With what is asked of the directory: those who wait for it are not to become many.
    drop(permit);
}

/// Claims and begins what is due.
async fn claim(app: &App, turn: &Turn) -> Result<Outcome> {
    let kinds = &app.jobs.inner.kinds;
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    transaction!(app.db.org(turn.org), |tx| {
        // Not before: it may have taken long until there was a connection, and the lease counts from here.
        let (now, until) = (app.clock.now(), Instant::now() + WORK);
        let is_suspended = activity::is_suspended(tx, turn.org).await?;
        let is_deferred =
            |kind: usize| is_suspended && kinds[kind].while_suspended() == WhileSuspended::Deferred;
        let mut due = queries::next_due(tx, turn.org, &names).await?;
        let is_due = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        let (mut begun, mut over) = (Vec::new(), Vec::new());
        let due_now = |kind: &usize| is_due(due[*kind]) && turn.room[*kind] > 0 && !is_deferred(*kind);
        for kind in (0..kinds.len()).filter(due_now).collect::<Vec<_>>() {
            let claim = queries::Claim {
                org: turn.org,
                kind: names[kind],
                limit: i64::try_from(turn.room[kind]).unwrap_or(i64::MAX),
                lease: LeaseId::new(),
                now,
                until: now.plus(LEASE),
            };
            let mut claimed = queries::claim(tx, &claim).await?;
            claimed.sort_by_key(|job| job.id);
            // Claimed more often than they may be, because those who had them died.
            let (jobs, exhausted): (Vec<Job>, Vec<Job>) =
                claimed.into_iter().partition(|job| job.attempts <= job.max_attempts);
            if !exhausted.is_empty() {
                over.push((kind, exhausted));
            }
            if !jobs.is_empty() {
                let work = kinds[kind].begin(app, tx, jobs.clone(), now).await?;
                begun.push(Begun { kind, jobs, work });
            }
        }
        let is_any = !begun.is_empty() || !over.is_empty();
        for (kind, jobs) in over {
            give_up(app, tx, kind, jobs, "the last attempt did not come to an end", now).await?;
        }
        if is_any {
            due = queries::next_due(tx, turn.org, &names).await?;
        }
        let next = (0..kinds.len()).map(|kind| match due[kind] {
            Some(at) if is_deferred(kind) => Some(at.max(now.plus(SUSPENDED))),
            at => at,
        });
        let next: Vec<Option<Timestamp>> = next.collect();
        let waits = (0..kinds.len()).map(|kind| turn.room[kind] == 0 && is_due(next[kind])).collect();
        // For which there was no room wakes when there is some.
        let own = next.iter().zip(&turn.room).filter(|(_, room)| **room > 0).filter_map(|(at, _)| *at);
        let next_due = own.min().map(|at| at.max(now.plus(CLAIMED_BY_OTHERS)));
        let next_of_all = next.into_iter().flatten().min();
        let dead = match turn.announced_at {
            Some(_) if begun.is_empty() => queries::count_dead(tx, turn.org).await?,
            _ => 0,
        };
        Ok(Outcome { begun, waits, next_due, next_of_all, dead, now, until })
    })
}

/// Ends jobs that had their last attempt.
async fn give_up(
    app: &App,
    tx: &mut Tx,
    kind: usize,
    jobs: Vec<Job>,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    let kind = &app.jobs.inner.kinds[kind];
    let count = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
    kind.give_up(app, tx, jobs, why, now).await?;
    counter!(metric::JOBS, "kind" => kind.name(), "outcome" => "dead").increment(count);
    Ok(())
}

/// Has the room of jobs given back, whatever becomes of the work on them.
struct Running {
    app: App,
    org: OrgId,
    kind: usize,
    count: usize,
}

impl Drop for Running {
    fn drop(&mut self) {
        let inner = &self.app.jobs.inner;
        inner.ring.lock().finished(self.org, self.kind, self.count);
        inner.changed.notify_one();
    }
}

/// Does what was begun, and has it tried again where that fails.
async fn work(app: App, org: OrgId, begun: Begun, until: Instant) {
    let Begun { kind, jobs, work } = begun;
    let name = app.jobs.inner.kinds[kind].name();
    let _running = Running { app: app.clone(), org, kind, count: jobs.len() };
    for job in jobs.iter().filter(|job| job.attempts == 1) {
        histogram!(metric::JOB_LAG, "kind" => name).record(job.updated_at.since(job.created_at));
    }
    let done = done_by(until, || work(app.clone(), until)).await;
    let count = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
    match done {
        Ok(()) => counter!(metric::JOBS, "kind" => name, "outcome" => "done").increment(count),
        Err(error) => {
            counter!(metric::JOBS, "kind" => name, "outcome" => "failed").increment(count);
            tracing::warn!(
                organisation.id = %org,
                job.kind = name,
                jobs = count,
                error = cause(&error),
                "jobs failed; they are tried again, unless it was their last attempt"
            );
            give_back(&app, kind, &jobs, &error).await.log_failure("give jobs back that failed");
        }
    }
}

/// What work came to, which is a failure where it panics, or is not over by then.
async fn done_by<F>(until: Instant, work: impl FnOnce() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    if Instant::now() >= until {
        return Err(anyhow!("the claim took until its lease was nearly over").into());
    }
    let work = AssertUnwindSafe(async { work().await }).catch_unwind();
    match tokio::time::timeout_at(until, work).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(anyhow!("it panicked").into()),
        Err(_) => Err(anyhow!("it was not over when its lease nearly was").into()),
    }
}

fn cause(error: &Error) -> String {
    match error {
        Error::Internal(error) => format!("{error:#}"),
        other => other.to_string(),
    }
}

/// Gives back those jobs that are still held: some may be done, where it was the work on others that failed. What
/// even this fails for comes again when its lease ends.
async fn give_back(app: &App, kind: usize, jobs: &[Job], error: &Error) -> Result<()> {
    let error = cause(error);
    let Some(org) = jobs.first().map(|job| job.org_id) else { return Ok(()) };
    transaction!(app.db.org(org), |tx| {
        let now = app.clock.now();
        let held = queries::list_held(tx, jobs).await?;
        let (last, others): (Vec<Job>, Vec<Job>) = held.into_iter().partition(Job::is_last_attempt);
        for job in &others {
            service::retry(tx, job, &error, now).await?;
        }
        if !last.is_empty() {
            give_up(app, tx, kind, last, &error, now).await?;
        }
        Ok(())
    })
}

/// Brings the directory's entry of an organisation that has nothing to do now up to date.
async fn settle_hint(
    app: &App,
    org: OrgId,
    announced_at: Timestamp,
    next_due: Option<Timestamp>,
    dead: i64,
    now: Timestamp,
) -> Result<()> {
    let is_settled = now.since(announced_at) > ANNOUNCED;
    let due_at = match next_due {
        None if is_settled && dead == 0 => None,
        None if is_settled => Some(now.plus(DEAD)),
        // What was announced may not be committed yet, or on a node that died before it could say so.
        next_due if !is_settled => {
            Some(next_due.map_or(now.plus(LOOK_AGAIN), |due| due.min(now.plus(LOOK_AGAIN))))
        }
        next_due => next_due,
    };
    transaction!(app.db.central(), |tx| Ok(queries::settle_hint(tx, org, announced_at, due_at, dead).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(done: Result<()>) -> String {
        cause(&done.unwrap_err())
    }

    #[tokio::test]
    async fn work_that_panics_or_takes_too_long_has_failed() {
        let until = Instant::now() + Duration::from_millis(50);
        assert!(done_by(until, || async { Ok(()) }).await.is_ok());
        let panics = || async { panic!("on purpose") };
        assert!(words(done_by(until, panics).await).contains("panicked"));
        let begins_badly = || -> std::future::Ready<Result<()>> { panic!("on purpose") };
        assert!(words(done_by(until, begins_badly).await).contains("panicked"));
        assert!(words(done_by(until, std::future::pending).await).contains("not over"));
        let done = done_by(until, || async { panic!("it is not even begun") }).await;
        assert!(words(done).contains("nearly over"));
    }
}
