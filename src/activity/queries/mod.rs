//! The log's tables, read and written. Nothing but diesel.

pub(super) mod feed;
mod postgres;
mod sqlite;

use std::collections::HashMap;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::model::{AUDIENCE_USERS, ActivityRow, Head, RoleChange, USER_ROLE_CHANGED};
use crate::db::schema::{activities, activity_heads, activity_recipients};
use crate::db::{Ask, AsyncSqlite, Conn, Last};
use crate::types::{ActivityId, Audience, EpochId, LogEntry, OrgId, Role, Seq, Timestamp, UserId};
use crate::with_conn;

/// Makes the head of a new log.
pub(crate) async fn insert_head(
    conn: &mut Conn,
    org: OrgId,
    epoch: EpochId,
    at: Timestamp,
) -> QueryResult<()> {
    let values = (
        activity_heads::org_id.eq(org),
        activity_heads::epoch.eq(epoch),
        activity_heads::first_seq.eq(Seq::ZERO.next()),
        activity_heads::last_seq.eq(Seq::ZERO),
        activity_heads::last_at.eq(at),
    );
    with_conn!(conn, |c| diesel::insert_into(activity_heads::table).values(values).execute(c).await)?;
    Ok(())
}

/// Takes the next `seq` for the activity `id`, and locks the head until the transaction ends. The head
/// that is returned stands at that activity; its time is never before its predecessor's.
pub(crate) async fn advance_head(
    conn: &mut Conn,
    org: OrgId,
    id: ActivityId,
    at: Timestamp,
) -> QueryResult<Head> {
    with_conn!(conn, |c| {
        diesel::update(activity_heads::table.find(org))
            .set((
                activity_heads::last_seq.eq(activity_heads::last_seq + 1),
                activity_heads::last_id.eq(Some(id)),
                activity_heads::last_at.eq(case_when(
                    activity_heads::last_at.lt(at),
                    at.into_sql::<crate::types::sql::Moment>(),
                )
                .otherwise(activity_heads::last_at)),
            ))
            .returning(Head::as_returning())
            .get_result(c)
            .await
    })
}

/// Notes since when the organisation of a log is suspended, and locks the head until the transaction ends.
pub(crate) async fn update_suspended(
    conn: &mut Conn,
    org: OrgId,
    since: Option<Timestamp>,
) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(activity_heads::table.find(org))
            .set(activity_heads::suspended_at.eq(since))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Adds one row.
pub(crate) async fn insert(conn: &mut Conn, row: &ActivityRow) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::insert_into(activities::table).values(row).execute(c).await)?;
    Ok(())
}

/// Adds the users whom an entry names, where it names any.
pub(crate) async fn insert_recipients(conn: &mut Conn, entry: &LogEntry) -> QueryResult<()> {
    let Audience::Users(users) = &entry.audience else {
        return Ok(());
    };
    match conn {
        Conn::Postgres(conn) => postgres::insert_recipients(conn, entry.org, entry.seq, users).await,
        Conn::Sqlite(conn) => sqlite::insert_recipients(conn, entry.org, entry.seq, users).await,
    }
}

/// The payload of the newest activity of a type.
pub(crate) async fn find_newest_payload(
    conn: &mut Conn,
    org: OrgId,
    kind: &str,
) -> QueryResult<Option<String>> {
    with_conn!(conn, |c| {
        activities::table
            .filter(activities::org_id.eq(org).and(activities::kind.eq(kind)))
            .order(activities::seq.desc())
            .select(activities::payload)
            .first(c)
            .await
            .optional()
    })
}

/// Where a log stands; `None` where there is no such log.
pub(crate) async fn find_head(conn: &mut Conn, org: OrgId) -> QueryResult<Option<Head>> {
    with_conn!(conn, |c| {
        activity_heads::table.find(org).select(Head::as_select()).get_result(c).await.optional()
    })
}

