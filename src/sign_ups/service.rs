//! Opening a sign-up, and redeeming it.

use super::model::{SignUp, invalid};
use super::queries;
use super::token::SignUpToken;
use super::wire::RedeemSignUp;
use crate::activity::SessionStart;
use crate::app::App;
use crate::auth::{self, Account, Opening, SignedIn, accounts, memberships, sessions};
use crate::db::{Conn, Tx};
use crate::error::{Code, Error, LogFailure as _, Result};
use crate::http::ClientInfo;
use crate::organisations::{self, Organisation};
use crate::types::{OrgId, PersonName, Role, Timestamp, UserId};
use crate::users::{self, User};
use crate::{read, transaction};

/// Opens a sign-up in the place of an earlier one, in a transaction of the organisation that has its settings
/// locked. To open it again changes nothing. Fails with `already_signed_up` once there is a member.
pub(crate) async fn open(tx: &mut Tx, sign_up: &SignUp) -> Result<()> {
    require_empty(tx, sign_up.org_id).await?;
    queries::revoke_open(tx, sign_up.org_id, sign_up.created_at).await?;
    Ok(queries::put(tx, sign_up).await?)
}

async fn require_empty(conn: &mut Conn, org: OrgId) -> Result<()> {
    if users::service::count(conn, org).await? == 0 {
        return Ok(());
    }
    Err(Error::refused(Code::AlreadySignedUp, "The organisation has an admin, who can invite others."))
}

/// Makes the bearer of a sign-up the organisation's first admin, and signs them in. Fails with
/// `sign_up_invalid`, `sign_up_used` or `sign_up_expired`; with `credentials_invalid` where the email has an
/// account and the password is not its own; with `organisation_suspended`.
pub(crate) async fn redeem(app: &App, client: &ClientInfo, body: RedeemSignUp) -> Result<SignedIn> {
    let token = SignUpToken::parse(&body.token).ok_or_else(invalid)?;
    look(app, &token).await?;
    let existing = accounts::find_by_email(app, &body.email).await?;
    let (account, made) = accounts::authenticate_or_create(app, existing, &body.email, body.password).await?;
    let id = account.id;
    let entered = enter(app, client, &token, &account, body.name).await;
    if made && entered.is_err() {
        accounts::discard(app, id).await;
    }
    entered
}

/// Refuses early what cannot be redeemed. What may change after this look is decided again with the lock held;
/// here it spares an account that would be made in vain.
async fn look(app: &App, token: &SignUpToken) -> Result<()> {
    let now = app.clock.now();
    read!(app.db.org(token.org), |conn| {
        require_open(conn, token, now).await?;
        organisations::service::require_active(conn, token.org).await
    })
}

async fn require_open(conn: &mut Conn, token: &SignUpToken, now: Timestamp) -> Result<()> {
    let sign_up = queries::find(conn, token.org, token.sign_up).await?;
    let sign_up = sign_up.filter(|sign_up| token.hash().matches(&sign_up.token_hash));
    sign_up.ok_or_else(invalid)?.require_open(now)
}

/// Enters the account in the directory, then lets the organisation decide.
async fn enter(
    app: &App,
    client: &ClientInfo,
    token: &SignUpToken,
    account: &Account,
    name: PersonName,
) -> Result<SignedIn> {
    let now = app.clock.now();
    let user = User {
        org_id: token.org,
        id: UserId::new(),
        account_id: account.id,
        email: account.email.clone(),
        name,
        role: Role::Admin,
        created_at: now,
        updated_at: now,
    };
    let opening = sessions::prepare(app, client, user.org_id, user.id, account.password_version, now)?;
    transaction!(app.db.central(), |tx| {
        auth::memberships::enter(tx, account.id, user.org_id, user.id, now).await
    })?;
    match become_admin(app, client, token, &user, &opening).await {
        Ok(organisation) => sessions::welcome(app, client, &opening, user, organisation).await,
        Err(error) => {
            // Where the account is a member by another request with this token, the entry is theirs. What is no
            // plain refusal may have happened, or may hide that: it is left to the janitor.
            if matches!(error, Error::Refused { .. }) && !users::service::is_member(app, &user).await {
                memberships::leave(app, account.id, user.org_id, user.id)
                    .await
                    .log_failure("remove the directory's entry of somebody who could not sign up");
            }
            Err(error)
        }
    }
}

/// Uses the sign-up and begins the admin's session, all or nothing.
async fn become_admin(
    app: &App,
    client: &ClientInfo,
    token: &SignUpToken,
    user: &User,
    opening: &Opening,
) -> Result<Organisation> {
    let now = app.clock.now();
    let origin = client.origin(user.org_id, Some(user.to_actor()), now);
    transaction!(app.db.org(user.org_id), |tx| {
        users::service::lock_members(tx, user.org_id).await?;
        if !queries::claim(tx, token.org, token.sign_up, now).await? {
            require_open(tx, token, now).await?;
            return Err(invalid());
        }
        require_empty(tx, user.org_id).await?;
        users::service::join(tx, &origin, user).await?;
        sessions::begin(tx, &origin, opening, SessionStart::SignUp).await?;
        organisations::service::load(tx, user.org_id).await
    })
}
