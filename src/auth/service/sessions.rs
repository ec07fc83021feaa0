//! The beginning and the end of a session.

use super::{accounts, credentials_invalid, memberships, session_ended};
use crate::activity::{self, Activity, Origin, SessionEnd, SessionStart};
use crate::app::App;
use crate::auth::model::{Opening, Session, SignedIn, TokenPair};
use crate::auth::queries::sessions as queries;
use crate::auth::refresh_token::RefreshToken;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::http::{ClientInfo, Member};
use crate::organisations::Organisation;
use crate::types::{OrgId, SessionId, Timestamp, UserId};
use crate::users::User;
use crate::{read, transaction};

/// A session that is about to begin, of an account whose password was of `password_version` when it was
/// checked.
pub(crate) fn prepare(
    app: &App,
    client: &ClientInfo,
    org: OrgId,
    user: UserId,
    password_version: i64,
    now: Timestamp,
) -> Result<Opening> {
    let id = SessionId::new();
    let token = RefreshToken::issue(&app.refresh_key, org, id, 0)?;
    let session = Session {
        org_id: org,
        id,
        user_id: user,
        password_version,
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
    Ok(Opening { session, token })
}

/// Begins a session and records it. Its user exists already.
pub(crate) async fn begin(
    tx: &mut Tx,
    origin: &Origin,
    opening: &Opening,
    reason: SessionStart,
) -> Result<()> {
    queries::insert(tx, &opening.session).await?;
    let started =
        Activity::SessionStarted { user: opening.session.user_id, session: opening.session.id, reason };
    activity::append(tx, origin, started).await?;
    Ok(())
}

/// Ends a session and records why. One that has ended, or is gone with its user, stays as it is.
pub(crate) async fn end(tx: &mut Tx, origin: &Origin, session: SessionId, reason: SessionEnd) -> Result<()> {
    if let Some(user) = queries::end(tx, origin.org, session, origin.at).await? {
        let ended = Activity::SessionEnded { user, session, reason };
        activity::append(tx, origin, ended).await?;
    }
    Ok(())
}

/// Sessions that one transaction ends: each is two statements under the log's lock, for which others wait.
const ENDED_AT_ONCE: usize = 200;

/// Whether a user has more sessions than one transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Older {
    /// All have ended.
    None,
    /// [`end_rest`] ends the others.
    Some,
}

/// Ends a user's sessions that began under a password before `version`, and records each: as many as a
/// transaction should.
pub(crate) async fn end_older(tx: &mut Tx, origin: &Origin, user: UserId, version: i64) -> Result<Older> {
    let limit = i64::try_from(ENDED_AT_ONCE).unwrap_or(i64::MAX);
    let ended = queries::end_older(tx, origin.org, user, version, origin.at, limit).await?;
    let count = ended.len();
    for session in ended {
        let ended = Activity::SessionEnded { user, session, reason: SessionEnd::PasswordChanged };
        activity::append(tx, origin, ended).await?;
    }
    Ok(if count < ENDED_AT_ONCE { Older::None } else { Older::Some })
}

/// Ends what [`end_older`] left, each part in a transaction of its own. Interrupted, what is left ends when it
/// is next refreshed, which compares the password's version.
pub(crate) async fn end_rest(db: &Db, origin: &Origin, user: UserId, version: i64) -> Result<()> {
    loop {
        let left = transaction!(db.org(origin.org), |tx| end_older(tx, origin, user, version).await)?;
        if left == Older::None {
            return Ok(());
        }
    }
}

/// Ends the session of a caller who signs out.
pub(crate) async fn log_out(app: &App, member: &Member) -> Result<()> {
    let origin = member.origin(app.clock.now());
    transaction!(app.db.org(member.org), |tx| end(tx, &origin, member.session, SessionEnd::Logout).await)
}

/// What the client of a session that has just begun is told, if the session may stay.
///
/// The password may have been changed after it was checked and before the session was there to be ended
/// with the others. Whichever came first, either that change sees the session or this sees the change.
pub(crate) async fn welcome(
    app: &App,
    client: &ClientInfo,
    opening: &Opening,
    user: User,
    organisation: Organisation,
) -> Result<SignedIn> {
    let session = &opening.session;
    let version = accounts::find_password_version(app, user.account_id).await;
    // Who is told now that it was refused would find what they asked for done.
    let version = version.map_err(|error| match error {
        Error::Database(error) => Error::Database(error.after_the_change()),
        other => other,
    })?;
    if version != Some(session.password_version) {
        let origin = client.origin(user.org_id, Some(user.to_actor()), app.clock.now());
        transaction!(app.db.org(user.org_id), |tx| end(
            tx,
            &origin,
            session.id,
            SessionEnd::PasswordChanged
        )
        .await)?;
        return Err(credentials_invalid());
    }
    memberships::touch(app, user.account_id, user.org_id, user.id).await;
    Ok(SignedIn { tokens: issue(app, &user, &opening.token)?, session: session.id, user, organisation })
}

/// A pair of tokens for a user: a new access token beside this refresh token.
pub(crate) fn issue(app: &App, user: &User, refresh: &RefreshToken) -> Result<TokenPair> {
    let access_token = app.tokens.issue(user.org_id, user.id, user.role, refresh.session, app.clock.now())?;
    Ok(TokenPair {
        access_token,
        refresh_token: refresh.to_opaque(),
        expires_in: app.tokens.lifetime().as_secs(),
    })
}

/// The password version that the caller's session stands for.
pub(crate) async fn load_password_version(app: &App, member: &Member) -> Result<i64> {
    let session =
        read!(app.db.org(member.org), |conn| Ok(queries::find(conn, member.org, member.session).await?))?;
    let standing = session.filter(|session| session.ended_at.is_none());
    Ok(standing.ok_or_else(session_ended)?.password_version)
}

/// Sessions of these organisations that ended or expired before `before`, at most `limit`.
pub(crate) async fn list_over(
    app: &App,
    orgs: &[OrgId],
    before: Timestamp,
    limit: i64,
) -> Result<Vec<SessionId>> {
    read!(app.db.orgs(orgs.to_vec()), |conn| Ok(queries::list_over(conn, orgs, before, limit).await?))
}

/// Deletes these sessions, if they ended or expired before `before`; how many did.
pub(crate) async fn delete_over(
    tx: &mut Tx,
    orgs: &[OrgId],
    ids: &[SessionId],
    before: Timestamp,
) -> Result<u64> {
    Ok(queries::delete_over(tx, orgs, ids, before).await?)
}
