//! What only SQLite does this way.

use diesel::QueryResult;
use diesel::prelude::*;

use super::put_statement;
use crate::db::AsyncSqlite;
use crate::db::schema::idempotency_keys;
use crate::idempotency::model::{KeyRow, Scope};

/// One by one, as [`put_all`] writes them: each is found by the primary key.
pub(super) async fn list(conn: &mut AsyncSqlite, scopes: &[&Scope]) -> QueryResult<Vec<KeyRow>> {
    let scopes: Vec<Scope> = scopes.iter().copied().cloned().collect();
    conn.spawn_blocking(move |conn| {
        let mut rows = Vec::new();
        for Scope { org, user, method, path, key } in &scopes {
            let found = idempotency_keys::table.find((org, user, method, path, key));
            rows.extend(found.select(KeyRow::as_select()).get_result(conn).optional()?);
        }
        Ok(rows)
    })
    .await
}

/// In one hop to the blocking thread: a hop a row would cost more than the row.
pub(super) async fn put_all(conn: &mut AsyncSqlite, rows: Vec<KeyRow>) -> QueryResult<usize> {
    conn.spawn_blocking(move |conn| {
        let mut written = 0;
        for row in &rows {
            written += put_statement!(row).execute(conn)?;
        }
        Ok(written)
    })
    .await
}
