//! The keys of platform administrators, in the directory. Their rows are those of tenants but for whose they are.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::schema::administrator_keys;
use crate::idempotency::model::{Encoding, IdempotencyKey, KeyRow, Scope};
use crate::types::{AdministratorId, ReservedId, Timestamp};
use crate::with_conn;

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = administrator_keys)]
#[diesel(primary_key(administrator_id, method, path, key))]
#[diesel(treat_none_as_null = true)]
struct Row {
    administrator_id: AdministratorId,
    method: String,
    path: String,
    key: IdempotencyKey,
    request_hash: Vec<u8>,
    reserved_id: Option<ReservedId>,
    status: Option<i64>,
    encoding: Option<Encoding>,
    body: Option<Vec<u8>>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl Row {
    fn of(row: &KeyRow) -> Self {
        Self {
            administrator_id: row.user_id.as_uuid().into(),
            method: row.method.clone(),
            path: row.path.clone(),
            key: row.key.clone(),
            request_hash: row.request_hash.clone(),
            reserved_id: row.reserved_id,
            status: row.status,
            encoding: row.encoding,
            body: row.body.clone(),
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }

    fn into_key_row(self, scope: &Scope) -> KeyRow {
        KeyRow {
            org_id: scope.org,
            user_id: scope.user,
            method: self.method,
            path: self.path,
            key: self.key,
            request_hash: self.request_hash,
            reserved_id: self.reserved_id,
            status: self.status,
            encoding: self.encoding,
            body: self.body,
            created_at: self.created_at,
            expires_at: self.expires_at,
        }
    }
}

/// A key's row, expired or not.
pub(super) async fn find(conn: &mut Conn, scope: &Scope) -> QueryResult<Option<KeyRow>> {
    let administrator = AdministratorId::from(scope.user.as_uuid());
    let id = (administrator, &scope.method, &scope.path, &scope.key);
    let row: Option<Row> = with_conn!(conn, |c| {
        administrator_keys::table.find(id).select(Row::as_select()).get_result(c).await.optional()
    })?;
    Ok(row.map(|row| row.into_key_row(scope)))
}

/// Writes a row where there is none, in place of one that has expired, or of one that reserves the same id.
pub(super) async fn put(conn: &mut Conn, row: &KeyRow) -> QueryResult<bool> {
    let row = Row::of(row);
    let written = with_conn!(conn, |c| {
        let upsert = diesel::insert_into(administrator_keys::table)
            .values(&row)
            .on_conflict((
                administrator_keys::administrator_id,
                administrator_keys::method,
                administrator_keys::path,
                administrator_keys::key,
            ))
            .do_update()
            .set(&row);
        let has_expired = administrator_keys::expires_at.le(row.created_at);
        let reserves_it =
            administrator_keys::status.is_null().and(administrator_keys::reserved_id.eq(row.reserved_id));
        diesel::query_dsl::methods::FilterDsl::filter(upsert, has_expired.or(reserves_it)).execute(c).await
    })?;
    Ok(written == 1)
}

/// Deletes what has expired.
pub(super) async fn delete_expired(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    with_conn!(conn, |c| {
        diesel::delete(administrator_keys::table.filter(administrator_keys::expires_at.le(now)))
            .execute(c)
            .await
    })
}
