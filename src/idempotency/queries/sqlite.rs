//! What only SQLite does this way.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

use super::put_statement;
use crate::db::schema::idempotency_keys;
use crate::idempotency::model::KeyRow;

/// In one hop to the blocking thread: a hop a row would cost more than the row.
pub(super) async fn put_all(
    conn: &mut SyncConnectionWrapper<SqliteConnection>,
    rows: Vec<KeyRow>,
) -> QueryResult<usize> {
    conn.spawn_blocking(move |conn| {
        let mut written = 0;
        for row in &rows {
            written += put_statement!(row).execute(conn)?;
        }
        Ok(written)
    })
    .await
}
