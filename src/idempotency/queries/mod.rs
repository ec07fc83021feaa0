//! The table of idempotency keys. Nothing but diesel.

mod administrators;
mod postgres;
mod sqlite;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::{KeyRow, Scope};
use crate::db::Conn;
use crate::db::schema::idempotency_keys;
use crate::types::{OrgId, Timestamp};
use crate::with_conn;

/// A key's row, expired or not.
pub(super) async fn find(conn: &mut Conn, scope: &Scope) -> QueryResult<Option<KeyRow>> {
    if scope.is_of_administrator() {
        return administrators::find(conn, scope).await;
    }
    let id = (scope.org, scope.user, &scope.method, &scope.path, &scope.key);
    with_conn!(conn, |c| {
        idempotency_keys::table.find(id).select(KeyRow::as_select()).get_result(c).await.optional()
    })
}

/// The rows of these keys, expired or not, in no order.
pub(super) async fn list(conn: &mut Conn, scopes: &[&Scope]) -> QueryResult<Vec<KeyRow>> {
    match conn {
        Conn::Postgres(conn) => postgres::list(conn, scopes).await,
        Conn::Sqlite(conn) => sqlite::list(conn, scopes).await,
    }
}

/// Writes a row where there is none, in place of one that has expired, or of one that reserves the same id.
/// A macro, because the statement has another type for each kind of connection.
macro_rules! put_statement {
    ($row:expr) => {{
        let upsert = diesel::insert_into(idempotency_keys::table)
            .values($row)
            .on_conflict((
                idempotency_keys::org_id,
                idempotency_keys::user_id,
                idempotency_keys::method,
                idempotency_keys::path,
                idempotency_keys::key,
            ))
            .do_update()
            .set($row);
        let has_expired = idempotency_keys::expires_at.le($row.created_at);
        let reserves_it =
            idempotency_keys::status.is_null().and(idempotency_keys::reserved_id.eq($row.reserved_id));
        diesel::query_dsl::methods::FilterDsl::filter(upsert, has_expired.or(reserves_it))
    }};
}
use put_statement;

/// Writes a row unless another stands there that counts: then `false`. A row that reserves the same id is
/// completed.
pub(super) async fn put(conn: &mut Conn, row: &KeyRow) -> QueryResult<bool> {
    if row.scope().is_of_administrator() {
        return administrators::put(conn, row).await;
    }
    let written = with_conn!(conn, |c| put_statement!(row).execute(c).await)?;
    Ok(written == 1)
}

/// Writes rows that have answers as [`put`] does, no two of one key; how many were written.
pub(super) async fn put_all(conn: &mut Conn, rows: Vec<KeyRow>) -> QueryResult<usize> {
    match conn {
        Conn::Postgres(conn) => postgres::put_all(conn, &rows).await,
        Conn::Sqlite(conn) => sqlite::put_all(conn, rows).await,
    }
}

/// Those of these organisations that have rows which have expired by `now`.
pub(super) async fn list_expired(conn: &mut Conn, orgs: &[OrgId], now: Timestamp) -> QueryResult<Vec<OrgId>> {
    with_conn!(conn, |c| {
        idempotency_keys::table
            .filter(idempotency_keys::org_id.eq_any(orgs).and(idempotency_keys::expires_at.le(now)))
            .select(idempotency_keys::org_id)
            .distinct()
            .load(c)
            .await
    })
}

/// Deletes administrators' keys that have expired by `now`.
pub async fn delete_expired_of_administrators(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    administrators::delete_expired(conn, now).await
}

/// Deletes rows of an organisation that have expired by `now`, the oldest first, about `limit` of them;
/// how many it were. There are none left where that is less than `limit`.
pub async fn delete_expired(conn: &mut Conn, org: OrgId, now: Timestamp, limit: i64) -> QueryResult<usize> {
    let expired = idempotency_keys::org_id.eq(org).and(idempotency_keys::expires_at.le(now));
    let last: Option<Timestamp> = with_conn!(&mut *conn, |c| {
        idempotency_keys::table
            .filter(expired)
            .order(idempotency_keys::expires_at)
            .offset(limit.saturating_sub(1).max(0))
            .select(idempotency_keys::expires_at)
            .first(c)
            .await
            .optional()
    })?;
    let until = last.unwrap_or(now);
    with_conn!(conn, |c| {
        diesel::delete(idempotency_keys::table)
            .filter(idempotency_keys::org_id.eq(org).and(idempotency_keys::expires_at.le(until)))
            .execute(c)
            .await
    })
}
