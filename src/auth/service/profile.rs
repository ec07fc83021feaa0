//! The caller: who they are, their name and password, and where else they are a member.

use super::sessions::Older;
use super::{accounts, memberships, session_ended, sessions};
use crate::activity::{self, Activity};
use crate::app::App;
use crate::auth::model::Account;
use crate::auth::queries::sessions as queries;
use crate::auth::wire::{PasswordChange, UpdateMe};
use crate::db::Tx;
use crate::error::{LogFailure as _, Result};
use crate::http::{ClientInfo, Member, Page, PageQuery};
use crate::organisations::{self, Organisation};
use crate::types::{AccountId, OrgId, OrgIds, PersonName, Role};
use crate::users::{self, User};
use crate::{read, transaction};

/// The caller and their organisation.
pub(crate) async fn load(app: &App, member: &Member) -> Result<(User, Organisation)> {
    read!(app.db.org(member.org), |conn| {
        let user = users::service::load_caller(conn, member).await?;
        let organisation = organisations::service::load(conn, member.org).await?;
        Ok((user, organisation))
    })
}

/// Changes the caller's name, password or both. A new password ends the account's other sessions, in
/// this organisation with the change, in others right after it.
pub(crate) async fn update(app: &App, member: &Member, update: UpdateMe) -> Result<User> {
    let changed = match update.password {
        Some(change) => Some(change_password(app, member, change).await?),
        None => None,
    };
    let version = changed.as_ref().map(|(_, version)| *version);
    let here = change_here(app, member, version, update.name).await;
    // The password has changed, whatever became of that.
    if let Some((account, version)) = changed {
        end_sessions_elsewhere(app, member, &account, version).await;
    }
    here
}

/// What changes in the caller's own organisation.
async fn change_here(
    app: &App,
    member: &Member,
    version: Option<i64>,
    name: Option<PersonName>,
) -> Result<User> {
    let origin = member.origin(app.clock.now());
    let (user, left) = transaction!(app.db.org(member.org), |tx| {
        let mut user = users::service::lock_caller(tx, member).await?;
        let left = match version {
            Some(version) => end_other_sessions(tx, member, &origin, version).await?,
            None => Older::None,
        };
        if let Some(name) = name {
            user = users::service::rename(tx, &origin, user, name).await?;
        }
        Ok((user, left))
    })?;
    if let (Older::Some, Some(version)) = (left, version) {
        sessions::end_rest(&app.db, &origin, member.user, version).await?;
    }
    Ok(user)
}

/// The account and the version of its new password.
async fn change_password(app: &App, member: &Member, change: PasswordChange) -> Result<(Account, i64)> {
    let id = users::service::find_caller(app, member).await?.account_id;
    let account = accounts::find(app, id).await?.ok_or_else(session_ended)?;
    let account = accounts::authenticate(app, &account.email.clone(), Some(account), change.current).await?;
    let version = accounts::change_password(app, &account, change.new).await?;
    Ok((account, version))
}

/// Ends the caller's other sessions in this organisation, lets the present one go on, and records it.
async fn end_other_sessions(
    tx: &mut Tx,
    member: &Member,
    origin: &activity::Origin,
    version: i64,
) -> Result<Older> {
    queries::update_password_version(tx, member.org, member.session, version).await?;
    let left = sessions::end_older(tx, origin, member.user, version).await?;
    let changed = Activity::PasswordChanged { user: member.user, session: Some(member.session) };
    activity::append(tx, origin, changed).await?;
    Ok(left)
}

/// Ends the account's sessions in other organisations. Where that fails, they end when they are next
/// refreshed, which compares the password's version.
async fn end_sessions_elsewhere(app: &App, member: &Member, account: &Account, version: i64) {
    let orgs = match memberships::list_by_use(app, account.id).await {
        Ok(orgs) => orgs,
        Err(error) => {
            Err::<(), _>(error).log_failure("find the sessions that a new password ends");
            return;
        }
    };
    for org in orgs.into_iter().filter(|org| *org != member.org) {
        let ended = end_sessions_in(app, &member.client, account, org, version).await;
        tracing::error_span!("elsewhere", organisation.id = %org).in_scope(|| {
            ended.log_failure("end the sessions in another organisation after a new password");
        });
    }
}

async fn end_sessions_in(
    app: &App,
    client: &ClientInfo,
    account: &Account,
    org: OrgId,
    version: i64,
) -> Result<()> {
    let found = read!(app.db.org(org), |conn| users::service::find_by_account(conn, org, account.id).await)?;
    if let Some(user) = found {
        let origin = client.origin(org, Some(user.to_actor()), app.clock.now());
        sessions::end_rest(&app.db, &origin, user.id, version).await?;
    }
    Ok(())
}

/// The organisations of the caller's account and the role in each, ordered by id. Memberships without a
/// user behind them are left out, so a page may be shorter than asked for.
pub(crate) async fn list_organisations(
    app: &App,
    member: &Member,
    query: &PageQuery,
) -> Result<Page<(Organisation, Role)>> {
    let account = users::service::find_caller(app, member).await?.account_id;
    let after = query.after.map(OrgId::from);
    let orgs = memberships::list(app, account, after, query.limit + 1).await?;
    let Page { items, next_cursor } = Page::new(orgs, query.limit, OrgId::to_string);
    let mut found = Vec::with_capacity(items.len());
    for orgs in app.db.by_store(&items).await? {
        match list_of_store(app, account, &orgs).await {
            Ok(organisations) => found.extend(organisations),
            // The others are listed all the same.
            Err(error) if app.db.is_own_store(&orgs) => {
                let ids = OrgIds(orgs);
                tracing::error_span!("elsewhere", organisation.ids = %ids)
                    .in_scope(|| Err::<(), _>(error).log_failure("list an organisation of an account"));
            }
            Err(error) => return Err(error),
        }
    }
    found.sort_unstable_by_key(|(organisation, _)| organisation.settings.org_id);
    let items = found;
    Ok(Page { items, next_cursor })
}

/// Those of these organisations, of one store, in which the account has a user.
async fn list_of_store(app: &App, account: AccountId, orgs: &[OrgId]) -> Result<Vec<(Organisation, Role)>> {
    read!(app.db.orgs(orgs.to_vec()), |conn| {
        let organisations = organisations::service::list(conn, orgs).await?;
        let mut users = users::service::list_by_accounts(conn, orgs, &[account]).await?;
        let with_role = |organisation: Organisation| {
            let user = users.remove(&(organisation.settings.org_id, account))?;
            Some((organisation, user.role))
        };
        Ok(organisations.into_iter().filter_map(with_role).collect())
    })
}