/// Every change of a role that the log holds, in order: whose, where, from which, to which.
pub(crate) async fn list_role_changes(
    conn: &mut Conn,
    org: OrgId,
) -> QueryResult<Vec<(UserId, Seq, Role, Role)>> {
    let rows: Vec<(Seq, String)> = with_conn!(conn, |c| {
        activities::table
            .filter(activities::org_id.eq(org).and(activities::kind.eq(USER_ROLE_CHANGED)))
            .order(activities::seq)
            .select((activities::seq, activities::payload))
            .load(c)
            .await
    })?;
    let parsed = rows.into_iter().map(|(seq, payload)| {
        let change: RoleChange = serde_json::from_str(&payload)
            .map_err(|error| diesel::result::Error::DeserializationError(error.into()))?;
        Ok((change.user_id, seq, change.from, change.to))
    });
    parsed.collect()
}

/// Gives a log a new epoch, unless it has another than `old` by now.
pub(crate) async fn replace_epoch(
    conn: &mut Conn,
    org: OrgId,
    old: EpochId,
    new: EpochId,
) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(activity_heads::table.find(org))
            .filter(activity_heads::epoch.eq(old))
            .set(activity_heads::epoch.eq(new))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Where the named logs stand, in no order. Those that do not exist are left out.
pub(crate) async fn list_heads(conn: &mut Conn, orgs: &[OrgId]) -> QueryResult<Vec<Head>> {
    with_conn!(conn, |c| {
        activity_heads::table
            .filter(activity_heads::org_id.eq_any(orgs))
            .select(Head::as_select())
            .load(c)
            .await
    })
}

/// The rows from `from` to `to`, both included, in order, with the users whom they name.
pub(crate) async fn list_range(
    conn: &mut Conn,
    org: OrgId,
    from: Seq,
    to: Seq,
) -> QueryResult<Vec<(ActivityRow, Arc<[UserId]>)>> {
    let rows: Vec<ActivityRow> = with_conn!(conn, |c| {
        activities::table
            .filter(activities::org_id.eq(org).and(activities::seq.between(from, to)))
            .order(activities::seq)
            .select(ActivityRow::as_select())
            .load(c)
            .await
    })?;
    let mut named: HashMap<Seq, Vec<UserId>> = HashMap::new();
    if rows.iter().any(|row| row.audience_kind == AUDIENCE_USERS) {
        let recipients: Vec<(Seq, UserId)> = with_conn!(conn, |c| {
            activity_recipients::table
                .filter(activity_recipients::org_id.eq(org).and(activity_recipients::seq.between(from, to)))
                .order((activity_recipients::seq, activity_recipients::user_id))
                .select((activity_recipients::seq, activity_recipients::user_id))
                .load(c)
                .await
        })?;
        for (seq, user) in recipients {
            named.entry(seq).or_default().push(user);
        }
    }
    let pair = |row: ActivityRow| {
        let users = named.remove(&row.seq).unwrap_or_default();
        (row, users.into())
    };
    Ok(rows.into_iter().map(pair).collect())
}

/// The places from `from` to `to`, both included, and what stands there.
pub(crate) async fn list_ids(
    conn: &mut Conn,
    org: OrgId,
    from: Seq,
    to: Seq,
) -> QueryResult<Vec<(Seq, ActivityId)>> {
    with_conn!(conn, |c| {
        activities::table
            .filter(activities::org_id.eq(org).and(activities::seq.between(from, to)))
            .order(activities::seq)
            .select((activities::seq, activities::id))
            .load(c)
            .await
    })
}

/// Locks the head of a log, and waits for whoever holds it; `None` where there is no such log.
pub(crate) async fn lock_head(conn: &mut Conn, org: OrgId) -> QueryResult<Option<Head>> {
    match conn {
        Conn::Postgres(conn) => postgres::lock_head(conn, org).await,
        Conn::Sqlite(_) => find_head(conn, org).await,
    }
}

/// Locks the heads of these logs for a batch, in the order of their ids. On PostgreSQL a head that
/// another transaction holds is left out instead of waited for; on SQLite the writer's turn locks all.
pub(crate) struct LockHeads<'a>(pub(crate) &'a [OrgId]);

