//! The table of invites. Nothing but diesel.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::Invite;
use crate::db::Conn;
use crate::db::schema::invites;
use crate::types::{Email, InviteId, OrgId, Timestamp};
use crate::with_conn;

/// Adds an invite.
pub(super) async fn insert(conn: &mut Conn, invite: &Invite) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::insert_into(invites::table).values(invite).execute(c).await)?;
    Ok(())
}

/// An invite, in whatever state.
pub(super) async fn find(conn: &mut Conn, org: OrgId, id: InviteId) -> QueryResult<Option<Invite>> {
    with_conn!(conn, |c| {
        invites::table.find((org, id)).select(Invite::as_select()).get_result(c).await.optional()
    })
}

/// Invites that can be accepted `now`, ordered by id, at most `limit` of those after `after`.
pub(super) async fn list_open(
    conn: &mut Conn,
    org: OrgId,
    now: Timestamp,
    after: InviteId,
    limit: i64,
) -> QueryResult<Vec<Invite>> {
    with_conn!(conn, |c| {
        invites::table
            .filter(invites::org_id.eq(org).and(invites::id.gt(after)))
            .filter(invites::accepted_at.is_null().and(invites::revoked_at.is_null()))
            .filter(invites::expires_at.gt(now))
            .order(invites::id)
            .limit(limit)
            .select(Invite::as_select())
            .load(c)
            .await
    })
}

/// Takes a pending invite back; `None` where there is none with this id.
pub(super) async fn revoke(
    conn: &mut Conn,
    org: OrgId,
    id: InviteId,
    now: Timestamp,
) -> QueryResult<Option<Invite>> {
    with_conn!(conn, |c| {
        diesel::update(invites::table.find((org, id)))
            .filter(invites::accepted_at.is_null().and(invites::revoked_at.is_null()))
            .set(invites::revoked_at.eq(Some(now)))
            .returning(Invite::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// Takes the pending invite of an email back, expired or not; `None` where there is none.
pub(super) async fn revoke_for_email(
    conn: &mut Conn,
    org: OrgId,
    email: &Email,
    now: Timestamp,
) -> QueryResult<Option<Invite>> {
    with_conn!(conn, |c| {
        diesel::update(invites::table)
            .filter(invites::org_id.eq(org).and(invites::email.eq(email)))
            .filter(invites::accepted_at.is_null().and(invites::revoked_at.is_null()))
            .set(invites::revoked_at.eq(Some(now)))
            .returning(Invite::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// Uses an invite that is open `now`. `false` where it is not, or not any more: of several at once, one
/// gets it.
pub(super) async fn claim(conn: &mut Conn, org: OrgId, id: InviteId, now: Timestamp) -> QueryResult<bool> {
    let claimed = with_conn!(conn, |c| {
        diesel::update(invites::table.find((org, id)))
            .filter(invites::accepted_at.is_null().and(invites::revoked_at.is_null()))
            .filter(invites::expires_at.gt(now))
            .set(invites::accepted_at.eq(Some(now)))
            .execute(c)
            .await
    })?;
    Ok(claimed == 1)
}

/// Invites of these organisations that expire before `before`, in whatever state, at most `limit`.
pub(super) async fn list_over(
    conn: &mut Conn,
    orgs: &[OrgId],
    before: Timestamp,
    limit: i64,
) -> QueryResult<Vec<InviteId>> {
    with_conn!(conn, |c| {
        invites::table
            .filter(invites::org_id.eq_any(orgs).and(invites::expires_at.lt(before)))
            .limit(limit)
            .select(invites::id)
            .load(c)
            .await
    })
}

/// Deletes these invites, if they expire before `before`; how many do.
pub(super) async fn delete_over(
    conn: &mut Conn,
    orgs: &[OrgId],
    ids: &[InviteId],
    before: Timestamp,
) -> QueryResult<u64> {
    let deleted = with_conn!(conn, |c| {
        diesel::delete(invites::table)
            .filter(invites::org_id.eq_any(orgs).and(invites::id.eq_any(ids)))
            .filter(invites::expires_at.lt(before))
            .execute(c)
            .await
    })?;
    Ok(deleted as u64)
}
