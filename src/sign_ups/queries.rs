//! The table of sign-ups. Nothing but diesel.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::SignUp;
use crate::db::Conn;
use crate::db::schema::sign_ups;
use crate::types::{OrgId, SignUpId, Timestamp};
use crate::with_conn;

/// Adds a sign-up, or opens one anew that an earlier attempt at it added.
pub(super) async fn put(conn: &mut Conn, sign_up: &SignUp) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::insert_into(sign_ups::table)
            .values(sign_up)
            .on_conflict((sign_ups::org_id, sign_ups::id))
            .do_update()
            .set((
                sign_ups::token_hash.eq(&sign_up.token_hash),
                sign_ups::administrator_id.eq(sign_up.administrator_id),
                sign_ups::expires_at.eq(sign_up.expires_at),
                sign_ups::revoked_at.eq(sign_up.revoked_at),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// A sign-up, in whatever state.
pub(super) async fn find(conn: &mut Conn, org: OrgId, id: SignUpId) -> QueryResult<Option<SignUp>> {
    with_conn!(conn, |c| {
        sign_ups::table.find((org, id)).select(SignUp::as_select()).get_result(c).await.optional()
    })
}

/// Takes back what is neither used nor taken back, expired or not.
pub(super) async fn revoke_open(conn: &mut Conn, org: OrgId, now: Timestamp) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(sign_ups::table)
            .filter(sign_ups::org_id.eq(org))
            .filter(sign_ups::used_at.is_null().and(sign_ups::revoked_at.is_null()))
            .set(sign_ups::revoked_at.eq(Some(now)))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Uses a sign-up that is open `now`. `false` where it is not, or not any more: of several at once, one gets
/// it.
pub(super) async fn claim(conn: &mut Conn, org: OrgId, id: SignUpId, now: Timestamp) -> QueryResult<bool> {
    let claimed = with_conn!(conn, |c| {
        diesel::update(sign_ups::table.find((org, id)))
            .filter(sign_ups::used_at.is_null().and(sign_ups::revoked_at.is_null()))
            .filter(sign_ups::expires_at.gt(now))
            .set(sign_ups::used_at.eq(Some(now)))
            .execute(c)
            .await
    })?;
    Ok(claimed == 1)
}
