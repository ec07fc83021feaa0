//! `GET /stream`: what the socket sends, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::RequestPartsExt as _;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Notify;
use tracing::Instrument as _;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::connection::{Events, Peer};
use super::core::{Denied, Join, SocketsOf};
use super::room::Waker;
use crate::app::App;
use crate::auth::Claims;
use crate::error::{Code, Error, FieldError, Problems, Result};
use crate::http::browser::LAST_EVENT_ID;
use crate::http::extract::bearer;
use crate::http::{Fields, FromFields, log, tenant};
use crate::limits::{Limit, Refusal, Standing};
use crate::server::line::Line;
use crate::types::{ConnectionId, EpochId, Seq};

/// The stream's route.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(open_stream))
}

/// When somebody with too many sockets may ask again: when one closes is theirs to know.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Asks proxies to pass each event on as it comes, as nginx understands it.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where the stream starts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what is asked for in the OpenAPI document; it is never made")]
struct StreamParams {
    /// An access token, for those who can set no header, as browsers' `EventSource`.
    token: Option<String>,
    /// Resume after this seq; 0 is all that is kept. Without it the stream starts at the head.
    after: Option<Seq>,
    /// The epoch of an earlier WELCOME.
    #[param(value_type = Option<String>, format = Uuid)]
    epoch: Option<EpochId>,
    /// 1 asks for `USER_ONLINE` and `USER_OFFLINE`.
    #[param(minimum = 0, maximum = 1)]
    presence: Option<i64>,
}

/// What comes in a header.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what is asked for in the OpenAPI document; it is never made")]
struct StreamHeaders {
    /// The same as `after`, and wins over it: what browsers send when they come back by themselves. Empty is as if it
    /// were not there.
    #[param(rename = "Last-Event-ID", required = false)]
    last_event_id: Seq,
}

/// One event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes events in the OpenAPI document; it is never made")]
struct StreamEvent {
    /// `message`, where it has no name, or `CLOSE`, which is the last.
    #[schema(example = "message")]
    event: Option<String>,
    /// The frame's JSON; of `CLOSE` that of an object with `code` and `reason`.
    #[schema(example = r#"{"type":"PONG","payload":{"seq":42}}"#)]
    data: String,
    /// The position.
    #[schema(pattern = "^[0-9]+$", example = "42")]
    id: Option<String>,
}

/// What is asked for in the query, besides the token.
struct StreamQuery {
    after: Option<Seq>,
    epoch: Option<EpochId>,
    presence: bool,
}

impl FromFields for StreamQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let after = fields.optional_integer("after", 0, i64::MAX).and_then(Seq::new);
        let presence = fields.optional_integer("presence", 0, 1) == Some(1);
        Some(Self { after, epoch: fields.optional_id("epoch"), presence })
    }
}

/// The live stream.
///
/// The frames of the socket at `/ws` as server-sent events, one JSON text each. `id` is the position: who comes back
/// with the last one misses nothing. A comment comes every 15 seconds. The last event is named `CLOSE`, with the
/// socket's close code and its reason. The stream ends when its token does.
#[utoipa::path(get, path = "/stream", tag = "activities", security(("bearer" = [])),
    params(StreamParams, StreamHeaders),
    responses((status = 200, description = "Events, until a `CLOSE`", content_type = "text/event-stream", body = StreamEvent),
        Problems))]
async fn open_stream(State(app): State<App>, request: Request) -> Result<Response> {
    if app.stop.is_cancelled() {
        return Err(Error::refused(Code::Draining, "This node is going away: connect to another."));
    }
    let (mut parts, _body) = request.into_parts();
    let (token, pairs) = take_token(&mut parts).await?;
    let claims =
        token.and_then(|token| app.tokens.verify(&token, app.clock.now()).ok()).ok_or_else(|| {
            Error::refused(
                Code::TokenInvalid,
                "Send an access token that is valid: Authorization: Bearer <token>, or ?token=.",
            )
        })?;
    log::record_caller(claims.org, claims.sub);
    tenant::require_own(&app, &parts.headers, &parts.extensions, claims.org).await?;
    let query = parse(pairs, &parts.headers)?;
    if parts.method == Method::HEAD {
        app.hub.admit(claims.org, claims.sub, claims.sid).await?;
        return Ok(answer(Body::empty()));
    }
    let line = parts.extensions.get::<Line>().context("a request without its line")?.clone();
    open(&app, line, claims, query).await
}

