//! Administrators.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::schema::administrators;
use crate::platform::model::{Administrator, AdministratorRole, AdministratorStatus};
use crate::types::{AdministratorId, Email, Timestamp};
use crate::with_conn;

/// Adds an administrator. `false` where the email has one.
pub(crate) async fn insert(conn: &mut Conn, administrator: &Administrator) -> QueryResult<bool> {
    let inserted = with_conn!(conn, |c| diesel::insert_into(administrators::table)
        .values(administrator)
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// The administrator with this email.
pub(crate) async fn find_by_email(conn: &mut Conn, email: &Email) -> QueryResult<Option<Administrator>> {
    with_conn!(conn, |c| {
        administrators::table
            .filter(administrators::email.eq(email))
            .select(Administrator::as_select())
            .get_result(c)
            .await
            .optional()
    })
}

/// Administrators ordered by id, at most `limit` of those after `after`.
pub(crate) async fn list(
    conn: &mut Conn,
    after: AdministratorId,
    limit: i64,
) -> QueryResult<Vec<Administrator>> {
    with_conn!(conn, |c| {
        administrators::table
            .filter(administrators::id.gt(after))
            .order(administrators::id)
            .limit(limit)
            .select(Administrator::as_select())
            .load(c)
            .await
    })
}

/// An administrator as they are now, whom no other transaction changes until this one ends.
pub(crate) async fn lock(conn: &mut Conn, id: AdministratorId) -> QueryResult<Option<Administrator>> {
    with_conn!(conn, |c| {
        diesel::update(administrators::table.find(id))
            .set(administrators::updated_at.eq(administrators::updated_at))
            .returning(Administrator::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// Locks all who may do everything, in the order of their ids, and tells who they are: of two that end each
/// other's, the second sees what the first did.
pub(crate) async fn lock_super(conn: &mut Conn) -> QueryResult<Vec<AdministratorId>> {
    let found: Vec<AdministratorId> = with_conn!(&mut *conn, |c| {
        administrators::table
            .filter(administrators::role.eq(AdministratorRole::SuperAdmin))
            .order(administrators::id)
            .select(administrators::id)
            .load(c)
            .await
    })?;
    let mut locked = Vec::new();
    for id in found {
        let administrator = lock(conn, id).await?;
        locked.extend(administrator.filter(is_super).map(|administrator| administrator.id));
    }
    Ok(locked)
}

fn is_super(administrator: &Administrator) -> bool {
    administrator.role == AdministratorRole::SuperAdmin && administrator.status == AdministratorStatus::Active
}

/// Gives an administrator another role or status.
pub(crate) async fn update(
    conn: &mut Conn,
    id: AdministratorId,
    role: AdministratorRole,
    status: AdministratorStatus,
    now: Timestamp,
) -> QueryResult<Administrator> {
    with_conn!(conn, |c| {
        diesel::update(administrators::table.find(id))
            .set((
                administrators::role.eq(role),
                administrators::status.eq(status),
                administrators::updated_at.eq(now),
            ))
            .returning(Administrator::as_returning())
            .get_result(c)
            .await
    })
}

/// Gives an administrator another password.
pub(crate) async fn update_password(
    conn: &mut Conn,
    id: AdministratorId,
    hash: String,
    now: Timestamp,
) -> QueryResult<Administrator> {
    with_conn!(conn, |c| {
        diesel::update(administrators::table.find(id))
            .set((
                administrators::password_hash.eq(hash),
                administrators::password_version.eq(administrators::password_version + 1),
                administrators::updated_at.eq(now),
            ))
            .returning(Administrator::as_returning())
            .get_result(c)
            .await
    })
}
