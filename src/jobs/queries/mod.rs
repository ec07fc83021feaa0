//! The tables of jobs and of who may have some. Nothing but diesel.

mod postgres;
mod sqlite;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;

use super::model::{Hint, Job, JobState};
use crate::db::Conn;
use crate::db::schema::{job_queues, jobs};
use crate::types::{JobId, LeaseId, OrgId, Timestamp};
use crate::with_conn;

/// Adds jobs of one organisation.
pub(super) async fn insert_all(conn: &mut Conn, rows: Vec<Job>) -> QueryResult<()> {
    match conn {
        Conn::Postgres(conn) => postgres::insert_all(conn, &rows).await,
        Conn::Sqlite(conn) => sqlite::insert_all(conn, rows).await,
    }
}

/// What is claimed, for whom and until when.
pub(super) struct Claim<'a> {
    pub(super) org: OrgId,
    pub(super) kind: &'a str,
    pub(super) limit: i64,
    pub(super) lease: LeaseId,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}

/// Claims jobs that are due, those that wait longest first, and those whose lease has ended. On PostgreSQL,
/// jobs that another transaction is at are passed over.
pub(super) async fn claim(conn: &mut Conn, claim: &Claim<'_>) -> QueryResult<Vec<Job>> {
    match conn {
        Conn::Postgres(conn) => postgres::claim(conn, claim).await,
        Conn::Sqlite(conn) => sqlite::claim(conn, claim).await,
    }
}

/// When the next job of each of these kinds can be claimed, as of one moment: a job that is written by the end of
/// another cannot be missed between the two.
pub(super) async fn next_due(
    conn: &mut Conn,
    org: OrgId,
    kinds: &[&str],
) -> QueryResult<Vec<Option<Timestamp>>> {
    match conn {
        Conn::Postgres(conn) => postgres::next_due(conn, org, kinds).await,
        Conn::Sqlite(conn) => sqlite::next_due(conn, org, kinds).await,
    }
}

/// Those of these jobs, which were claimed together, that are still held under that claim.
pub(super) async fn list_held(conn: &mut Conn, claimed: &[Job]) -> QueryResult<Vec<Job>> {
    let Some((org, lease)) = claimed.first().and_then(|job| Some((job.org_id, job.lease_id?))) else {
        return Ok(Vec::new());
    };
    let ids: Vec<JobId> = claimed.iter().map(|job| job.id).collect();
    with_conn!(conn, |c| {
        jobs::table
            .filter(jobs::org_id.eq(org).and(jobs::id.eq_any(&ids)).and(jobs::lease_id.eq(lease)))
            .select(Job::as_select())
            .load(c)
            .await
    })
}

/// Deletes jobs that are held under this lease; how many there were.
pub(super) async fn delete_held(
    conn: &mut Conn,
    org: OrgId,
    ids: &[JobId],
    lease: LeaseId,
) -> QueryResult<usize> {
    with_conn!(conn, |c| {
        diesel::delete(jobs::table)
            .filter(jobs::org_id.eq(org).and(jobs::id.eq_any(ids)).and(jobs::lease_id.eq(lease)))
            .execute(c)
            .await
    })
}

/// Deletes a job that nobody has, or will have; whether there was one.
pub(super) async fn delete_waiting(conn: &mut Conn, org: OrgId, id: JobId) -> QueryResult<bool> {
    let deleted = with_conn!(conn, |c| {
        diesel::delete(jobs::table.find((org, id))).filter(jobs::state.ne(JobState::Running)).execute(c).await
    })?;
    Ok(deleted == 1)
}

/// Gives a job that is held under its lease back, to be claimed from `due_at` or, with `None`, not again;
/// whether it was held.
pub(super) async fn release(
    conn: &mut Conn,
    job: &Job,
    due_at: Option<Timestamp>,
    attempts: i64,
    error: &str,
    now: Timestamp,
) -> QueryResult<bool> {
    let state = if due_at.is_some() { JobState::Ready } else { JobState::Dead };
    let released = with_conn!(conn, |c| {
        diesel::update(jobs::table.find((job.org_id, job.id)))
            .filter(jobs::lease_id.eq(job.lease_id))
            .set((
                jobs::state.eq(state),
                jobs::due_at.eq(due_at),
                jobs::attempts.eq(attempts),
                jobs::lease_id.eq(None::<LeaseId>),
                jobs::last_error.eq(Some(error)),
                jobs::updated_at.eq(now),
            ))
            .execute(c)
            .await
    })?;
    Ok(released == 1)
}

