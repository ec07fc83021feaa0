//! What only SQLite does this way.

use diesel::QueryResult;
use diesel::prelude::*;

use super::{ActivityRow, Head};
use crate::db::AsyncSqlite;
use crate::db::schema::{activities, activity_heads, activity_recipients};
use crate::types::{OrgId, Seq, UserId};

/// One by one: a list of ids would be another statement for each number of them, and prepared each time.
pub(super) async fn lock_heads(conn: &mut AsyncSqlite, orgs: &[OrgId]) -> QueryResult<Vec<Head>> {
    let orgs = orgs.to_vec();
    conn.spawn_blocking(move |conn| {
        let mut heads = Vec::with_capacity(orgs.len());
        for org in orgs {
            let head = activity_heads::table.find(org).select(Head::as_select());
            heads.extend(head.get_result(conn).optional()?);
        }
        Ok(heads)
    })
    .await
}

/// In one hop, too.
pub(super) async fn insert_recipients(
    conn: &mut AsyncSqlite,
    org: OrgId,
    seq: Seq,
    users: &[UserId],
) -> QueryResult<()> {
    let users = users.to_vec();
    conn.spawn_blocking(move |conn| {
        for user in users {
            let values = (
                activity_recipients::org_id.eq(org),
                activity_recipients::user_id.eq(user),
                activity_recipients::seq.eq(seq),
            );
            diesel::insert_into(activity_recipients::table)
                .values(values)
                .on_conflict_do_nothing()
                .execute(conn)?;
        }
        Ok(())
    })
    .await
}

/// In one hop to the blocking thread: a hop a row would cost more than the row.
pub(super) async fn insert_batch(
    conn: &mut AsyncSqlite,
    rows: Vec<ActivityRow>,
    heads: Vec<Head>,
) -> QueryResult<()> {
    conn.spawn_blocking(move |conn| {
        for row in &rows {
            diesel::insert_into(activities::table).values(row).execute(conn)?;
        }
        for head in &heads {
            diesel::update(activity_heads::table.find(head.org_id))
                .set((
                    activity_heads::last_seq.eq(head.last_seq),
                    activity_heads::last_id.eq(head.last_id),
                    activity_heads::last_at.eq(head.last_at),
                ))
                .execute(conn)?;
        }
        Ok(())
    })
    .await
}
