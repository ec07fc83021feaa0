//! Inviting somebody, and taking an invite back.

pub(crate) mod accept;

use std::time::Duration;

use super::model::Invite;
use super::queries;
use super::token::InviteToken;
use super::wire::{InviteCreated, InviteUser};
use crate::activity::{self, Activity, Origin};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::http::{Admin, Page, PageQuery};
use crate::idempotency::{Answer, Claimed, Once};
use crate::mail::{self, Letter};
use crate::organisations::Settings;
use crate::types::{InviteId, OrgId, Role, Timestamp};
use crate::{read, transaction, users};

/// How long an invite can be accepted: a week, so that it outlives a holiday's weekend and not a leak.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// Invites somebody, in place of an earlier pending invite of the same email, and answers with the invite
/// and its token. Fails with `already_member`, or with `member_limit_reached` where no seat is free.
pub(crate) async fn invite(app: &App, admin: &Admin, new: InviteUser, once: &Once) -> Result<Answer> {
    let now = app.clock.now();
    let (invite, token) = prepare(admin, new, now)?;
    mail::service::announce(app, admin.org, now).await?;
    let invited = transaction!(app.db.org(admin.org), |tx| {
        // Also keeps two invites of one email from coming between each other.
        let settings = users::service::lock_as_admin(tx, admin).await?;
        let fresh = match once.claim(tx).await? {
            Claimed::Fresh(fresh) => fresh,
            Claimed::Again(answer) => return Ok(answer),
        };
        // The log's head is locked last.
        mail::service::post(app, tx, admin.org, &letter(app, admin, &settings, &invite, &token), now).await?;
        record(tx, &admin.origin(now), &settings, &invite).await?;
        let answer = Answer::created(&InviteCreated::new(invite, &token))?;
        fresh.keep_sealed(tx, answer).await
    });
    if app.mail.is_on() && invited.is_ok() {
        app.jobs.wake(admin.org);
    }
    invited
}

/// What the invited person is written.
fn letter(app: &App, admin: &Admin, settings: &Settings, invite: &Invite, token: &InviteToken) -> Letter {
    let token = token.to_opaque();
    let how = match app.mail.link("/invite", token.reveal()) {
        Some(link) => format!("To accept, open this page:\n\n{link}"),
        None => format!("To accept, use this invite:\n\n{}", token.reveal()),
    };
    let body = format!(
        "{} invites you to {}\n\n{how}\n\nIt counts once, until {}. If you do not know what this is about, do nothing.\n",
        admin.name, settings.name, invite.expires_at
    );
    Letter { to: invite.email.to_string(), body }
}

/// The same for a program, which takes the token itself.
pub(crate) async fn invite_directly(app: &App, admin: &Admin, new: InviteUser) -> Result<InviteToken> {
    let now = app.clock.now();
    let (invite, token) = prepare(admin, new, now)?;
    transaction!(app.db.org(admin.org), |tx| {
        let settings = users::service::lock_as_admin(tx, admin).await?;
        record(tx, &admin.origin(now), &settings, &invite).await
    })?;
    Ok(token)
}

/// An invite that is not stored yet, and its token.
fn prepare(admin: &Admin, new: InviteUser, now: Timestamp) -> Result<(Invite, InviteToken)> {
    let id = InviteId::new();
    let token = InviteToken::issue(admin.org, id)?;
    let invite = Invite {
        org_id: admin.org,
        id,
        email: new.email,
        name: new.name,
        role: new.role.unwrap_or(Role::Member),
        token_hash: token.hash().to_vec(),
        invited_by: admin.user,
        created_at: now,
        expires_at: now.plus(LIFETIME),
        accepted_at: None,
        revoked_at: None,
    };
    Ok((invite, token))
}

/// Stores an invite under the organisation's lock.
async fn record(tx: &mut Tx, origin: &Origin, settings: &Settings, invite: &Invite) -> Result<()> {
    let member = users::service::find_by_email(tx, invite.org_id, &invite.email).await?;
    if member.is_some() {
        return Err(users::service::already_member());
    }
    users::service::require_seat(tx, settings).await?;
    let earlier = queries::revoke_for_email(tx, invite.org_id, &invite.email, invite.created_at).await?;
    queries::insert(tx, invite).await?;
    if let Some(earlier) = earlier {
        record_revoked(tx, origin, earlier).await?;
    }
    let invited = Activity::UserInvited { invite: invite.id, email: invite.email.clone(), role: invite.role };
    activity::append(tx, origin, invited).await?;
    Ok(())
}

/// A page of the invites that can be accepted, ordered by id.
pub(crate) async fn list(app: &App, admin: &Admin, query: &PageQuery) -> Result<Page<Invite>> {
    let after = query.after.unwrap_or_else(uuid::Uuid::nil).into();
    let now = app.clock.now();
    let invites = read!(app.db.org(admin.org), |conn| {
        Ok(queries::list_open(conn, admin.org, now, after, query.limit + 1).await?)
    })?;
    Ok(Page::new(invites, query.limit, |invite| invite.id.to_string()))
}

/// Takes a pending invite back. One that was used or taken back is not found.
pub(crate) async fn revoke(app: &App, admin: &Admin, id: InviteId) -> Result<()> {
    let now = app.clock.now();
    transaction!(app.db.org(admin.org), |tx| {
        users::service::lock_as_admin(tx, admin).await?;
        let invite = queries::revoke(tx, admin.org, id, now).await?;
        let invite = invite.ok_or_else(|| Error::not_found("invite"))?;
        record_revoked(tx, &admin.origin(now), invite).await
    })
}

async fn record_revoked(tx: &mut Tx, origin: &Origin, invite: Invite) -> Result<()> {
    let revoked = Activity::InviteRevoked { invite: invite.id, email: invite.email, role: invite.role };
    activity::append(tx, origin, revoked).await?;
    Ok(())
}

/// Invites of these organisations that could be accepted until some time before `before`, at most `limit`,
/// however they ended.
pub(crate) async fn list_over(
    app: &App,
    orgs: &[OrgId],
    before: Timestamp,
    limit: i64,
) -> Result<Vec<InviteId>> {
    read!(app.db.orgs(orgs.to_vec()), |conn| Ok(queries::list_over(conn, orgs, before, limit).await?))
}

/// Deletes these invites, if they could be accepted until some time before `before`; how many could.
pub(crate) async fn delete_over(
    tx: &mut Tx,
    orgs: &[OrgId],
    ids: &[InviteId],
    before: Timestamp,
) -> Result<u64> {
    Ok(queries::delete_over(tx, orgs, ids, before).await?)
}
