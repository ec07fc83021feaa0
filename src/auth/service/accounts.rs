//! Accounts: making one, and telling whether a password is its own.

use super::credentials_invalid;
use crate::app::App;
use crate::auth::model::Account;
use crate::auth::queries::accounts as queries;
use crate::error::{LogFailure as _, Result};
use crate::types::{AccountId, Email, NewPassword, Password};
use crate::{read, transaction};

/// The account with this email.
pub(crate) async fn find_by_email(app: &App, email: &Email) -> Result<Option<Account>> {
    read!(app.db.central(), |conn| Ok(queries::find_by_email(conn, email).await?))
}

/// The account with this id.
pub(crate) async fn find(app: &App, id: AccountId) -> Result<Option<Account>> {
    read!(app.db.central(), |conn| Ok(queries::find(conn, id).await?))
}

/// How many passwords the account has had.
pub(crate) async fn find_password_version(app: &App, id: AccountId) -> Result<Option<i64>> {
    read!(app.db.central(), |conn| Ok(queries::find_password_version(conn, id).await?))
}

/// The account with this email, if it exists and the password is its own; else `credentials_invalid`,
/// which takes as long where there is no account, or `rate_limited` where too many were tried.
pub(crate) async fn authenticate(
    app: &App,
    email: &Email,
    account: Option<Account>,
    password: Password,
) -> Result<Account> {
    // Before the hash: guesses that come together do not slip by, and a refused one costs nothing.
    let attempt = app.limits.begin_attempt(email)?;
    let stored = account.as_ref().map(|account| account.password_hash.clone());
    let own = match app.hasher.verify(password, stored).await {
        Ok(own) => own,
        Err(error) => {
            attempt.was_not_made();
            return Err(error);
        }
    };
    let account = account.filter(|_| own).ok_or_else(credentials_invalid)?;
    attempt.was_right();
    Ok(account)
}

/// Makes an account; `None` where another request has just made one with this email.
async fn create(app: &App, email: &Email, password: &NewPassword) -> Result<Option<Account>> {
    let now = app.clock.now();
    let account = Account {
        id: AccountId::new(),
        email: email.clone(),
        password_hash: app.hasher.hash(password.as_password().clone()).await?,
        password_version: 1,
        created_at: now,
        updated_at: now,
    };
    let inserted = transaction!(app.db.central(), |tx| Ok(queries::insert(tx, &account).await?))?;
    Ok(inserted.then_some(account))
}

/// The account that exists, if the password is its own, else a new one; and whether it is new. Fails with
/// `credentials_invalid`.
pub(crate) async fn authenticate_or_create(
    app: &App,
    existing: Option<Account>,
    email: &Email,
    password: NewPassword,
) -> Result<(Account, bool)> {
    let existing = if existing.is_none() {
        if let Some(account) = create(app, email, &password).await? {
            return Ok((account, true));
        }
        // Somebody has just made it: with this password, if it is the same person asking twice.
        find_by_email(app, email).await?
    } else {
        existing
    };
    let account = authenticate(app, email, existing, password.as_password().clone()).await?;
    Ok((account, false))
}

/// Takes an account back that was made for something that then failed. One that is in use stays.
pub(crate) async fn discard(app: &App, id: AccountId) {
    let deleted: Result<()> = async {
        transaction!(app.db.central(), |tx| {
            // First the lock, then the look: who has just entered the account in the directory has
            // either committed by then, or waits and finds it gone.
            queries::lock(tx, id).await?;
            Ok(queries::delete_unused(tx, id).await?)
        })
    }
    .await;
    deleted.log_failure("remove an account that was made in vain");
}

/// Gives the account another password if it still has the one that was checked; the new version, else
/// `credentials_invalid`.
pub(crate) async fn change_password(app: &App, account: &Account, password: NewPassword) -> Result<i64> {
    let hash = app.hasher.hash(password.as_password().clone()).await?;
    let now = app.clock.now();
    let version = transaction!(app.db.central(), |tx| Ok(queries::update_password(
        tx,
        account.id,
        account.password_version,
        hash,
        now
    )
    .await?))?;
    version.ok_or_else(credentials_invalid)
}
