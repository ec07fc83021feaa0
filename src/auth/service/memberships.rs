//! The directory's notes of which account has a user where.

use uuid::Uuid;

use crate::app::App;
use crate::auth::model::Membership;
use crate::auth::queries::memberships as queries;
use crate::db::Conn;
use crate::error::{LogFailure as _, Result};
use crate::types::{AccountId, OrgId, Slug, Timestamp, UserId};
use crate::{read, transaction};

/// Notes, in a transaction of the directory, that the account is about to have a user there. An earlier
/// note of the same account there is replaced: its user was removed.
pub(crate) async fn enter(
    conn: &mut Conn,
    account: AccountId,
    org: OrgId,
    user: UserId,
    now: Timestamp,
) -> Result<()> {
    Ok(queries::enter(conn, &membership(account, org, user, now)).await?)
}

/// Notes that a session has just begun there. The user exists by now, so this also puts right what a
/// failed attempt at the same time may have written or removed.
pub(crate) async fn touch(app: &App, account: AccountId, org: OrgId, user: UserId) {
    let row = membership(account, org, user, app.clock.now());
    let touched: Result<()> =
        async { transaction!(app.db.central(), |tx| Ok(queries::touch(tx, &row).await?)) }.await;
    touched.log_failure("note in the directory where an account signed in");
}

/// Removes the note, unless it is of another user by now.
pub(crate) async fn leave(app: &App, account: AccountId, org: OrgId, user: UserId) -> Result<()> {
    transaction!(app.db.central(), |tx| Ok(queries::delete(tx, account, org, user).await?))
}

/// Where the account may have a user, the organisation used last first.
pub(crate) async fn list_by_use(app: &App, account: AccountId) -> Result<Vec<OrgId>> {
    read!(app.db.central(), |conn| Ok(queries::list_by_use(conn, account).await?))
}

/// Where the account may have a user, ordered by organisation.
pub(crate) async fn list(
    app: &App,
    account: AccountId,
    after: Option<OrgId>,
    limit: i64,
) -> Result<Vec<OrgId>> {
    read!(app.db.central(), |conn| Ok(queries::list(conn, account, after, limit).await?))
}

/// The organisation by this id or slug, where the account may have a user there.
pub(crate) async fn find(app: &App, account: AccountId, organisation: &str) -> Result<Option<OrgId>> {
    let id = Uuid::try_parse(organisation).ok().map(OrgId::from);
    let slug = Slug::try_from(organisation.to_owned()).ok();
    read!(app.db.central(), |conn| {
        if let Some(id) = id
            && let Some(found) = queries::find(conn, account, id).await?
        {
            return Ok(Some(found));
        }
        match slug {
            Some(slug) => Ok(queries::find_by_slug(conn, account, &slug).await?),
            None => Ok(None),
        }
    })
}

/// Notes made before `before` by account and organisation, for the janitor.
pub(crate) async fn list_older(
    app: &App,
    before: Timestamp,
    after: (AccountId, OrgId),
    limit: i64,
) -> Result<Vec<Membership>> {
    read!(app.db.central(), |conn| Ok(queries::list_older(conn, before, after, limit).await?))
}

fn membership(account: AccountId, org: OrgId, user: UserId, now: Timestamp) -> Membership {
    Membership { account_id: account, org_id: org, user_id: user, created_at: now, last_used_at: now }
}
