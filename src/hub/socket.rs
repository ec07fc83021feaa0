//! `GET /ws`: the handshake, and who may take part.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{Extensions, HeaderMap, Method, Version};
use axum::response::Response;
use axum::routing::get;
use axum::{RequestExt as _, Router};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

use super::connection::{self, Link, Peer, WebSocket};
use super::core::{Denied, Join};
use super::metrics::HubMetrics;
use super::protocol::CloseCode;
use super::room::{Room, Waker};
use super::ws::upgrade;
use crate::app::App;
use crate::auth::Claims;
use crate::error::{Code, Error, Result};
use crate::http::tenant::{self, Selector};
use crate::limits::Limit;
use crate::server::stream::{Incoming, Stream};
use crate::types::{ConnectionId, EpochId, OrgId, Seq};

/// The socket's route.
pub fn routes() -> Router<App> {
    Router::new().route("/ws", get(open_socket))
}

/// What a client asks for in the query.
#[derive(Default)]
pub(crate) struct Wish {
    token: Option<String>,
    after: Option<Seq>,
    epoch: Option<EpochId>,
    presence: bool,
}

/// Upgrades the connection. A token that is refused is told by a close frame after that, because a
/// browser cannot see the status of a handshake.
async fn open_socket(State(app): State<App>, mut request: Request) -> Result<Response> {
    if app.stop.is_cancelled() {
        return Err(Error::refused(Code::Draining, "This node is going away: connect to another."));
    }
    // A route for GET takes HEAD too.
    if request.method() != Method::GET || request.version() < Version::HTTP_11 {
        return Err(Error::refused(Code::BadRequest, "A WebSocket begins with a GET of HTTP/1.1."));
    }
    let mut handshake = upgrade::read(request.headers())?;
    let wish = match request.extract_parts::<Query<Vec<(String, String)>>>().await {
        Ok(Query(pairs)) => parse_wish(pairs, handshake.token.take()),
        Err(_) => Err(CloseCode::BadRequest),
    };
    require_own_tenant(&app, (request.headers(), request.extensions()), &wish).await?;
    let upgraded = hyper::upgrade::on(&mut request);
    app.tasks.spawn(serve(app.clone(), upgraded, wish));
    Ok(handshake.into_response())
}

/// Refuses a handshake that names another organisation than its token is for: with a status, since who can set a
/// header sees it. A token that is none is told of after the upgrade, as ever.
async fn require_own_tenant(
    app: &App,
    (headers, extensions): (&HeaderMap, &Extensions),
    wish: &Result<Wish, CloseCode>,
) -> Result<()> {
    if !Selector::is_in(headers) {
        return Ok(());
    }
    let token = wish.as_ref().ok().and_then(|wish| wish.token.as_deref());
    match token.and_then(|token| app.tokens.verify(token, app.clock.now()).ok()) {
        Some(claims) => tenant::require_own(app, headers, extensions, claims.org).await,
        None => Ok(()),
    }
}

/// Reads the query. Parameters that are not known are left alone: intermediaries add their own.
pub(crate) fn parse_wish(pairs: Vec<(String, String)>, token: Option<String>) -> Result<Wish, CloseCode> {
    let mut wish = Wish { token, ..Wish::default() };
    for (name, value) in pairs {
        match name.as_str() {
            "token" => wish.token = Some(value),
            "after" => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                let seq = value.parse().ok().filter(|_| digits).and_then(Seq::new);
                wish.after = Some(seq.ok_or(CloseCode::BadRequest)?);
            }
            "epoch" => wish.epoch = Some(value.parse().map_err(|_| CloseCode::BadRequest)?),
            "presence" => wish.presence = value == "1",
            _ => {}
        }
    }
    Ok(wish)
}

