//! What browsers are told: which pages of other origins may call the hub (CORS), and what they must not do
//! with an answer.

use std::time::Duration;

use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{request_id, tenant};
use crate::app::App;

/// For how long a browser may remember what it was allowed.
const PREFLIGHT_AGE: Duration = Duration::from_hours(1);

/// An answer of the API is no page: nothing is to be loaded or run, should a browser show it.
const API_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The interactive documents load their own files alone. Their scripts set styles, and their pictures are in
/// their styles.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Who has seen TLS here comes back with TLS for a year.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Lets pages of the origins of `CORS_ORIGINS` call the hub; nothing where there are none. Tokens travel in
/// a header, so cookies and the like are never allowed.
pub(super) fn cors(app: &App) -> Option<CorsLayer> {
    let origins = &app.config.server.cors_origins;
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().cloned())
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IDEMPOTENCY_KEY,
            LAST_EVENT_ID,
            request_id::HEADER,
            tenant::BY_ID,
            tenant::BY_SLUG,
        ])
        .expose_headers([
            HeaderName::from_static("ratelimit-limit"),
            HeaderName::from_static("ratelimit-remaining"),
            HeaderName::from_static("ratelimit-reset"),
            RETRY_AFTER,
            HeaderName::from_static("idempotency-replayed"),
            request_id::HEADER,
        ])
        .max_age(PREFLIGHT_AGE);
    (!origins.is_empty()).then_some(layer)
}

/// Browsers set it by themselves; who reads a stream with `fetch` does it as they would.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What an answer is to a browser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The interactive documents.
    Docs,
    /// No page.
    Api,
}

impl Page {
    /// What is at a path.
    pub(super) fn of(path: &str) -> Self {
        if path == "/docs" || path.starts_with("/docs/") { Self::Docs } else { Self::Api }
    }
}

/// Adds to every answer what keeps a browser from misusing it. What a route has set itself stays.
pub(super) fn protect(app: &App, page: Page, headers: &mut HeaderMap) {
    let mut default = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    default(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    default(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    default(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    default(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    match page {
        Page::Docs => default(CONTENT_SECURITY_POLICY, DOCS_POLICY),
        Page::Api => {
            default(CONTENT_SECURITY_POLICY, API_POLICY);
            default(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
    if app.tls.is_some() {
        default(STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
}
