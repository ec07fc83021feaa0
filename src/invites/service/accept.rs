//! Accepting an invite.

use crate::activity::SessionStart;
use crate::app::App;
use crate::auth::{self, Account, Opening, SignedIn, accounts, memberships, sessions};
use crate::config::crash_point;
use crate::db::Conn;
use crate::error::{Error, LogFailure as _, Result};
use crate::http::ClientInfo;
use crate::http::log::record_organisation;
use crate::invites::model::{Invite, invalid};
use crate::invites::queries;
use crate::invites::token::InviteToken;
use crate::invites::wire::AcceptInvite;
use crate::organisations::{self, Organisation};
use crate::types::{NewPassword, PersonName, Timestamp, UserId};
use crate::users::{self, User};
use crate::{read, transaction};

/// Makes the invited person a member and signs them in. Fails with `invite_invalid`, `invite_used` or
/// `invite_expired`; with `credentials_invalid` where the email has an account and the password is not
/// its own; with `member_limit_reached` where no seat is free.
pub(crate) async fn accept(app: &App, client: &ClientInfo, body: AcceptInvite) -> Result<SignedIn> {
    let token = InviteToken::parse(&body.token).ok_or_else(invalid)?;
    record_organisation(token.org);
    let invite = look(app, &token).await?;
    let (account, made) = find_or_create_account(app, &invite, body.password).await?;
    crash_point("account-made");
    let id = account.id;
    let joined = join(app, client, &token, invite, &account, body.name).await;
    if made && joined.is_err() {
        accounts::discard(app, id).await;
    }
    joined
}

/// The invite, if it is open and a seat is free. What may change after this look is decided again with
/// the lock held; here it spares an account that would be made in vain.
async fn look(app: &App, token: &InviteToken) -> Result<Invite> {
    let now = app.clock.now();
    read!(app.db.org(token.org), |conn| {
        let invite = load_open(conn, token, now).await?;
        let organisation = organisations::service::load(conn, token.org).await?;
        users::service::require_seat(conn, &organisation.settings).await?;
        Ok(invite)
    })
}

async fn load_open(conn: &mut Conn, token: &InviteToken, now: Timestamp) -> Result<Invite> {
    let invite = queries::find(conn, token.org, token.invite).await?;
    let invite = invite.filter(|invite| token.hash().matches(&invite.token_hash));
    let invite = invite.ok_or_else(invalid)?;
    invite.require_open(now)?;
    Ok(invite)
}

/// The account of the invited email: the one that exists, where the password is its own, else a new one.
/// Also whether it is new.
async fn find_or_create_account(
    app: &App,
    invite: &Invite,
    password: NewPassword,
) -> Result<(Account, bool)> {
    let existing = accounts::find_by_email(app, &invite.email).await?;
    accounts::authenticate_or_create(app, existing, &invite.email, password).await
}

/// Enters the account in the directory, then lets the organisation decide.
async fn join(
    app: &App,
    client: &ClientInfo,
    token: &InviteToken,
    invite: Invite,
    account: &Account,
    name: PersonName,
) -> Result<SignedIn> {
    let now = app.clock.now();
    let user = User {
        org_id: invite.org_id,
        id: UserId::new(),
        account_id: account.id,
        email: account.email.clone(),
        name,
        role: invite.role,
        created_at: now,
        updated_at: now,
    };
    let version = account.password_version;
    let opening = sessions::prepare(app, client, user.org_id, user.id, version, now)?;
    transaction!(app.db.central(), |tx| {
        auth::memberships::enter(tx, account.id, user.org_id, user.id, now).await
    })?;
    crash_point("membership-entered");
    let joined = become_member(app, client, token, &user, &opening).await;
    crash_point("joined");
    match joined {
        Ok(organisation) => sessions::welcome(app, client, &opening, user, organisation).await,
        Err(error) => {
            // Where the account is a member, by another request with this invite, the entry is theirs. What
            // is no plain refusal may have happened, or may hide that: it is left to the janitor.
            if matches!(error, Error::Refused { .. }) && !users::service::is_member(app, &user).await {
                memberships::leave(app, account.id, user.org_id, user.id)
                    .await
                    .log_failure("remove the directory's entry of a user who could not join");
            }
            Err(error)
        }
    }
}

/// Uses the invite for the user's seat and begins their session, all or nothing.
async fn become_member(
    app: &App,
    client: &ClientInfo,
    token: &InviteToken,
    user: &User,
    opening: &Opening,
) -> Result<Organisation> {
    let now = app.clock.now();
    let origin = client.origin(user.org_id, Some(user.to_actor()), now);
    transaction!(app.db.org(user.org_id), |tx| {
        let settings = users::service::lock_members(tx, user.org_id).await?;
        if !queries::claim(tx, token.org, token.invite, now).await? {
            load_open(tx, token, now).await?;
            return Err(invalid());
        }
        users::service::require_seat(tx, &settings).await?;
        users::service::join(tx, &origin, user).await?;
        sessions::begin(tx, &origin, opening, SessionStart::AcceptInvite).await?;
        organisations::service::load(tx, user.org_id).await
    })
}
