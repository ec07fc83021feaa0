//! What only PostgreSQL does this way.

use diesel::prelude::*;
use diesel::{QueryResult, sql_query, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{ActivityRow, Head};
use crate::db::schema::{activities, activity_heads};
use crate::types::sql;
use crate::types::{ActivityId, OrgId, Seq, Timestamp};

pub(super) async fn lock_heads(conn: &mut AsyncPgConnection, orgs: &[OrgId]) -> QueryResult<Vec<Head>> {
    activity_heads::table
        .filter(activity_heads::org_id.eq_any(orgs))
        .order(activity_heads::org_id)
        .select(Head::as_select())
        .for_update()
        .skip_locked()
        .load(conn)
        .await
}

pub(super) async fn insert_batch(
    conn: &mut AsyncPgConnection,
    rows: &[ActivityRow],
    heads: &[Head],
) -> QueryResult<()> {
    diesel::insert_into(activities::table).values(rows).execute(conn).await?;
    let orgs: Vec<OrgId> = heads.iter().map(|head| head.org_id).collect();
    let seqs: Vec<Seq> = heads.iter().map(|head| head.last_seq).collect();
    let ids: Vec<Option<ActivityId>> = heads.iter().map(|head| head.last_id).collect();
    let times: Vec<Timestamp> = heads.iter().map(|head| head.last_at).collect();
    sql_query(
        "UPDATE activity_heads SET last_seq = moved.last_seq, last_id = moved.last_id, last_at = moved.last_at \
         FROM unnest($1, $2, $3, $4) AS moved (org_id, last_seq, last_id, last_at) \
         WHERE activity_heads.org_id = moved.org_id",
    )
    .bind::<sql_types::Array<sql::Id>, _>(orgs)
    .bind::<sql_types::Array<sql_types::BigInt>, _>(seqs)
    .bind::<sql_types::Array<sql_types::Nullable<sql::Id>>, _>(ids)
    .bind::<sql_types::Array<sql::Moment>, _>(times)
    .execute(conn)
    .await?;
    Ok(())
}
