//! Who is in an organisation, and as what.

use std::collections::HashMap;

use super::model::User;
use super::queries;
use crate::activity::{self, Activity, Origin};
use crate::app::App;
use crate::auth;
use crate::db::{Conn, Tx};
use crate::error::{Code, Error, LogFailure as _, Result};
use crate::http::extract::{Standing, admins_only};
use crate::http::{Admin, Member, Page, PageQuery};
use crate::organisations::{self, Settings};
use crate::types::{AccountId, Email, OrgId, PersonName, Role, UserId};
use crate::{read, transaction};

/// Locks who and how many the members are until the transaction ends, and gives the settings, where the
/// seats stand. Every change of that begins here, before any other row is locked.
pub(crate) async fn lock_members(tx: &mut Tx, org: OrgId) -> Result<Settings> {
    organisations::service::lock_settings(tx, org).await
}

/// Locks like [`lock_members`], for somebody who must be an admin still: their request may have waited for
/// the one that ended that.
pub(crate) async fn lock_as_admin(tx: &mut Tx, admin: &Admin) -> Result<Settings> {
    let settings = lock_members(tx, admin.org).await?;
    if admin.standing == Standing::Administrator {
        return Ok(settings);
    }
    match load_caller(tx, admin).await?.role {
        Role::Admin => Ok(settings),
        Role::Member => Err(admins_only()),
    }
}

/// Refuses with `member_limit_reached` where no seat is free.
pub(crate) async fn require_seat(conn: &mut Conn, settings: &Settings) -> Result<()> {
    let Some(seats) = settings.seats else {
        return Ok(());
    };
    let used = queries::count(conn, settings.org_id).await?;
    if used < seats {
        return Ok(());
    }
    let (plan, are) = (&settings.plan, if used == 1 { "is" } else { "are" });
    let members = if seats == 1 { "member" } else { "members" };
    Err(Error::refused(
        Code::MemberLimitReached,
        format!("The {plan} plan allows {seats} {members} and {used} {are} in use."),
    ))
}

/// Adds a user and records that they joined. Fails with `already_member`.
pub(crate) async fn join(tx: &mut Tx, origin: &Origin, user: &User) -> Result<()> {
    if !queries::insert(tx, user).await? {
        return Err(already_member());
    }
    let joined = Activity::UserJoined {
        user: user.id,
        name: user.name.clone(),
        email: user.email.clone(),
        role: user.role,
    };
    activity::append(tx, origin, joined).await?;
    Ok(())
}

/// The person is in the organisation.
pub(crate) fn already_member() -> Error {
    Error::refused(Code::AlreadyMember, "A member of the organisation has this email.")
}

/// A user.
pub(crate) async fn find(conn: &mut Conn, org: OrgId, id: UserId) -> Result<Option<User>> {
    Ok(queries::find(conn, org, id).await?)
}

/// The user of an account in an organisation.
pub(crate) async fn find_by_account(conn: &mut Conn, org: OrgId, account: AccountId) -> Result<Option<User>> {
    Ok(queries::find_by_account(conn, org, account).await?)
}

/// Whether the account has a user there, as far as can be told.
pub(crate) async fn is_member(app: &App, user: &User) -> bool {
    let found: Result<Option<User>> = async {
        read!(app.db.org(user.org_id), |conn| find_by_account(conn, user.org_id, user.account_id).await)
    }
    .await;
    !matches!(found, Ok(None))
}

/// The user of an account in an organisation, whom nobody removes until the transaction ends.
pub(crate) async fn lock_by_account(tx: &mut Tx, org: OrgId, account: AccountId) -> Result<Option<User>> {
    match queries::find_by_account(tx, org, account).await? {
        Some(user) => Ok(queries::lock(tx, org, user.id).await?),
        None => Ok(None),
    }
}

/// The user with this email in an organisation.
pub(crate) async fn find_by_email(conn: &mut Conn, org: OrgId, email: &Email) -> Result<Option<User>> {
    Ok(queries::find_by_email(conn, org, email).await?)
}

/// The users that these accounts have in these organisations of one store, by organisation and account.
pub(crate) async fn list_by_accounts(
    conn: &mut Conn,
    orgs: &[OrgId],
    accounts: &[AccountId],
) -> Result<HashMap<(OrgId, AccountId), User>> {
    let users = queries::list_by_accounts(conn, orgs, accounts).await?;
    Ok(users.into_iter().map(|user| ((user.org_id, user.account_id), user)).collect())
}