/// Serves one socket from its upgrade on. Once it is let in it goes on in a task of its own, which is
/// small: what the handshake needed does not stay with it.
async fn serve(app: App, upgraded: OnUpgrade, wish: Result<Wish, CloseCode>) {
    let (stream, early) = match upgraded.await.map(take_stream) {
        Ok(Some(taken)) => taken,
        Ok(None) => {
            tracing::error!("an upgraded connection is not a stream of ours");
            return;
        }
        Err(error) => {
            tracing::debug!(%error, "a client went away during its handshake");
            return;
        }
    };
    match admit(&app, wish).await {
        Ok(admitted) => {
            let Admitted { claims, joined, room, link } = admitted;
            // Without the request's span, which would stay in memory as long as the socket, as would one that says more
            // than what is logged in it.
            let span = tracing::debug_span!(
                parent: None,
                "socket",
                organisation.id = %claims.org,
                user.id = %claims.sub,
            );
            span.in_scope(|| {
                tracing::debug!(seq = joined.seq.get(), resumed = joined.resumed, "a socket was opened");
            });
            let peer = Peer { id: ConnectionId::new(), claims, joined };
            let mut socket = WebSocket::new(app.clone(), stream, room, peer, span);
            socket.receive(&early);
            app.sockets.spawn(link.serve(socket));
        }
        Err(Refused { code, org }) => {
            let org = org.map(tracing::field::display);
            tracing::debug!(organisation.id = org, close.code = code.code(), "a socket was refused");
            HubMetrics::closed(code);
            connection::refuse(stream, code).await;
        }
    }
}

/// The stream under an upgraded connection, and what the client sent right after its handshake.
fn take_stream(upgraded: Upgraded) -> Option<(Stream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<Incoming>>().ok()?;
    Some((parts.io.into_inner().into_stream(), parts.read_buf.to_vec()))
}

struct Admitted {
    claims: Claims,
    joined: super::core::Joined,
    room: Arc<Room>,
    link: Arc<Link>,
}

/// With which code a socket is closed, and of which organisation, where that is known.
struct Refused {
    code: CloseCode,
    org: Option<OrgId>,
}

impl From<CloseCode> for Refused {
    fn from(code: CloseCode) -> Self {
        Self { code, org: None }
    }
}

/// Lets the bearer of a token in, or says with which code to close.
async fn admit(app: &App, wish: Result<Wish, CloseCode>) -> Result<Admitted, Refused> {
    let wish = wish?;
    let token = wish.token.ok_or(CloseCode::Unauthorized)?;
    let claims = app.tokens.verify(&token, app.clock.now()).map_err(|_| CloseCode::Unauthorized)?;
    let join = Join {
        user: claims.sub,
        session: claims.sid,
        after: wish.after,
        epoch: wish.epoch,
        presence: wish.presence,
        at: app.clock.now(),
    };
    let refused = |code| Refused { code, org: Some(claims.org) };
    let mut link = None;
    let waker = |room: &Room| Waker::Socket(Arc::clone(link.insert(Link::new(Arc::clone(&room.walk)))));
    match app.hub.inner.join(claims.org, &join, waker).await {
        Ok((room, joined)) => {
            let link = link.ok_or(refused(CloseCode::InternalError))?;
            Ok(Admitted { claims, joined, room, link })
        }
        Err(Denied::UserUnknown) => Err(refused(CloseCode::Removed)),
        Err(Denied::SessionEnded) => Err(refused(CloseCode::Unauthorized)),
        Err(Denied::Suspended) => Err(refused(CloseCode::Suspended)),
        Err(Denied::Stale) => Err(refused(CloseCode::Unavailable)),
        Err(Denied::TooManySockets(of)) => {
            Limit::from(of).count_refusal();
            Err(refused(CloseCode::TooMany))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, value: &str) -> Result<Wish, CloseCode> {
        parse_wish(vec![(name.to_owned(), value.to_owned())], None)
    }

    #[test]
    fn a_position_is_a_number_from_0_to_2_63() {
        assert_eq!(parse("after", "0").ok().and_then(|wish| wish.after), Some(Seq::ZERO));
        let last = i64::MAX.to_string();
        assert_eq!(parse("after", &last).ok().and_then(|wish| wish.after), Seq::new(i64::MAX));
        for bad in ["", "-1", "+1", "x", "1.0", "9223372036854775808"] {
            assert_eq!(parse("after", bad).err(), Some(CloseCode::BadRequest), "{bad:?}");
        }
        assert!(parse("utm_source", "mail").is_ok());
    }
}
