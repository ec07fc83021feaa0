//! The table of users. Nothing but diesel.

use diesel::QueryResult;
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::User;
use crate::db::Conn;
use crate::db::schema::users;
use crate::types::{AccountId, Email, OrgId, PersonName, Role, Timestamp, UserId};
use crate::with_conn;

/// Adds a user. `false` where the account, or the email, has one in the organisation.
pub(super) async fn insert(conn: &mut Conn, user: &User) -> QueryResult<bool> {
    let inserted = with_conn!(conn, |c| diesel::insert_into(users::table)
        .values(user)
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// A user.
pub(super) async fn find(conn: &mut Conn, org: OrgId, id: UserId) -> QueryResult<Option<User>> {
    with_conn!(conn, |c| {
        users::table.find((org, id)).select(User::as_select()).get_result(c).await.optional()
    })
}

/// The user of an account.
pub(super) async fn find_by_account(
    conn: &mut Conn,
    org: OrgId,
    account: AccountId,
) -> QueryResult<Option<User>> {
    with_conn!(conn, |c| {
        users::table
            .filter(users::org_id.eq(org).and(users::account_id.eq(account)))
            .select(User::as_select())
            .get_result(c)
            .await
            .optional()
    })
}

/// The user with this email.
pub(super) async fn find_by_email(conn: &mut Conn, org: OrgId, email: &Email) -> QueryResult<Option<User>> {
    with_conn!(conn, |c| {
        users::table
            .filter(users::org_id.eq(org).and(users::email.eq(email)))
            .select(User::as_select())
            .get_result(c)
            .await
            .optional()
    })
}

/// Users ordered by id, at most `limit` of those after `after`.
pub(super) async fn list(conn: &mut Conn, org: OrgId, after: UserId, limit: i64) -> QueryResult<Vec<User>> {
    with_conn!(conn, |c| {
        users::table
            .filter(users::org_id.eq(org).and(users::id.gt(after)))
            .order(users::id)
            .limit(limit)
            .select(User::as_select())
            .load(c)
            .await
    })
}

/// The users that these accounts have in these organisations.
pub(super) async fn list_by_accounts(
    conn: &mut Conn,
    orgs: &[OrgId],
    accounts: &[AccountId],
) -> QueryResult<Vec<User>> {
    with_conn!(conn, |c| {
        users::table
            .filter(users::org_id.eq_any(orgs).and(users::account_id.eq_any(accounts)))
            .select(User::as_select())
            .load(c)
            .await
    })
}

/// How many users there are.
pub(super) async fn count(conn: &mut Conn, org: OrgId) -> QueryResult<i64> {
    with_conn!(conn, |c| users::table.filter(users::org_id.eq(org)).count().get_result(c).await)
}

/// How many users there are in each of these organisations; none for those that have none.
pub(super) async fn count_each(conn: &mut Conn, orgs: &[OrgId]) -> QueryResult<Vec<(OrgId, i64)>> {
    with_conn!(conn, |c| {
        users::table
            .filter(users::org_id.eq_any(orgs))
            .group_by(users::org_id)
            .select((users::org_id, count_star()))
            .load(c)
            .await
    })
}

/// How many users have this role.
pub(super) async fn count_role(conn: &mut Conn, org: OrgId, role: Role) -> QueryResult<i64> {
    with_conn!(conn, |c| {
        users::table.filter(users::org_id.eq(org).and(users::role.eq(role))).count().get_result(c).await
    })
}

/// Gives a user another role.
pub(super) async fn update_role(
    conn: &mut Conn,
    org: OrgId,
    id: UserId,
    role: Role,
    now: Timestamp,
) -> QueryResult<User> {
    with_conn!(conn, |c| {
        diesel::update(users::table.find((org, id)))
            .set((users::role.eq(role), users::updated_at.eq(now)))
            .returning(User::as_returning())
            .get_result(c)
            .await
    })
}

/// Gives a user another name.
pub(super) async fn update_name(
    conn: &mut Conn,
    org: OrgId,
    id: UserId,
    name: &PersonName,
    now: Timestamp,
) -> QueryResult<User> {
    with_conn!(conn, |c| {
        diesel::update(users::table.find((org, id)))
            .set((users::name.eq(name), users::updated_at.eq(now)))
            .returning(User::as_returning())
            .get_result(c)
            .await
    })
}

/// A user as they are now, whom no other transaction changes until this one ends: an update of nothing
/// locks the row on both databases.
pub(super) async fn lock(conn: &mut Conn, org: OrgId, id: UserId) -> QueryResult<Option<User>> {
    with_conn!(conn, |c| {
        diesel::update(users::table.find((org, id)))
            .set(users::updated_at.eq(users::updated_at))
            .returning(User::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// Removes a user, and with them their sessions.
pub(super) async fn delete(conn: &mut Conn, org: OrgId, id: UserId) -> QueryResult<()> {
    with_conn!(conn, |c| diesel::delete(users::table.find((org, id))).execute(c).await)?;
    Ok(())
}
