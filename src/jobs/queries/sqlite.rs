//! What only SQLite does this way.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryResult, sql_query};

use super::{Claim, Job};
use crate::db::AsyncSqlite;
use crate::db::schema::jobs;
use crate::types::sql;
use crate::types::{OrgId, Timestamp};

/// In one hop to the thread that may block.
pub(super) async fn insert_all(conn: &mut AsyncSqlite, rows: Vec<Job>) -> QueryResult<()> {
    conn.spawn_blocking(move |conn| {
        for row in &rows {
            diesel::insert_into(jobs::table).values(row).execute(conn)?;
        }
        Ok(())
    })
    .await
}

/// The writer's turn keeps everybody else away.
pub(super) async fn claim(conn: &mut AsyncSqlite, claim: &Claim<'_>) -> QueryResult<Vec<Job>> {
    let query = sql_query(
        "UPDATE jobs SET state = 'RUNNING', attempts = attempts + 1, lease_id = ?1, due_at = ?2, updated_at = ?3 \
         WHERE org_id = ?4 AND id IN (SELECT id FROM jobs WHERE org_id = ?4 AND kind = ?5 AND due_at <= ?3 \
             ORDER BY due_at LIMIT ?6) \
         RETURNING *",
    )
    .bind::<sql::Id, _>(claim.lease)
    .bind::<sql::Moment, _>(claim.until)
    .bind::<sql::Moment, _>(claim.now)
    .bind::<sql::Id, _>(claim.org)
    .bind::<Text, _>(claim.kind.to_owned())
    .bind::<BigInt, _>(claim.limit);
    diesel_async::RunQueryDsl::load(query, conn).await
}

/// In one hop, and in the writer's turn, which is one moment.
pub(super) async fn next_due(
    conn: &mut AsyncSqlite,
    org: OrgId,
    kinds: &[&str],
) -> QueryResult<Vec<Option<Timestamp>>> {
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    conn.spawn_blocking(move |conn| {
        let next = |kind: &String| -> QueryResult<Option<Timestamp>> {
            let due: Option<Option<Timestamp>> = jobs::table
                .filter(jobs::org_id.eq(org).and(jobs::kind.eq(kind)).and(jobs::due_at.is_not_null()))
                .order(jobs::due_at)
                .select(jobs::due_at)
                .first(conn)
                .optional()?;
            Ok(due.flatten())
        };
        kinds.iter().map(next).collect()
    })
    .await
}
