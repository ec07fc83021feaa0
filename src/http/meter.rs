//! Which limits a request counts against, and how its answer tells where the caller stands.
//!
//! What a token's signature proves is counted before the body is read, so that who is over a limit costs
//! nothing. The rest is counted by whoever finds it out: [`Member`](super::Member) knows the organisation's
//! plan, and a refresh whose session it is for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::Method;
use axum::http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;

use super::client_address::ClientAddress;
use super::extract::bearer;
use crate::app::App;
use crate::auth::Claims;
use crate::error::{Error, Result};
use crate::limits::{Counted, Limits, Refusal, Standing};
use crate::platform::PlatformClaims;
use crate::types::{OrgId, PlanCode, SessionId};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The routes that anybody reads uncounted: what operators ask, documents, and the page with its files.
const FREE: [&str; 20] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/",
    "/docs/{*rest}",
    "/",
    "/assets/{file}",
    "/favicon.svg",
    "/manifest.webmanifest",
    "/sign-up",
    "/sign-in",
    "/invite",
    "/live",
    "/feed",
    "/members",
    "/organisation",
    "/broadcast",
    "/messages",
];

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What operators ask, and documents: nothing.
    Free,
    /// A handshake of its address.
    Handshake,
    /// An attempt of its address to get in, besides a request of it.
    SignIn,
    /// Its session's, whose token says which it is.
    Session,
    /// Its session's, which its body names.
    Refresh,
    /// Its user's and organisation's, or its address's where nobody is signed in.
    Caller,
    /// Its address's: there is no such path.
    Unmatched,
}

impl Kind {
    fn of(method: &Method, path: Option<&str>) -> Self {
        let Some(path) = path else {
            return Self::Unmatched;
        };
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let api = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/api"));
        let Some(path) = api else {
            return match path {
                "/ws" => Self::Handshake,
                // Without a body, which would be held in memory uncounted.
                _ if is_read && FREE.contains(&path) => Self::Free,
                _ => Self::Caller,
            };
        };
        match (method, path) {
            (
                &Method::POST,
                "/auth/register"
                | "/auth/login"
                | "/auth/forgot-password"
                | "/auth/reset-password"
                | "/auth/sign-up"
                | "/users/accept-invite"
                | "/platform/auth/login",
            ) => Self::SignIn,
            (&Method::POST, "/auth/refresh" | "/platform/auth/refresh") => Self::Refresh,
            (&Method::GET | &Method::HEAD, "/stream") => Self::Handshake,
            // Who may GET may HEAD.
            (&Method::GET | &Method::HEAD, "/auth/me" | "/platform/auth/me")
            | (&Method::POST, "/auth/logout" | "/platform/auth/logout") => Self::Session,
            _ => Self::Caller,
        }
    }
}

/// The body of a refresh holds a token of some 90 characters. A larger one, which would be held in memory before
/// its session is known, counts against the address.
const USUAL_REFRESH_BYTES: usize = 4096;

/// What the token of a request says, which was found genuine before the body was read. It may have ended since.
#[derive(Clone)]
pub(super) struct Genuine(pub(super) Claims);

/// The same of an administrator's token.
#[derive(Clone)]
pub(crate) struct GenuineAdministrator(pub(crate) PlatformClaims);

/// What the token of a request says, whichever of the two it is.
enum Bearer {
    Member(Claims),
    Administrator(PlatformClaims),
}

/// Counts one request. Clones count the same one.
#[derive(Clone)]
pub(crate) struct Meter {
    limits: Limits,
    address: IpAddr,
    kind: Kind,
    counted: Arc<Mutex<Tally>>,
}

#[derive(Default)]
struct Tally {
    /// Whether it was counted against any limit.
    any: bool,
    /// Where the caller stands with the limit that binds tightest.
    tightest: Option<Standing>,
}

impl Meter {
    /// Counts what is known of a request before its body is read, and refuses what is over a limit.
    pub(super) fn begin(app: &App, request: &mut Request) -> Result<Self> {
        let Some(ClientAddress(address)) = request.extensions().get().copied() else {
            return Err(anyhow!("a request's address was not found out").into());
        };
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let kind = Kind::of(request.method(), path);
        let meter = Self { limits: app.limits.clone(), address, kind, counted: Arc::default() };
        match meter.count_first(app, request.headers())? {
            Some(Bearer::Member(claims)) => drop(request.extensions_mut().insert(Genuine(claims))),
            Some(Bearer::Administrator(claims)) => {
                request.extensions_mut().insert(GenuineAdministrator(claims));
            }
            None => {}
        }
        request.extensions_mut().insert(meter.clone());
        Ok(meter)
    }

    /// Ends a request: counts it where nothing was by now, and tells the caller where they stand.
    pub(super) fn finish(&self, mut response: Response) -> Response {
        // A refresh that came to nothing before it said whose it is: nobody's.
        if !self.counted.lock().any
            && let Err(refused) = self.count_address()
        {
            response = refused.into_response();
        }
        let tightest = self.counted.lock().tightest;
        if let Some(standing) = tightest
            && !response.headers().contains_key(LIMIT)
        {
            tell(response.headers_mut(), &standing);
        }
        response
    }

