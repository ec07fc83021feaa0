//! Register, sign in, and change over to another organisation.

use super::{accounts, memberships, sessions};
use crate::activity::SessionStart;
use crate::app::App;
use crate::auth::model::{Account, SignedIn};
use crate::auth::wire::{Login, Register};
use crate::config::crash_point;
use crate::error::{Code, Error, Result};
use crate::http::log::record_organisation;
use crate::http::{ClientInfo, Member};
use crate::organisations::{self, First, Founder, Founding, Terms};
use crate::transaction;
use crate::types::{AccountId, Actor, OrgId, UserId};
use crate::users;

/// Founds an organisation, with an account for its first admin unless they have one. Fails with
/// `email_taken` where they have one and the password is not its own.
pub(crate) async fn register(app: &App, client: &ClientInfo, new: Register) -> Result<SignedIn> {
    organisations::service::require_open_registration(app)?;
    let existing = accounts::find_by_email(app, &new.email).await?;
    let password = new.password.clone();
    let (account, made) = accounts::authenticate_or_create(app, existing, &new.email, password)
        .await
        .map_err(taken_unless_own)?;
    crash_point("account-made");
    let id = account.id;
    let founded = found(app, client, &account, new).await;
    if made && founded.is_err() {
        accounts::discard(app, id).await;
    }
    founded
}

fn email_taken() -> Error {
    Error::refused(Code::EmailTaken, "An account with this email exists, and the password is not its own.")
}

fn taken_unless_own(error: Error) -> Error {
    if error.code() == Code::CredentialsInvalid { email_taken() } else { error }
}

async fn found(app: &App, client: &ClientInfo, account: &Account, new: Register) -> Result<SignedIn> {
    let now = app.clock.now();
    let org = OrgId::new();
    record_organisation(org);
    let founder = Founder { account: account.id, user: UserId::new(), name: new.name, email: new.email };
    let (user, version) = (founder.user, account.password_version);
    let opening = sessions::prepare(app, client, org, user, version, now)?;
    let actor = Actor { id: user, name: founder.name.to_string() };
    let origin = client.origin(org, Some(actor), now);
    let admin = founder.to_user(org, now);
    let first = First::Admin(founder);
    let founding =
        Founding { org, name: new.organisation_name, terms: Terms::new(app.config.tenancy.isolation), first };
    let organisation = organisations::service::found(app, &origin, &founding, Some(&opening)).await?;
    sessions::welcome(app, client, &opening, admin, organisation).await
}

/// Signs in to the organisation that was named, else to the one used last. Fails with
/// `credentials_invalid` or `no_membership`.
pub(crate) async fn log_in(app: &App, client: &ClientInfo, login: Login) -> Result<SignedIn> {
    let account = accounts::find_by_email(app, &login.email).await?;
    let account = accounts::authenticate(app, &login.email, account, login.password).await?;
    let orgs = match &login.organisation {
        Some(organisation) => {
            let found = memberships::find(app, account.id, organisation.as_str()).await?;
            found.into_iter().collect()
        }
        None => memberships::list_by_use(app, account.id).await?,
    };
    let version = account.password_version;
    let mut refusal = no_membership();
    for org in orgs {
        record_organisation(org);
        match enter(app, client, account.id, version, org, SessionStart::Login).await {
            Ok(Some(signed_in)) => return Ok(signed_in),
            Ok(None) => {}
            // Another one may be open; the one that was named is the only one here.
            Err(error) if error.code() == Code::OrganisationSuspended => refusal = error,
            Err(error) => return Err(error),
        }
    }
    Err(refusal)
}

/// Starts a session of the caller's account in another organisation; the present one goes on. Fails with
/// `no_membership`.
pub(crate) async fn switch(app: &App, member: &Member, org: OrgId) -> Result<SignedIn> {
    let account = users::service::find_caller(app, member).await?.account_id;
    let version = sessions::load_password_version(app, member).await?;
    let found = memberships::find(app, account, &org.to_string()).await?;
    let Some(org) = found else {
        return Err(no_membership());
    };
    let entered = enter(app, &member.client, account, version, org, SessionStart::Switch).await?;
    entered.ok_or_else(no_membership)
}

fn no_membership() -> Error {
    Error::refused(
        Code::NoMembership,
        "The account is no member of this organisation, or of any where none was named.",
    )
}

/// Starts a session in `org`; `None` where the account has no user there after all.
async fn enter(
    app: &App,
    client: &ClientInfo,
    account: AccountId,
    version: i64,
    org: OrgId,
    reason: SessionStart,
) -> Result<Option<SignedIn>> {
    let now = app.clock.now();
    let entered = transaction!(app.db.org(org), |tx| {
        let Some(user) = users::service::lock_by_account(tx, org, account).await? else {
            return Ok(None);
        };
        let opening = sessions::prepare(app, client, org, user.id, version, now)?;
        let organisation = organisations::service::load(tx, org).await?;
        let origin = client.origin(org, Some(user.to_actor()), now);
        sessions::begin(tx, &origin, &opening, reason).await?;
        Ok(Some((opening, user, organisation)))
    })?;
    crash_point("session-begun");
    let Some((opening, user, organisation)) = entered else {
        return Ok(None);
    };
    let signed_in = sessions::welcome(app, client, &opening, user, organisation).await?;
    Ok(Some(signed_in))
}
