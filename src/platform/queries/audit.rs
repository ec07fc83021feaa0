//! The audit, which is only added to until its entries are old.

use std::time::Duration;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::schema::platform_audit;
use crate::platform::model::AuditEntry;
use crate::platform::wire::AuditQuery;
use crate::types::{AuditId, Timestamp};
use crate::with_conn;

/// Adds an entry.
pub(crate) async fn insert(conn: &mut Conn, entry: &AuditEntry) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::insert_into(platform_audit::table).values(entry).execute(c).await)?;
    Ok(())
}

/// Entries, the newest first, at most one more than the page holds.
pub(crate) async fn list(conn: &mut Conn, query: &AuditQuery) -> QueryResult<Vec<AuditEntry>> {
    with_conn!(conn, |c| {
        let mut entries = platform_audit::table.select(AuditEntry::as_select()).into_boxed();
        if let Some(before) = query.before {
            entries = entries.filter(platform_audit::id.lt(before));
        }
        if let Some(org) = query.organisation {
            entries = entries.filter(platform_audit::org_id.eq(org));
        }
        if let Some(administrator) = query.administrator {
            entries = entries.filter(platform_audit::administrator_id.eq(administrator));
        }
        entries.order(platform_audit::id.desc()).limit(query.limit + 1).load(c).await
    })
}

/// How much younger than the newest the entries are that the database refuses to delete.
const STANDS: Duration = Duration::from_hours(30 * 24);

/// Deletes the oldest of the entries from before `before`, at most `limit`; how many it were.
pub(crate) async fn delete_over(conn: &mut Conn, before: Timestamp, limit: i64) -> QueryResult<usize> {
    let newest: Option<Timestamp> = with_conn!(&mut *conn, |c| {
        platform_audit::table
            .order(platform_audit::created_at.desc())
            .select(platform_audit::created_at)
            .first(c)
            .await
            .optional()
    })?;
    let Some(newest) = newest else { return Ok(0) };
    let before = before.min(newest.minus(STANDS));
    let over: Vec<AuditId> = with_conn!(&mut *conn, |c| {
        platform_audit::table
            .filter(platform_audit::created_at.lt(before))
            .order(platform_audit::created_at)
            .limit(limit)
            .select(platform_audit::id)
            .load(c)
            .await
    })?;
    with_conn!(conn, |c| {
        diesel::delete(platform_audit::table.filter(platform_audit::id.eq_any(over))).execute(c).await
    })
}
