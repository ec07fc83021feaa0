//! Administrators' sign-in. Their sessions are looked up on each request: they are few, and what ends one ends it
//! everywhere at once.

use crate::app::App;
use crate::auth::{OpaqueToken, RefreshToken, Verdict, credentials_invalid, judge, session_ended};
use crate::db::Db;
use crate::error::{Code, Error, Result};
use crate::http::{ClientInfo, Meter};
use crate::platform::audit::Note;
use crate::platform::model::{Administrator, AdministratorSession, AdministratorStatus, Rotation, SignedIn};
use crate::platform::queries::{administrators, sessions as queries};
use crate::platform::token::PlatformClaims;
use crate::platform::wire::PlatformLogin;
use crate::types::{OrgId, SessionId, Timestamp};
use crate::{read, transaction};

/// Signs an administrator in. A wrong password, an unknown email and somebody who is disabled are the same answer
/// after the same work, what is entered in the audit included.
pub(crate) async fn log_in(
    app: &App,
    client: &ClientInfo,
    note: &Note,
    login: PlatformLogin,
) -> Result<SignedIn> {
    let found = super::administrators::find_by_email(&app.db, &login.email).await?;
    note.claim(&login.email, found.as_ref());
    let attempt = app.limits.begin_platform_attempt(&login.email)?;
    let stored = found.as_ref().map(|administrator| administrator.password_hash.clone());
    let own = match app.hasher.verify(login.password, stored).await {
        Ok(own) => own,
        Err(error) => {
            attempt.was_not_made();
            return Err(error);
        }
    };
    let is_in = |administrator: &Administrator| own && administrator.status == AdministratorStatus::Active;
    let administrator = found.filter(is_in).ok_or_else(credentials_invalid)?;
    let signed_in = begin(app, client, &administrator).await?;
    note.identify(&administrator);
    attempt.was_right();
    Ok(signed_in)
}

/// Begins a session, if the administrator is still as they were when the password was checked.
async fn begin(app: &App, client: &ClientInfo, checked: &Administrator) -> Result<SignedIn> {
    let now = app.clock.now();
    let id = SessionId::new();
    let token = RefreshToken::issue(&app.platform_refresh_key, OrgId::NIL, id, 0)?;
    let session = AdministratorSession {
        id,
        administrator_id: checked.id,
        password_version: checked.password_version,
        refresh_hash: token.hash().to_vec(),
        refresh_generation: 0,
        previous_hash: None,
        rotated_at: now,
        created_at: now,
        expires_at: now.plus(app.config.auth.refresh_lifetime),
        ended_at: None,
        ip: client.ip.clone(),
        user_agent: client.user_agent.clone(),
    };
    let administrator = transaction!(app.db.central(), |tx| {
        let present = administrators::lock(tx, checked.id).await?;
        let present = present.filter(|present| may_go_on(&session, present));
        let present = present.ok_or_else(credentials_invalid)?;
        queries::insert(tx, &session).await?;
        Ok(present)
    })?;
    issue(app, administrator, &token)
}

fn may_go_on(session: &AdministratorSession, administrator: &Administrator) -> bool {
    administrator.status == AdministratorStatus::Active
        && administrator.password_version == session.password_version
}

fn issue(app: &App, administrator: Administrator, token: &RefreshToken) -> Result<SignedIn> {
    let now = app.clock.now();
    let Administrator { id, role, .. } = administrator;
    Ok(SignedIn {
        access_token: app.platform_tokens.issue(id, role, token.session, now)?,
        refresh_token: token.to_opaque(),
        expires_in: app.platform_tokens.lifetime().as_secs(),
        administrator,
    })
}

