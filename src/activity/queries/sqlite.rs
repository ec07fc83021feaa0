//! What only SQLite does this way.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable};
use diesel::sqlite::Sqlite;

use super::{ActivityRow, Head};
use crate::db::AsyncSqlite;
use crate::db::schema::{activities, activity_heads, activity_recipients};
use crate::types::sql;
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
            MoveHead(head).execute(conn)?;
        }
        Ok(())
    })
    .await
}

/// Moves a head to where it stands. diesel has its own updates prepared anew each time, which took longer than to execute
/// this one.
struct MoveHead<'a>(&'a Head);

impl QueryId for MoveHead<'_> {
    type QueryId = MoveHead<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for MoveHead<'_> {}

impl QueryFragment<Sqlite> for MoveHead<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE activity_heads SET last_seq = ");
        out.push_bind_param::<BigInt, _>(&self.0.last_seq)?;
        out.push_sql(", last_id = ");
        out.push_bind_param::<Nullable<sql::Id>, _>(&self.0.last_id)?;
        out.push_sql(", last_at = ");
        out.push_bind_param::<sql::Moment, _>(&self.0.last_at)?;
        out.push_sql(" WHERE org_id = ");
        out.push_bind_param::<sql::Id, _>(&self.0.org_id)
    }
}
