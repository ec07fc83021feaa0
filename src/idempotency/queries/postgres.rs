//! What only PostgreSQL does this way.

use diesel::dsl::sql as literal;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};
use diesel::{QueryResult, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::schema::idempotency_keys;
use crate::idempotency::model::{KeyRow, Scope};
use crate::types::sql;

fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// By whole keys: one part by the other would also find what nobody asked for.
pub(super) async fn list(conn: &mut AsyncPgConnection, scopes: &[&Scope]) -> QueryResult<Vec<KeyRow>> {
    let asked_for = literal::<Bool>("(org_id, user_id, method, path, key) IN (SELECT * FROM unnest(")
        .bind::<Array<sql::Id>, _>(column(scopes, |scope| scope.org))
        .sql(", ")
        .bind::<Array<sql::Id>, _>(column(scopes, |scope| scope.user))
        .sql(", ")
        .bind::<Array<Text>, _>(column(scopes, |scope| scope.method.as_str()))
        .sql(", ")
        .bind::<Array<Text>, _>(column(scopes, |scope| scope.path.as_str()))
        .sql(", ")
        .bind::<Array<Text>, _>(column(scopes, |scope| scope.key.as_str()))
        .sql("))");
    idempotency_keys::table.filter(asked_for).select(KeyRow::as_select()).load(conn).await
}

/// As one statement of one parameter a column, however many rows they are: its text is always the same.
pub(super) async fn put_all(conn: &mut AsyncPgConnection, rows: &[KeyRow]) -> QueryResult<usize> {
    sql_query(
        "INSERT INTO idempotency_keys (org_id, user_id, method, path, key, request_hash, status, encoding, \
         body, created_at, expires_at) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (org_id, user_id, method, path, key) DO UPDATE SET request_hash = excluded.request_hash, \
         reserved_id = NULL, status = excluded.status, encoding = excluded.encoding, body = excluded.body, \
         created_at = excluded.created_at, expires_at = excluded.expires_at \
         WHERE idempotency_keys.expires_at <= excluded.created_at",
    )
    .bind::<Array<sql::Id>, _>(column(rows, |row| row.org_id))
    .bind::<Array<sql::Id>, _>(column(rows, |row| row.user_id))
    .bind::<Array<Text>, _>(column(rows, |row| row.method.as_str()))
    .bind::<Array<Text>, _>(column(rows, |row| row.path.as_str()))
    .bind::<Array<Text>, _>(column(rows, |row| row.key.as_str()))
    .bind::<Array<Binary>, _>(column(rows, |row| row.request_hash.as_slice()))
    .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.status))
    .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.encoding))
    .bind::<Array<Nullable<Binary>>, _>(column(rows, |row| row.body.as_deref()))
    .bind::<Array<sql::Moment>, _>(column(rows, |row| row.created_at))
    .bind::<Array<sql::Moment>, _>(column(rows, |row| row.expires_at))
    .execute(conn)
    .await
}
