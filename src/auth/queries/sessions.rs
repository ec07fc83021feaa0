//! Sessions, in a tenant's store.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::auth::model::Session;
use crate::db::Conn;
use crate::db::schema::sessions;
use crate::types::{OrgId, SessionId, Timestamp, UserId};
use crate::with_conn;

/// Adds a session.
pub(crate) async fn insert(conn: &mut Conn, session: &Session) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::insert_into(sessions::table).values(session).execute(c).await)?;
    Ok(())
}

/// A session.
pub(crate) async fn find(conn: &mut Conn, org: OrgId, id: SessionId) -> QueryResult<Option<Session>> {
    with_conn!(conn, |c| {
        sessions::table.find((org, id)).select(Session::as_select()).get_result(c).await.optional()
    })
}

/// A session as it is now, which no other transaction changes until this one ends: an update of nothing
/// locks the row on both databases.
pub(crate) async fn lock(conn: &mut Conn, org: OrgId, id: SessionId) -> QueryResult<Option<Session>> {
    with_conn!(conn, |c| {
        diesel::update(sessions::table.find((org, id)))
            .set(sessions::rotated_at.eq(sessions::rotated_at))
            .returning(Session::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// What a refresh changes of a session.
#[derive(AsChangeset)]
#[diesel(table_name = sessions)]
pub(crate) struct Rotation {
    pub(crate) refresh_hash: Vec<u8>,
    pub(crate) refresh_generation: i64,
    pub(crate) previous_hash: Option<Vec<u8>>,
    pub(crate) rotated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Puts another refresh token in the place of the one with the hash `from`. `false` where that is not the
/// current one any more.
pub(crate) async fn rotate(
    conn: &mut Conn,
    org: OrgId,
    id: SessionId,
    from: &[u8],
    rotation: &Rotation,
) -> QueryResult<bool> {
    let updated = with_conn!(conn, |c| {
        diesel::update(sessions::table.find((org, id)))
            .filter(sessions::refresh_hash.eq(from).and(sessions::ended_at.is_null()))
            .set(rotation)
            .execute(c)
            .await
    })?;
    Ok(updated == 1)
}

/// Ends a session; the user whose it was, or `None` where it had ended.
pub(crate) async fn end(
    conn: &mut Conn,
    org: OrgId,
    id: SessionId,
    now: Timestamp,
) -> QueryResult<Option<UserId>> {
    with_conn!(conn, |c| {
        diesel::update(sessions::table.find((org, id)))
            .filter(sessions::ended_at.is_null())
            .set(sessions::ended_at.eq(Some(now)))
            .returning(sessions::user_id)
            .get_result(c)
            .await
            .optional()
    })
}

/// Ends a user's sessions that were started under a password before `version`, at most `limit`; which these
/// were.
pub(crate) async fn end_older(
    conn: &mut Conn,
    org: OrgId,
    user: UserId,
    version: i64,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<SessionId>> {
    let older = sessions::ended_at.is_null().and(sessions::password_version.lt(version));
    let found: Vec<SessionId> = with_conn!(&mut *conn, |c| {
        sessions::table
            .filter(sessions::org_id.eq(org).and(sessions::user_id.eq(user)))
            .filter(older)
            .order(sessions::id)
            .limit(limit)
            .select(sessions::id)
            .load(c)
            .await
    })?;
    with_conn!(conn, |c| {
        diesel::update(sessions::table)
            .filter(sessions::org_id.eq(org).and(sessions::id.eq_any(&found)))
            .filter(older)
            .set(sessions::ended_at.eq(Some(now)))
            .returning(sessions::id)
            .get_results(c)
            .await
    })
}

/// Lets a session go on under another password version. Never back to an earlier one.
pub(crate) async fn update_password_version(
    conn: &mut Conn,
    org: OrgId,
    id: SessionId,
    version: i64,
) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(sessions::table.find((org, id)))
            .filter(sessions::ended_at.is_null().and(sessions::password_version.lt(version)))
            .set(sessions::password_version.eq(version))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Sessions of these organisations that ended or expired before `before`, at most `limit`.
pub(crate) async fn list_over(
    conn: &mut Conn,
    orgs: &[OrgId],
    before: Timestamp,
    limit: i64,
) -> QueryResult<Vec<SessionId>> {
    with_conn!(conn, |c| {
        sessions::table
            .filter(sessions::org_id.eq_any(orgs))
            .filter(sessions::expires_at.lt(before).or(sessions::ended_at.assume_not_null().lt(before)))
            .limit(limit)
            .select(sessions::id)
            .load(c)
            .await
    })
}

/// Deletes these sessions, if they ended or expired before `before`; how many did.
pub(crate) async fn delete_over(
    conn: &mut Conn,
    orgs: &[OrgId],
    ids: &[SessionId],
    before: Timestamp,
) -> QueryResult<u64> {
    let deleted = with_conn!(conn, |c| {
        diesel::delete(sessions::table)
            .filter(sessions::org_id.eq_any(orgs).and(sessions::id.eq_any(ids)))
            .filter(sessions::expires_at.lt(before).or(sessions::ended_at.assume_not_null().lt(before)))
            .execute(c)
            .await
    })?;
    Ok(deleted as u64)
}