/// Whose token this is, as they are now. Fails with `session_ended`.
pub(crate) async fn load(app: &App, claims: &PlatformClaims) -> Result<Administrator> {
    let found = read!(app.db.central(), |conn| Ok(queries::find(conn, claims.sid).await?))?;
    let now = app.clock.now();
    let standing = found.filter(|(session, administrator)| {
        session.ended_at.is_none()
            && session.expires_at > now
            && administrator.id == claims.sub
            && may_go_on(session, administrator)
    });
    Ok(standing.ok_or_else(session_ended)?.1)
}

/// A new pair of tokens for a refresh token, by the same rules as a member's. Fails with
/// `refresh_token_invalid`, `refresh_token_reused` (the session has then ended) or `session_ended`.
pub(crate) async fn refresh(app: &App, meter: &Meter, note: &Note, token: &OpaqueToken) -> Result<SignedIn> {
    let Some(token) = RefreshToken::parse(&app.platform_refresh_key, token) else {
        meter.count_address()?;
        return Err(invalid());
    };
    meter.count_session(token.session)?;
    let turned = transaction!(app.db.central(), |tx| {
        queries::lock(tx, token.session).await?;
        let found = queries::find(tx, token.session).await?;
        let (session, administrator) = found.ok_or_else(session_ended)?;
        // A token that is over can be sent again and again by whoever found it.
        note.claim(&administrator.email, Some(&administrator));
        let (now, leeway) = (app.clock.now(), app.config.auth.refresh_leeway);
        let verdict = judge(session.refreshable(), token.hash(), token.generation, now, leeway);
        match verdict {
            Verdict::Ended => Err(session_ended()),
            Verdict::Expired | Verdict::Replaced => Err(invalid()),
            Verdict::Rotate | Verdict::Replace if !may_go_on(&session, &administrator) => {
                Err(session_ended())
            }
            Verdict::Rotate | Verdict::Replace => {
                let (successor, rotation) = succeed(app, &session, verdict, now)?;
                queries::rotate(tx, session.id, &rotation).await?;
                Ok(Some((administrator, successor)))
            }
            Verdict::Reuse => {
                queries::end(tx, session.id, now).await?;
                Ok(None)
            }
        }
    })?;
    match turned {
        Some((administrator, successor)) => {
            note.identify(&administrator);
            issue(app, administrator, &successor)
        }
        None => Err(Error::refused(
            Code::RefreshTokenReused,
            "This refresh token was used before, so the session was ended. Sign in again.",
        )),
    }
}

/// The successor of a session's token, and what it changes.
fn succeed(
    app: &App,
    session: &AdministratorSession,
    verdict: Verdict,
    now: Timestamp,
) -> Result<(RefreshToken, Rotation)> {
    let replaces = verdict == Verdict::Replace;
    let generation = session.refresh_generation + i64::from(!replaces);
    let number = u32::try_from(generation).unwrap_or(u32::MAX);
    let successor = RefreshToken::issue(&app.platform_refresh_key, OrgId::NIL, session.id, number)?;
    let before = if replaces { session.previous_hash.clone() } else { Some(session.refresh_hash.clone()) };
    let rotation = Rotation {
        refresh_hash: successor.hash().to_vec(),
        refresh_generation: generation,
        previous_hash: before,
        rotated_at: if replaces { session.rotated_at } else { now },
        expires_at: now.plus(app.config.auth.refresh_lifetime),
    };
    Ok((successor, rotation))
}

fn invalid() -> Error {
    Error::refused(
        Code::RefreshTokenInvalid,
        "The refresh token is not valid, was replaced or has expired. Sign in again.",
    )
}

/// Ends a session.
pub(crate) async fn log_out(app: &App, session: SessionId) -> Result<()> {
    let now = app.clock.now();
    transaction!(app.db.central(), |tx| Ok(queries::end(tx, session, now).await?))
}

/// Deletes sessions that were over before `before`.
pub(crate) async fn delete_over(db: &Db, before: Timestamp) -> Result<usize> {
    transaction!(db.central(), |tx| Ok(queries::delete_over(tx, before).await?))
}
