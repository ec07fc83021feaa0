//! Turning a refresh token into a new pair.

use super::{accounts, session_ended, sessions};
use crate::activity::SessionEnd;
use crate::app::App;
use crate::auth::model::{Session, TokenPair};
use crate::auth::opaque::OpaqueToken;
use crate::auth::policy::{Verdict, judge};
use crate::auth::queries::sessions as queries;
use crate::auth::queries::sessions::Rotation;
use crate::auth::refresh_token::RefreshToken;
use crate::db::Tx;
use crate::error::{Code, Error, Result};
use crate::http::log::record_organisation;
use crate::http::{ClientInfo, Meter};
use crate::types::{Timestamp, UserId};
use crate::users::{self, User};
use crate::{organisations, read, transaction};

/// A new pair of tokens for a refresh token. Fails with `refresh_token_invalid`, `refresh_token_reused`
/// (the session has then ended) or `session_ended`.
pub(crate) async fn refresh(
    app: &App,
    client: &ClientInfo,
    meter: &Meter,
    token: &OpaqueToken,
) -> Result<TokenPair> {
    let Some(token) = RefreshToken::parse(&app.refresh_key, token) else {
        meter.count_address()?;
        return Err(invalid());
    };
    record_organisation(token.org);
    // By session, so that an office behind one address can come back after an outage.
    meter.count_session(token.session)?;
    let session =
        read!(app.db.org(token.org), |conn| Ok(queries::find(conn, token.org, token.session).await?))?;
    let session = session.ok_or_else(session_ended)?;
    let user = find_user(app, &token, session.user_id).await?;
    let version = accounts::find_password_version(app, user.account_id).await?;
    let present = transaction!(app.db.org(token.org), |tx| {
        let session = queries::lock(tx, token.org, token.session).await?;
        let session = session.ok_or_else(session_ended)?;
        turn(app, client, tx, &token, &session, version).await
    })?;
    match present {
        Turn::Rotated(pair) => sessions::issue(app, &pair.1, &pair.0),
        Turn::Reused => Err(Error::refused(
            Code::RefreshTokenReused,
            "This refresh token was used before, so the session was ended. Sign in again.",
        )),
    }
}

/// What a token brought about, once its transaction has committed.
enum Turn {
    Rotated(Box<(RefreshToken, User)>),
    /// The session has ended, which has to commit although the request fails.
    Reused,
}

/// Decides and stores, with the session's row locked, so that of two that come at once the second sees
/// what the first did.
async fn turn(
    app: &App,
    client: &ClientInfo,
    tx: &mut Tx,
    token: &RefreshToken,
    session: &Session,
    version: Option<i64>,
) -> Result<Turn> {
    let now = app.clock.now();
    let user = users::service::find(tx, token.org, session.user_id).await?;
    let user = user.ok_or_else(session_ended)?;
    let leeway = app.config.auth.refresh_leeway;
    let verdict = judge(session.refreshable(), token.hash(), token.generation, now, leeway);
    match verdict {
        Verdict::Ended => Err(session_ended()),
        Verdict::Expired | Verdict::Replaced => Err(invalid()),
        // The password was changed elsewhere, and ending this session with it failed or is on its way.
        Verdict::Rotate | Verdict::Replace
            if version.is_none_or(|version| session.password_version < version) =>
        {
            Err(session_ended())
        }
        Verdict::Rotate | Verdict::Replace => {
            organisations::service::require_active(tx, token.org).await?;
            let successor = succeed(app, tx, session, verdict, now).await?;
            Ok(Turn::Rotated(Box::new((successor, user))))
        }
        Verdict::Reuse => {
            let origin = client.origin(token.org, Some(user.to_actor()), now);
            sessions::end(tx, &origin, session.id, SessionEnd::RefreshReuse).await?;
            Ok(Turn::Reused)
        }
    }
}

/// Puts a successor in the place of the current token: the next generation of it, or another of the same
/// where it was never used.
async fn succeed(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    verdict: Verdict,
    now: Timestamp,
) -> Result<RefreshToken> {
    let replaces = verdict == Verdict::Replace;
    let generation = session.refresh_generation + i64::from(!replaces);
    // Four thousand million turns of a quarter of an hour are not reached.
    let number = u32::try_from(generation).unwrap_or(u32::MAX);
    let successor = RefreshToken::issue(&app.refresh_key, session.org_id, session.id, number)?;
    let rotation = Rotation {
        refresh_hash: successor.hash().to_vec(),
        refresh_generation: generation,
        previous_hash: if replaces {
            session.previous_hash.clone()
        } else {
            Some(session.refresh_hash.clone())
        },
        rotated_at: if replaces { session.rotated_at } else { now },
        expires_at: now.plus(app.config.auth.refresh_lifetime),
    };
    let current = &session.refresh_hash;
    if queries::rotate(tx, session.org_id, session.id, current, &rotation).await? {
        Ok(successor)
    } else {
        Err(anyhow::anyhow!("a session changed although its row was locked").into())
    }
}

async fn find_user(app: &App, token: &RefreshToken, user: UserId) -> Result<User> {
    let user = read!(app.db.org(token.org), |conn| users::service::find(conn, token.org, user).await)?;
    user.ok_or_else(session_ended)
}

fn invalid() -> Error {
    Error::refused(
        Code::RefreshTokenInvalid,
        "The refresh token is not valid, was replaced or has expired. Sign in again.",
    )
}
