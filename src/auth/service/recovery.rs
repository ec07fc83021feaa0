//! A new password for somebody who has lost theirs, from the operator or by way of their email.

use anyhow::Context as _;

use super::sessions::{self, Older};
use crate::activity::{self, Activity, Origin};
use crate::app::App;
use crate::auth::Hasher;
use crate::auth::queries::{accounts, memberships};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::types::{AccountId, Clock, Email, NewPassword, OrgId};
use crate::{read, transaction, users};

/// What a new password has changed.
#[derive(Debug)]
pub(crate) struct Reset {
    /// In how many organisations the account has a user, all of whose sessions have ended.
    pub(crate) organisations: usize,
    /// Where they could not be ended. They end when they are next refreshed.
    pub(crate) failed: Vec<(OrgId, Error)>,
}

/// Gives the account with this email another password, and ends its sessions in every organisation. `None`
/// where there is no such account.
///
/// It works beside hubs that are running: what ends is in the log, which they follow.
pub(crate) async fn reset_password(
    db: &Db,
    clock: &Clock,
    hasher: &Hasher,
    email: &Email,
    password: NewPassword,
) -> Result<Option<Reset>> {
    let Some(account) = read!(db.central(), |conn| Ok(accounts::find_by_email(conn, email).await?))? else {
        return Ok(None);
    };
    let hash = hasher.hash(password.as_password().clone()).await?;
    let version = transaction!(db.central(), |tx| {
        // Whatever its present password is: the account may be changing it right now.
        accounts::lock(tx, account.id).await?;
        let present = accounts::find_password_version(tx, account.id).await?;
        let present = present.context("the account has just been deleted")?;
        let changed = accounts::update_password(tx, account.id, present, hash, clock.now()).await?;
        Ok(changed.context("an account changed although it was locked")?)
    })?;
    Ok(Some(end_everywhere(db, clock, account.id, version).await?))
}

/// The same for an account that still has the password of `version`; `None` where it has another one.
pub(crate) async fn replace_password(
    app: &App,
    account: AccountId,
    version: i64,
    password: NewPassword,
) -> Result<Option<Reset>> {
    let (db, clock) = (&app.db, &app.clock);
    // Before anything is hashed: who has a token once could have that done for ever.
    let present = read!(db.central(), |conn| Ok(accounts::find_password_version(conn, account).await?))?;
    if present != Some(version) {
        return Ok(None);
    }
    let hash = app.hasher.hash(password.as_password().clone()).await?;
    let changed = transaction!(db.central(), |tx| {
        Ok(accounts::update_password(tx, account, version, hash, clock.now()).await?)
    })?;
    let Some(version) = changed else { return Ok(None) };
    Ok(Some(end_everywhere(db, clock, account, version).await?))
}

/// Ends what sessions an account had before this password.
async fn end_everywhere(db: &Db, clock: &Clock, account: AccountId, version: i64) -> Result<Reset> {
    let orgs = read!(db.central(), |conn| Ok(memberships::list_by_use(conn, account).await?))?;
    let mut reset = Reset { organisations: 0, failed: Vec::new() };
    for org in orgs {
        match end_sessions(db, clock, org, account, version).await {
            Ok(was_member) => reset.organisations += usize::from(was_member),
            Err(error) => reset.failed.push((org, error)),
        }
    }
    Ok(reset)
}

/// Ends the account's sessions in an organisation and records it, as done by nobody. False where the account
/// has no user there.
async fn end_sessions(db: &Db, clock: &Clock, org: OrgId, account: AccountId, version: i64) -> Result<bool> {
    let origin = Origin { org, actor: None, ip: None, user_agent: None, at: clock.now() };
    let found = transaction!(db.org(org), |tx| {
        let Some(user) = users::service::lock_by_account(tx, org, account).await? else {
            return Ok(None);
        };
        let left = sessions::end_older(tx, &origin, user.id, version).await?;
        activity::append(tx, &origin, Activity::PasswordChanged { user: user.id, session: None }).await?;
        Ok(Some((user.id, left)))
    })?;
    if let Some((user, Older::Some)) = found {
        sessions::end_rest(db, &origin, user, version).await?;
    }
    Ok(found.is_some())
}
