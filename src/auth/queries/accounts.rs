//! Accounts, in the directory.

use diesel::QueryResult;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::auth::model::Account;
use crate::db::Conn;
use crate::db::schema::{accounts, memberships};
use crate::types::{AccountId, Email, Timestamp};
use crate::with_conn;

/// Adds an account. `false` where its email has one.
pub(crate) async fn insert(conn: &mut Conn, account: &Account) -> QueryResult<bool> {
    let inserted = with_conn!(conn, |c| diesel::insert_into(accounts::table)
        .values(account)
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// The account with this email.
pub(crate) async fn find_by_email(conn: &mut Conn, email: &Email) -> QueryResult<Option<Account>> {
    with_conn!(conn, |c| {
        accounts::table
            .filter(accounts::email.eq(email))
            .select(Account::as_select())
            .get_result(c)
            .await
            .optional()
    })
}

/// The account with this id.
pub(crate) async fn find(conn: &mut Conn, id: AccountId) -> QueryResult<Option<Account>> {
    with_conn!(conn, |c| {
        accounts::table.find(id).select(Account::as_select()).get_result(c).await.optional()
    })
}

/// How many passwords the account has had; `None` where it does not exist.
pub(crate) async fn find_password_version(conn: &mut Conn, id: AccountId) -> QueryResult<Option<i64>> {
    with_conn!(conn, |c| {
        accounts::table.find(id).select(accounts::password_version).get_result(c).await.optional()
    })
}

/// Gives the account another password if it still has the one of `version`; the new version, else `None`.
pub(crate) async fn update_password(
    conn: &mut Conn,
    id: AccountId,
    version: i64,
    hash: String,
    now: Timestamp,
) -> QueryResult<Option<i64>> {
    with_conn!(conn, |c| {
        diesel::update(accounts::table.find(id).filter(accounts::password_version.eq(version)))
            .set((
                accounts::password_hash.eq(hash),
                accounts::password_version.eq(accounts::password_version + 1),
                accounts::updated_at.eq(now),
            ))
            .returning(accounts::password_version)
            .get_result(c)
            .await
            .optional()
    })
}

/// Locks an account against everything, new memberships included. On SQLite the writer's turn does.
pub(crate) async fn lock(conn: &mut Conn, id: AccountId) -> QueryResult<()> {
    if let Conn::Postgres(conn) = conn {
        let locked = accounts::table.find(id).select(accounts::id).for_update();
        let _locked: Option<AccountId> = locked.get_result(&mut **conn).await.optional()?;
    }
    Ok(())
}

/// Removes an account that is in no organisation.
pub(crate) async fn delete_unused(conn: &mut Conn, id: AccountId) -> QueryResult<()> {
    with_conn!(conn, |c| {
        let used = memberships::table.filter(memberships::account_id.eq(id));
        diesel::delete(accounts::table.filter(accounts::id.eq(id)).filter(not(exists(used)))).execute(c).await
    })?;
    Ok(())
}