/// The token, and the other pairs of the query.
async fn take_token(parts: &mut Parts) -> Result<(Option<String>, Vec<(String, String)>)> {
    let mut token = bearer(&parts.headers).map(str::to_owned);
    let Query(mut pairs) = parts
        .extract::<Query<Vec<(String, String)>>>()
        .await
        .map_err(|_| Error::refused(Code::BadRequest, "The query string cannot be read."))?;
    if let Some(index) = pairs.iter().position(|(name, _)| name == "token") {
        let (_, given) = pairs.remove(index);
        token.get_or_insert(given);
    }
    Ok((token, pairs))
}

/// Reads where to start. All that is wrong is told at once.
fn parse(pairs: Vec<(String, String)>, headers: &HeaderMap) -> Result<StreamQuery> {
    match (Fields::parse_query::<StreamQuery>(pairs), last_event_id(headers)) {
        (Ok(query), Ok(last)) => Ok(StreamQuery { after: last.or(query.after), ..query }),
        (Ok(_), Err(wrong)) => Err(Error::Invalid(vec![wrong])),
        (Err(Error::Invalid(mut errors)), last) => {
            errors.extend(last.err());
            Err(Error::Invalid(errors))
        }
        (Err(error), _) => Err(error),
    }
}

/// The position that a client comes back with.
fn last_event_id(headers: &HeaderMap) -> std::result::Result<Option<Seq>, FieldError> {
    let mut position = None;
    for value in headers.get_all(LAST_EVENT_ID) {
        if value.is_empty() {
            continue;
        }
        let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let seq = text.and_then(|text| text.parse().ok()).and_then(Seq::new);
        let wrong = || FieldError {
            field: "Last-Event-ID".to_owned(),
            message: format!("must be empty or a whole number from 0 to {}", i64::MAX),
        };
        position = Some(seq.ok_or_else(wrong)?);
    }
    Ok(position)
}

/// Lets the bearer of a token in, and starts the stream.
async fn open(app: &App, line: Line, claims: Claims, query: StreamQuery) -> Result<Response> {
    let StreamQuery { after, epoch, presence } = query;
    let at = app.clock.now();
    let join = Join { user: claims.sub, session: claims.sid, after, epoch, presence, at };
    let waker = Arc::new(Notify::new());
    // Nothing waits between joining and the stream that leaves again: a client that hangs up drops this future.
    let (room, joined) =
        match app.hub.inner.join(claims.org, &join, |_| Waker::Stream(Arc::clone(&waker))).await {
            Ok(joined) => joined,
            Err(Denied::TooManySockets(of)) => return Err(too_many(app, of).into()),
            Err(denied) => return Err(app.hub.inner.refusal(claims.org, denied)),
        };
    // Without the request's span, which would stay in memory as long as the stream.
    let span = tracing::info_span!(
        parent: None,
        "stream",
        organisation.id = %claims.org,
        user.id = %claims.sub,
    );
    span.in_scope(|| {
        tracing::debug!(seq = joined.seq.get(), resumed = joined.resumed, "a stream was opened");
    });
    let peer = Peer { id: ConnectionId::new(), claims, joined };
    let (events, body) = Events::new(app.clone(), line, room, peer, waker);
    app.sockets.spawn(events.run().instrument(span));
    Ok(answer(Body::new(body)))
}

fn too_many(app: &App, of: SocketsOf) -> Refusal {
    let limits = &app.config.limits;
    let (limit, max) = match of {
        SocketsOf::User => (Limit::UserSockets, limits.max_sockets_per_user),
        SocketsOf::Organisation => (Limit::OrganisationSockets, limits.max_sockets_per_organisation),
    };
    limit.count_refusal();
    let standing = Standing { limit: max, remaining: 0, reset: RETRY_AFTER };
    Refusal { limit, standing, retry_after: RETRY_AFTER }
}

/// What ends with its stream: a client that comes back is to find another node where this one goes away.
fn answer(body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
