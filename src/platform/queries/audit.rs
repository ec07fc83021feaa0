//! The audit, which is only added to.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::schema::platform_audit;
use crate::platform::model::AuditEntry;
use crate::platform::wire::AuditQuery;
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