impl LockHeads<'_> {
    pub(crate) async fn run(&self, conn: &mut Conn) -> QueryResult<Vec<Head>> {
        match conn {
            Conn::Postgres(conn) => self.on_postgres(conn).await,
            Conn::Sqlite(conn) => self.on_sqlite(conn).await,
        }
    }
}

impl Ask for LockHeads<'_> {
    type Answer = Vec<Head>;

    async fn on_postgres(&self, conn: &AsyncPgConnection) -> QueryResult<Vec<Head>> {
        postgres::lock_heads(conn, self.0).await
    }

    async fn on_sqlite(&self, conn: &mut AsyncSqlite) -> QueryResult<Vec<Head>> {
        sqlite::lock_heads(conn, self.0).await
    }
}

/// Those of these logs whose oldest entry is from before `before`, and not their newest.
pub(crate) async fn list_prunable(
    conn: &mut Conn,
    orgs: &[OrgId],
    before: Timestamp,
) -> QueryResult<Vec<OrgId>> {
    with_conn!(conn, |c| {
        activity_heads::table
            .inner_join(
                activities::table.on(activities::org_id
                    .eq(activity_heads::org_id)
                    .and(activities::seq.eq(activity_heads::first_seq))),
            )
            .filter(activity_heads::org_id.eq_any(orgs))
            .filter(activity_heads::first_seq.lt(activity_heads::last_seq))
            .filter(activities::created_at.lt(before))
            .select(activity_heads::org_id)
            .load(c)
            .await
    })
}

/// The oldest entries of a log and when they were recorded, at most `limit`, and without its newest.
pub(crate) async fn list_oldest(
    conn: &mut Conn,
    head: &Head,
    limit: i64,
) -> QueryResult<Vec<(Seq, Timestamp)>> {
    with_conn!(conn, |c| {
        activities::table
            .filter(activities::org_id.eq(head.org_id))
            .filter(activities::seq.ge(head.first_seq).and(activities::seq.lt(head.last_seq)))
            .order(activities::seq)
            .limit(limit)
            .select((activities::seq, activities::created_at))
            .load(c)
            .await
    })
}

/// Deletes the entries up to `last`, and with them for whom they were; how many.
pub(crate) async fn delete_until(conn: &mut Conn, org: OrgId, last: Seq) -> QueryResult<u64> {
    let deleted = with_conn!(conn, |c| {
        diesel::delete(activities::table)
            .filter(activities::org_id.eq(org).and(activities::seq.le(last)))
            .execute(c)
            .await
    })?;
    Ok(deleted as u64)
}

/// Has a log begin at `first`. Fails with `NotFound` where it does not begin where `head` says any more.
pub(crate) async fn move_first_seq(conn: &mut Conn, head: &Head, first: Seq) -> QueryResult<()> {
    let moved = with_conn!(conn, |c| {
        diesel::update(activity_heads::table.find(head.org_id))
            .filter(activity_heads::first_seq.eq(head.first_seq).and(activity_heads::epoch.eq(head.epoch)))
            .set(activity_heads::first_seq.eq(first))
            .execute(c)
            .await
    })?;
    if moved == 1 { Ok(()) } else { Err(diesel::result::Error::NotFound) }
}

/// Rows that are added together, and the heads, which move to where they then stand. The caller has locked the heads.
pub(crate) struct InsertBatch {
    pub(crate) rows: Vec<ActivityRow>,
    pub(crate) heads: Vec<Head>,
}

impl InsertBatch {
    pub(crate) async fn run(self, conn: &mut Conn) -> QueryResult<()> {
        match conn {
            Conn::Postgres(conn) => self.on_postgres(conn).await,
            Conn::Sqlite(conn) => self.on_sqlite(conn).await,
        }
    }
}

impl Last for InsertBatch {
    const NAME: &'static str = "insert_batch";

    async fn on_postgres(self, conn: &AsyncPgConnection) -> QueryResult<()> {
        postgres::insert_batch(conn, &self.rows, &self.heads).await
    }

    async fn on_sqlite(self, conn: &mut AsyncSqlite) -> QueryResult<()> {
        sqlite::insert_batch(conn, self.rows, self.heads).await
    }
}
