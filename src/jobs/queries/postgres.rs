//! What only PostgreSQL does this way.

use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Claim, Job};
use crate::types::sql;
use crate::types::{JobId, OrgId, Timestamp};

/// As one statement of a fixed text, however many they are.
pub(super) async fn insert_all(conn: &mut AsyncPgConnection, rows: &[Job]) -> QueryResult<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let ids: Vec<JobId> = rows.iter().map(|row| row.id).collect();
    let kinds: Vec<&str> = rows.iter().map(|row| &*row.kind).collect();
    let payloads: Vec<&str> = rows.iter().map(|row| &*row.payload).collect();
    let due: Vec<Timestamp> = rows.iter().map(|row| row.due_at.unwrap_or(row.created_at)).collect();
    let attempts: Vec<i64> = rows.iter().map(|row| row.max_attempts).collect();
    sql_query(
        "INSERT INTO jobs (org_id, id, kind, payload, state, due_at, attempts, max_attempts, created_at, updated_at) \
         SELECT $1, new.id, new.kind, new.payload, 'READY', new.due_at, 0, new.max_attempts, $2, $2 \
         FROM unnest($3, $4, $5, $6, $7) AS new (id, kind, payload, due_at, max_attempts)",
    )
    .bind::<sql::Id, _>(first.org_id)
    .bind::<sql::Moment, _>(first.created_at)
    .bind::<Array<sql::Id>, _>(ids)
    .bind::<Array<Text>, _>(kinds)
    .bind::<Array<Text>, _>(payloads)
    .bind::<Array<sql::Moment>, _>(due)
    .bind::<Array<BigInt>, _>(attempts)
    .execute(conn)
    .await?;
    Ok(())
}

/// The subquery makes an array, so that it is read once: in a plan that reads it again, `SKIP LOCKED` would give
/// other rows each time, more than the limit in all.
pub(super) async fn claim(conn: &mut AsyncPgConnection, claim: &Claim<'_>) -> QueryResult<Vec<Job>> {
    sql_query(
        "UPDATE jobs SET state = 'RUNNING', attempts = attempts + 1, lease_id = $1, due_at = $2, updated_at = $3 \
         WHERE org_id = $4 AND id = ANY (ARRAY(SELECT id FROM jobs WHERE org_id = $4 AND kind = $5 AND due_at <= $3 \
             ORDER BY due_at LIMIT $6 FOR UPDATE SKIP LOCKED)) \
         RETURNING *",
    )
    .bind::<sql::Id, _>(claim.lease)
    .bind::<sql::Moment, _>(claim.until)
    .bind::<sql::Moment, _>(claim.now)
    .bind::<sql::Id, _>(claim.org)
    .bind::<Text, _>(claim.kind)
    .bind::<BigInt, _>(claim.limit)
    .load(conn)
    .await
}

#[derive(QueryableByName)]
struct Next {
    #[diesel(sql_type = Nullable<sql::Moment>)]
    due_at: Option<Timestamp>,
}

/// Each kind enters the index once.
pub(super) async fn next_due(
    conn: &mut AsyncPgConnection,
    org: OrgId,
    kinds: &[&str],
) -> QueryResult<Vec<Option<Timestamp>>> {
    let rows: Vec<Next> = sql_query(
        "SELECT next.due_at FROM unnest($2) WITH ORDINALITY AS known (kind, place) \
         LEFT JOIN LATERAL (SELECT due_at FROM jobs WHERE org_id = $1 AND kind = known.kind AND due_at IS NOT NULL \
             ORDER BY due_at LIMIT 1) AS next ON true \
         ORDER BY known.place",
    )
    .bind::<sql::Id, _>(org)
    .bind::<Array<Text>, _>(kinds)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.due_at).collect())
}
