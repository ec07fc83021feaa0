//! Writing jobs, and ending them.

use anyhow::anyhow;
use serde::de::DeserializeOwned;

use super::model::{Job, JobState, NewJob, backoff};
use super::queries;
use crate::app::App;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::http::{Page, PageQuery};
use crate::types::{JobId, LeaseId, OrgId, Timestamp};
use crate::{read, transaction};

/// Says in the directory that an organisation is about to have jobs. To be committed before they are written;
/// it counts for [`ANNOUNCED`](super::runner::ANNOUNCED).
pub(crate) async fn announce(central: &mut Tx, org: OrgId, now: Timestamp) -> Result<()> {
    Ok(queries::announce(central, org, now, now).await?)
}

/// Writes jobs in the transaction of their cause. Once that is committed, [`wake`](super::Runner::wake) has them
/// done at once.
pub(crate) async fn enqueue(tx: &mut Tx, org: OrgId, new: Vec<NewJob>, now: Timestamp) -> Result<()> {
    let rows = new.into_iter().map(|new| new.into_row(org, now, now)).collect();
    Ok(queries::insert_all(tx, rows).await?)
}

/// Ends jobs that are done, in the transaction that says so. Fails where a lease has ended meanwhile and somebody
/// else has one of them: nothing of this transaction may then count.
pub(crate) async fn complete(tx: &mut Conn, jobs: &[Job]) -> Result<()> {
    let Some((org, lease)) = jobs.first().and_then(|job| Some((job.org_id, job.lease_id?))) else {
        return Ok(());
    };
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    require_held(queries::delete_held(tx, org, &ids, lease).await?, jobs.len(), lease)
}

/// Has a job tried again later, after a wait that doubles each time, or dead where that was its last attempt.
/// Fails where its lease has ended meanwhile.
pub(crate) async fn retry(tx: &mut Conn, job: &Job, error: &str, now: Timestamp) -> Result<()> {
    let due_at = (!job.is_last_attempt()).then(|| now.plus(backoff(job.attempts, chance())));
    retry_at(tx, job, due_at, error, now).await
}

async fn retry_at(
    tx: &mut Conn,
    job: &Job,
    due_at: Option<Timestamp>,
    error: &str,
    now: Timestamp,
) -> Result<()> {
    release(tx, job, due_at, job.attempts, error, now).await
}

/// Gives a job back that cannot be tried before `due_at`, as if nobody had claimed it.
pub(crate) async fn defer(
    tx: &mut Conn,
    job: &Job,
    due_at: Timestamp,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    release(tx, job, Some(due_at), job.attempts - 1, why, now).await
}

async fn release(
    tx: &mut Conn,
    job: &Job,
    due_at: Option<Timestamp>,
    attempts: i64,
    error: &str,
    now: Timestamp,
) -> Result<()> {
    let error: String = error.chars().take(500).collect();
    let released = queries::release(tx, job, due_at, attempts, &error, now).await?;
    job.lease_id.map_or(Ok(()), |lease| require_held(usize::from(released), 1, lease))
}

/// Has a job dead that is held: nobody tries it again, unless an admin says so.
pub(crate) async fn bury(tx: &mut Conn, job: &Job, why: &str, now: Timestamp) -> Result<()> {
    retry_at(tx, job, None, why, now).await
}

/// What its kind wrote into a job. One that cannot be read is buried: it would come again for ever, and others that
/// were claimed with it.
pub(crate) async fn payload<T: DeserializeOwned>(
    tx: &mut Conn,
    job: &Job,
    now: Timestamp,
) -> Result<Option<T>> {
    match serde_json::from_str(&job.payload) {
        Ok(payload) => Ok(Some(payload)),
        Err(error) => {
            bury(tx, job, &format!("its payload cannot be read: {error}"), now).await?;
            Ok(None)
        }
    }
}

/// Takes a job back that nobody is at, or will be; whether there was one.
pub(crate) async fn withdraw(tx: &mut Tx, org: OrgId, id: JobId) -> Result<bool> {
    Ok(queries::delete_waiting(tx, org, id).await?)
}

/// A page of an organisation's jobs that stand somewhere, ordered by id.
pub(super) async fn list(app: &App, org: OrgId, state: JobState, query: &PageQuery) -> Result<Page<Job>> {
    let after = query.after.unwrap_or_else(uuid::Uuid::nil).into();
    let jobs =
        read!(app.db.org(org), |conn| Ok(queries::list(conn, org, state, after, query.limit + 1).await?))?;
    Ok(Page::new(jobs, query.limit, |job| job.id.to_string()))
}

/// How often a job is tried that was dead.
const REVIVED: i64 = 8;

/// Has a dead job tried again, up to eight times. One that is not dead is not found.
pub(super) async fn revive(app: &App, org: OrgId, id: JobId) -> Result<Job> {
    let now = app.clock.now();
    transaction!(app.db.central(), |tx| announce(tx, org, now).await)?;
    let job = transaction!(app.db.org(org), |tx| Ok(queries::revive(tx, org, id, REVIVED, now).await?))?;
    app.jobs.wake(org);
    job.ok_or_else(|| Error::not_found("dead job"))
}

fn require_held(found: usize, expected: usize, lease: LeaseId) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(anyhow!(
        "{found} of {expected} jobs are still held under {lease:?}: they took longer than their lease"
    )
    .into())
}

pub(super) fn chance() -> u8 {
    let mut random = [0; 1];
    // Without chance the wait is merely the longest.
    getrandom::fill(&mut random).map_or(0, |()| random[0])
}
