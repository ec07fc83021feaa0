//! What handlers take from a request: parsed bodies and queries, and who is asking.
//!
//! An extractor authorises *and* loads. A handler that names none of [`Member`] and [`Admin`] cannot
//! reach tenant rows, because it has no organisation to open a scope with.

use anyhow::Context as _;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestPartsExt as _};
use http_body_util::BodyExt as _;
use serde::Serialize;

use super::client_address::ClientAddress;
use super::fields::{Fields, FromFields};
use super::json;
use super::meter::{Genuine, Meter};
use crate::activity::Origin;
use crate::app::App;
use crate::auth::Claims;
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::types::{Actor, OrgId, Role, SessionId, Timestamp, UserId};

/// A JSON body, parsed. 415 unless declared as JSON, 400 where not JSON, 422 with all fields that are not
/// acceptable.
#[derive(Debug)]
pub struct ValidJson<T>(pub T);

impl<T: FromFields> FromRequest<App> for ValidJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(Error::refused(
                Code::NotJson,
                "The body must be JSON: send content-type: application/json.",
            ));
        }
        if !is_plain(request.headers()) {
            return Err(Error::refused(Code::NotJson, "The body must not be compressed."));
        }
        // The middleware has it in memory and has bounded it.
        let body = request.into_body().collect().await.context("a body that was read before")?.to_bytes();
        let value = json::parse(&body, app.config.limits.max_json_depth).map_err(|error| {
            Error::refused(Code::MalformedJson, format!("The body is not JSON: {error}."))
        })?;
        Fields::parse_json(value).map(Self)
    }
}

/// Whether the body is declared as JSON (RFC 8259, or a type with the suffix `+json`).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Whether the body is what it is, and nothing that would have to be unpacked, to who knows what size.
fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// A query string, parsed. 422 with all fields that are not acceptable.
#[derive(Debug)]
pub struct ValidQuery<T>(pub T);

impl<T: FromFields> FromRequestParts<App> for ValidQuery<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self> {
        let Query(pairs) = parts
            .extract::<Query<Vec<(String, String)>>>()
            .await
            .map_err(|_| Error::refused(Code::BadRequest, "The query string cannot be read."))?;
        Fields::parse_query(pairs).map(Self)
    }
}

/// The id in a path. What is no id names nothing: 404.
#[derive(Debug)]
pub struct PathId<T>(pub T);

impl<T> FromRequestParts<App> for PathId<T>
where
    T: std::str::FromStr + Send,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self> {
        let Path(text) = parts.extract::<Path<String>>().await.map_err(|_| Error::not_found("resource"))?;
        text.parse().map(Self).map_err(|_| Error::not_found("resource"))
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    /// The client's address, as [`ClientAddress`] has it.
    pub ip: Option<String>,
    /// The user agent, cut to 512 characters.
    pub user_agent: Option<String>,
}

impl ClientInfo {
    /// Where a request with these parts comes from.
    pub fn of(parts: &Parts) -> Self {
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            ip: parts.extensions.get::<ClientAddress>().map(|address| address.0.to_string()),
            user_agent: agent.map(|agent| agent.chars().take(512).collect()),
        }
    }

    /// The origin of what `actor` does in `org`.
    pub fn origin(&self, org: OrgId, actor: Option<Actor>, at: Timestamp) -> Origin {
        Origin { org, actor, ip: self.ip.clone(), user_agent: self.user_agent.clone(), at }
    }
}

impl FromRequestParts<App> for ClientInfo {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self> {
        Ok(Self::of(parts))
    }
}

/// As what somebody takes part in an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As one of its users.
    User,
    /// As a platform administrator, who acts for it: `user` is then their id, and names none of its users.
    Administrator,
}

/// Somebody who is signed in, bound to the organisation of their session. The role is what it is now.
#[derive(Debug, Clone)]
pub struct Member {
    /// The organisation.
    pub org: OrgId,
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The user's role as this node knows it now.
    pub role: Role,
    /// The user's name.
    pub name: String,
    /// Whether they are one of the organisation's users at all.
    pub standing: Standing,
    /// Where the request comes from.
    pub client: ClientInfo,
}

impl Member {
    /// The origin of what this member does.
    pub fn origin(&self, at: Timestamp) -> Origin {
        let actor = Actor { id: self.user, name: self.name.clone() };
        self.client.origin(self.org, Some(actor), at)
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        if let Some(acting) = platform::act(parts, app).await? {
            return Ok(acting);
        }
        let claims = claims(parts, app)?;
        super::log::record_caller(claims.org, claims.sub);
        let meter = parts.extract_with_state::<Meter, App>(app).await?;
        let admitted = match app.hub.admit(claims.org, claims.sub, claims.sid).await {
            Ok(admitted) => admitted,
            Err(denied) => {
                if denied.code() == Code::SessionEnded {
                    meter.count_stranger()?;
                }
                return Err(denied);
            }
        };
        meter.count_member(claims.org, &admitted.plan).await?;
        super::tenant::require_own(app, &parts.headers, &parts.extensions, claims.org).await?;
        Ok(Self {
            org: claims.org,
            user: claims.sub,
            session: claims.sid,
            role: admitted.role,
            name: admitted.name,
            standing: Standing::User,
            client: ClientInfo::of(parts),
        })
    }
}

/// What the token of a request says. Fails where it has none that is ours and lives.
fn claims(parts: &Parts, app: &App) -> Result<Claims> {
    let now = app.clock.now();
    // It was looked at before the body came, which may have taken its time.
    if let Some(Genuine(claims)) = parts.extensions.get()
        && claims.is_live(now)
    {
        return Ok(claims.clone());
    }
    let token = bearer(&parts.headers).ok_or_else(|| {
        Error::refused(Code::TokenInvalid, "Send an access token: Authorization: Bearer <token>.")
    })?;
    app.tokens.verify(token, now).map_err(|_| {
        Error::refused(Code::TokenInvalid, "The access token is not valid or has expired: refresh it.")
    })
}

/// A token from `Authorization: Bearer …` (RFC 6750).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A [`Member`] who is an admin; others get 403.
#[derive(Debug, Clone)]
pub struct Admin(Member);

impl TryFrom<Member> for Admin {
    type Error = Error;

    fn try_from(member: Member) -> Result<Self> {
        match member.role {
            Role::Admin => Ok(Self(member)),
            Role::Member => Err(admins_only()),
        }
    }
}

impl std::ops::Deref for Admin {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.0
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Self::try_from(Member::from_request_parts(parts, app).await?)
    }
}

/// The caller is no admin.
pub(crate) fn admins_only() -> Error {
    Error::refused(Code::RoleForbidden, "Only admins of the organisation may do this.")
}

/// 201 with a JSON body.
#[derive(Debug)]
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// 204.
#[derive(Debug)]
pub struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}
