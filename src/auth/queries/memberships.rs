//! Memberships, in the directory.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::auth::model::Membership;
use crate::db::Conn;
use crate::db::schema::{memberships, organisations};
use crate::types::{AccountId, OrgId, Slug, Timestamp, UserId};
use crate::with_conn;

/// Adds a membership, in place of an earlier one of the same account there.
pub(crate) async fn enter(conn: &mut Conn, membership: &Membership) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::insert_into(memberships::table)
        .values(membership)
        .on_conflict((memberships::account_id, memberships::org_id))
        .do_update()
        .set((
            memberships::user_id.eq(membership.user_id),
            memberships::created_at.eq(membership.created_at),
            memberships::last_used_at.eq(membership.last_used_at),
        ))
        .execute(c)
        .await)?;
    Ok(())
}

/// Notes that a membership was used, and that it stands.
pub(crate) async fn touch(conn: &mut Conn, membership: &Membership) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::insert_into(memberships::table)
        .values(membership)
        .on_conflict((memberships::account_id, memberships::org_id))
        .do_update()
        .set((
            memberships::user_id.eq(membership.user_id),
            memberships::last_used_at.eq(membership.last_used_at),
        ))
        .execute(c)
        .await)?;
    Ok(())
}

/// The organisations of an account, the one used last first.
pub(crate) async fn list_by_use(conn: &mut Conn, account: AccountId) -> QueryResult<Vec<OrgId>> {
    with_conn!(conn, |c| {
        memberships::table
            .filter(memberships::account_id.eq(account))
            .order((memberships::last_used_at.desc(), memberships::org_id.desc()))
            .select(memberships::org_id)
            .load(c)
            .await
    })
}

/// The organisations of an account by id, at most `limit` of those after `after`.
pub(crate) async fn list(
    conn: &mut Conn,
    account: AccountId,
    after: Option<OrgId>,
    limit: i64,
) -> QueryResult<Vec<OrgId>> {
    let after = after.unwrap_or_else(|| uuid::Uuid::nil().into());
    with_conn!(conn, |c| {
        memberships::table
            .filter(memberships::account_id.eq(account).and(memberships::org_id.gt(after)))
            .order(memberships::org_id)
            .limit(limit)
            .select(memberships::org_id)
            .load(c)
            .await
    })
}

/// The organisation of an account with this id.
pub(crate) async fn find(conn: &mut Conn, account: AccountId, org: OrgId) -> QueryResult<Option<OrgId>> {
    with_conn!(conn, |c| {
        memberships::table.find((account, org)).select(memberships::org_id).get_result(c).await.optional()
    })
}

/// The organisation of an account with this slug.
pub(crate) async fn find_by_slug(
    conn: &mut Conn,
    account: AccountId,
    slug: &Slug,
) -> QueryResult<Option<OrgId>> {
    with_conn!(conn, |c| {
        memberships::table
            .inner_join(organisations::table.on(organisations::id.eq(memberships::org_id)))
            .filter(memberships::account_id.eq(account).and(organisations::slug.eq(slug)))
            .select(memberships::org_id)
            .get_result(c)
            .await
            .optional()
    })
}

/// Removes a membership if it still names this user.
pub(crate) async fn delete(conn: &mut Conn, account: AccountId, org: OrgId, user: UserId) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::delete(memberships::table.find((account, org)).filter(memberships::user_id.eq(user)))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Memberships made before `before`, ordered by account and organisation, at most `limit` of those after
/// `after`.
pub(crate) async fn list_older(
    conn: &mut Conn,
    before: Timestamp,
    after: (AccountId, OrgId),
    limit: i64,
) -> QueryResult<Vec<Membership>> {
    let (account, org) = after;
    with_conn!(conn, |c| {
        memberships::table
            .filter(memberships::created_at.lt(before))
            .filter(
                memberships::account_id
                    .gt(account)
                    .or(memberships::account_id.eq(account).and(memberships::org_id.gt(org))),
            )
            .order((memberships::account_id, memberships::org_id))
            .limit(limit)
            .select(Membership::as_select())
            .load(c)
            .await
    })
}