    /// Returns what the request's token says, where it was looked at.
    fn count_first(&self, app: &App, headers: &HeaderMap) -> Result<Option<Bearer>> {
        match self.kind {
            Kind::Free => self.note(Ok(None))?,
            Kind::Handshake => self.note(self.limits.count_handshake(self.address))?,
            Kind::SignIn => {
                self.count_address()?;
                self.note(self.limits.count_sign_in(self.address))?;
            }
            Kind::Refresh => {
                let length =
                    headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                let is_usual = length.is_some_and(|length: usize| length <= USUAL_REFRESH_BYTES);
                if !is_usual {
                    self.count_address()?;
                }
            }
            Kind::Session | Kind::Caller => {
                let bearer = read_bearer(app, headers);
                let (session, caller) = match &bearer {
                    Some(Bearer::Member(claims)) => (claims.sid, claims.sub),
                    // An administrator counts as a user would: no user has their id.
                    Some(Bearer::Administrator(claims)) => (claims.sid, claims.sub.as_uuid().into()),
                    None => {
                        self.count_address()?;
                        return Ok(None);
                    }
                };
                if self.kind == Kind::Session {
                    self.count_session(session)?;
                } else {
                    self.note(self.limits.count_user(caller))?;
                }
                return Ok(bearer);
            }
            Kind::Unmatched => self.count_address()?,
        }
        Ok(None)
    }

    /// Counts a member who was let in, on this plan.
    pub(super) async fn count_member(&self, org: OrgId, plan: &PlanCode) -> Result<()> {
        if self.kind == Kind::Caller {
            let standing = self.limits.count_organisation(org, plan).await?;
            return self.note(Ok(standing));
        }
        Ok(())
    }

    /// Counts somebody whose token is genuine and who was not let in.
    pub(crate) fn count_stranger(&self) -> Result<()> {
        if self.kind == Kind::Session { Ok(()) } else { self.count_address() }
    }

    /// Counts a request of a session that has proved to be it.
    pub(crate) fn count_session(&self, session: SessionId) -> Result<()> {
        self.note(self.limits.count_session(session))
    }

    /// Counts a request of nobody who is known.
    pub(crate) fn count_address(&self) -> Result<()> {
        self.note(self.limits.count_address(self.address))
    }

    fn note(&self, counted: Counted) -> Result<()> {
        let mut tally = self.counted.lock();
        tally.any = true;
        let Some(standing) = counted? else {
            return Ok(());
        };
        let tighter =
            |known: &Standing| (standing.remaining, standing.limit) < (known.remaining, known.limit);
        if tally.tightest.as_ref().is_none_or(tighter) {
            tally.tightest = Some(standing);
        }
        Ok(())
    }
}

/// What the token of a request says, if it is a member's or an administrator's and lives.
fn read_bearer(app: &App, headers: &HeaderMap) -> Option<Bearer> {
    let (token, now) = (bearer(headers)?, app.clock.now());
    let member = app.tokens.verify(token, now).map(Bearer::Member);
    member.or_else(|_| app.platform_tokens.verify(token, now).map(Bearer::Administrator)).ok()
}

impl FromRequestParts<App> for Meter {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self> {
        Ok(parts.extensions.get::<Self>().context("a request that no limit looked at")?.clone())
    }
}

/// Tells a caller who was refused where they stand, and when to come back.
pub(crate) fn tell_refusal(headers: &mut HeaderMap, refusal: &Refusal) {
    tell(headers, &refusal.standing);
    headers.insert(RETRY_AFTER, seconds(refusal.retry_after).max(1).into());
}

fn tell(headers: &mut HeaderMap, standing: &Standing) {
    headers.insert(LIMIT, standing.limit.into());
    headers.insert(REMAINING, standing.remaining.into());
    headers.insert(RESET, HeaderValue::from(seconds(standing.reset)));
}

/// Whole seconds, after which it is not too early.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_counts_as_something() {
        let kind = |method: Method, path: &str| Kind::of(&method, Some(path));
        for prefix in ["/api", "/api/v1"] {
            let kind = |method: Method, path: &str| kind(method, &format!("{prefix}{path}"));
            for path in ["/auth/register", "/auth/login", "/users/accept-invite"] {
                assert_eq!(kind(Method::POST, path), Kind::SignIn);
                assert_eq!(kind(Method::GET, path), Kind::Caller);
            }
            assert_eq!(kind(Method::POST, "/auth/refresh"), Kind::Refresh);
            assert_eq!(kind(Method::POST, "/auth/logout"), Kind::Session);
            assert_eq!(kind(Method::HEAD, "/auth/me"), Kind::Session);
            // It tries a password.
            assert_eq!(kind(Method::PATCH, "/auth/me"), Kind::Caller);
            assert_eq!(kind(Method::GET, "/users"), Kind::Caller);
            assert_eq!(kind(Method::GET, "/stream"), Kind::Handshake);
            assert_eq!(kind(Method::HEAD, "/stream"), Kind::Handshake);
            assert_eq!(kind(Method::POST, "/stream"), Kind::Caller);
        }
        for path in FREE {
            assert_eq!(kind(Method::GET, path), Kind::Free, "{path}");
            assert_eq!(kind(Method::POST, path), Kind::Caller, "{path}");
        }
        // One that nobody thought of is counted.
        assert_eq!(kind(Method::GET, "/hooks/{token}"), Kind::Caller);
        assert_eq!(kind(Method::GET, "/ws"), Kind::Handshake);
        assert_eq!(Kind::of(&Method::GET, None), Kind::Unmatched);
    }

    #[test]
    fn the_page_is_read_uncounted() {
        let text = include_str!("../../web-demo/src/paths.ts");
        let views = text.split('"').skip(1).step_by(2).map(ToOwned::to_owned);
        let public = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web-demo/public")).unwrap();
        let files = public.map(|file| format!("/{}", file.unwrap().file_name().to_str().unwrap()));
        for path in views.chain(files) {
            assert!(FREE.contains(&path.as_str()), "{path}");
        }
    }

    #[test]
    fn seconds_are_never_too_few() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_nanos(1)), 1);
        assert_eq!(seconds(Duration::from_secs(6)), 6);
        assert_eq!(seconds(Duration::from_millis(6001)), 7);
    }
}