/// Says in the directory that an organisation may have jobs from `due_at`.
pub(super) async fn announce(
    conn: &mut Conn,
    org: OrgId,
    due_at: Timestamp,
    now: Timestamp,
) -> QueryResult<()> {
    let values =
        (job_queues::org_id.eq(org), job_queues::due_at.eq(due_at), job_queues::announced_at.eq(now));
    with_conn!(&mut *conn, |c| {
        diesel::insert_into(job_queues::table)
            .values(values)
            .on_conflict(job_queues::org_id)
            .do_update()
            .set(job_queues::announced_at.eq(excluded(job_queues::announced_at)))
            .execute(c)
            .await
    })?;
    with_conn!(conn, |c| {
        diesel::update(job_queues::table.find(org))
            .filter(job_queues::due_at.gt(due_at))
            .set(job_queues::due_at.eq(due_at))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// A page of the organisations that may have jobs `now`, ordered by since when, after that of `after`.
pub(super) async fn list_hints(
    conn: &mut Conn,
    now: Timestamp,
    after: Option<(Timestamp, OrgId)>,
    limit: i64,
) -> QueryResult<Vec<Hint>> {
    let (since, after) = after.unwrap_or((Timestamp::from_millis(0), OrgId::from(uuid::Uuid::nil())));
    let rows: Vec<(OrgId, Timestamp, Timestamp)> = with_conn!(conn, |c| {
        job_queues::table
            .filter(job_queues::due_at.between(since, now))
            .filter(job_queues::due_at.gt(since).or(job_queues::org_id.gt(after)))
            .order((job_queues::due_at, job_queues::org_id))
            .limit(limit)
            .select((job_queues::org_id, job_queues::due_at, job_queues::announced_at))
            .load(c)
            .await
    })?;
    Ok(rows.into_iter().map(|(org, due_at, announced_at)| Hint { org, due_at, announced_at }).collect())
}

/// How many of an organisation's jobs are dead.
pub(super) async fn count_dead(conn: &mut Conn, org: OrgId) -> QueryResult<i64> {
    with_conn!(conn, |c| {
        jobs::table
            .filter(jobs::org_id.eq(org).and(jobs::state.eq(JobState::Dead)))
            .count()
            .get_result(c)
            .await
    })
}

/// How many dead jobs the directory knows of.
pub(super) async fn sum_dead(conn: &mut Conn) -> QueryResult<i64> {
    let dead: Vec<i64> = with_conn!(conn, |c| {
        job_queues::table.filter(job_queues::dead.gt(0)).select(job_queues::dead).load(c).await
    })?;
    Ok(dead.into_iter().sum())
}

/// Takes an organisation's entry away, or moves it to `due_at` and notes how many of its jobs are dead, unless
/// another was announced since.
pub(super) async fn settle_hint(
    conn: &mut Conn,
    org: OrgId,
    announced_at: Timestamp,
    due_at: Option<Timestamp>,
    dead: i64,
) -> QueryResult<()> {
    let is_same = job_queues::announced_at.eq(announced_at);
    with_conn!(conn, |c| match due_at {
        None => diesel::delete(job_queues::table.find(org)).filter(is_same).execute(c).await,
        Some(due_at) => {
            diesel::update(job_queues::table.find(org))
                .filter(is_same)
                .set((job_queues::due_at.eq(due_at), job_queues::dead.eq(dead)))
                .execute(c)
                .await
        }
    })?;
    Ok(())
}

/// An organisation's jobs that stand somewhere, ordered by id: at most `limit` of those after `after`.
pub(super) async fn list(
    conn: &mut Conn,
    org: OrgId,
    state: JobState,
    after: JobId,
    limit: i64,
) -> QueryResult<Vec<Job>> {
    with_conn!(conn, |c| {
        jobs::table
            .filter(jobs::org_id.eq(org).and(jobs::state.eq(state)).and(jobs::id.gt(after)))
            .order(jobs::id)
            .limit(limit)
            .select(Job::as_select())
            .load(c)
            .await
    })
}

/// Has a dead job claimed from `now` on, so often more; `None` where it is not dead. How often it was claimed is not
/// forgotten: attempts are numbered by it.
pub(super) async fn revive(
    conn: &mut Conn,
    org: OrgId,
    id: JobId,
    more: i64,
    now: Timestamp,
) -> QueryResult<Option<Job>> {
    with_conn!(conn, |c| {
        diesel::update(jobs::table.find((org, id)))
            .filter(jobs::state.eq(JobState::Dead))
            .set((
                jobs::state.eq(JobState::Ready),
                jobs::due_at.eq(Some(now)),
                jobs::max_attempts.eq(jobs::attempts + more),
                jobs::updated_at.eq(now),
            ))
            .returning(Job::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}