/// How many members an organisation has.
pub(crate) async fn count(conn: &mut Conn, org: OrgId) -> Result<i64> {
    Ok(queries::count(conn, org).await?)
}

/// How many members each of these organisations of one store has; those that have none are left out.
pub(crate) async fn count_each(conn: &mut Conn, orgs: &[OrgId]) -> Result<HashMap<OrgId, i64>> {
    Ok(queries::count_each(conn, orgs).await?.into_iter().collect())
}

/// The caller's own row. Somebody who was removed since they were let in gets `session_ended`.
pub(crate) async fn load_caller(conn: &mut Conn, member: &Member) -> Result<User> {
    let user = queries::find(conn, member.org, member.user).await?;
    user.ok_or_else(auth::session_ended)
}

/// The caller's own row, in a read of its own.
pub(crate) async fn find_caller(app: &App, member: &Member) -> Result<User> {
    read!(app.db.org(member.org), |conn| load_caller(conn, member).await)
}

/// The caller's own row, locked until the transaction ends.
pub(crate) async fn lock_caller(tx: &mut Tx, member: &Member) -> Result<User> {
    let user = queries::lock(tx, member.org, member.user).await?;
    user.ok_or_else(auth::session_ended)
}

/// Gives a user another name, and records it. The name that they have already changes nothing.
pub(crate) async fn rename(tx: &mut Tx, origin: &Origin, user: User, name: PersonName) -> Result<User> {
    if user.name == name {
        return Ok(user);
    }
    let user = queries::update_name(tx, user.org_id, user.id, &name, origin.at).await?;
    activity::append(tx, origin, Activity::UserUpdated { user: user.id, name }).await?;
    Ok(user)
}

/// A page of the members, ordered by id.
pub(crate) async fn list(app: &App, admin: &Admin, query: &PageQuery) -> Result<Page<User>> {
    let after = query.after.unwrap_or_else(uuid::Uuid::nil).into();
    let users = read!(app.db.org(admin.org), |conn| {
        Ok(queries::list(conn, admin.org, after, query.limit + 1).await?)
    })?;
    Ok(Page::new(users, query.limit, |user| user.id.to_string()))
}

/// Gives a member another role. The role that they have already changes nothing. Fails with `last_admin`.
pub(crate) async fn change_role(app: &App, admin: &Admin, id: UserId, role: Role) -> Result<User> {
    let now = app.clock.now();
    transaction!(app.db.org(admin.org), |tx| {
        lock_as_admin(tx, admin).await?;
        let user = load(tx, admin.org, id).await?;
        if user.role == role {
            return Ok(user);
        }
        require_other_admin(tx, &user).await?;
        let from = user.role;
        let user = queries::update_role(tx, admin.org, id, role, now).await?;
        let changed = Activity::UserRoleChanged { user: id, name: user.name.clone(), from, to: role };
        activity::append(tx, &admin.origin(now), changed).await?;
        Ok(user)
    })
}

/// Removes a member; their sessions end with them. Fails with `last_admin`.
pub(crate) async fn remove(app: &App, admin: &Admin, id: UserId) -> Result<()> {
    let now = app.clock.now();
    let user = transaction!(app.db.org(admin.org), |tx| {
        lock_as_admin(tx, admin).await?;
        let user = load(tx, admin.org, id).await?;
        require_other_admin(tx, &user).await?;
        queries::delete(tx, admin.org, id).await?;
        let removed = Activity::UserRemoved { user: id, name: user.name.clone(), removed_by: admin.user };
        activity::append(tx, &admin.origin(now), removed).await?;
        Ok(user)
    })?;
    // The organisation's store has decided: an entry that stays is worth nothing, and the janitor's.
    auth::memberships::leave(app, user.account_id, admin.org, id)
        .await
        .log_failure("remove the directory's entry of a removed user");
    Ok(())
}

async fn load(conn: &mut Conn, org: OrgId, id: UserId) -> Result<User> {
    let user = queries::find(conn, org, id).await?;
    user.ok_or_else(|| Error::not_found("user"))
}

/// Refuses with `last_admin` where `user`, who is about to be none, is the only admin.
async fn require_other_admin(conn: &mut Conn, user: &User) -> Result<()> {
    if user.role == Role::Admin && queries::count_role(conn, user.org_id, Role::Admin).await? < 2 {
        return Err(Error::refused(
            Code::LastAdmin,
            "This is the organisation's only admin: make another member an admin first.",
        ));
    }
    Ok(())
}
