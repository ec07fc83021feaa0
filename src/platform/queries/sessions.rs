//! Administrators' sessions.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::schema::{administrator_sessions, administrators};
use crate::platform::model::{Administrator, AdministratorSession, Rotation};
use crate::types::{AdministratorId, SessionId, Timestamp};
use crate::with_conn;

/// Adds a session.
pub(crate) async fn insert(conn: &mut Conn, session: &AdministratorSession) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::insert_into(administrator_sessions::table)
        .values(session)
        .execute(c)
        .await)?;
    Ok(())
}

/// A session and whose it is.
pub(crate) async fn find(
    conn: &mut Conn,
    id: SessionId,
) -> QueryResult<Option<(AdministratorSession, Administrator)>> {
    with_conn!(conn, |c| {
        administrator_sessions::table
            .inner_join(
                administrators::table.on(administrators::id.eq(administrator_sessions::administrator_id)),
            )
            .filter(administrator_sessions::id.eq(id))
            .select((AdministratorSession::as_select(), Administrator::as_select()))
            .get_result(c)
            .await
            .optional()
    })
}

/// A session as it is now, which no other transaction changes until this one ends.
pub(crate) async fn lock(conn: &mut Conn, id: SessionId) -> QueryResult<Option<AdministratorSession>> {
    with_conn!(conn, |c| {
        diesel::update(administrator_sessions::table.find(id))
            .set(administrator_sessions::rotated_at.eq(administrator_sessions::rotated_at))
            .returning(AdministratorSession::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// Puts another refresh token in the place of the present one.
pub(crate) async fn rotate(conn: &mut Conn, id: SessionId, rotation: &Rotation) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(administrator_sessions::table.find(id)).set(rotation).execute(c).await
    })?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn end(conn: &mut Conn, id: SessionId, now: Timestamp) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(administrator_sessions::table.find(id))
            .filter(administrator_sessions::ended_at.is_null())
            .set(administrator_sessions::ended_at.eq(Some(now)))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Ends all sessions of an administrator.
pub(crate) async fn end_all(conn: &mut Conn, of: AdministratorId, now: Timestamp) -> QueryResult<usize> {
    with_conn!(conn, |c| {
        diesel::update(administrator_sessions::table)
            .filter(administrator_sessions::administrator_id.eq(of))
            .filter(administrator_sessions::ended_at.is_null())
            .set(administrator_sessions::ended_at.eq(Some(now)))
            .execute(c)
            .await
    })
}

/// Deletes sessions that ended or expired before `before`.
pub(crate) async fn delete_over(conn: &mut Conn, before: Timestamp) -> QueryResult<usize> {
    with_conn!(conn, |c| {
        diesel::delete(administrator_sessions::table)
            .filter(
                administrator_sessions::expires_at
                    .lt(before)
                    .or(administrator_sessions::ended_at.assume_not_null().lt(before)),
            )
            .execute(c)
            .await
    })
}
